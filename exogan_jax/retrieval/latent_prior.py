"""The user's prior in the latent of an anchored generator, whose first entries are the parameters,
each on its scale from -1 to 1 (`gan.anchor`): there, the model's own prior is uniform.

Bounds and fixed values narrow the latent's box, and the sampler moves in the narrowed box: at a
*place* in [-1, 1]^latent_dim. Everything else in a prior is a weight relative to the uniform one.

One target's; all are arrays, so that targets of different priors are vmapped, and other numbers
compile nothing.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from exogan_jax.gan.npe import Proposal, Shape, from_normal, shape_of, to_normal
from exogan_jax.parameters import Parameter, Parameters
from exogan_jax.retrieval.priors import (
    N_SIGMA,
    Fixed,
    LogUniform,
    Normal,
    Prior,
    Resolved,
)
from exogan_jax.triangular import factor, inverse

# Largest steepness and smallest box that a proposal is told of: float32's algebra holds them.
_STEEPEST, _LEAST = 1e3, 1e-3
_NODES = 4001  # of the integral over a prior, 12 sigma wide at most


class LatentPrior(NamedTuple):
    """latent = centre + half * place; the density of a latent is the product over the parameters
    theta of exp(-((theta - mean) inverse_sigma)^2 / 2) theta^power.
    """

    centre: Float[Array | np.ndarray, " latent_dim"]
    half: Float[Array | np.ndarray, " latent_dim"]  # 0 where fixed; 1 where not narrowed
    mean: Float[Array | np.ndarray, " d"]  # in the parameters' units
    inverse_sigma: Float[Array | np.ndarray, " d"]  # 0: no normal
    power: Float[Array | np.ndarray, " d"]  # from the uniform prior's scale to another


@functools.lru_cache(maxsize=128)  # a catalogue's are mostly the same
def latent_prior(resolved: Resolved, parameters: Parameters, latent_dim: int) -> LatentPrior:
    """Arrays of what `priors.resolve` gives. Entries of no parameter keep their box."""
    d = len(parameters)
    centre, half = np.zeros(latent_dim), np.ones(latent_dim)
    mean, inverse_sigma, power = np.zeros((3, d))
    ends = [_ends(prior, p) for prior, p in zip(resolved, parameters, strict=True)]
    low, high = (parameters.to_anchor(np.array(end)) for end in zip(*ends, strict=True))
    for i, (prior, parameter) in enumerate(zip(resolved, parameters, strict=True)):
        if prior is None:
            continue
        centre[i], half[i] = (low[i] + high[i]) / 2, (high[i] - low[i]) / 2
        if isinstance(prior, Normal):
            mean[i], inverse_sigma[i] = prior.mean, 1 / prior.sigma
        if not isinstance(prior, Fixed):
            # theta's density times d theta / d(its scale), which is theta on a logarithmic one.
            power[i] = (parameter.scale == "log10") - isinstance(prior, LogUniform)
    fields = (centre, half, mean, inverse_sigma, power)
    return LatentPrior(*(x.astype(np.float32) for x in fields))


def _ends(prior: Prior | None, parameter: Parameter) -> tuple[float, float]:
    """The range in which a parameter is sampled, in its unit."""
    low, high = parameter.lower, parameter.upper
    if prior is None:
        return low, high
    if isinstance(prior, Fixed):
        return prior.value, prior.value
    if isinstance(prior, Normal):
        cut = N_SIGMA * prior.sigma
        return max(low, prior.mean - cut), min(high, prior.mean + cut)
    return prior.low, prior.high


def latent_at(
    prior: LatentPrior, place: Float[Array, " latent_dim"]
) -> Float[Array, " latent_dim"]:
    """The latent at a place of the narrowed box."""
    return jnp.asarray(prior.centre) + prior.half * place


def theta_of(latent: Float[Array, " latent_dim"], parameters: Parameters) -> Float[Array, " d"]:
    """The parameters that a latent is anchored to, in their units."""
    theta: Array = parameters.from_anchor(_entries(latent, parameters))
    return theta


def _entries(values: Array | np.ndarray, parameters: Parameters) -> Float[Array, " d"]:
    """Those of the parameters; 0 where a latent, of no anchor, is too short to have them."""
    d = len(parameters)
    return jnp.pad(jnp.asarray(values)[:d], (0, max(d - values.size, 0)))


def log_weight(
    prior: LatentPrior, latent: Float[Array, " latent_dim"], parameters: Parameters
) -> Float[Array, ""]:
    """Log density of a latent relative to the uniform prior's, up to a constant; 0 without any."""
    theta = theta_of(latent, parameters)
    scaled = jnp.asarray(prior.power) != 0
    logs = jnp.where(scaled, jnp.log(jnp.where(scaled, theta, 1.0)), 0.0)
    return (prior.power * logs - 0.5 * jnp.square(deviations(prior, latent, parameters))).sum()


