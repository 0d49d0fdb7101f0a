import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exogan_jax.retrieval.weighted import (
    coverage,
    effective_sample_size,
    systematic,
    weighted_quantile,
)


def test_equal_weights_give_sample_quantiles():
    samples = np.random.default_rng(0).normal(size=(101, 3))
    ours = weighted_quantile(samples, np.ones(101), (0.16, 0.5, 0.84))
    numpy = np.quantile(samples, (0.16, 0.5, 0.84), axis=0, method="hazen")
    np.testing.assert_allclose(ours, numpy, rtol=1e-12)


def test_integer_weights_are_repetitions():
    rng = np.random.default_rng(1)
    samples, weights = rng.normal(size=(4000, 1)), rng.integers(0, 4, 4000)
    repeated = np.repeat(samples, weights, axis=0)
    np.testing.assert_allclose(
        weighted_quantile(samples, weights),
        np.quantile(repeated, (0.16, 0.5, 0.84), axis=0),
        atol=5e-3,
    )


def test_samples_of_no_weight_pull_at_nothing():
    samples = np.array([[0.0], [1.0], [5.0]])
    quantiles = weighted_quantile(samples, np.array([1e-6, 1.0, 1e-6]))
    np.testing.assert_allclose(quantiles, 1.0)
    np.testing.assert_allclose(weighted_quantile(samples, np.array([0.0, 0.0, 2.0])), 5.0)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_quantiles_are_ordered_and_within_the_samples(values, seed):
    samples = np.array(values)[:, None]
    weights = np.random.default_rng(seed).random(len(values)) + 1e-3
    low, middle, high = weighted_quantile(samples, weights)[:, 0]
    assert samples.min() <= low <= middle <= high <= samples.max()


@pytest.mark.parametrize("weights", [np.zeros(3), np.array([1, -1, 1.0]), np.array([1, np.nan, 1])])
def test_unusable_weights_are_refused(weights):
    with pytest.raises(ValueError, match="finite, non-negative and not all zero"):
        weighted_quantile(np.zeros((3, 1)), weights)


def test_effective_sample_size_of_known_weights():
    weights = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [2, 2, 0, 0.0]])
    np.testing.assert_allclose(effective_sample_size(weights), [4, 1, 2])


def test_coverage_of_exact_posteriors_is_nominal():
    rng = np.random.default_rng(2)
    mean = rng.normal(size=(2000, 1, 2))
    samples = mean + rng.normal(size=(2000, 200, 2))
    truth = mean[:, 0] + rng.normal(size=(2000, 2))
    np.testing.assert_allclose(coverage(samples, np.ones((2000, 200)), truth), 0.68, atol=0.03)
    narrow = mean + 0.5 * (samples - mean)
    assert np.all(coverage(narrow, np.ones((2000, 200)), truth) < 0.45)


def test_systematic_resampling_draws_each_as_often_as_its_weight_says():
    weights = np.array([0.5, 0.0, 0.3, 0.2])
    for seed in range(5):
        counts = np.bincount(systematic(weights, 101, seed), minlength=4)
        assert counts.sum() == 101 and counts[1] == 0
        assert np.all(np.abs(counts - 101 * weights) < 1)
    drawn = {tuple(systematic(weights, 3, seed)) for seed in range(10)}
    assert len(drawn) > 1
