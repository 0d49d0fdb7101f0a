"""Flags: each where it should be, and none where it should not."""

import numpy as np
import pytest
from scipy import stats

from exogan_jax.parameters import Parameter, Parameters
from exogan_jax.retrieval import judge as judging
from exogan_jax.retrieval.flags import MEANINGS, explain, split
from exogan_jax.retrieval.instruments import nothing_free
from exogan_jax.retrieval.judge import is_poor, is_structured, judge, structure
from exogan_jax.retrieval.marginals import marginals, shares
from exogan_jax.retrieval.priors import resolve
from exogan_jax.retrieval.residuals import Bins

PARAMETERS = Parameters(
    [
        Parameter("log10_h2o", "gas", "dex", "H2O", -12.0, -0.5),
        Parameter("planet_mass", "mass", "M_J", "M", 0.02, 12.0, "log10"),
        Parameter("planet_radius", "radius", "R_J", "R", 0.2, 2.2),
        Parameter("temperature", "temperature", "K", "T", 300.0, 3000.0),
        Parameter("log10_cloud_top", "cloud_top", "dex(Pa)", "p", -1.0, 7.0),
        Parameter("log10_haze", "haze_strength", "dex", "haze", -2.0, 5.0),
    ]
)
WATER, MASS, RADIUS, TEMPERATURE, CLOUD, HAZE = range(6)
GRID = 0.3 * 1.01 ** np.arange(400)
N, P = 512, 100


def bins(half_width=0.0, n_ignored=0, signal=1e-3, n=P):
    """A spectrum of a strong band with errors of 50 ppm."""
    wavelength = GRID[100 : 100 + n]
    depth = 0.01 + signal * np.sin(8 * np.log(wavelength))
    point = np.arange(100, 100 + n)
    half = np.full(n, half_width)
    return Bins(
        wavelength, half, depth, np.full(n, 5e-5), point, np.eye(n), nothing_free(n), n_ignored
    )


def posterior(**marginal):
    """Samples (N, d): shares of the range by the parameter's index, else 0.5 +- 0.05."""
    rng = np.random.default_rng(5)
    share = np.clip(0.5 + 0.05 * rng.normal(size=(N, len(PARAMETERS))), 0, 1)
    for name, values in marginal.items():
        share[:, PARAMETERS.index(name)] = values
    return PARAMETERS.from_unit(share)


def flags(samples=None, residuals=None, off=None, seen=None, effective=300.0, priors=None):
    seen = bins() if seen is None else seen
    if residuals is None:
        residuals = np.random.default_rng(1).normal(size=seen.depth.size)
    found = judge(
        posterior() if samples is None else samples,
        np.full(N, 1 / N),
        effective,
        residuals,
        off,
        seen,
        prior=marginals(resolve(priors, PARAMETERS), PARAMETERS),
        parameters=PARAMETERS,
        grid_um=GRID,
    )
    assert all(explain(flag) for flag in split(found))
    return split(found)


def uniform(low, high):
    return np.random.default_rng(2).permutation(np.linspace(low, high, N))


def pile(scale):
    """Samples that an exponential of a mean of `scale` has above 0."""
    return stats.expon.ppf((np.arange(N) + 0.5) / N, scale=scale)


def test_nothing_is_said_of_a_good_fit():
    assert flags() == () and flags(off=np.full(P, 0.5)) == ()


@pytest.mark.parametrize("name", ["planet_mass", "planet_radius", "temperature"])
def test_a_pile_at_either_bound_is_named(name):
    for values in (pile(0.02), 1 - pile(0.02), pile(1e-4), np.zeros(N), np.ones(N)):
        assert flags(posterior(**{name: values})) == (f"at_bound:{name}",)


def test_what_stands_near_a_bound_or_is_open_to_it_is_not_piled_up():
    rng = np.random.default_rng(3)
    near = np.abs(0.03 + 0.01 * rng.normal(size=N))  # 3 sigma away
    half = np.abs(0.01 * rng.normal(size=N))  # the truth is the bound
    for values in (near, half, uniform(0, 0.3), uniform(0, 1), pile(0.5)):
        assert flags(posterior(temperature=values)) == ()


def test_ends_where_nothing_more_shows_are_no_bounds():
    low, high = pile(0.02), 1 - pile(0.02)
    assert flags(posterior(log10_h2o=low)) == ()
    assert flags(posterior(log10_h2o=high)) == ("at_bound:log10_h2o",)
    assert flags(posterior(log10_cloud_top=high)) == ()
    assert flags(posterior(log10_cloud_top=low)) == ("at_bound:log10_cloud_top",)
    assert flags(posterior(log10_haze=low)) == ()
    assert flags(posterior(log10_haze=high)) == ("at_bound:log10_haze",)


def test_a_users_range_is_a_bound_and_his_normal_is_none():
    share = pile(0.02)
    samples = posterior()
    samples[:, TEMPERATURE] = 1000 + 500 * share
    assert flags(samples) == ()  # in the middle of the model's
    assert flags(samples, priors={"temperature": "1000..1500"}) == ("at_bound:temperature",)
    samples[:, TEMPERATURE] = 1000 + 600 * share
    assert flags(samples, priors={"temperature": "1300+-50"}) == ()
    samples[:, WATER] = -6 + 3 * share
    assert flags(samples, priors={"h2o": "-6..-3"}) == ("at_bound:log10_h2o",)


def test_a_fixed_parameter_is_never_at_a_bound():
    samples = posterior()
    samples[:, TEMPERATURE] = 300.0
    assert flags(samples, priors={"temperature": "300"}) == ()


