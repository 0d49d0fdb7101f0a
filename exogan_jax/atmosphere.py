"""What the forward model begins with: the constants, the mixture and its mean mass, parameters in
its units, and what follows from them in closed form.
"""

from __future__ import annotations

import math
from typing import NamedTuple

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
    by_role = {p.role: (p, theta[i]) for i, p in enumerate(parameters)}
    # All parameters at once, of which the others count nothing: of one at a time, XLA makes a
    # program each.
    is_it = np.array([[role == gas for gas in parameters.gases] for role in parameters.roles])
    is_log = np.array([p.is_log for p in parameters])
    values = theta
    if is_log.any():  # of the others, a power would be no number, nor its slope
        values = jnp.where(is_log, 10.0 ** jnp.where(is_log, theta, 0.0), theta)
    masses = jnp.where(is_it, jnp.asarray(molar_mass, theta.dtype)[None], 0.0).sum(axis=1)
    mixture = mix(jnp.where(is_it.any(axis=1), values, 0.0), masses, background)
    mass, radius = (value_of(*by_role[role], unit) for role, unit in PLANET_UNITS.items())
    temperature = value_of(*by_role["temperature"])
    gravity = _GRAVITY * mass / jnp.square(radius)
    height = (BOLTZMANN / ATOMIC_MASS) * temperature / mixture.mean_mass / gravity
    disc = jnp.square(radius * (PLANET_UNITS["radius"] / SUN_RADIUS_M))
    return Scale(disc, height / (radius * PLANET_UNITS["radius"]), gravity, mixture.gases.sum())


def excess(scale: Scale, background: str = "filling") -> Float[Array, ""]:
    """By how much a planet fails to be one: the logarithm by which its atmosphere is too extended
    to be bound, and the share by which its gases are more than all of it. 0 for what exists.
    """
    extent = scale.height * math.log(BOTTOM_PRESSURE / TOP_PRESSURE)
    unbound = jnp.maximum(jnp.log(extent / LARGEST_EXTENT), 0.0)
    return unbound + (jnp.maximum(scale.gases - 1, 0.0) if background == "filling" else 0.0)
