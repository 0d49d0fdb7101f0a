"""The prior of each parameter by itself: where it ends, and how wide it is."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from exogan_jax.parameters import Parameters
from exogan_jax.retrieval.latent_prior import latent_prior
from exogan_jax.retrieval.priors import Fixed, Normal, Resolved

_NODES = 2001  # of the integrals over a prior


class Marginals(NamedTuple):
    """Of each parameter; shares are of the way from `low` to `high`, on its scale."""

    low: Float[np.ndarray, " d"]  # ends of what is sampled, in the parameters' units
    high: Float[np.ndarray, " d"]
    spread: Float[np.ndarray, " d"]  # standard deviation, as a share; 0 where fixed
    ends_low: Bool[np.ndarray, " d"]  # whether `low` cuts: not where a normal has faded by itself
    ends_high: Bool[np.ndarray, " d"]


@functools.lru_cache(maxsize=128)  # a catalogue's are mostly the same
def marginals(resolved: Resolved, parameters: Parameters) -> Marginals:
    """Of what `priors.resolve` gives."""
    d = len(parameters)
    prior = latent_prior(resolved, parameters, d)
    centre, half = np.asarray(prior.centre, np.float64), np.asarray(prior.half, np.float64)
    share = np.linspace(0, 1, _NODES)
    theta = parameters.from_anchor(centre + half * (2 * share[:, None] - 1))
    with np.errstate(divide="ignore"):  # of parameters whose logarithm is not asked for
        logs = np.where(prior.power != 0, np.log(np.abs(theta)), 0.0)
    density = prior.power * logs - 0.5 * np.square((theta - prior.mean) * prior.inverse_sigma)
    weight = np.exp(density - density.max(axis=0))
    weight /= weight.sum(axis=0)
    mean = share @ weight
    spread = np.sqrt((np.square(share[:, None] - mean) * weight).sum(axis=0))
    low, high = theta[0], theta[-1]
    for i, own in enumerate(resolved):  # as they were given: the latent's are rounded
        if isinstance(own, Fixed):
            low[i] = high[i] = own.value
        elif own is None:
            low[i], high[i] = parameters.lower[i], parameters.upper[i]
        elif not isinstance(own, Normal):
            low[i], high[i] = own.low, own.high
    cuts = np.array([not isinstance(own, Normal) for own in resolved])
    free = half > 0
    return Marginals(
        low=low,
        high=high,
        spread=np.where(free, spread, 0.0),
        ends_low=free & (cuts | (centre - half < -1 + 1e-6)),
        ends_high=free & (cuts | (centre + half > 1 - 1e-6)),
    )


def clipped(
    samples: Float[np.ndarray, "*n d"], prior: Marginals, parameters: Parameters
) -> Float[np.ndarray, "*n d"]:
    """Samples between the prior's ends, and never beyond the model's bounds, in their own dtype:
    rounding may have carried them there.
    """
    dtype = samples.dtype
    low, high = (end.astype(dtype) for end in (prior.low, prior.high))
    lower, upper = (bound.astype(dtype) for bound in (parameters.lower, parameters.upper))
    # A bound's own rounding may lie beyond it.
    lower = np.where(lower < parameters.lower, np.nextafter(lower, dtype.type(np.inf)), lower)
    upper = np.where(upper > parameters.upper, np.nextafter(upper, dtype.type(-np.inf)), upper)
    return np.clip(np.clip(samples, low, high), lower, upper)


def shares(
    samples: Float[np.ndarray, "n d"], prior: Marginals, parameters: Parameters
) -> Float[np.ndarray, "n d"]:
    """Samples as shares of the way from the prior's low to its high end; 0 where fixed."""
    low, high = parameters.to_unit(np.stack([prior.low, prior.high]))
    unit = parameters.to_unit(np.asarray(samples, np.float64))
    width = np.where(high > low, high - low, 1.0)
    return np.where(high > low, (unit - low) / width, 0.0)
