"""Draws of what the encoder proposes for ONE target, and their density: most of it what the flow
bends the normal distribution into, the rest that normal distribution joined with the user's prior,
and wider. In the coordinates `npe.to_normal` of a place of the prior's box, where the prior without
weights is unit normal.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from exogan_jax.gan.model import Model
from exogan_jax.gan.npe import Proposal, bend, from_normal, log_determinant, shape_of, to_normal
from exogan_jax.parameters import Parameters
from exogan_jax.retrieval.compared import Target
from exogan_jax.retrieval.encode import propose
from exogan_jax.retrieval.kernels import Kernels, draws, log_density
from exogan_jax.retrieval.latent_prior import LatentPrior, latent_at, shape_within
from exogan_jax.retrieval.normals import unit_normal
from exogan_jax.triangular import inverse

_BENT = 0.75  # share of the flow
#: Spread of the rest, in the normal distribution's: what the flow misses must be drawn, too.
_WIDER = 1.3
_FURTHEST = 4.7  # of u: float32 knows no latents nearer to the box's walls


class Drawn(NamedTuple):
    """Draws of a proposal."""

    position: Float[Array, "n d"]
    log_density: Float[Array, " n"]  # of the proposal there; no number where a draw is of no place
    #: The same of the encoder's own answer: its flow, but for the user's prior; where that fixes
    #: something, of which a flow knows no density, the normal distribution joined with it.
    log_own: Float[Array, " n"]
    is_joined: Array  # whether that is the normal one, which has the user's prior in it


def draw_proposed(key: Array, model: Model, target: Target, n: int) -> Drawn:
    """Draws of what a model's encoder, which has a flow, proposes: three quarters of them the
    flow's.
    """
    prior = jax.tree.map(jnp.asarray, target.prior)
    proposal = propose(model, target.depth)
    wide = _wide(proposal, prior, model.layout.parameters)
    usable = jnp.all(prior.half > 0)  # of what is fixed, the flow knows no density
    unit = unit_normal(key, (n, wide.mean.size))
    n_bent = int(_BENT * n)
    u, of_draws = _bent(model, proposal, unit[:n_bent])
    normal = draws(wide, jnp.zeros(n, int), unit)
    v = jnp.where(usable, _to_place(u, prior), normal[:n_bent])
    v = jnp.concatenate([v, normal[n_bent:]])
    u = to_normal(jax.vmap(lambda v: latent_at(prior, from_normal(v)))(v))
    of_flow = jnp.concatenate([of_draws, _bent_density(model, proposal, u[n_bent:])])
    half = jnp.where(usable, prior.half, 1.0)
    change = (jnp.log(half)[None] + norm.logpdf(v) - norm.logpdf(u)).sum(axis=1)
    both = jnp.stack([jnp.where(usable, of_flow + change, -jnp.inf), log_density(wide, v)])
    share = jnp.where(usable, n_bent / n, 0.0)
    log_mixed = logsumexp(both, axis=0, b=jnp.stack([share, 1 - share])[:, None])
    return Drawn(v, log_mixed, jnp.where(usable, both[0], both[1]), ~usable)


def places_proposed(key: Array, model: Model, target: Target, n: int) -> Float[Array, "n d"]:
    """Places that a model's encoder, which has a flow, proposes: no numbers where a draw is outside
    of the narrowed box. Where the user's prior fixes something, they are the normal distribution's.
    """
    prior = jax.tree.map(jnp.asarray, target.prior)
    proposal = propose(model, target.depth)
    unit = unit_normal(key, (n, proposal.mean.size))
    u, _ = _bent(model, proposal, unit)
    shape = shape_within(proposal, prior, model.layout.parameters)
    normal = shape.mean[None] + unit @ shape.spread.T
    usable = jnp.all(prior.half > 0)  # of what is fixed, the flow knows nothing
    return from_normal(jnp.where(usable, _to_place(u, prior), normal))


def _bent(
    model: Model, proposal: Proposal, unit: Float[Array, "n d"]
) -> tuple[Float[Array, "n d"], Float[Array, " n"]]:
    """What the flow makes of unit normal points, latents' own u, and its density there."""
    assert proposal.context is not None
    shape = shape_of(proposal)
    bent, volume = bend(model.encoder_network, model.encoder, unit, proposal.context[None])
    density = norm.logpdf(unit).sum(axis=1) - volume + log_determinant(proposal)
    return shape.mean[None] + bent @ shape.spread.T, density


def _bent_density(model: Model, proposal: Proposal, u: Float[Array, "n d"]) -> Float[Array, " n"]:
    """The flow's log density."""
    assert proposal.context is not None
    context = proposal.context[None]
    at = (u - proposal.mean[None]) @ proposal.precision.T
    unit, volume = bend(model.encoder_network, model.encoder, at, context, backwards=True)
    return norm.logpdf(unit).sum(axis=1) + volume + log_determinant(proposal)


def _wide(proposal: Proposal, prior: LatentPrior, parameters: Parameters) -> Kernels:
    """The normal share, as ONE kernel."""
    shape = shape_within(proposal, prior, parameters)
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
