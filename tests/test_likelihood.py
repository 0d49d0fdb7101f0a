import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax import aspa
from exogan_jax.gan.model import GeneratorError
from exogan_jax.layout import PUBLISHED
from exogan_jax.physics.observation import Observation, binning_operator
from exogan_jax.retrieval import likelihood
from exogan_jax.retrieval.compared import Target, grid_spectrum, pixel_target, usable_bins

THETA = jnp.array([-3.0, -4.0, -5.0, -6.0, 1.2, 1.1, 1500.0])
GRID = PUBLISHED.wavelength_um
SPECTRUM = 0.012 + 5e-4 * np.sin(np.arange(515) / 7.0)


def on_grid(rows, sigma=1e-4, shift=0.0) -> Observation:
    wavelength = GRID[rows]
    n = len(wavelength)
    return Observation(wavelength, np.zeros(n), SPECTRUM[rows] + shift, np.full(n, sigma))


def encoded():
    return PUBLISHED.pack(jnp.asarray(SPECTRUM, jnp.float32), THETA)


def depth_target(observation, error, *sizes):
    return likelihood.depth_target(observation, PUBLISHED, error, *sizes)


def at_touched(values, target):
    return values._replace(pixels=values.pixels[target.point])


def depth_loss(values, target):
    return likelihood.depth_loss(at_touched(values, target), target)


def robust_depth_loss(values, target):
    return likelihood.robust_depth_loss(at_touched(values, target), target)


def error(pixel=0.01, bound=1e-4) -> GeneratorError:
    return GeneratorError(np.full(515, pixel), np.full(14, bound), np.full(14, bound))


def dense_reference(values, observation, generator_error) -> float:
    """The same loss by brute force: a Gaussian with the sections' bounds marginalised."""
    pixels, low, high = (np.asarray(x, float) for x in values[:3])
    rows = [int(np.argmin(np.abs(GRID - w))) for w in observation.wavelength_um]
    section = PUBLISHED.section_of_point[rows]
    total = 0.0
    for s in np.unique(section):
        index = np.flatnonzero(section == s)
        p = pixels[np.array(rows)[index]]
        d = np.asarray(observation.depth)[index]
        noise = observation.sigma[index] ** 2 + (generator_error.pixel[0] * np.ptp(d)) ** 2
        design = np.stack([1 - p, p], axis=1)
        bounds = np.diag([generator_error.low[s] ** 2, generator_error.high[s] ** 2])
        covariance = np.diag(noise) + design @ bounds @ design.T
        residual = d - design @ np.array([low[s], high[s]])
        total += 0.5 * residual @ np.linalg.solve(covariance, residual)
    return total


def test_loss_equals_the_marginal_gaussian():
    rng = np.random.default_rng(0)
    rows = np.arange(3, 500, 6)
    observation = on_grid(rows, sigma=4e-5)
    noisy = observation._replace(depth=observation.depth + 1e-4 * rng.normal(size=len(rows)))
    for generator_error in (error(), error(0.05, 5e-4), error(0.001, 1e-5)):
        expected = dense_reference(encoded(), noisy, generator_error)
        ours = depth_loss(encoded(), depth_target(noisy, generator_error))
        np.testing.assert_allclose(ours, expected, rtol=2e-3)


def test_perfect_fit_costs_nothing():
    assert float(depth_loss(encoded(), depth_target(on_grid(np.arange(510)), error()))) < 1e-3


def test_a_shifted_section_is_forgiven_within_the_generators_error():
    rows = np.arange(334, 371)  # one section
    shifted = on_grid(rows, sigma=1e-6, shift=2e-4)
    strict = depth_loss(encoded(), depth_target(shifted, error(bound=1e-6)))
    lenient = depth_loss(encoded(), depth_target(shifted, error(bound=1e-4)))
    # Both bounds are 2 sigma off: 0.5 (2^2 + 2^2).
    np.testing.assert_allclose(lenient, 4.0, rtol=0.02)
    assert float(strict) > 100


