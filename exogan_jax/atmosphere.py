"""What follows from theta in closed form: the mixture, its mean mass, the planet's disc and the
scale height. The forward model begins with these, and a generator may be given them.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from exogan_jax.parameters import Parameter, Parameters

BOLTZMANN = 1.380649e-23  # J/K
GRAVITATION = 6.6743e-11  # m^3 kg^-1 s^-2
ATOMIC_MASS = 1.66053906892e-27  # kg
HE_H2_RATIO = 0.17647
H2_MASS = 2.01588  # u
HE_MASS = 4.002602  # u
#: TauREx 2's, which the published spectra show to 2e-5. (The IAU's nominal radius is 6.957e8 m.)
SUN_RADIUS_M = 6.955e8
BACKGROUNDS = ("filling", "fixed")


class Mixture(NamedTuple):
    """What the atmosphere is made of, at all heights."""

    gases: Float[Array, " gas"]  # mixing ratios of the absorbing gases
    filling: Float[Array, "2"]  # of H2 and He
    mean_mass: Float[Array, ""]  # u


def mix(
    log10_mixing: Float[Array, " gas"],
    molar_mass: Float[ArrayLike, " gas"],
    background: str = "filling",
    he_h2_ratio: float = HE_H2_RATIO,
) -> Mixture:
    """The whole mixture.

    Args:
      log10_mixing: (gas,) log10 of the gases' mixing ratios.
      molar_mass: (gas,) u.
      background: "filling": H2 and He make up what the gases leave. "fixed": they keep the
        fractions that they have without other gases, and these come on top, as in the published
        training set.
      he_h2_ratio: number ratio of the filling gases.
    """
    gases = 10.0**log10_mixing
    free = 1 - gases.sum() if background == "filling" else jnp.ones((), gases.dtype)
    hydrogen = free / (1 + he_h2_ratio)
    filling = jnp.stack([hydrogen, he_h2_ratio * hydrogen])
    masses = jnp.asarray(molar_mass, gases.dtype)
    return Mixture(gases, filling, gases @ masses + filling[0] * H2_MASS + filling[1] * HE_MASS)


class Scale(NamedTuple):
    """The size of a planet and of its atmosphere."""

    disc: Float[Array, ""]  # (R/R_sun)^2: the transit depth without an atmosphere
    height: Float[Array, ""]  # scale height at the bottom, in planet radii: k T / (mu g R)
    gravity: Float[Array, ""]  # at the bottom, m s^-2


def scale_of(
    theta: Float[Array, " d"],
    parameters: Parameters,
    molar_mass: Float[ArrayLike, " gas"],
    background: str = "filling",
) -> Scale:
    """The scale of ONE planet.

    Args:
      theta: (d,) in the order and units of `parameters`.
      parameters: the problem's.
      molar_mass: (gas,) u, of `parameters.gases`.
      background: see `mix`.
    """
    by_role = {p.role: (p, theta[i]) for i, p in enumerate(parameters)}
    radius, mass, temperature = (
        value_of(*by_role[role]) for role in ("radius", "mass", "temperature")
    )
    log10_mixing = jnp.stack([log10_mixing_of(*by_role[gas]) for gas in parameters.gases])
    mean_mass = mix(log10_mixing, molar_mass, background).mean_mass
    # In an order that stays within float32's range.
    gravity = (GRAVITATION * mass) / radius / radius
    height = (BOLTZMANN / ATOMIC_MASS) * temperature / mean_mass / gravity / radius
    return Scale(jnp.square(radius / SUN_RADIUS_M), height, gravity)


def value_of(parameter: Parameter, theta: Array, unit: float = 1.0) -> Array:
    """A parameter in a unit given in SI; in SI without one."""
    value = 10.0**theta if parameter.is_log else theta
    factor = parameter.in_si / unit
    return value if factor == 1 else value * factor


def log10_mixing_of(parameter: Parameter, theta: Array) -> Array:
    """log10 of a mixing ratio."""
    return theta if parameter.is_log else jnp.log10(theta)


def top_altitude(scale_height: Float[Array, "*n"], n_efolds: float) -> Float[Array, "*n"]:
    """Altitude, in planet radii, where the pressure has fallen `n_efolds` times by e: gravity falls
    as 1/r^2, so that z = H n / (1 - H n / R). Infinite where the atmosphere is not bound.
    """
    share = scale_height * n_efolds
    return jnp.where(share < 1, share / jnp.where(share < 1, 1 - share, 1.0), jnp.inf)
