"""Retrieval with a tiny untrained model: the bookkeeping, not the astronomy."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy.stats import norm

from exogan_jax import grid
from exogan_jax.api import retrieve
from exogan_jax.aspa import decode
from exogan_jax.gan.encoder import Encoder
from exogan_jax.gan.model import GeneratorError, Model
from exogan_jax.gan.nets import networks
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval import catalogue
from exogan_jax.retrieval.encode import N_FEATURES
from exogan_jax.retrieval.results import concatenate

pytestmark = pytest.mark.optax
OPTIONS = {"n_starts": 4, "n_steps": 5}
N = 50  # points of the longest spectrum: one program for all tests with as many spectra


@pytest.fixture(autouse=True)
def short_chains(monkeypatch):
    """The bookkeeping does not need converged samples."""
    monkeypatch.setattr(catalogue, "N_BURN", (60, 60))
    monkeypatch.setattr(catalogue, "KEEP_EVERY", (20, 20))


@pytest.fixture(scope="module")
def model() -> Model:
    options = {"width": 8, "depth": 1, "latent_dim": 6}
    nets = networks("compact", **options)
    z, array = np.zeros((1, 6), np.float32), np.zeros((1, 33, 33), np.float32)
    return Model(
        name="tiny",
        network="compact",
        options=tuple(sorted(options.items())),
        generator=nets.generator.init(jax.random.key(0), z),
        discriminator=nets.discriminator.init(jax.random.key(1), array),
        error=GeneratorError(np.full(515, 0.02), np.full(14, 1e-4), np.full(14, 1e-4)),
    )


def observation(n: int, seed: int = 0) -> Observation:
    rng = np.random.default_rng(seed)
    wavelength = np.sort(rng.uniform(0.5, 10, n))
    depth = 0.01 + 1e-4 * rng.normal(size=n)
    return Observation(wavelength, np.zeros(n), depth, np.full(n, 1e-4))


def test_shapes_and_meaning_of_the_result(model):
    result = retrieve([observation(20), observation(N, 1), observation(9, 2)], model, **OPTIONS)
    assert len(result) == 3 and result.names == ("0", "1", "2")
    assert result.samples.shape == (3, 512, 7) and result.depth.shape == (3, 512, 515)
    assert result.aspa.shape == (3, 33, 33)
    np.testing.assert_allclose(result.weights.sum(axis=1), 1.0)
    assert np.all((result.effective_sample_size >= 1) & (result.effective_sample_size <= 512))
    assert np.all(np.isnan(result.log_evidence)) and np.all(np.isfinite(result.loss))


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
    one, same, other = (retrieve(observation(N), model, seed=s, **OPTIONS) for s in (1, 1, 2))
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


def test_paper_likelihood_weighs_starts_by_the_pixel_loss(model):
    wavelength = grid.WAVELENGTH_UM[334:384]
    wfc3 = Observation(wavelength, np.zeros(50), np.linspace(0.01, 0.011, 50), np.full(50, 1e-5))
    result = retrieve(wfc3, model, likelihood="paper", **OPTIONS)
    expected = np.exp(-(result.loss - result.loss.min()) / 0.3)
    np.testing.assert_allclose(result.weights, expected / expected.sum(), rtol=1e-3)


def test_an_encoder_starts_where_it_says(model):
    network = Encoder(latent_dim=6, width=8, depth=1)
    variables = network.init(jax.random.key(2), np.zeros((1, N_FEATURES), np.float32))
    # One that is sure of z = 0.9, whatever it sees.
    bias = np.concatenate([np.full(6, norm.ppf(0.95)), np.full(6, 6.0), np.zeros(15)])
    variables["params"]["last"]["bias"] = bias.astype(np.float32)
    sure = replace(model, encoder=variables, encoder_options=(("depth", 1), ("width", 8)))
    wavelength = grid.WAVELENGTH_UM[334:384]
    wfc3 = Observation(wavelength, np.zeros(50), np.linspace(0.01, 0.011, 50), np.full(50, 1e-5))
    options = {"likelihood": "paper", "n_starts": 4, "n_steps": 1}
    there, anywhere, without = (
        retrieve(wfc3, m, encoder=encoder, **options)
        for m, encoder in ((sure, True), (sure, False), (model, True))
    )
    expected = np.asarray(decode(model.generate(np.full(6, 0.9, np.float32)))[1])
    spread = np.ptp(anywhere.samples[0], axis=0)
    assert np.all(np.abs(there.samples[0] - expected) < 0.1 * spread + 1e-2)
    np.testing.assert_array_equal(anywhere.samples, without.samples)


def test_summary_has_units_of_the_papers_jupiter(model):
    summary = retrieve(observation(N), model, names=["HD 1 b"], **OPTIONS).summary()
    assert summary["name"][0] == "HD 1 b"
    radius = summary["planet_radius_q50"][0]
    np.testing.assert_allclose(radius.to_value("m"), radius.value * 6.9911e7)
    assert summary["temperature_q16"].unit == "K"
    for name in grid.PARAMETERS:
        values = [
            np.asarray(
                summary[f"{name}_{q}"].value
                if name in grid.PARAMETERS[4:]
                else summary[f"{name}_{q}"]
            )[0]
            for q in ("q16", "q50", "q84")
        ]
        assert values == sorted(values)
    assert {"reduced_chi2", "effective_sample_size", "log_evidence", "flags"} <= set(
        summary.colnames
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"likelihood": "student"}, "gaussian, paper"),
        ({"n_starts": 0}, "at least 1"),
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
