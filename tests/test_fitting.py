"""Fit, sampler and summary on a generator whose posterior is known: a linear one."""

import jax
import numpy as np
import pytest
from tiny_model import HIGH, LAYOUT, LOW, D, linear_map, linear_model

from exogan_jax.api import retrieve
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.settings import Settings

pytestmark = pytest.mark.optax
SIGMA = 1.5e-4
TRUTH = np.array([0.2, -0.3, 0.1])


@pytest.fixture(scope="module")
def model():
    return linear_model()


def observe(seed: int) -> Observation:
    rng = np.random.default_rng(seed)
    depth = LOW + (HIGH - LOW) * (0.5 + linear_map() @ TRUTH) + SIGMA * rng.normal(size=60)
    return Observation(LAYOUT.wavelength_um, np.zeros(60), depth, np.full(60, SIGMA))


def exact(observation: Observation) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the latent, by linear algebra."""
    design = (HIGH - LOW) * linear_map()
    precision = design.T @ design / SIGMA**2
    residual = observation.depth - (LOW + HIGH) / 2
    return np.linalg.solve(precision, design.T @ residual / SIGMA**2), np.linalg.inv(precision)


def latents(samples: np.ndarray) -> np.ndarray:
    return LAYOUT.parameters.to_anchor(samples.astype(np.float64))


def test_the_linear_model_is_what_it_says(model):
    values = model.values(model.generate(np.asarray(TRUTH, np.float32)))
    np.testing.assert_allclose(values.pixels, 0.5 + linear_map() @ TRUTH, atol=1e-5)
    np.testing.assert_allclose(values.low, LOW, rtol=1e-5)
    np.testing.assert_allclose(values.high, HIGH, rtol=1e-5)
    np.testing.assert_allclose(latents(np.asarray(values.theta)), TRUTH, atol=1e-5)


def test_samples_are_those_of_the_exact_posterior(model):
    observations = [observe(seed) for seed in range(3)]
    found = retrieve(observations, model, n_starts=8, n_steps=50, n_burn=100, n_samples=4096)
    for posterior, observation in zip(found, observations, strict=True):
        mean, covariance = exact(observation)
        spread = np.sqrt(np.diag(covariance))
        assert np.all(np.abs(mean) + 4 * spread < 1)  # the box does not matter
        z = latents(posterior.samples)
        size = posterior.effective_sample_size
        assert 1000 < size <= 4096 and 0.2 < posterior.acceptance < 0.8
        error = spread / np.sqrt(size)
        assert np.all(np.abs(z.mean(axis=0) - mean) < 4 * error)
        sample = np.cov(z, rowvar=False)
        scale = np.sqrt(np.outer(spread**2, spread**2) * 2 / size)
        assert np.all(np.abs(sample - covariance) < 4 * scale)
        # The likelihood of each sample is the one at its latent.
        model_depth = (LOW + HIGH) / 2 + (HIGH - LOW) * z @ linear_map().T
        chi2 = np.square((observation.depth - model_depth) / SIGMA).sum(axis=1)
        np.testing.assert_allclose(posterior.loss, chi2 / 2, rtol=2e-2)
        np.testing.assert_allclose(posterior.depth, model_depth, rtol=1e-5)


def test_the_chi_square_is_that_of_the_best_start_or_sample(model):
    observation = observe(1)
    mean, _ = exact(observation)
    best_depth = (LOW + HIGH) / 2 + (HIGH - LOW) * linear_map() @ mean
    least = np.square((observation.depth - best_depth) / SIGMA).sum()
    few = {"n_steps": 1, "n_burn": 0, "n_kept": 1, "keep_every": 1, "n_draws": 512}
    one, many = (retrieve(observation, model, n_starts=n, **few)[0] for n in (1, 64))
    starts = []
    for found in (one, many):
        pixels = LAYOUT.values(found.aspa).pixels
        shown = np.stack([LOW + (HIGH - LOW) * np.asarray(pixels), *found.depth])
        chi2 = np.square((observation.depth - shown) / SIGMA).sum(axis=1)
        np.testing.assert_allclose(found.reduced_chi2, chi2.min() / (60 - D), rtol=1e-2)
        starts.append(chi2[0])
    # Starts that hardly move: the best of many is better than one, and no worse than the optimum.
    assert least < starts[1] < 0.9 * starts[0]


def test_walkers_begin_about_the_best_starts(model):
    observation = observe(3)
    few = {"n_steps": 1, "n_burn": 0, "n_kept": 1, "keep_every": 1, "n_draws": 512}
    found = retrieve(observation, model, n_starts=64, **few)[0]
    anywhere = np.random.default_rng(0).uniform(-1, 1, (1000, D))
    depth = (LOW + HIGH) / 2 + (HIGH - LOW) * anywhere @ linear_map().T
    loss = np.square((observation.depth - depth) / SIGMA).sum(axis=1) / 2
    assert np.median(found.loss) < np.quantile(loss, 0.1)


def test_the_array_shown_is_that_of_the_lowest_loss(model):
    found = retrieve(observe(2), model, likelihood="paper", n_starts=6, n_steps=3)[0]
    shown = np.asarray(LAYOUT.values(found.aspa).theta)
    np.testing.assert_allclose(shown, found.samples[found.loss.argmin()], rtol=1e-4)
    assert found.weights.argmax() == found.loss.argmin()
    expected = np.exp(found.loss.min() - found.loss)
    np.testing.assert_allclose(found.weights, expected / expected.sum(), rtol=1e-3)
    assert np.isnan(found.acceptance)


def test_starts_and_sampler_share_no_random_numbers(model, monkeypatch):
    # One start: its key must not be the sampler's.
    from exogan_jax.retrieval import fitting

    seen = []

    def fit(key, *rest):
        seen.append(key)
        return fitting.Fit(*[np.zeros(1)] * 4, None)

    monkeypatch.setattr(fitting, "fit", fit)
    monkeypatch.setattr(fitting, "sample", lambda key, *rest: seen.append(key))
    monkeypatch.setattr(fitting, "summarise", lambda *rest: None)
    fitting.retrieve_one(jax.random.key(0), model, None, Settings())
    data = [jax.random.key_data(key).tolist() for key in seen]
    with jax.debug_key_reuse(False):
        children = [jax.random.key_data(k).tolist() for k in jax.random.split(seen[0], 64)]
    assert data[0] != data[1] and data[1] not in children