@pytest.mark.parametrize("freedom", [3.0, 20.0, 400.0])
def test_poor_fits_are_those_that_chance_makes_in_1_of_10000(freedom):
    least = stats.chi2.isf(1e-4, freedom)
    assert is_poor(1.1 * least, freedom) and not is_poor(0.95 * least, freedom)
    assert not is_poor(0.0, freedom)


def test_errors_that_are_a_little_small_are_no_poor_fit():
    assert stats.chi2.sf(1.15 * 5000, 5000) < 1e-9 and not is_poor(1.15 * 5000, 5000)


def test_misfit_of_all_bins_is_a_poor_fit():
    noise = np.random.default_rng(1).normal(size=P)
    assert flags(residuals=1.5 * noise)[:1] == ("poor_fit",)


def test_few_bins_and_many_parameters_are_no_poor_fit():
    # 8 bins and 6 parameters, none of them known: all 8 are free.
    samples = PARAMETERS.from_unit(np.stack([uniform(0, 1)] * 6, axis=1))
    residuals = np.sqrt(2.5) * np.array([1, -1] * 4)
    assert stats.chi2.sf(20, 2) < 1e-4 < stats.chi2.sf(20, 8)
    assert "poor_fit" not in flags(samples, residuals, seen=bins(n=8))


def test_structure_is_the_largest_mean_of_a_window():
    series = np.zeros(64)
    series[20:28] = 1.0
    np.testing.assert_allclose([structure(series), structure(-series)], np.sqrt(8))
    assert structure(np.ones(3)) == structure(np.zeros(0)) == 0


def test_a_band_that_the_chi_square_misses_is_structure():
    residuals = np.random.default_rng(1).normal(size=P)
    assert not is_structured(residuals)
    residuals[40:56] += 1.5 - residuals[40:56].mean()
    assert flags(residuals=residuals) == ("structured_residuals",)
    residuals[40:56] -= 3.0
    assert flags(residuals=residuals) == ("structured_residuals",)


def test_white_noise_has_seldom_structure():
    rng = np.random.default_rng(4)
    for n in (20, 200):
        found = [is_structured(rng.normal(size=n)) for _ in range(1000)]
        assert np.mean(found) < 0.025


def test_a_generator_as_far_off_as_the_errors_is_named():
    signs = np.where(np.arange(P) % 2, 1.0, -1.0)
    assert flags(off=1.1 * signs) == ("generator_off",)
    assert flags(off=0.9 * signs) == () == flags(off=None)


def test_a_flat_spectrum_is_featureless_and_a_faint_band_not():
    noise = np.random.default_rng(1).normal(size=P)
    flat = bins(signal=0.0)
    flat = flat._replace(depth=flat.depth + flat.sigma * noise)
    assert flags(residuals=noise, seen=flat) == ("featureless",)
    # Neither fits: that is no lack of features.
    assert flags(residuals=3 * noise, seen=bins())[:1] == ("poor_fit",)
    steep = flat._replace(depth=flat.depth + 5e-5 * 3 * noise)
    assert flags(residuals=4 * noise, seen=steep)[:1] == ("poor_fit",)
    assert "featureless" not in flags(residuals=4 * noise, seen=steep)
    band = np.where(np.arange(P) < P / 2, 1.0, -1.0) * 0.5  # chi-square 25
    assert flags(residuals=noise, seen=flat._replace(depth=flat.depth + 5e-5 * band)) == ()


def test_an_answer_that_is_the_prior_is_named():
    prior = PARAMETERS.from_unit(np.stack([uniform(0, 1)] * 6, axis=1))
    assert flags(prior) == ("uninformative",)
    prior[:, MASS] = posterior()[:, MASS]
    assert flags(prior) == ()
    # The same spread is narrow beside the model's range, and the whole of what the user allowed.
    prior[:, MASS] = 0.9 + 0.2 * uniform(0, 1)
    assert flags(prior, priors={"mass": "0.9..1.1"}) == ("uninformative",)
    assert flags(prior) == ()


def test_bins_finer_than_the_grid():
    spacing = 0.01 * GRID[100:200]
    assert flags(seen=bins(half_width=0.2 * spacing)) == ("finer_than_grid",)
    for half in (0.0, 0.5 * spacing, 2 * spacing, np.where(np.arange(P) < 5, 0.2, 0.5) * spacing):
        assert flags(seen=bins(half_width=half)) == ()


def test_ignored_bins_and_few_samples():
    assert flags(seen=bins(n_ignored=1)) == ("outside_model",)
    assert flags(effective=25.0) == ("few_effective_samples",)
    assert flags(effective=26.0) == ()


def test_no_usable_bin_says_so():
    nothing = bins(n=0, n_ignored=5)
    prior = PARAMETERS.from_unit(np.stack([uniform(0, 1)] * 6, axis=1))
    found = flags(prior, seen=nothing, residuals=np.zeros(0), off=np.zeros(0))
    assert found == ("no_usable_points", "outside_model", "uninformative")


def test_weights_count():
    # Half of the samples, of no weight, away from the bound.
    values = np.where(np.arange(N) % 2, 0.7, pile(0.02))
    samples = posterior(temperature=values)
    weights = np.where(np.arange(N) % 2, 0.0, 2 / N)
    prior = marginals(resolve(None, PARAMETERS), PARAMETERS)
    for used, expected in ((weights, True), (np.full(N, 1 / N), False)):
        at = judging.at_bounds(shares(samples, prior, PARAMETERS), used, prior, PARAMETERS)
        assert at[TEMPERATURE] == expected and at.sum() == expected


def test_every_meaning_is_one_that_can_be_said():
    assert explain("at_bound:temperature") == MEANINGS["at_bound"] and explain("of_old") == ""
    assert split("") == () and split("a,b:c") == ("a", "b:c")
