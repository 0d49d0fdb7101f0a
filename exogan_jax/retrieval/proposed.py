"""What the encoder proposes for ONE target, as a distribution that can be drawn from and whose
density is known: most of it what the flow bends the normal distribution into, the rest that normal
distribution joined with the user's prior, and wider. In the coordinates `npe.to_normal` of a place
of the prior's box, where the prior without weights is unit normal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from exogan_jax.gan.model import Model
from exogan_jax.gan.npe import from_normal, log_determinant, shape_of, to_normal
from exogan_jax.parameters import Parameters
from exogan_jax.retrieval.compared import Target
from exogan_jax.retrieval.encode import carry_back, features
from exogan_jax.retrieval.kernels import Kernels, draws, log_density
from exogan_jax.retrieval.latent_prior import LatentPrior, latent_at, shape_within
from exogan_jax.triangular import inverse

_BENT = 0.75  # share of the flow, where the prior lets it be used
#: Spread of the rest, in the normal distribution's: what the flow misses must be drawn, too.
_WIDER = 1.3
_FURTHEST = 4.7  # of u: float32 knows no latents nearer to the box's walls


class Proposed(NamedTuple):
    """A distribution of the coordinates of ONE target."""

    #: key, number of draws -> draws (n, d)
    draw: Callable[[Array, int], Float[Array, "n d"]]
    #: draws (n, d) -> log densities (n,)
    log_density: Callable[[Float[Array, "n d"]], Float[Array, " n"]]


class _Flow(NamedTuple):
    """The flow's share, of latents' own coordinates u."""

    draw: Callable[[Float[Array, "n d"]], Float[Array, "n d"]]
    log_density: Callable[[Float[Array, "n d"]], Float[Array, " n"]]


def proposed(model: Model, target: Target) -> Proposed:
    """Of a model whose encoder has a flow."""
    prior = jax.tree.map(jnp.asarray, target.prior)
    observed = carry_back(target.depth, model.layout.n_wavelength)
    proposal = model.propose(features(observed, model.encoder_network.radius))
    flow = _flow(model, proposal)
    wide = _wide(proposal, prior, model.layout.parameters)
    usable = jnp.all(prior.half > 0)  # of what is fixed, the flow knows no density
    share = jnp.where(usable, _BENT, 0.0)

    def draw(key: Array, n: int) -> Array:
        unit_key, share_key = jax.random.split(key)
        unit = jax.random.normal(unit_key, (n, wide.mean.size))
        ours = _to_place(flow.draw(unit), prior)
        others = draws(wide, jnp.zeros(n, int), unit)
        bent = jax.random.uniform(share_key, (n,)) < share
        return jnp.where(bent[:, None], ours, others)

    def density(v: Array) -> Array:
        u = to_normal(jax.vmap(lambda v: latent_at(prior, from_normal(v)))(v))
        half = jnp.where(usable, prior.half, 1.0)
        change = (jnp.log(half)[None] + norm.logpdf(v) - norm.logpdf(u)).sum(axis=1)
        ours = jnp.where(usable, flow.log_density(u) + change, -jnp.inf)
        both = jnp.stack([ours, log_density(wide, v)])
        return logsumexp(both, axis=0, b=jnp.stack([share, 1 - share])[:, None])

    return Proposed(draw, density)


def _flow(model: Model, proposal: Any) -> _Flow:
    network, shape = model.encoder_network, shape_of(proposal)
    variables = {"params": model.encoder["params"]["flow"]}
    context = proposal.context[None]

    def draw(unit: Array) -> Array:
        bent: Any = network.flow.apply(variables, unit, context)[0]
        return shape.mean[None] + bent @ shape.spread.T

    def density(u: Array) -> Array:
        at = (u - proposal.mean[None]) @ proposal.precision.T
        moved: Any = network.flow.apply(variables, at, context, backwards=True)
        unit, volume = moved
        return norm.logpdf(unit).sum(axis=1) + volume + log_determinant(proposal)

    return _Flow(draw, density)


def _wide(proposal: Any, prior: LatentPrior, parameters: Parameters) -> Kernels:
    """The normal share, as ONE kernel."""
    shape = shape_within(proposal._replace(context=None), prior, parameters)
    root = _WIDER * shape.spread
    none = jnp.zeros((1, shape.mean.size))
    return Kernels(shape.mean, none, root, inverse(root), none)


def _to_place(u: Float[Array, "n d"], prior: LatentPrior) -> Float[Array, "n d"]:
    """The place's coordinates of latents'; without number outside of the narrowed box."""
    latent = from_normal(u)
    half = jnp.where(prior.half > 0, prior.half, 1.0)
    place = (latent - prior.centre[None]) / half[None]
    # Where nothing is narrowed, coordinates are the same: no digits are lost.
    same = (prior.half == 1) & (prior.centre == 0)
    v = jnp.where(same[None], u, to_normal(place))
    outside = jnp.any((jnp.abs(place) >= 1) | (jnp.abs(v) > _FURTHEST), axis=1)
    return jnp.where(outside[:, None], jnp.nan, v)
