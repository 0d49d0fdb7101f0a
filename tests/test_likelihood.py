import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exogan_jax import aspa, grid
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.likelihood import (
    depth_loss,
    depth_target,
    grid_spectrum,
    n_usable,
    pixel_target,
)

THETA = jnp.array([-3.0, -4.0, -5.0, -6.0, 1.2, 1.1, 1500.0])
SPECTRUM = 0.012 + 5e-4 * np.sin(np.arange(515) / 7.0)


def on_grid(rows, sigma=1e-4, shift=0.0) -> Observation:
    wavelength = grid.WAVELENGTH_UM[rows]
    n = len(wavelength)
    return Observation(wavelength, np.zeros(n), SPECTRUM[rows] + shift, np.full(n, sigma))


def encoded():
    return aspa.encode(jnp.asarray(SPECTRUM, jnp.float32), THETA)


def test_loss_is_half_chi_square_with_both_errors():
    target = depth_target(on_grid(np.arange(100, 110), 3e-5, shift=1e-4), np.full(515, 4e-5))
    np.testing.assert_allclose(
        depth_loss(encoded(), target), 0.5 * 10 * (1e-4 / 5e-5) ** 2, rtol=1e-3
    )


def test_padding_and_points_off_the_array_count_nothing():
    rows = np.array([5, 200, 400])
    plain = depth_target(on_grid(rows, shift=1e-4), np.zeros(515))
    padded = depth_target(on_grid(rows, shift=1e-4), np.zeros(515), n_points=8)
    assert padded.operator.shape == (8, 515) and n_usable(padded) == 3
    np.testing.assert_allclose(
        depth_loss(encoded(), padded), depth_loss(encoded(), plain), rtol=1e-6
    )
    bluest = depth_target(on_grid(np.arange(508, 515)), np.zeros(515))
    assert n_usable(bluest) == 2
    gradient = jax.grad(depth_loss)(encoded(), padded)
    assert bool(jnp.isfinite(gradient).all())


def test_vmap_over_arrays_agrees():
    target = depth_target(on_grid(np.arange(0, 500, 7), shift=1e-5), np.full(515, 1e-5))
    arrays = jnp.stack([encoded(), 0.99 * encoded()])
    batch = jax.jit(jax.vmap(depth_loss, (0, None)))(arrays, target)
    np.testing.assert_allclose(batch[1], depth_loss(arrays[1], target), rtol=1e-4)
    assert batch[1] > batch[0]


def test_pixel_target_shows_complete_sections():
    target = pixel_target(on_grid(np.arange(334, 384)))
    np.testing.assert_array_equal(target.mask, aspa.mask("wfc3"))
    np.testing.assert_allclose(
        target.mask * target.aspa, target.mask * encoded(), atol=2e-4
    )
    with pytest.raises(ValueError, match="Gaussian likelihood"):
        pixel_target(on_grid(np.arange(340, 350)))


def test_wide_bins_observe_all_the_points_they_cover():
    observation = Observation(
        np.array([4.5]), np.array([0.5]), np.array([0.0121]), np.array([1e-4])
    )
    depth, observed = grid_spectrum(observation)
    inside = (grid.WAVELENGTH_UM >= 4.0) & (grid.WAVELENGTH_UM <= 5.0)
    np.testing.assert_array_equal(observed, inside)
    np.testing.assert_allclose(depth, 0.0121)
