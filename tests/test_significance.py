"""Bayes factors of an atmosphere's components."""

import math

import numpy as np
import pytest
from astropy.table import QTable
from fake_results import make_retrieval
from test_catalogue import OPTIONS
from test_flagged import THETA, cloudy, model, observe  # noqa: F401  (fixtures)

from exogan_jax import api
from exogan_jax.files.significance_table import read_significance, write_significance
from exogan_jax.files.summary import write_summary
from exogan_jax.parameters import Parameter
from exogan_jax.retrieval import significance
from exogan_jax.retrieval.forward_check import true_spectrum
from exogan_jax.retrieval.settings import Settings
from exogan_jax.retrieval.significance import (
    Significance,
    absent,
    is_component,
    of_samples,
    sigma_of,
    significances,
)

WATER = Parameter("log10_h2o", "h2o", "dex", "H2O", -12.0, -1.0)
CLOUD = Parameter("log10_cloud_top", "cloud_top", "dex(Pa)", "p", -1.0, 7.0)
MASS = Parameter("mass", "mass", "M_J", "M", 0.5, 2.0)
N = 4000
EQUAL = np.full(N, 1 / N)


@pytest.mark.parametrize(
    ("log_bayes", "sigma"),
    # Trotta (2008), table 2: B of 21, 150 and 43,000.
    [(math.log(21), 3.0), (math.log(150), 3.6), (math.log(43_000), 5.0), (700.0, 37.5)],
)
def test_sigma_is_the_tables(log_bayes, sigma):
    assert sigma_of(log_bayes) == pytest.approx(sigma, rel=0.015)
    assert sigma_of(-log_bayes) == -sigma_of(log_bayes)


def test_sigma_is_smooth_where_the_series_begins():
    below, above = (sigma_of(x) for x in (592.0, 593.5))  # -log p of about 600
    assert 0 < above - below < 0.06
    assert sigma_of(0.0) == 0 and math.isnan(sigma_of(math.nan))


def test_an_upper_limit_is_weakly_against():
    """A posterior that is flat up to 1e-6: six of eleven decades are left."""
    values = np.random.default_rng(0).uniform(-12, -6, N)
    log_bayes, error = of_samples(values, EQUAL, N, WATER)
    assert abs(log_bayes - math.log(6 / 11)) < 4 * error < 0.4
    clouds = 5 - values  # as much, at the other end
    assert of_samples(clouds - 10 + 0, EQUAL, N, CLOUD) is not None
    assert absent(CLOUD) == 7 and absent(WATER) == -12


def test_weights_count_and_few_samples_are_too_few():
    values = np.random.default_rng(0).uniform(-12, -1, N)
    weights = np.where(values < -11, 3.0, 1.0)
    log_bayes, _ = of_samples(values, weights / weights.sum(), N, WATER)
    assert log_bayes == pytest.approx(math.log((13 / 11) / 3), abs=0.15)
    assert of_samples(values, EQUAL, 100, WATER) is None
    assert of_samples(np.full(N, -3.0), EQUAL, N, WATER) is None


def test_components_are_what_may_not_be_there():
    haze = Parameter("haze", "haze_strength", "dex", "haze", -2.0, 5.0)
    assert all(map(is_component, (WATER, CLOUD, haze))) and not is_component(MASS)


@pytest.mark.optax
def test_a_second_run_agrees_with_the_samples(model, cloudy, monkeypatch):  # noqa: F811
    """Of a spectrum that says nothing of water both give nothing."""
    seen = observe(true_spectrum(cloudy, THETA), 1)
    settings = Settings(**OPTIONS)
    found = api.retrieve(seen, model, settings=settings, physics=cloudy, exact=False)[0]
    arguments = (found, seen, model, settings)
    (by_samples,) = significances(*arguments)
    monkeypatch.setattr(significance, "of_samples", lambda *_: None)
    (by_run,) = significances(*arguments)
    assert (by_samples.by, by_run.by) == ("samples", "second run")
    assert by_samples.parameter == by_run.parameter == "water"
    for one in (by_samples, by_run):
        assert abs(one.log_bayes) < 4 * one.error + 0.05 and 0 < one.error < 0.5
    # What the user fixed is not weighed.
    assert significances(*arguments, priors={"water": -8.0}) == []


def test_files_keep_it(tmp_path):
    made = [Significance("log10_h2o", 7.5, 0.2, 4.3, "second run")]
    made.append(Significance("log10_co", -0.5, 0.1, -1.6, "samples"))
    write_significance(tmp_path / "s.ecsv", made)
    assert read_significance(tmp_path / "s.ecsv") == made
    write_significance(tmp_path / "none.ecsv", [])
    assert read_significance(tmp_path / "none.ecsv") == []
    results = make_retrieval("a", "b")
    write_summary(tmp_path, results.summary(), None, {"a": made, "b": made[:1]})
    table = QTable.read(tmp_path / "summary.ecsv")
    np.testing.assert_array_equal(table["log10_h2o_log_bayes"], [7.5, 7.5])
    np.testing.assert_array_equal(table["log10_co_sigma"], [-1.6, np.nan])
