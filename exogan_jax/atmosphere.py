"""What the forward model begins with: the constants, the mixture and its mean mass, parameters in
its units, and what follows from them in closed form.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from exogan_jax.parameters import UNITS, Parameter, Parameters

BOLTZMANN = 1.380649e-23  # J/K
GRAVITATION = 6.6743e-11  # m^3 kg^-1 s^-2
ATOMIC_MASS = 1.66053906892e-27  # kg
HE_H2_RATIO = 0.17647
H2_MASS = 2.01588  # u
HE_MASS = 4.002602  # u
FILLING_MASS = (H2_MASS + HE_H2_RATIO * HE_MASS) / (1 + HE_H2_RATIO)  # u, of H2 and He together
#: TauREx 2's, which the published spectra show to 2e-5. (The IAU's nominal radius is 6.957e8 m.)
SUN_RADIUS_M = 6.955e8
BACKGROUNDS = ("filling", "fixed")
BOTTOM_PRESSURE, TOP_PRESSURE = 1e6, 1e-5  # Pa, of the atmosphere
#: Scale height at the bottom, in planet radii, times ln(bottom/top pressure) = x: the top is
#: x / (1 - x) radii up, as gravity falls, and nowhere from 1 on. At 2/3 it is 2 radii up, where
#: planets of a few days' orbit lose their gas to the star: beyond, an atmosphere counts as unbound.
LARGEST_EXTENT = 2 / 3

#: Units near a planet's own, in SI: float32 holds no SI masses times G.
PLANET_UNITS = {"mass": UNITS["M_J"], "radius": UNITS["R_J"]}
_GRAVITY = (
    GRAVITATION * PLANET_UNITS["mass"] / PLANET_UNITS["radius"] ** 2
)  # of 1 M_J at 1 R_J, m/s^2


class Mixture(NamedTuple):
    """What the atmosphere is made of, at all heights."""

    gases: Float[Array, " gas"]  # mixing ratios of the absorbing gases
    filling: Float[Array, "2"]  # of H2 and He
    mean_mass: Float[Array, ""]  # u


def mix(
    gases: Float[Array, " gas"],
    molar_mass: Float[ArrayLike, " gas"],
    background: str = "filling",
    he_h2_ratio: float = HE_H2_RATIO,
) -> Mixture:
    """The whole mixture.

    Args:
      gases: (gas,) mixing ratios.
      molar_mass: (gas,) u.
      background: "filling": H2 and He make up what the gases leave. "fixed": they keep the
        fractions that they have without other gases, and these come on top, as in the published
        training set.
      he_h2_ratio: number ratio of the filling gases.
    """
    free = 1 - gases.sum() if background == "filling" else jnp.ones((), gases.dtype)
    hydrogen = free / (1 + he_h2_ratio)
    filling = jnp.stack([hydrogen, he_h2_ratio * hydrogen])
    masses = jnp.asarray(molar_mass, gases.dtype)
    absorbing = (gases * masses).sum()  # no matrix product, which accelerators round
    return Mixture(gases, filling, absorbing + filling[0] * H2_MASS + filling[1] * HE_MASS)


def value_of(parameter: Parameter, theta: Array, unit: float = 1.0) -> Array:
    """A parameter in a unit given in SI; in SI without one."""
    value = 10.0**theta if parameter.is_log else theta
    factor = parameter.in_si / unit
    return value if factor == 1 else value * factor


def log10_mixing_of(parameter: Parameter, theta: Array) -> Array:
    """log10 of a mixing ratio."""
    return theta if parameter.is_log else jnp.log10(theta)


class Scale(NamedTuple):
    """What sets the size of a spectrum and of its features."""

    disc: Float[Array, ""]  # (R/R_sun)^2
    height: Float[Array, ""]  # scale height at the bottom, planet radii
    gravity: Float[Array, ""]  # there, m/s^2
    gases: Float[Array, ""]  # sum of the absorbing gases' mixing ratios


def scale_of(
    theta: Float[Array, " d"],
    parameters: Parameters,
    molar_mass: Float[ArrayLike, " gas"],
    background: str = "filling",
) -> Scale:
    """Disc, scale height and gravity of ONE planet.

    Args:
      theta: (d,) in the order and units of `parameters`, which hold mass, radius and temperature.
      parameters: the problem's.
      molar_mass: (gas,) u, in the order of `parameters.gases`.
      background: see `mix`.
    """
    # All parameters at once, and what is asked for as sums over them: of one at a time, XLA makes a
    # program each. No matrix product, which accelerators round.
    is_log = np.array([p.is_log for p in parameters])
    values = theta
    if is_log.any():  # of the others, a power would be no number, nor its slope
        values = jnp.where(is_log, 10.0 ** jnp.where(is_log, theta, 0.0), theta)
    in_unit = [p.in_si / PLANET_UNITS.get(p.role, 1.0) for p in parameters]
    picked = [
        np.where(np.array(parameters.roles) == role, in_unit, 0.0)
        for role in (*PLANET_UNITS, "temperature")
    ]
    is_gas = np.array([[role == gas for gas in parameters.gases] for role in parameters.roles])
    xp: Any = jnp if isinstance(molar_mass, jax.Array) else np  # of numbers: nothing to trace
    numbers, is_gas = np.stack([*picked, is_gas.any(axis=1)]), is_gas.astype(theta.dtype)
    masses = (is_gas * xp.asarray(molar_mass, theta.dtype)[None]).sum(axis=1)
    weights = xp.concatenate([numbers.astype(theta.dtype), masses[None]])
    mass, radius, temperature, gases, absorbing = jnp.unstack((weights * values[None]).sum(axis=1))
    free = 1 - gases if background == "filling" else 1.0
    mean_mass = absorbing + free * FILLING_MASS
    gravity = _GRAVITY * mass / jnp.square(radius)
    height = (BOLTZMANN / ATOMIC_MASS) * temperature / mean_mass / gravity
    disc = jnp.square(radius * (PLANET_UNITS["radius"] / SUN_RADIUS_M))
    return Scale(disc, height / (radius * PLANET_UNITS["radius"]), gravity, gases)


def excess(scale: Scale, background: str = "filling") -> Float[Array, ""]:
    """By how much a planet fails to be one: the logarithm by which its atmosphere is too extended
    to be bound, and the share by which its gases are more than all of it. 0 for what exists.
    """
    extent = scale.height * math.log(BOTTOM_PRESSURE / TOP_PRESSURE)
    unbound = jnp.maximum(jnp.log(extent / LARGEST_EXTENT), 0.0)
    return unbound + (jnp.maximum(scale.gases - 1, 0.0) if background == "filling" else 0.0)
