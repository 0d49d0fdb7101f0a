"""The forward model: a planet's transmission spectrum from its seven parameters.

Hydrostatic atmosphere in plane-parallel layers of log pressure, constant mixing ratios, absorption
by the table's gases, Rayleigh scattering, collision-induced absorption, and on request a grey cloud
deck and a power-law haze. Discretised as TauREx 3 does (Al-Refaie et al. 2021, ApJ 917, 37), which
made the reference spectra, with the radii of Zingales & Waldmann (2018).
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from exogan_jax import grid
from exogan_jax.physics.interpolate import at_temperature, interpolation_weights
from exogan_jax.physics.opacity import OpacityTable
from exogan_jax.physics.rayleigh import LOSCHMIDT_M3, rayleigh_cross_section

BOLTZMANN = 1.380649e-23  # J/K
GRAVITATION = 6.6743e-11  # m^3 kg^-1 s^-2
ATOMIC_MASS = 1.66053906892e-27  # kg
HE_H2_RATIO = 0.17647
H2_MASS = 2.01588  # u
HE_MASS = 4.002602  # u
HAZE_REFERENCE_UM = 0.35


class Chords(NamedTuple):
    """Geometry of the light paths that graze each layer."""

    path: Float[Array, "layer layer"]  # m, of the path tangent to a row's layer in a column's
    radius: Float[Array, " layer"]  # m, lower boundary of each layer
    thickness: Float[Array, " layer"]  # m
    density: Float[Array, " layer"]  # amagat
    pressure: Float[Array, " layer"]  # Pa, geometric mean of the layer's boundaries


def chords(
    mass_kg: Float[Array, ""],
    radius_m: Float[Array, ""],
    temperature: Float[Array, " layer"],
    mean_mass: Float[Array, ""],
    *,
    bottom_pressure: float = 1e6,
    top_pressure: float = 1e-5,
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
    surface_gravity = (GRAVITATION * mass_kg) / radius_m / radius_m

    def up(altitude: Array, layer: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        layer_energy, layer_log_ratio = layer
        # Gravity at the layer's lower boundary.
        gravity = surface_gravity / jnp.square(1 + altitude / radius_m)
        thickness = layer_energy / gravity * layer_log_ratio
        return altitude + thickness, (altitude, thickness)

    zero = jnp.zeros((), dtype)
    _, (altitude, thickness) = jax.lax.scan(up, zero, (energy, log_ratio), unroll=10)

    # Differences of altitudes, not of squared radii: float32 keeps its digits.
    tangent = altitude + thickness[0] / 2
    shell = tangent + thickness / 2  # outer edge of each layer, as TauREx counts them
    above = shell[None, :] - tangent[:, None]
    total = 2 * radius_m + shell[None, :] + tangent[:, None]
    inside = above > 0
    half = jnp.where(inside, jnp.sqrt(jnp.where(inside, above * total, 1.0)), 0.0)
    path = 2 * jnp.diff(half, axis=1, prepend=jnp.zeros((n_layers, 1), dtype))
    density = pressure / temperature / (BOLTZMANN * LOSCHMIDT_M3)
    return Chords(path, radius_m + altitude, thickness, density, pressure)


# A GPU or TPU multiplies float32 matrices in fewer bits unless told otherwise: too few for ppm.
@jax.default_matmul_precision("highest")
def transit_depth(
    theta: Float[ArrayLike, " gas+3"],
    table: OpacityTable,
    *,
    temperature_profile: Float[ArrayLike, " layer"] | None = None,
    cloud_top_pressure: Float[ArrayLike, ""] | None = None,
    haze: Float[ArrayLike, "2"] | None = None,
    star_radius: Float[ArrayLike, ""] | float = 1.0,
    n_layers: int = 100,
    bottom_pressure: float = 1e6,
    top_pressure: float = 1e-5,
    he_h2_ratio: float = HE_H2_RATIO,
    rayleigh: bool = True,
    cia: bool = True,
) -> Float[Array, " w"]:
    """Transit depth (Rp/Rs)^2 at each of the table's wavelengths.

    Pure and differentiable in `theta`, the table and every array argument; vmap for batches. It
    holds about 4 n_layers x w x (gases x g-points) bytes a spectrum at its peak: map large batches
    in chunks (`physics.prior.simulate` does).

    Args:
      theta: (gas + 3,) log10 of the mixing ratio of each of `table.gases`, planet mass [M_J =
        1.898e27 kg], planet radius at `bottom_pressure` [R_J = 6.9911e7 m], temperature [K]. For
        the embedded table this is `grid.PARAMETERS`.
      table: the opacities.
      temperature_profile: (n_layers,) K from the bottom up, in place of theta's temperature.
      cloud_top_pressure: Pa; the atmosphere is opaque below (at higher pressure). None: clear.
      haze: (2,) scattering relative to that of H2 at 0.35 um, and the power of wavelength (-4 for
        Rayleigh-like). None: no haze.
      star_radius: R_sun.
      n_layers, bottom_pressure, top_pressure: layers of equal log pressure, Pa.
      he_h2_ratio: number ratio of the filling gases.
      rayleigh, cia: False leaves out scattering by the gases, or collision-induced absorption.

    Returns:
      (w,) transit depths.
    """
    dtype = table.absorption.dtype
    theta = jnp.asarray(theta, dtype)
    n_gases = len(table.gases)
    if theta.shape != (n_gases + 3,):
        raise ValueError(
            f"theta must be ({n_gases + 3},): log10 of {', '.join(table.gases)}, then mass, radius "
            f"and temperature; got {theta.shape}. Use jax.vmap for batches"
        )
    mixing = 10.0 ** theta[:n_gases]
    filling = 1 - mixing.sum() if table.background == "filling" else jnp.ones((), dtype)
    hydrogen = filling / (1 + he_h2_ratio)
    background = jnp.stack([hydrogen, he_h2_ratio * hydrogen])
    mean_mass = mixing @ table.molar_mass + background[0] * H2_MASS + background[1] * HE_MASS
    mass, radius, temperature = theta[n_gases:]
    if temperature_profile is None:
        layer_temperature = jnp.full(n_layers, temperature)
    else:
        layer_temperature = jnp.asarray(temperature_profile, dtype)
        if layer_temperature.shape != (n_layers,):
            raise ValueError(f"temperature_profile must be ({n_layers},)")
    geometry = chords(
        mass * grid.JUPITER_MASS_KG,
        radius * grid.JUPITER_RADIUS_M,
        layer_temperature,
        mean_mass,
        bottom_pressure=bottom_pressure,
        top_pressure=top_pressure,
    )
    column = geometry.path * geometry.density[None, :]  # amagat m
    tau = jnp.zeros((n_layers, table.wavelength_um.size), dtype)
    if rayleigh:
        tau += jnp.outer(column.sum(1), jnp.concatenate([mixing, background]) @ table.rayleigh)
    if haze is not None:
        strength, power = jnp.asarray(haze, dtype)
        tau += jnp.outer(column.sum(1), hydrogen * _haze(table, strength, power))
    if cia:
        fractions = dict(zip((*table.gases, "h2", "he"), (*mixing, *background), strict=True))
        product = jnp.stack([fractions[a] * fractions[b] for a, b in table.pairs])
        squared = column * geometry.density[None, :]
        if temperature_profile is None:
            kappa = product @ at_temperature(table.cia_temperature, table.cia, temperature)
            tau += jnp.outer(squared.sum(1), kappa)
        else:
            weights = interpolation_weights(table.cia_temperature, layer_temperature)
            tau += squared @ (weights @ jnp.tensordot(table.cia, product, axes=(1, 0)))
    transmission = jnp.exp(-tau)

    # Interpolation in pressure is linear in the cross-section, so it folds into the columns: the
    # sum over layers becomes one over the table's few pressures.
    in_pressure = interpolation_weights(table.log10_pressure, jnp.log10(geometry.pressure))
    if temperature_profile is None:
        absorption = at_temperature(table.temperature, table.absorption, temperature)
        reduced = column @ in_pressure
    else:
        in_temperature = interpolation_weights(table.temperature, layer_temperature)
        both = in_temperature[:, :, None] * in_pressure[:, None, :]
        absorption = table.absorption.reshape(-1, *table.absorption.shape[2:])
        reduced = column @ both.reshape(n_layers, -1)
    # Each gas's lines overlap the others' at random, so their transmissions multiply. The sum over
    # g-points is written out: it fuses with the exponentials, a contraction would not (3x slower).
    for i in range(n_gases):
        transmission *= _of_gas(reduced * mixing[i], absorption[:, i], table.g_weight)
    if cloud_top_pressure is not None:
        # The layer that holds the cloud's top is opaque in part, so that the gradient exists.
        above = jnp.log(jnp.asarray(cloud_top_pressure, dtype) / geometry.pressure)
        step = jnp.log(jnp.asarray(bottom_pressure / top_pressure, dtype)) / n_layers
        transmission *= jnp.clip(above / step + 0.5, 0.0, 1.0)[:, None]
    ring = 2 * geometry.radius * geometry.thickness / jnp.square(radius * grid.JUPITER_RADIUS_M)
    opaque = jnp.square(radius * (grid.JUPITER_RADIUS_M / grid.SUN_RADIUS_M) / star_radius)
    return opaque * (1 + ring @ (1 - transmission))


@jax.checkpoint
def _of_gas(
    reduced: Float[Array, "layer n"], absorption: Float[Array, "n g w"], weight: Float[Array, " g"]
) -> Float[Array, "layer w"]:
    """Transmission of one gas."""
    terms = [weight[g] * jnp.exp(-(reduced @ absorption[:, g])) for g in range(weight.size)]
    return functools.reduce(jnp.add, terms)


def _haze(
    table: OpacityTable, strength: Float[Array, ""], power: Float[Array, ""]
) -> Float[Array, " w"]:
    """Haze absorption per amagat of H2, m^-1."""
    reference = float(rayleigh_cross_section("h2", np.array(HAZE_REFERENCE_UM)))
    shape = (table.wavelength_um / HAZE_REFERENCE_UM) ** power
    return strength * (reference * LOSCHMIDT_M3) * shape
