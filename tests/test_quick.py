"""Weighted draws of the encoder's proposal, of the linear model, whose posterior is known."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm
from test_fitting import exact, latents, observe
from tiny_model import LAYOUT, D, linear_model

from exogan_jax.api import retrieve
from exogan_jax.gan.npe import Encoder
from exogan_jax.retrieval import quick
from exogan_jax.retrieval.answers import retrieve_all
from exogan_jax.retrieval.compared import LIKELIHOODS
from exogan_jax.retrieval.encode import n_features
from exogan_jax.retrieval.importance import integral
from exogan_jax.retrieval.latent_prior import latent_prior
from exogan_jax.retrieval.priors import resolve
from exogan_jax.retrieval.proposed import proposed
from exogan_jax.retrieval.quick_rounds import quick_summaries
from exogan_jax.retrieval.settings import Settings

pytestmark = pytest.mark.optax
OPTIONS = {"width": 8, "depth": 1, "n_layers": 2, "flow_width": 8, "n_bins": 4}
N_FEATURES = n_features(LAYOUT.n_wavelength)


def with_encoder(mean, spread, flow=0.1):
    """The linear model with an encoder that says the same of whatever it sees: a normal
    distribution of u, and a flow that bends it somewhat.
    """
    network = Encoder(D, **OPTIONS)
    params = network.init(jax.random.key(2), np.zeros((1, N_FEATURES), np.float32))["params"]
    below = np.zeros(D * (D - 1) // 2)
    bias = np.concatenate([mean, 8 * np.arctanh(-np.log(spread) / 8), below])
    params["last"]["bias"] = bias.astype(np.float32)
    rng = np.random.default_rng(0)
    params["flow"] = jax.tree.map(
        lambda x: jnp.asarray(x + flow * rng.normal(size=x.shape), jnp.float32), params["flow"]
    )
    options = tuple(sorted(OPTIONS.items()))
    return dataclasses.replace(linear_model(), encoder={"params": params}, encoder_options=options)


def target_of(model, observation, priors=None):
    parameters = LAYOUT.parameters
    prior = latent_prior(resolve(priors, parameters), parameters, D)
    return LIKELIHOODS["gaussian"].target(observation, model, prior)


@pytest.fixture(scope="module")
def near():
    """An encoder that is roughly right about `observe(0)`: off by a sigma, and too wide."""
    mean, covariance = exact(observe(0))
    u = norm.ppf((mean + 1) / 2)
    spread = np.sqrt(np.diag(covariance)) / (2 * norm.pdf(u))
    return with_encoder(u + spread, 1.7 * spread)


@pytest.mark.parametrize(
    "priors", [None, {"radius": "1.0..1.6"}, {"temperature": "1700+-300"}, {"radius": 1.3}]
)
def test_draws_have_the_density_that_is_said(near, priors):
    """Mean weights of a known density, the prior's normal one among them, are 1."""
    target = target_of(near, observe(0), priors)
    of = proposed(near, target)
    v = of.draw(jax.random.key(0), 40_000)
    v = np.asarray(v)[np.isfinite(v).all(axis=1)]
    assert len(v) > 20_000
    mean, covariance = np.mean(v, axis=0), np.cov(v, rowvar=False) / 2
    x = v.astype(np.float64) - mean
    inside = -0.5 * np.einsum("ni,ij,nj->n", x, np.linalg.inv(covariance), x)
    inside -= 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    ratio = np.exp(inside - np.asarray(of.log_density(v), np.float64))
    error = ratio.std() / np.sqrt(len(ratio))
    assert error < 0.1 and abs(ratio.sum() / 40_000 - 1) < 4 * error + 0.01


def test_samples_and_evidence_are_those_of_the_posterior(near):
    found = retrieve(observe(0), near, n_samples=4096)[0]
    mean, covariance = exact(observe(0))
    spread = np.sqrt(np.diag(covariance))
    size = found.effective_sample_size
    assert 64 <= size < 4096 and np.isnan(found.acceptance)
    z = latents(found.samples)
    assert np.all(np.abs(z.mean(axis=0) - mean) < 4 * spread / np.sqrt(size))
    scale = np.sqrt(np.outer(spread**2, spread**2) * 2 / size)
    assert np.all(np.abs(np.cov(z, rowvar=False) - covariance) < 4 * scale)
    chain = retrieve(observe(0), near, n_samples=4096, encoder=False, n_burn=100)[0]
    assert chain.acceptance > 0.2
    difference = chain.loss.mean() - found.loss.mean()
    assert abs(difference) < 4 * chain.loss.std() * (2 / size) ** 0.5


