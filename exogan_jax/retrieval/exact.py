"""From the generator's samples to those of the exact posterior, and the evidence.

The generator proposes, the forward model disposes: each sample is weighted by the ratio of the
exact likelihood to the one that it was drawn from (importance sampling). The evidence is that of
the density that was sampled, by bridge sampling (Meng & Wong 1996, Stat. Sinica 6, 831), times the
mean of those ratios.

Nothing here knows networks or planets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from exogan_jax.retrieval.kernels import draws, kernels
from exogan_jax.retrieval.kernels import log_density as of_kernels

N_PROPOSED = 512  # draws of a bridge: as many as a retrieval's samples
_STEPS = 30  # of its fixed point, which takes fewer than ten
#: Width of a kernel in that of the samples. Of eleven-dimensional, bent posteriors 0.5 gives errors
#: half as large as one normal distribution's.
_WIDTH = 0.5


class Reweighed(NamedTuple):
    """Samples of one density as those of another one."""

    weight: Float[np.ndarray, " n"]  # summing to 1
    efficiency: float  # effective share of the samples, by the spread of the ratios alone
    log_ratio: float  # log of the ratio of the two evidences
    error: float  # its 1-sigma error, for independent samples


def reweigh(weight: Float[np.ndarray, " n"], log_ratio: Float[np.ndarray, " n"]) -> Reweighed:
    """Importance sampling.

    Args:
      weight: of the samples, summing to 1.
      log_ratio: log of the wanted density over the sampled one, at each; -inf where the former is
        zero. Where it is -inf or no number everywhere, nothing is known: the efficiency is 0 and
        the weights stay.
    """
    ratio = np.where(np.isnan(log_ratio), -np.inf, log_ratio)
    top = ratio.max()
    if not np.isfinite(top):
        return Reweighed(weight, 0.0, -np.inf, np.inf)
    scaled = np.exp(ratio - top)
    mean = float(weight @ scaled)
    efficiency = mean**2 / float(weight @ np.square(scaled))
    error = float(np.sqrt((1 / efficiency - 1) / len(weight)))
    return Reweighed(weight * scaled / mean, efficiency, top + float(np.log(mean)), error)


class Bridge(NamedTuple):
    """An evidence."""

    log_evidence: Float[Array, ""]
    error: Float[Array, ""]  # 1 sigma of the logarithm


def bridge(
    key: Array,
    samples: Float[Array, "n d"],
    log_density: Callable[[Float[Array, " d"]], Float[Array, ""]],
    effective: Float[Array, ""],
    n_proposed: int = N_PROPOSED,
) -> Bridge:
    """The integral of a density, from its samples.

    Half of the samples make a proposal, a kernel about each; the other half and draws of the
    proposal meet in the middle. Pure; callers vmap over targets.

    Args:
      key: PRNG key.
      samples: (n, d), equally weighted, in coordinates without walls.
      log_density: of ONE point, not normalised.
      effective: number of independent samples among them.
      n_proposed: draws of the proposal.
    """
    known, met = samples[0::2], samples[1::2]
    proposal = kernels(known, _WIDTH)
    which, noise = jax.random.split(key)
    chosen = jax.random.randint(which, (n_proposed,), 0, known.shape[0])
    unit = jax.random.normal(noise, (n_proposed, known.shape[1]), known.dtype)
    drawn = draws(proposal, chosen, unit)
    # log of density over proposal, at the samples and at the draws.
    ratio_met, ratio_drawn = (
        jax.vmap(log_density)(x) - of_kernels(proposal, x) for x in (met, drawn)
    )
    n_met = jnp.maximum(0.5 * effective, 1.0)
    share = n_met / (n_met + n_proposed)
    log_met, log_drawn = jnp.log(share), jnp.log1p(-share)

    def terms(log_z: Array) -> tuple[Array, Array]:
        """Logarithms of the bridge's integrands, at the draws and at the samples."""
        of_drawn, of_met = ratio_drawn - log_z, ratio_met - log_z
        at_drawn = of_drawn - jnp.logaddexp(log_met + of_drawn, log_drawn)
        return at_drawn, -jnp.logaddexp(log_met + of_met, log_drawn)

    def step(log_z: Array, _: None) -> tuple[Array, None]:
        at_drawn, at_met = terms(log_z)
        change = _log_mean(at_drawn) - _log_mean(at_met)
        return log_z + change, None

    log_z, _ = jax.lax.scan(step, jnp.median(ratio_met), length=_STEPS)
    at_drawn, at_met = (jnp.exp(x) for x in terms(log_z))
    # Fruehwirth-Schnatter (2004, Econometrics J. 7, 143), equation 16.
    variance = jnp.var(at_drawn) / jnp.square(at_drawn.mean()) / n_proposed
    variance += jnp.var(at_met) / jnp.square(at_met.mean()) / n_met
    return Bridge(log_z, jnp.sqrt(variance))


def _log_mean(values: Float[Array, " n"]) -> Float[Array, ""]:
    return logsumexp(values) - jnp.log(values.size)