def test_a_flattened_section_does_not_hide_a_wrong_shape():
    # The failure of a plain chi-square of decoded depths: a range of nothing fits any shape.
    rows = np.arange(255, 318)
    target = depth_target(on_grid(rows, sigma=1e-6), error(bound=5e-4))
    right = encoded()
    flat = right._replace(pixels=right.pixels[::-1], low=right.low.at[5].set(right.high[5]))
    assert float(depth_loss(flat, target)) > 10 * float(depth_loss(right, target)) + 10


def test_bins_across_sections_are_compared_as_decoded():
    edge = GRID[334]
    observation = Observation(
        np.array([edge]), np.array([0.1]), np.array([0.013]), np.array([3e-5])
    )
    target = depth_target(observation, error(bound=4e-5))
    operator = binning_operator(observation.wavelength_um, observation.half_width_um, GRID)
    model = float((operator @ SPECTRUM)[0])
    np.testing.assert_allclose(
        depth_loss(encoded(), target), 0.5 * ((0.013 - model) / 5e-5) ** 2, rtol=2e-3
    )


def test_robust_loss_is_the_loss_near_a_fit_and_grows_linearly_far_from_it():
    rows = np.arange(0, 500, 5)
    near = depth_target(on_grid(rows, sigma=1e-4, shift=1e-6), error())
    np.testing.assert_allclose(
        robust_depth_loss(encoded(), near), depth_loss(encoded(), near), rtol=1e-2, atol=1e-4
    )
    far = [
        float(robust_depth_loss(encoded(), depth_target(on_grid(rows, 1e-6, shift), error())))
        for shift in (1e-2, 2e-2)
    ]
    np.testing.assert_allclose(far[1] / far[0], 2.0, rtol=0.1)


def test_padding_and_points_off_the_array_count_nothing():
    rows = np.array([5, 200, 400])
    plain = depth_target(on_grid(rows, shift=1e-4), error())
    padded = depth_target(on_grid(rows, shift=1e-4), error(), 8, 11, 2)
    assert padded.operator.shape == (11, 8) and usable_bins(Target(padded, None, None)).sum() == 3
    assert plain.operator.shape == (3, 3)
    np.testing.assert_allclose(
        depth_loss(encoded(), padded), depth_loss(encoded(), plain), rtol=1e-5
    )
    bluest = depth_target(on_grid(np.arange(508, 515)), error())
    assert usable_bins(Target(bluest, None, None)).sum() == 2
    gradient = jax.grad(depth_loss)(encoded(), padded)
    assert all(bool(jnp.isfinite(x).all()) for x in gradient)


def test_vmap_over_spectra_agrees():
    target = depth_target(on_grid(np.arange(0, 500, 7), shift=1e-5), error())
    arrays = jax.tree.map(lambda x: jnp.stack([x, 0.99 * x]), encoded())
    batch = jax.jit(jax.vmap(depth_loss, (0, None)))(arrays, target)
    second = jax.tree.map(lambda x: x[1], arrays)
    np.testing.assert_allclose(batch[1], depth_loss(second, target), rtol=1e-3)
    assert batch[1] > batch[0]


def test_pixel_target_shows_complete_sections():
    target = pixel_target(on_grid(np.arange(334, 384)), PUBLISHED)
    np.testing.assert_array_equal(target.mask, aspa.mask("wfc3"))
    shown = target.mask * PUBLISHED.image(encoded())
    np.testing.assert_allclose(target.mask * target.array, shown, atol=2e-4)
    with pytest.raises(ValueError, match="Gaussian likelihood"):
        pixel_target(on_grid(np.arange(340, 350)), PUBLISHED)


def test_wide_bins_observe_all_the_points_they_cover():
    observation = Observation(
        np.array([4.5]), np.array([0.5]), np.array([0.0121]), np.array([1e-4])
    )
    depth, observed = grid_spectrum(observation, PUBLISHED)
    inside = (GRID >= 4.0) & (GRID <= 5.0)
    np.testing.assert_array_equal(observed, inside)
    np.testing.assert_allclose(depth, 0.0121)