def test_the_integral_is_the_linear_one(near):
    """Of the likelihood over the box: what is left of the best fit times the posterior's share."""
    observation = observe(0)
    target = target_of(near, observation)
    settings = Settings().for_model(True)
    drawn = jax.jit(quick.first, static_argnums=3)(jax.random.key(1), near, target, settings)
    total = integral(drawn.log_weight)
    mean, covariance = exact(observation)
    of_best = LIKELIHOODS["gaussian"].log_density(near, target)(jnp.asarray(mean, jnp.float32))
    expected = float(of_best) + 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    expected -= D * np.log(2.0)
    assert abs(float(total.log) - expected) < 4 * float(total.error) + 0.02


def test_rounds_find_what_the_first_draws_hardly_touch():
    mean, covariance = exact(observe(0))
    u = norm.ppf((mean + 1) / 2)
    spread = np.sqrt(np.diag(covariance)) / (2 * norm.pdf(u))
    far = with_encoder(u - 3 * spread, 1.2 * spread, flow=0.0)
    target, settings = target_of(far, observe(0)), Settings().for_model(True)
    drawn = quick.first(jax.random.key(0), far, target, settings)
    assert float(drawn.effective) < 20
    about = quick.centres(jax.random.key(1), far, target, drawn, settings)
    for number in range(4):
        again = jax.jit(quick.again, static_argnums=4)
        drawn, about = again(jax.random.key(2 + number), far, target, about, settings)
    assert float(drawn.effective) > 300
    share = np.asarray(jax.nn.softmax(drawn.log_weight), np.float64)
    error = np.sqrt(np.diag(covariance) / float(drawn.effective))
    assert np.all(np.abs(share @ np.asarray(drawn.place, np.float64) - mean) < 4 * error)


def test_powers_leave_enough_to_pick_from():
    log_weight = jnp.linspace(0.0, -400.0, 1000)
    drawn = quick.Weighted(jnp.zeros((1000, D)), log_weight, jnp.asarray(1.0))
    chosen = np.asarray(quick._picked(jax.random.key(0), drawn, 256))
    assert 40 < np.unique(chosen).size < 256 and chosen.max() < 400
    whole = drawn._replace(log_weight=jnp.linspace(0.0, -8.0, 1000), effective=jnp.asarray(125.0))
    counts = np.bincount(np.asarray(quick._picked(jax.random.key(0), whole, 256)), minlength=1000)
    weight = np.exp(np.linspace(0.0, -8.0, 1000))
    np.testing.assert_allclose(counts.cumsum(), 256 * (weight / weight.sum()).cumsum(), atol=1.1)


def test_draws_without_any_likelihood_are_worth_nothing():
    none = jnp.full(8, -jnp.inf)
    assert float(quick._weighted(jnp.zeros((8, D)), none).effective) == 0
    some = none.at[:2].set(0.0).at[3].set(jnp.nan)
    np.testing.assert_allclose(quick._weighted(jnp.zeros((8, D)), some).effective, 2, rtol=1e-5)


def test_what_draws_do_not_tell_a_chain_does(near):
    """And neighbours change nothing."""
    observations = [observe(0), observe(1), observe(2)]
    names = ["a", "b", "c"]
    together = retrieve(observations, near, names=names, n_samples=512)
    alone = retrieve(observations[1], near, names=["b"], n_samples=512)
    np.testing.assert_allclose(together[1].samples, alone[0].samples, rtol=1e-4)
    few = {"n_samples": 512, "n_starts": 4, "n_burn": 50, "n_draws": 2048}
    settings = Settings(**few, n_effective=10**9).for_model(True)
    targets = jax.tree.map(lambda *x: jnp.stack(x), *(target_of(near, one) for one in observations))
    keys = jax.random.split(jax.random.key(0), 3)
    assert quick_summaries(keys, near, targets, settings) == [None] * 3
    before = retrieve_all._cache_size()
    chained = retrieve(observations, near, names=names, settings=settings)
    assert retrieve_all._cache_size() == before + 1 and np.all(chained.acceptance > 0.1)


def test_priors_narrow_the_samples(near):
    found = retrieve(observe(0), near, priors={"temperature": "1500+-20"}, n_samples=4096)[0]
    wide = retrieve(observe(0), near, n_samples=4096)[0]
    names = list(LAYOUT.parameters.names)
    column = names.index("temperature")
    t, free = found.samples[:, column], wide.samples[:, column]
    assert t.std() < 21 < free.std()
    # Both normal: their product.
    precision = 1 / 20**2 + 1 / free.std() ** 2
    expected = (1500 / 20**2 + free.mean() / free.std() ** 2) / precision
    size = min(found.effective_sample_size, wide.effective_sample_size)
    assert abs(t.mean() - expected) < 5 * free.std() / np.sqrt(size)
    fixed = retrieve(observe(0), near, priors={"temperature": 1500.0}, n_samples=512)[0]
    np.testing.assert_allclose(fixed.samples[:, column], 1500, rtol=1e-5)
