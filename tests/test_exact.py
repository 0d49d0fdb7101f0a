"""Weights that lead from the generator's posterior to the exact one."""

import numpy as np
import pytest

from exogan_jax.retrieval.exact import reweigh


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
