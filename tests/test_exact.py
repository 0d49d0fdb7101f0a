"""Weights that lead from the generator's posterior to the exact one."""

import numpy as np
import pytest

from exogan_jax.retrieval.exact import drawn, largest_power, powered, reweigh, worth


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


def test_the_largest_power_leaves_what_is_asked_for():
    ratio = np.random.default_rng(2).normal(scale=4.0, size=4000)
    ratio[:10] = [-np.inf, np.nan] * 5
    equal = np.full(ratio.size, 1 / ratio.size)
    power = largest_power(ratio, 1.0, 0.5)
    assert 0 < power < 1
    assert reweigh(equal, powered(ratio, power)).efficiency == pytest.approx(0.5, abs=1e-3)
    # Of a normal distribution of ratios: exp(-variance), with the few that are lost.
    assert power == pytest.approx(np.sqrt(np.log(2)) / 4, rel=0.05)
    assert largest_power(ratio / 100, 0.7, 0.5) == 0.7
    assert largest_power(np.full(4, -np.inf), 1.0, 0.5) == 0


def test_powers_take_nothing_from_what_is_nothing():
    np.testing.assert_array_equal(
        powered(np.array([2.0, -np.inf, np.nan]), 0.0), [0.0, -np.inf, -np.inf]
    )
    np.testing.assert_array_equal(powered(np.array([2.0, -1.0]), 0.5), [1.0, -0.5])


def test_each_sample_is_drawn_as_often_as_its_weight_says():
    rng = np.random.default_rng(0)
    weight = np.array([0.1, 0.0, 0.55, 0.35])
    chosen = drawn(rng, weight, 1000)
    np.testing.assert_allclose(np.bincount(chosen, minlength=4), 1000 * weight, atol=1)
    assert np.abs(np.diff(chosen)).sum() > 300  # in no order
    np.testing.assert_array_equal(np.sort(drawn(rng, np.full(7, 1 / 7), 7)), np.arange(7))


def test_families_are_worth_as_many_as_they_are():
    rng = np.random.default_rng(1)
    n, members = 400, 5
    one = rng.normal(size=(n, 2))
    number = np.repeat(np.arange(n), members)
    same = np.repeat(one, members, axis=0)
    assert worth(same, number) == pytest.approx(n, rel=0.2)
    other = rng.normal(size=(n * members, 2))
    assert worth(other, number) > 0.8 * n * members
    # One column that families share is enough; one that does not vary says nothing.
    mixed = np.stack([other[:, 0], same[:, 0], np.ones(len(other))], axis=1)
    assert worth(mixed, number) == pytest.approx(n, rel=0.2)
    assert worth(np.ones((9, 1)), np.arange(9)) == 1
