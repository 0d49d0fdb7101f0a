"""Coordinates of a box that are straight but for its rims."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from exogan_jax.retrieval.flat import RIM, from_flat, log_share, to_flat

PLACES = jnp.array([-0.99999, -0.9, -0.3, 0.0, 0.5, 0.97, 0.999, 0.99999])


def test_there_and_back():
    position = jax.jit(to_flat)(PLACES)
    np.testing.assert_allclose(from_flat(position), PLACES, atol=3e-7)
    assert np.all(np.diff(np.asarray(position)) > 0)
    np.testing.assert_allclose(to_flat(-PLACES), -position, atol=1e-5)


def test_the_inside_is_straight():
    inside = jnp.linspace(-1 + 8 * RIM, 1 - 8 * RIM, 50)
    np.testing.assert_allclose(to_flat(inside), inside, atol=2e-3 * RIM)


def test_walls_are_never_reached():
    far = jnp.array([-3.0, -1.5, 1.5, 3.0])
    assert np.all(np.abs(np.asarray(from_flat(far))) <= 1)
    ends = to_flat(jnp.array([-1.0, 1.0]))
    assert np.all(np.isfinite(ends)) and ends[0] < -1 and ends[1] > 1


def test_shares_are_the_slopes_and_sum_to_the_box():
    position = jnp.linspace(-1.1, 1.1, 45)
    slope = jax.vmap(jax.grad(from_flat))(position) / 2
    np.testing.assert_allclose(jnp.exp(log_share(position)), slope, rtol=1e-3, atol=1e-6)
    total, _ = quad(lambda x: float(jnp.exp(log_share(jnp.float32(x)))), -2, 2, limit=200)
    assert total == pytest.approx(1, abs=1e-4)


def test_shares_far_outside_are_finite():
    assert np.all(np.isfinite(log_share(jnp.array([-4.0, 4.0]))))