def log_norm(prior: LatentPrior, parameters: Parameters) -> Float[Array, ""]:
    """Log of the mean of exp(`log_weight`) over the narrowed box: the normalisation of the prior's
    density.
    """
    place = jnp.linspace(-1.0, 1.0, _NODES)[:, None]
    latent = jnp.asarray(prior.centre)[None] + jnp.asarray(prior.half)[None] * place
    theta = jax.vmap(lambda one: theta_of(one, parameters))(latent)
    scaled = (jnp.asarray(prior.power) != 0)[None]
    logs = jnp.where(scaled, jnp.log(jnp.where(scaled, theta, 1.0)), 0.0)
    deviation = (theta - jnp.asarray(prior.mean)[None]) * jnp.asarray(prior.inverse_sigma)[None]
    weight = jnp.asarray(prior.power)[None] * logs - 0.5 * jnp.square(deviation)
    ends = jnp.where(jnp.abs(place) == 1, jnp.log(0.5), 0.0)  # the trapezoid's
    return (logsumexp(weight + ends, axis=0) - jnp.log(_NODES - 1.0)).sum()


def deviations(
    prior: LatentPrior, latent: Float[Array, " latent_dim"], parameters: Parameters
) -> Float[Array, " d"]:
    """A latent's deviations from normal priors, in sigma; 0 where there is none."""
    return (theta_of(latent, parameters) - prior.mean) * prior.inverse_sigma


def reported(
    prior: LatentPrior,
    latent: Float[Array, " latent_dim"],
    drawn: Float[Array, " d"],
    parameters: Parameters,
) -> Float[Array, " d"]:
    """A sample's parameters: where the user gave a prior, those of the latent, which it is a prior
    of; elsewhere as drawn, which suit the drawn spectrum a little better.
    """
    known = (prior.inverse_sigma > 0) | (jnp.asarray(prior.power) != 0)
    known |= _entries(1 - prior.half, parameters) > 0
    return jnp.where(known, theta_of(latent, parameters), drawn)


@jax.default_matmul_precision("highest")
def shape_within(proposal: Proposal, prior: LatentPrior, parameters: Parameters) -> Shape:
    """ONE encoder's proposal, which knows of no prior, joined with it: of normal coordinates of the
    place (`npe.to_normal`) instead of the latent.

    The prior is taken for normal in the proposal's coordinates, about the middle of the narrowed
    box: by the steepness of its deviations, and the box by the unit normal that it is in its own.
    A start needs no more; what is sampled does not depend on it.
    """
    shape = shape_of(proposal)
    middle = to_normal(jnp.asarray(prior.centre))
    half = jnp.maximum(prior.half, _LEAST)
    narrowing = jnp.exp(-0.5 * jnp.square(middle)) / half  # d(place's coordinate) / d(latent's)

    def of(u: Array) -> Array:
        found = deviations(prior, from_normal(u), parameters)
        return jnp.pad(found, (0, u.size - found.size))

    value, slope = jax.jvp(of, (middle,), (jnp.ones_like(middle),))
    soften = jnp.minimum(1.0, _STEEPEST / jnp.maximum(jnp.abs(slope), 1e-6))
    value, slope = value * soften, slope * soften
    box = jnp.sqrt(jnp.maximum(jnp.square(narrowing) - 1, 0.0))
    # Rows of least squares, rows @ u = right, each of unit error; the largest first.
    rows = jnp.concatenate([jnp.diag(slope), jnp.diag(box), proposal.precision])
    right = jnp.concatenate(
        [slope * middle - value, box * middle, proposal.precision @ proposal.mean]
    )
    triangle = factor(jnp.concatenate([rows, right[:, None]], axis=1))
    spread = inverse(triangle[:-1, :-1].T).T
    mean = spread @ triangle[:-1, -1]
    known = jnp.any(box > 0) | jnp.any(slope != 0)
    return Shape(
        jnp.where(known, narrowing * (mean - middle), shape.mean),
        jnp.where(known, narrowing[:, None] * spread, shape.spread),
    )
