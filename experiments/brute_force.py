"""Posteriors by the forward model alone: draws of a density that is known, weighted by it.

The density is the encoder's proposal (`retrieval.proposed`), wide enough to hold the posterior; no
generator is asked. It takes some hundred thousand spectra for some hundred independent samples.
What the density has too little of comes with large weights, and few effective samples.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Float
from rich.progress import track
from scipy.special import logsumexp

from exogan_jax.gan.model import Model
from exogan_jax.gan.npe import from_normal
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.compared import LIKELIHOODS
from exogan_jax.retrieval.latent_prior import latent_prior
from exogan_jax.retrieval.proposed import draw_proposed
from experiments.nested import Reference

_BATCH = 16_384
_LEAST = 30.0  # below the largest weight's logarithm: forgotten


def weighted_draws(
    key: jax.Array,
    model: Model,
    observation: Observation,
    log_likelihood: Callable[[np.ndarray], np.ndarray],
    n: int,
) -> Reference:
    """At least n draws, with the prior uniform within the model's bounds.

    Args:
      key: of the draws.
      model: whose encoder, with a flow, proposes.
      observation: ONE.
      log_likelihood: from theta (n, d) to (n,).
      n: draws.

    Raises:
      ValueError: the model has no such encoder.
    """
    parameters = model.layout.parameters
    if model.encoder is None or not model.encoder_network.n_layers:
        raise ValueError(f"{model.name}: its encoder proposes nothing to be weighted")
    d = len(parameters)
    prior = latent_prior((None,) * d, parameters, model.networks.latent_dim)
    target = LIKELIHOODS["gaussian"].target(observation, model, prior)

    @jax.jit
    def draw(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        drawn = draw_proposed(key, model, target, _BATCH)
        v = drawn.position
        log_ratio = jax.scipy.stats.norm.logpdf(v).sum(axis=1) - drawn.log_density
        return parameters.from_anchor(from_normal(v)), log_ratio

    theta, log_weight = np.empty((0, d)), np.empty(0)
    batches = -(-n // _BATCH)
    for i in track(range(batches), "weighting draws"):
        found, log_ratio = (np.asarray(x) for x in draw(jax.random.fold_in(key, i)))
        inside = np.isfinite(found).all(axis=1) & np.isfinite(log_ratio)
        both = log_ratio[inside] + log_likelihood(found[inside])
        theta = np.concatenate([theta, found[inside]])
        log_weight = np.concatenate([log_weight, both])
        near = log_weight > log_weight.max() - _LEAST
        theta, log_weight = theta[near], log_weight[near]
    # The integral is a mean over all draws; those that are forgotten count nothing.
    calls = batches * _BATCH
    return of_draws(theta, log_weight, calls)


def of_draws(
    theta: Float[np.ndarray, "n d"], log_weight: Float[np.ndarray, " n"], calls: int
) -> Reference:
    """Weighted draws as a posterior; its evidence is their mean over all that were made.

    Args:
      theta: those of some weight.
      log_weight: likelihood times prior over the density that was drawn from.
      calls: draws that were made.
    """
    total = logsumexp(log_weight)
    weight = np.exp(log_weight - total)
    effective = float(1 / np.square(weight).sum())
    log_evidence = float(total - np.log(calls))
    return Reference(theta, weight, log_evidence, effective**-0.5, effective, calls)
