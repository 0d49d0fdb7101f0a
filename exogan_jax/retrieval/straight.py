"""Coordinates in which the posterior of a spectrum is less curved, for the moves of an ensemble.

A spectrum fixes the scale height, on which mass, temperature and composition bear alike: in the
latents such posteriors are thin, bent sheets, along which no straight move goes far. Here the
mass's place is taken by the logarithm of the scale height, in planet radii, and the radius's by its
own logarithm; both follow in closed form (`atmosphere.scale_of`). What the data ask for is
subtracted by `moves`.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from exogan_jax.gan.altitude import Drawing

#: Of the scale heights, in radii, whose logarithms are mapped to [-1, 1]. The ensemble's moves do
#: not depend on it.
_LOWEST_HEIGHT = 1e-7

#: Values in the mass's and the radius's places.
Pair = tuple[Float[Array, ""], Float[Array, ""]]


def straighten(latent: Float[Array, " d"], drawing: Drawing) -> Float[Array, " d"]:
    """The coordinates of a latent, within [-1, 1].

    Args:
      latent: the scaled parameters.
      drawing: of the problem.
    """
    theta = drawing.theta(latent)
    _, radius = places(drawing)
    return put(latent, drawing, scaled(drawing.scale(theta).height, theta[radius], drawing))


def scaled(height: Float[Array, ""], radius: Float[Array, ""], drawing: Drawing) -> Pair:
    """The two coordinates, from the scale height in radii and the radius in its unit."""
    first, second = (
        2 * (jnp.log(x) - low) / (high - low) - 1
        for x, low, high in zip((height, radius), *_ranges(drawing), strict=True)
    )
    return first, second


def of_scaled(pair: Pair, drawing: Drawing) -> Pair:
    """Inverse of `scaled`: scale height and radius."""
    height, radius = (
        jnp.exp(low + 0.5 * (x + 1) * (high - low))
        for x, low, high in zip(pair, *_ranges(drawing), strict=True)
    )
    return height, radius


def put(x: Float[Array, " d"], drawing: Drawing, pair: Pair) -> Float[Array, " d"]:
    """A latent or coordinates with others in the mass's and the radius's places. Not by indices: to
    XLA, those are a program of their own.
    """
    for place, value in zip(places(drawing), pair, strict=True):
        x = jnp.where(np.arange(x.size) == place, value, x)
    return x


def bend(
    straight: Float[Array, " d"], drawing: Drawing
) -> tuple[Float[Array, " d"], Float[Array, ""]]:
    """Inverse of `straighten`, and the logarithm of the volume that a unit of these coordinates has
    among the latents.
    """
    parameters = drawing.layout.parameters
    mass, radius = places(drawing)
    height, bottom = of_scaled((straight[mass], straight[radius]), drawing)
    zero = jnp.zeros((), straight.dtype)
    theta = drawing.theta(put(straight, drawing, (zero, zero)))
    theta = put(theta, drawing, (theta[mass], bottom))
    # The scale height goes with the mass's inverse.
    theta = put(theta, drawing, (theta[mass] * drawing.scale(theta).height / height, bottom))
    # The logarithms of mass and radius fill what those of scale height and radius do.
    low, high = _ranges(drawing)
    volume = jnp.asarray(sum(math.log(0.5 * (b - a)) for a, b in zip(low, high, strict=True)))
    for place in (mass, radius):
        ends = parameters[place].lower, parameters[place].upper
        if parameters[place].scale == "linear":
            volume += jnp.log(theta[place]) + math.log(2 / (ends[1] - ends[0]))
        else:
            volume += math.log(2 / math.log(ends[1] / ends[0]))
    return parameters.to_anchor(theta), volume


def places(drawing: Drawing) -> tuple[int, int]:
    """Positions of mass and radius among the parameters."""
    roles = drawing.layout.parameters.roles
    return roles.index("mass"), roles.index("radius")


def _ranges(drawing: Drawing) -> tuple[tuple[float, float], tuple[float, float]]:
    """Lowest and highest logarithms, of the scale height and of the radius."""
    radius = drawing.layout.parameters[places(drawing)[1]]
    return (math.log(_LOWEST_HEIGHT), math.log(radius.lower)), (0.0, math.log(radius.upper))
