"""Coordinates in which the posterior of a spectrum is less curved, for the moves of an ensemble.

A spectrum fixes the scale height, on which mass, temperature and composition bear alike, and the
apparent radius, from which that at the bottom of the atmosphere follows only with the scale height
and the pressure that is seen. In the latents such posteriors are thin, bent sheets, along which no
straight move goes far. Here the mass's place is taken by the logarithm of the scale height, the
radius's by that of the apparent radius; both follow in closed form (`atmosphere.scale_of`). On
eight PRISM-like posteriors of the planets problem, the last 700 of 2,000 steps were worth 1.2 to 11
times as many independent samples as in the latents, 2 to 4 times on most.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from exogan_jax.gan.altitude import Depths, Drawing
from exogan_jax.retrieval.levels import LevelTarget

#: Logarithms that are mapped to [-1, 1]: of scale heights in radii, of radii in their unit about
#: the bounds. The ensemble's moves do not depend on them.
_LOWEST_HEIGHT, _BEYOND = 1e-7, 4.0

#: Values in the mass's and the radius's places.
Pair = tuple[Float[Array, ""], Float[Array, ""]]


def seen_level(depths: Depths, target: LevelTarget, drawing: Drawing) -> Float[Array, ""]:
    """Mean level of the observed points of ONE spectrum."""
    scale = drawing.scale(depths.theta)
    level = (1 - jnp.sqrt(scale.disc / depths.depth)) / scale.height
    seen = (target.operator != 0).any(axis=1).astype(level.dtype)
    return (seen * level).sum() / jnp.maximum(seen.sum(), 1.0)


def straighten(
    latent: Float[Array, " d"], drawing: Drawing, level: Float[Array, ""]
) -> Float[Array, " d"]:
    """The coordinates of a latent, within [-1, 1].

    Args:
      latent: the scaled parameters.
      drawing: of the problem.
      level: approximate mean level of the data, from `seen_level`.
    """
    theta = drawing.theta(latent)
    _, radius = places(drawing)
    height = drawing.scale(theta).height
    return put(latent, drawing, scaled(height, theta[radius], drawing, level))


def scaled(
    height: Float[Array, ""], radius: Float[Array, ""], drawing: Drawing, level: Float[Array, ""]
) -> Pair:
    """The two coordinates, from the scale height and the radius at the bottom in its unit."""
    logs = jnp.log(height), jnp.log(radius) - jnp.log(_rest(height, level))
    first, second = (
        2 * (log - low) / (high - low) - 1
        for log, low, high in zip(logs, *_ranges(drawing), strict=True)
    )
    return first, second


def put(x: Float[Array, " d"], drawing: Drawing, pair: Pair) -> Float[Array, " d"]:
    """A latent or coordinates with others in the mass's and the radius's places. Not by indices: to
    XLA, those are a program of their own.
    """
    for place, value in zip(places(drawing), pair, strict=True):
        x = jnp.where(np.arange(x.size) == place, value, x)
    return x


def bend(
    straight: Float[Array, " d"], drawing: Drawing, level: Float[Array, ""]
) -> tuple[Float[Array, " d"], Float[Array, ""]]:
    """Inverse of `straighten`, and the logarithm of the volume that a unit of these coordinates has
    among the latents.
    """
    parameters = drawing.layout.parameters
    mass, radius = places(drawing)
    low, high = _ranges(drawing)
    height = jnp.exp(low[0] + 0.5 * (straight[mass] + 1) * (high[0] - low[0]))
    apparent = jnp.exp(low[1] + 0.5 * (straight[radius] + 1) * (high[1] - low[1]))
    zero = jnp.zeros((), straight.dtype)
    theta = drawing.theta(put(straight, drawing, (zero, zero)))
    bottom = apparent * _rest(height, level)
    theta = put(theta, drawing, (theta[mass], bottom))
    # The scale height goes with the mass's inverse.
    theta = put(theta, drawing, (theta[mass] * drawing.scale(theta).height / height, bottom))
    # The logarithms of mass and radius fill what those of scale height and apparent radius do.
    volume = jnp.asarray(sum(math.log(0.5 * (b - a)) for a, b in zip(low, high, strict=True)))
    for place in (mass, radius):
        ends = parameters[place].lower, parameters[place].upper
        if parameters[place].scale == "linear":
            volume += jnp.log(theta[place]) + math.log(2 / (ends[1] - ends[0]))
        else:
            volume += math.log(2 / math.log(ends[1] / ends[0]))
    return parameters.to_anchor(theta), volume


def _rest(height: Array, level: Array) -> Array:
    """Radius at the bottom over the apparent one."""
    return jnp.maximum(1 - height * level, 0.01)


def places(drawing: Drawing) -> tuple[int, int]:
    """Positions of mass and radius among the parameters."""
    roles = drawing.layout.parameters.roles
    return roles.index("mass"), roles.index("radius")


def _ranges(drawing: Drawing) -> tuple[tuple[float, float], tuple[float, float]]:
    """Lowest and highest logarithms, of the scale height and of the apparent radius."""
    radius = drawing.layout.parameters[places(drawing)[1]]
    low, high = math.log(radius.lower), math.log(radius.upper)
    return (math.log(_LOWEST_HEIGHT), low), (0.0, high + _BEYOND)
