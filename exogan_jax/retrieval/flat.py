"""A box as coordinates without walls, straight but for its rims.

Spectra tell gases, haze and clouds by each other: what fits is a thin sheet, flat in logarithms.
Coordinates in which the prior is normal bend it wherever it comes near a wall: of a planet whose
haze is linear in the gases to 0.0009 of half the box, by 20 to 50 times as much. What is told by
nothing fills the box, and has softer edges in the normal ones (`moves.Coordinates.normal`).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

#: Width of the rims, of half the box. Of one planet (PRISM, 30 ppm), a seventh of whose posterior
#: is a ridge towards strong haze, samples are off nested sampling's by 0.055, 0.009 and 0.004 nat
#: with 0.15, 0.05 and 0.02; in normal coordinates by 0.048.
RIM = 0.02
_NEAREST = 1 - 2.0**-21  # float32 knows few places nearer to the walls


def to_flat(place: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Coordinates of places in [-1, 1]."""
    x = jnp.clip(place, -_NEAREST, _NEAREST)
    rims = jnp.log(-jnp.expm1(-(1 + x) / RIM)) - jnp.log(-jnp.expm1(-(1 - x) / RIM))
    return x + RIM * rims


def from_flat(position: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Places in [-1, 1]; the inverse of `to_flat`."""
    low, high = ((position + side) / RIM for side in (1, -1))
    # Of the nearer wall: the difference of large numbers has few digits.
    above = RIM * (jax.nn.softplus(-high) - jax.nn.softplus(-low))
    return 1 - above


def log_share(position: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Log of the share of the box that a unit of each coordinate has."""
    low, high = ((position + side) / RIM for side in (1, -1))
    # sigmoid(low) - sigmoid(high)
    inner = jnp.log(-jnp.expm1(-2 / RIM)) + jax.nn.log_sigmoid(low) + jax.nn.log_sigmoid(-high)
    return inner - jnp.log(2.0)
