"""Predictive p-values and divergences of distributions that are known."""

import numpy as np
import pytest
from scipy import stats

from exogan_jax.retrieval.diagnostics import divergences, predictive_p

RNG = np.random.default_rng(0)


def test_p_values_of_right_models_are_uniform():
    """A model without parameters: chi-squares of 30 normal residuals."""
    values = [
        predictive_p(np.array([chi2]), np.ones(1), 30) for chi2 in RNG.chisquare(30, size=2000)
    ]
    assert stats.kstest(values, "uniform").pvalue > 0.01


def test_misfits_are_near_0_and_overstated_errors_near_1():
    weights = np.array([0.25, 0.75])
    assert predictive_p(np.array([100.0, 100.0]), weights, 30) < 1e-8
    assert predictive_p(np.array([5.0, 5.0]), weights, 30) > 0.999999
    mixed = predictive_p(np.array([5.0, 100.0]), weights, 30)
    assert mixed == pytest.approx(0.25, abs=1e-4)
    assert predictive_p(np.array([np.inf, np.inf]), weights, 30) == 0
    assert np.isnan(predictive_p(np.zeros(2), weights, 0))


def test_divergences_of_equal_and_of_shifted_distributions():
    n = 20_000
    a, b = RNG.normal(size=(2, n, 2))
    b[:, 1] = 0.5 + b[:, 1]
    equal = np.full(n, 1 / n)
    found = divergences(a, equal, b, equal)
    assert found[0] < 5 / n
    # Of the bins' own probabilities.
    edges = 0.5 + stats.norm.ppf(np.arange(1, 10) / 10)
    p = np.diff(np.concatenate([[0], stats.norm.cdf(edges), [1]]))
    q = np.full(10, 0.1)
    m = (p + q) / 2
    expected = 0.5 * (p @ np.log(p / m) + q @ np.log(q / m))
    assert found[1] == pytest.approx(expected, rel=0.1)


def test_weights_make_distributions_equal():
    x = RNG.uniform(-4, 4, size=(20_000, 1))
    weight = stats.norm.pdf(x[:, 0])
    normal = RNG.normal(size=(20_000, 1))
    equal = np.full(20_000, 1 / 20_000)
    assert divergences(x, weight / weight.sum(), normal, equal)[0] < 1e-3
    assert divergences(x, equal, normal, equal)[0] > 0.02
