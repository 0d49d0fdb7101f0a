"""Weighted draws of the encoder's proposal, of the linear model, whose posterior is known."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm
from test_fitting import SIGMA, exact, latents, observe
from tiny_model import LAYOUT, D, linear_model

from exogan_jax.api import retrieve
from exogan_jax.gan.npe import Encoder, bend, from_normal, shape_of
from exogan_jax.retrieval import quick
from exogan_jax.retrieval.answers import quick_all
from exogan_jax.retrieval.compared import LIKELIHOODS
from exogan_jax.retrieval.encode import n_features, propose
from exogan_jax.retrieval.importance import integral
from exogan_jax.retrieval.latent_prior import latent_prior
from exogan_jax.retrieval.priors import resolve
from exogan_jax.retrieval.proposed import draw_proposed
from exogan_jax.retrieval.settings import Settings
from exogan_jax.retrieval.side_by_side import retrieve_all

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
    drawn = jax.jit(draw_proposed, static_argnums=3)(jax.random.key(0), near, target, 40_000)
    inside = np.isfinite(drawn.position).all(axis=1)
    v, log_density = (np.asarray(x, np.float64)[inside] for x in drawn[:2])
    assert len(v) > 20_000
    mean, covariance = np.mean(v, axis=0), np.cov(v, rowvar=False) / 2
    x = v - mean
    of_normal = -0.5 * np.einsum("ni,ij,nj->n", x, np.linalg.inv(covariance), x)
    of_normal -= 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    ratio = np.exp(of_normal - log_density)
    error = ratio.std() / np.sqrt(len(ratio))
    assert error < 0.1 and abs(ratio.sum() / 40_000 - 1) < 4 * error + 0.01
    # The encoder's own density is one, too, as far as the prior leaves its box.
    own = np.exp(np.asarray(drawn.log_own, np.float64)[inside] - log_density)
    whole = own.sum() / 40_000
    assert whole < 1.02 and (priors is not None or whole > 0.97)
    assert bool(drawn.is_joined) == (priors == {"radius": 1.3})
    assert own.max() < 1.35  # three quarters of the draws are its own


FAST = {"exact": False, "n_samples": 2048}
FEW = {"n_starts": 4, "n_burn": 50, "n_draws": 2048, "n_effective": 10**6}


def test_samples_are_those_of_the_posterior(near):
    found = retrieve(observe(0), near, **FAST)[0]
    mean, covariance = exact(observe(0))
    spread = np.sqrt(np.diag(covariance))
    size = found.effective_sample_size
    assert 64 <= size < 2048 and np.isnan(found.acceptance) and found.flags == ""
    z = latents(found.samples)
    assert np.all(np.abs(z.mean(axis=0) - mean) < 4 * spread / np.sqrt(size))
    scale = np.sqrt(np.outer(spread**2, spread**2) * 2 / size)
    assert np.all(np.abs(np.cov(z, rowvar=False) - covariance) < 4 * scale)


def test_the_integral_is_the_linear_one(near):
    """Of the likelihood over the box: what is left of the best fit times the posterior's share."""
    observation = observe(0)
    target, settings = target_of(near, observation), Settings(exact=False).for_model(True)
    drawn = jax.jit(quick.weighted, static_argnums=3)(jax.random.key(1), near, target, settings)
    total = integral(drawn.log_weight)
    mean, covariance = exact(observation)
    of_best = LIKELIHOODS["gaussian"].log_density(near, target)(jnp.asarray(mean, jnp.float32))
    expected = float(of_best) + 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    expected -= D * np.log(2.0)
    assert abs(float(total.log) - expected) < 4 * float(total.error) + 0.02
    np.testing.assert_allclose(drawn.total.effective, total.effective)


def test_draws_without_any_likelihood_are_worth_nothing():
    none = jnp.full(8, -jnp.inf)
    assert float(integral(none).effective) == 0
    np.testing.assert_allclose(integral(none.at[:2].set(0.0)).effective, 2, rtol=1e-5)


