"""Coordinates in which an ensemble moves: `npe.to_normal` of a place of the prior's box, where the
box has no walls; of spectra drawn as levels, `straight`'s in place of mass and radius.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from exogan_jax.gan.altitude import Depths
from exogan_jax.gan.model import Model
from exogan_jax.gan.npe import from_normal, to_normal
from exogan_jax.retrieval.compared import Target
from exogan_jax.retrieval.latent_prior import latent_at
from exogan_jax.retrieval.levels import LevelTarget
from exogan_jax.retrieval.straight import bend, seen_level, straighten


class Coordinates(NamedTuple):
    """Of ONE target."""

    #: place (d,) -> position (d,)
    position: Callable[[Float[Array, " d"]], Float[Array, " d"]]
    #: position (d,) -> place, and the logarithm of the volume that a unit of position has among the
    #: places, up to a constant
    place: Callable[[Float[Array, " d"]], tuple[Float[Array, " d"], Float[Array, ""]]]


def normal_coordinates() -> Coordinates:
    """Normal ones."""
    return Coordinates(to_normal, lambda u: (from_normal(u), norm.logpdf(u).sum()))


def coordinates_of(model: Model, target: Target, best: Float[Array, " d"]) -> Coordinates:
    """Those that suit a target.

    Args:
      model: the networks.
      target: the observation's.
      best: a place that fits.
    """
    if not isinstance(target.depth, LevelTarget):
        return normal_coordinates()
    drawing, prior = model.drawing, target.prior
    depths = model.at_points(target.depth.point)(latent_at(prior, best))
    assert isinstance(depths, Depths)
    level = seen_level(depths, target.depth, drawing)
    fixed = jnp.asarray(prior.half) == 0
    roles = model.layout.parameters.roles
    mass, radius = roles.index("mass"), roles.index("radius")
    straight = jnp.zeros(fixed.size, bool).at[jnp.array([mass, radius])].set(True)
    straight &= ~(fixed[mass] | fixed[radius])

    def position_of(place: Array) -> Array:
        moved = straighten(latent_at(prior, place), drawing, level)
        return jnp.where(straight, moved, to_normal(place))

    def place_of(position: Array) -> tuple[Array, Array]:
        u = jnp.where(straight, 0.0, position)
        latent = latent_at(prior, from_normal(u))
        bent, volume = bend(jnp.where(straight, position, latent), drawing, level)
        scaled = (bent - prior.centre) / jnp.where(fixed, 1.0, prior.half)
        place = jnp.where(straight, scaled, from_normal(u))
        density = jnp.where(straight, 0.0, norm.logpdf(u)).sum()
        return place, density + jnp.where(straight.any(), volume, 0.0)

    return Coordinates(position_of, place_of)
