"""Retrieval of many with a tiny untrained model: the bookkeeping, not the astronomy."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy.stats import norm
from tiny_model import LAYOUT, D, random_model

from exogan_jax import load_model
from exogan_jax.api import retrieve
from exogan_jax.gan.npe import Encoder
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval import answers, side_by_side
from exogan_jax.retrieval.compared import LIKELIHOODS
from exogan_jax.retrieval.encode import n_features
from exogan_jax.retrieval.fitting import suited
from exogan_jax.retrieval.latent_prior import latent_prior
from exogan_jax.retrieval.priors import resolve
from exogan_jax.retrieval.result import concatenate
from exogan_jax.retrieval.settings import Settings
from exogan_jax.retrieval.side_by_side import retrieve_all

pytestmark = pytest.mark.optax
# Short chains: the bookkeeping does not need converged samples.
OPTIONS = {
    "n_starts": 4,
    "n_steps": 5,
    "n_burn": 20,
    "keep_every": 10,
    "n_kept": 2,
    "n_draws": 4096,
    "n_samples": 512,
}
N = 30  # points of the longest spectrum: one program for all tests with as many spectra


@pytest.fixture(scope="module")
def model():
    return random_model()


def observation(n: int, seed: int = 0) -> Observation:
    rng = np.random.default_rng(seed)
    wavelength = np.sort(rng.uniform(0.6, 5.0, n))
    depth = 0.01 + 1e-4 * rng.normal(size=n)
    return Observation(wavelength, np.zeros(n), depth, np.full(n, 1e-4))


def complete() -> Observation:
    n = LAYOUT.n_wavelength
    depth = np.linspace(0.01, 0.011, n)
    return Observation(LAYOUT.wavelength_um, np.zeros(n), depth, np.full(n, 1e-5))


def test_shapes_and_meaning_of_the_result(model):
    result = retrieve([observation(20), observation(N, 1), observation(9, 2)], model, **OPTIONS)
    assert len(result) == 3 and result.names == ("0", "1", "2")
    assert result.samples.shape == (3, 512, D) and result.depth.shape == (3, 512, 60)
    assert result.aspa.shape == (3, LAYOUT.side, LAYOUT.side)
    np.testing.assert_allclose(result.weights.sum(axis=1), 1.0)
    assert np.all((result.effective_sample_size >= 1) & (result.effective_sample_size <= 512))
    assert np.all(np.isnan(result.log_evidence)) and np.all(np.isnan(result.efficiency))
    assert np.all(np.isfinite(result.loss))
    assert np.all((result.acceptance > 0) & (result.acceptance < 1))
    assert result.parameters == LAYOUT.parameters
    np.testing.assert_array_equal(result.wavelength_um, LAYOUT.wavelength_um)


def test_result_depends_on_neither_chunks_nor_neighbours(model):
    observations = [observation(20), observation(N, 1), observation(9, 2)]
    names = ["a", "b", "c"]
    saved = []
    whole = retrieve(observations, model, names=names, chunk=3, **OPTIONS)
    split = retrieve(observations, model, names=names, chunk=2, on_result=saved.append, **OPTIONS)
    # Another chunk size rounds otherwise, and walkers that part for it stay apart: to the noise of
    # the samples, the results agree.
    spread = whole.samples.std(axis=1)
    difference = np.median(split.samples, axis=1) - np.median(whole.samples, axis=1)
    assert np.all(np.abs(difference) < spread + 1e-3)
    again = retrieve(observations[::-1], model, names=names[::-1], chunk=3, **OPTIONS)
    np.testing.assert_allclose(again.samples[::-1], whole.samples, rtol=1e-5)
    assert [part.names for part in saved] == [("a", "b"), ("c",)]
    np.testing.assert_array_equal(concatenate(saved).samples, split.samples)


def test_seed_changes_the_starts_and_repeats(model):
    two = [observation(N), observation(N, 1)]  # as others here: one program
    one, same, other = (retrieve(two, model, seed=s, **OPTIONS) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.samples, same.samples)
    assert np.any(one.samples != other.samples)


def test_progress_counts_observations(model):
    seen = []
    retrieve(
        [observation(N, s) for s in range(3)],
        model,
        chunk=2,
        progress=lambda done, total: seen.append((done, total)),
        **OPTIONS,
    )
    assert seen == [(2, 3), (3, 3)]


def test_another_seed_or_name_of_the_model_compiles_nothing(model):
    one = observation(N)
    retrieve([one, one], model, seed=1, **OPTIONS)
    compiled = retrieve_all.program._cache_size()
    # Nor do other wavelengths of about as many bins.
    fewer = Observation(*(x[1:-2] for x in one[:4]))
    retrieve([fewer, fewer], replace(model, name="another"), seed=2, **OPTIONS)
    assert retrieve_all.program._cache_size() == compiled


def test_an_encoder_starts_where_it_says(model):
    network = Encoder(latent_dim=4, width=8, depth=1)
    example = np.zeros((1, n_features(LAYOUT.n_wavelength)), np.float32)
    variables = network.init(jax.random.key(2), example)
    # One that is sure of z = 0.9, whatever it sees.
    bias = np.concatenate([np.full(4, norm.ppf(0.95)), np.full(4, 6.0), np.zeros(6)])
    variables["params"]["last"]["bias"] = bias.astype(np.float32)
    sure = replace(model, encoder=variables, encoder_options=(("depth", 1), ("width", 8)))
    options = {"likelihood": "paper", "n_starts": 4, "n_steps": 1}
    there, anywhere, without = (
        retrieve(complete(), m, encoder=encoder, rate=1e-3, **options)
        for m, encoder in ((sure, True), (sure, False), (model, True))
    )
    drawing = model.generate(np.full(4, 0.9, np.float32))
    expected = np.asarray(model.values(drawing).theta)
    spread = np.ptp(anywhere.samples[0], axis=0)
    assert np.all(np.abs(there.samples[0] - expected) < 0.1 * spread + 1e-2)
    np.testing.assert_array_equal(anywhere.samples, without.samples)


def test_settings_suit_the_model_and_say_what_is_wrong():
    encoded, plain = Settings().for_model(True), Settings().for_model(False)
    assert encoded.encoder and not plain.encoder and encoded.n_steps < plain.n_steps
    assert Settings(n_steps=7, encoder=False).for_model(True) == Settings(n_steps=7).for_model(
        False
    )
    for change in ({"n_burn": -1}, {"keep_every": 0}, {"rate": 0.0}, {"seed": -1}):
        with pytest.raises(ValueError, match=next(iter(change))):
            Settings(**change)
    with pytest.raises(TypeError, match="widht"):
        retrieve(observation(20), widht=3)


def test_starts_that_climb_take_fewer_steps(model):
    climbs, walks = Settings().for_model(True, climbs=True), Settings().for_model(True)
    assert climbs.n_steps < walks.n_steps and replace(climbs, n_steps=walks.n_steps) == walks
    assert Settings().for_model(False, climbs=True) == Settings().for_model(False)
    shipped = load_model("planets")
    assert suited(Settings(), shipped) == climbs
    for given in (Settings(likelihood="paper"), Settings(encoder=False), Settings(n_steps=7)):
        assert suited(given, shipped) == given.for_model(True)
    assert suited(Settings(), model) == Settings().for_model(False)  # it has no encoder


@pytest.mark.parametrize(("backend", "likelihood", "side"), [
    ("cpu", "gaussian", 1), ("gpu", "gaussian", 4), ("cpu", "paper", 4)
])  # fmt: skip
def test_how_many_are_sampled_side_by_side(model, monkeypatch, backend, likelihood, side):
    """None of what only fills a chunk."""
    asked = []

    def made(keys, model, targets, settings, side):
        asked.append((len(keys), len(targets), side))
        raise InterruptedError

    monkeypatch.setattr(answers, "summaries", made)
    monkeypatch.setattr(side_by_side.jax, "default_backend", lambda: backend)
    with pytest.raises(InterruptedError):
        retrieve([complete()] * 7, model, chunk=4, likelihood=likelihood, **OPTIONS)
    assert asked == [(4, 4, side)]
    with pytest.raises(InterruptedError):
        answers.answers(*_last(model, likelihood), 4)
    assert asked[1] == (3, 3, side)


def _last(model, likelihood):
    """What is asked of a chunk that has three places of four filled."""
    settings = Settings(likelihood=likelihood, **OPTIONS).for_model(False)
    parameters = model.layout.parameters
    prior = latent_prior(resolve(None, parameters), parameters, model.networks.latent_dim)
    target = LIKELIHOODS[likelihood].target(complete(), model, prior)
    own = answers.Asked(target, None, None)
    return ["a", "b", "c"], [own] * 3, model, None, settings


def test_summary_has_units_and_ordered_quantiles(model):
    result = retrieve([observation(N), observation(N, 1)], model, names=["HD 1 b", "2"], **OPTIONS)
    summary = result.summary()
    assert list(summary["name"]) == ["HD 1 b", "2"]
    radius = summary["planet_radius_q50"][0]
    np.testing.assert_allclose(radius.to_value("m"), radius.value * 6.9911e7)
    assert summary["temperature_q16"].unit == "K"
    for i, name in enumerate(LAYOUT.parameters.names):
        values = [np.asarray(summary[f"{name}_{q}"], float) for q in ("q16", "q50", "q84")]
        np.testing.assert_allclose(values, result.quantiles()[:, :, i].T)
        assert np.all(np.diff(values, axis=0) >= 0)
    diagnostics = {
        "reduced_chi2",
        "effective_sample_size",
        "acceptance",
        "log_evidence",
        "flags",
    } | {
        "efficiency",
        "predictive_p",
        "divergence",
        "log_evidence_error",
    }
    assert diagnostics <= set(summary.colnames)


def test_a_retrieval_is_a_sequence_of_posteriors(model):
    result = retrieve([observation(N, s) for s in range(3)], model, names=list("abc"), **OPTIONS)
    one = result[1]
    assert one.name == "b" and one.samples.shape == (512, D) and isinstance(one.reduced_chi2, float)
    np.testing.assert_array_equal(one.quantiles(), result.quantiles()[1])
    assert list(one.summary()["name"]) == ["b"]
    assert one.summary()["temperature_q50"][0] == result.summary()["temperature_q50"][1]
    assert [posterior.name for posterior in result] == ["a", "b", "c"]
    assert result[-1].name == "c" and result[1:].names == ("b", "c")
    with pytest.raises(IndexError):
        result[3]
    equal = one.equal_samples(100)
    assert equal.shape == (100, D) and np.isin(equal[:, 0], one.samples[:, 0]).all()
    with pytest.raises(ValueError, match="cannot be joined"):
        concatenate([result, replace(result, layout=replace(LAYOUT, depth_range=(1e-3, 0.3)))])


def test_all_samples_are_one_chain(model):
    result = retrieve([observation(N), observation(N, 1)], model, **OPTIONS)
    tree = result[1].to_datatree()
    temperature = tree["posterior"]["temperature"]
    assert temperature.dims == ("chain", "draw") and temperature.shape == (1, 512)
    np.testing.assert_array_equal(temperature.values[0], result[1].samples[:, 2])
    both = result.to_datatree()
    assert both["posterior_predictive"]["transit_depth"].dims[:3] == ("chain", "draw", "spectrum")
    np.testing.assert_array_equal(both["posterior"]["temperature"][:, :, 1], temperature)
    np.testing.assert_array_equal(both["sample_stats"]["loss"][0, :, 0], result[0].loss)
    assert float(tree["constant_data"]["reduced_chi2"]) == result.reduced_chi2[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"likelihood": "student"}, "gaussian, paper"),
        ({"n_starts": 0}, "at least 1"),
        ({"chunk": 0}, "at least 1"),
        ({"names": ["a", "b"]}, "distinct, one per observation"),
    ],
)
def test_bad_options_are_refused(model, options, message):
    with pytest.raises(ValueError, match=message):
        retrieve(observation(20), model, **options)


def test_bad_observation_is_named_before_anything_is_computed(model):
    bad = observation(20)._replace(sigma=np.zeros(20))
    with pytest.raises(ValueError, match="second: point 1: error is not positive"):
        retrieve([observation(20), bad], model, names=["first", "second"])
    with pytest.raises(ValueError, match="no observations"):
        retrieve([], model)
