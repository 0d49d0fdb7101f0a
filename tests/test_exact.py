"""The exact posterior and the evidence, of densities whose answer is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax.retrieval.exact import bridge, reweigh

D = 4


def gaussian(x):
    return -0.5 * jnp.square(x / jnp.array([0.1, 0.5, 1.0, 0.3])).sum() + 2.5


LOG_Z = 2.5 + np.log(0.1 * 0.5 * 0.3) + 0.5 * D * np.log(2 * np.pi)


def banana(x):
    """A normal distribution along a parabola: its volume is the normal one's."""
    return gaussian(x.at[1].add(-1.5 * (x[2] ** 2 - 1)))


def draws(key, n):
    return jax.random.normal(key, (n, D)) * jnp.array([[0.1, 0.5, 1.0, 0.3]])


@pytest.mark.parametrize("density", [gaussian, banana])
def test_evidences_are_known_to_their_stated_errors(density):
    def one(key):
        sample_key, bridge_key = jax.random.split(key)
        x = draws(sample_key, 512)
        if density is banana:
            x = x.at[:, 1].add(1.5 * (x[:, 2] ** 2 - 1))
        return bridge(bridge_key, x, density, jnp.asarray(512.0))

    found = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), 40))
    off = (np.asarray(found.log_evidence) - LOG_Z) / np.asarray(found.error)
    assert np.all(np.asarray(found.error) < 0.25)
    assert 0.5 < np.sqrt(np.mean(off**2)) < 1.6 and np.abs(off).max() < 5
    assert abs(np.mean(np.asarray(found.log_evidence)) - LOG_Z) < 0.05
    keys = jax.random.split(jax.random.key(0), 40)
    np.testing.assert_allclose(jax.jit(one)(keys[3]).log_evidence, found.log_evidence[3], atol=1e-3)


def test_more_is_known_of_more_samples():
    def error(n):
        x = draws(jax.random.key(1), n)
        return float(bridge(jax.random.key(2), x, gaussian, jnp.asarray(float(n)), n).error)

    assert error(4096) < 0.6 * error(256)


def test_weights_lead_from_one_density_to_another():
    rng = np.random.default_rng(0)
    x = rng.normal(size=20_000)
    # From N(0, 1) to N(0.5, 0.8), seven times as large.
    log_ratio = -0.5 * ((x - 0.5) / 0.8) ** 2 - np.log(0.8) + 0.5 * x**2 + np.log(7.0)
    found = reweigh(np.full(x.size, 1 / x.size), log_ratio)
    assert found.weight.sum() == pytest.approx(1)
    mean = found.weight @ x
    assert mean == pytest.approx(0.5, abs=0.03)
    assert np.sqrt(found.weight @ (x - mean) ** 2) == pytest.approx(0.8, abs=0.03)
    assert abs(found.log_ratio - np.log(7.0)) < 4 * found.error < 0.1
    assert 0.5 < found.efficiency < 0.9


def test_equal_densities_lose_nothing():
    weight = np.array([0.2, 0.3, 0.5])
    found = reweigh(weight, np.full(3, -4.0))
    np.testing.assert_allclose(found.weight, weight)
    assert found.efficiency == pytest.approx(1) and found.log_ratio == pytest.approx(-4)
    assert found.error == pytest.approx(0, abs=1e-7)


def test_a_failure_says_so_and_impossible_samples_count_nothing():
    weight = np.full(4, 0.25)
    found = reweigh(weight, np.full(4, -np.inf))
    assert found.efficiency == 0 and np.isinf(found.error)
    np.testing.assert_array_equal(found.weight, weight)
    some = reweigh(weight, np.array([0.0, np.nan, -np.inf, 0.0]))
    np.testing.assert_allclose(some.weight, [0.5, 0, 0, 0.5])
    assert some.efficiency == pytest.approx(0.5)