def test_neighbours_change_nothing(near):
    wider = observe(0)._replace(sigma=np.full(60, 1.2 * SIGMA))
    together = retrieve([wider, observe(0)], near, names=["a", "b"], **FAST)
    alone = retrieve(observe(0), near, names=["b"], **FAST)
    assert np.isnan(together.acceptance).all()  # no chain
    # Rounding may move a few of them by one draw.
    one, other = (np.sort(x, axis=0) for x in (together[1].samples, alone[0].samples))
    assert np.mean(np.abs(one - other) < 1e-3 * np.std(other, axis=0)) > 0.95


def test_what_draws_do_not_tell_a_chain_does_or_the_encoder_is_believed(near):
    few = FAST | FEW
    before = retrieve_all.program._cache_size()
    chained = retrieve(observe(0), near, **few)[0]
    assert retrieve_all.program._cache_size() == before + 1 and chained.acceptance > 0.1
    assert "not_weighted" not in chained.flags
    quickly = retrieve(observe(0), near, **FAST)[0]
    error = chained.loss.std() * (2 / quickly.effective_sample_size) ** 0.5
    assert abs(chained.loss.mean() - quickly.loss.mean()) < 4 * error
    own = retrieve(observe(0), near, chain=False, **few)[0]
    assert retrieve_all.program._cache_size() == before + 1 and np.isnan(own.acceptance)
    assert own.flags == "not_weighted"
    assert np.isnan(own.log_evidence) and np.isnan(own.predictive_p)
    # As the encoder says: a sigma off, and 1.7 times as wide, the flow aside.
    mean, covariance = exact(observe(0))
    z, spread = latents(own.samples), np.sqrt(np.diag(covariance))
    assert np.all(np.abs(z.mean(axis=0) - (mean + spread)) < 2.5 * spread)
    proposal = propose(near, target_of(near, observe(0)).depth)
    unit = jax.random.normal(jax.random.key(8), (20_000, D))
    bent, _ = bend(near.encoder_network, near.encoder, unit, proposal.context[None])
    u = proposal.mean[None] + bent @ shape_of(proposal).spread.T
    said = np.asarray(from_normal(u), np.float64)  # by the flow, and nothing else
    assert np.all(np.abs(z.mean(axis=0) - said.mean(axis=0)) < 0.15 * said.std(axis=0))
    np.testing.assert_allclose(z.std(axis=0), said.std(axis=0), rtol=0.12)
    assert np.all((z.std(axis=0) > 1.3 * spread) & (z.std(axis=0) < 2.6 * spread))
    with pytest.raises(ValueError, match="--fast"):
        Settings(chain=False)


def test_both_kinds_of_one_call(near):
    """Whether the likelihood weights a target does not depend on the others."""
    settings = Settings(**FAST, chain=False).for_model(True)
    far = observe(0)._replace(sigma=np.full(60, 1e-7))  # no draw comes near
    targets = jax.tree.map(
        lambda *x: jnp.stack(x), *(target_of(near, one) for one in (observe(0), far))
    )
    found, enough = quick_all(jax.random.split(jax.random.key(0)), near, targets, settings=settings)
    assert enough.tolist() == [True, False]
    assert np.isfinite(found.evidence.log[0]) and np.isnan(found.evidence.log[1])


def test_priors_narrow_the_samples(near):
    found = retrieve(observe(0), near, priors={"temperature": "1500+-20"}, **FAST)[0]
    wide = retrieve(observe(0), near, **FAST)[0]
    column = list(LAYOUT.parameters.names).index("temperature")
    t, free = found.samples[:, column], wide.samples[:, column]
    assert t.std() < 21 < free.std()
    # Both normal: their product.
    precision = 1 / 20**2 + 1 / free.std() ** 2
    expected = (1500 / 20**2 + free.mean() / free.std() ** 2) / precision
    size = min(found.effective_sample_size, wide.effective_sample_size)
    assert abs(t.mean() - expected) < 5 * free.std() / np.sqrt(size)
    fixed = retrieve(observe(0), near, priors={"temperature": 1500.0}, **FAST)[0]
    np.testing.assert_allclose(fixed.samples[:, column], 1500, rtol=1e-5)
    own = FAST | FEW | {"chain": False}
    unweighted = retrieve(observe(0), near, priors={"temperature": "1500+-20"}, **own)[0]
    assert unweighted.samples[:, column].std() < 21
