"""Hydrostatic altitudes, and the paths of light that grazes each layer, as TauREx 3 does it
(Al-Refaie et al. 2021, ApJ 917, 37).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from exogan_jax.atmosphere import (
    ATOMIC_MASS,
    BOLTZMANN,
    BOTTOM_PRESSURE,
    GRAVITATION,
    LARGEST_EXTENT,
    TOP_PRESSURE,
)
from exogan_jax.physics.rayleigh import LOSCHMIDT_M3


class Chords(NamedTuple):
    """Geometry of the light paths that graze each layer."""

    path: Float[Array, "layer layer"]  # m, of the path tangent to a row's layer in a column's
    radius: Float[Array, " layer"]  # m, lower boundary of each layer
    thickness: Float[Array, " layer"]  # m
    density: Float[Array, " layer"]  # amagat
    pressure: Float[Array, " layer"]  # Pa, geometric mean of the layer's boundaries
    #: Sum of the layers' thickness at the bottom's gravity, planet radii: unbound above
    #: `atmosphere.LARGEST_EXTENT`, where the layers are those of an atmosphere that has just this.
    extent: Float[Array, ""]


def _gravity(mass_kg: Float[Array, ""], radius_m: Float[Array, ""]) -> Float[Array, ""]:
    return (GRAVITATION * mass_kg) / radius_m / radius_m


def extent_of(
    mass_kg: Float[Array, ""],
    radius_m: Float[Array, ""],
    temperature: Float[Array, ""],
    mean_mass: Float[Array, ""],
    log_pressures: float,
) -> Float[Array, ""]:
    """`Chords.extent` of layers of this mean temperature, ln(bottom/top pressure) in all."""
    energy = (BOLTZMANN / ATOMIC_MASS) * temperature / mean_mass
    return energy * log_pressures / _gravity(mass_kg, radius_m) / radius_m


@jax.custom_jvp
def _stack(
    energy: Float[Array, " layer"],
    log_ratio: Float[Array, " layer"],
    surface_gravity: Float[Array, ""],
    radius_m: Float[Array, ""],
) -> tuple[Float[Array, " layer"], Float[Array, " layer"]]:
    """Altitudes of the layers' lower boundaries and thicknesses, m."""

    def up(altitude: Array, layer: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        layer_energy, layer_log_ratio = layer
        # Gravity at the layer's lower boundary.
        gravity = surface_gravity / jnp.square(1 + altitude / radius_m)
        thickness = layer_energy / gravity * layer_log_ratio
        return altitude + thickness, (altitude, thickness)

    layers = energy, log_ratio
    _, (altitude, thickness) = jax.lax.scan(up, jnp.zeros_like(radius_m), layers, unroll=10)
    return altitude, thickness


@_stack.defjvp
def _stack_jvp(
    primals: tuple[Array, ...], tangents: tuple[Array, ...]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Changes of a layer's thickness lift all layers above, whose gravity is then weaker: in planet
    radii, x' = x + s (1 + x)^2 from layer to layer, and the change of x is linear in those of s.
    """
    altitude, thickness = _stack(*primals)
    radius_m, d_radius_m = primals[-1], tangents[-1]

    def at_surface(energy: Array, log_ratio: Array, gravity: Array, radius_m: Array) -> Array:
        return energy * log_ratio / gravity / radius_m

    s, d_s = jax.jvp(at_surface, primals, tangents)
    lift = 1 + altitude / radius_m
    # How much a layer's lower boundary moves with one below it: the product of those between.
    growth = jnp.log1p(2 * s * lift)
    total = jnp.cumsum(growth)
    between = (total - growth)[:, None] - total[None, :]
    below = np.tri(s.size, k=-1, dtype=bool)
    moves = jnp.where(below, jnp.exp(jnp.where(below, between, 0.0)), 0.0)
    thicker = jnp.square(lift) * d_s
    d_x = moves @ thicker
    d_altitude = radius_m * d_x + altitude / radius_m * d_radius_m
    d_thickness = radius_m * (thicker + 2 * s * lift * d_x) + thickness / radius_m * d_radius_m
    return (altitude, thickness), (d_altitude, d_thickness)


def chords(
    mass_kg: Float[Array, ""],
    radius_m: Float[Array, ""],
    temperature: Float[Array, " layer"],
    mean_mass: Float[Array, ""],
    *,
    bottom_pressure: float = BOTTOM_PRESSURE,
    top_pressure: float = TOP_PRESSURE,
) -> Chords:
    """Hydrostatic altitudes and chord lengths of an atmosphere.

    Args:
      mass_kg: planet mass.
      radius_m: planet radius at `bottom_pressure`.
      temperature: (layer,) K, from the bottom up; its length is the number of layers.
      mean_mass: mean molecular mass, u.
      bottom_pressure, top_pressure: Pa; the layers are equal in log pressure.
    """
    n_layers = temperature.shape[0]
    dtype = temperature.dtype
    levels = jnp.logspace(
        jnp.log10(bottom_pressure), jnp.log10(top_pressure), n_layers + 1, dtype=dtype
    )
    pressure = jnp.sqrt(levels[:-1]) * jnp.sqrt(levels[1:])
    log_ratio = jnp.log(levels[:-1] / levels[1:])
    # Scale height times g: k T / mu, in m^2 s^-2.
    energy = (BOLTZMANN / ATOMIC_MASS) * temperature / mean_mass
    surface_gravity = _gravity(mass_kg, radius_m)
    extent = (energy * log_ratio).sum() / surface_gravity / radius_m
    energy = energy * jnp.minimum(1, LARGEST_EXTENT / extent)  # finite, whatever the planet

    altitude, thickness = _stack(energy, log_ratio, surface_gravity, radius_m)

    # Differences of altitudes, not of squared radii: float32 keeps its digits.
    tangent = altitude + thickness[0] / 2
    shell = tangent + thickness / 2  # outer edge of each layer, as TauREx counts them
    above = shell[None, :] - tangent[:, None]
    total = 2 * radius_m + shell[None, :] + tangent[:, None]
    inside = above > 0
    half = jnp.where(inside, jnp.sqrt(jnp.where(inside, above * total, 1.0)), 0.0)
    path = 2 * jnp.diff(half, axis=1, prepend=jnp.zeros((n_layers, 1), dtype))
    density = pressure / temperature / (BOLTZMANN * LOSCHMIDT_M3)
    return Chords(path, radius_m + altitude, thickness, density, pressure, extent)
