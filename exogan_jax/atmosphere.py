"""What the forward model begins with: the constants, the mixture and its mean mass, and parameters
in its units.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from exogan_jax.parameters import Parameter

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


def value_of(parameter: Parameter, theta: Array, unit: float = 1.0) -> Array:
    """A parameter in a unit given in SI; in SI without one."""
    value = 10.0**theta if parameter.is_log else theta
    factor = parameter.in_si / unit
    return value if factor == 1 else value * factor


def log10_mixing_of(parameter: Parameter, theta: Array) -> Array:
    """log10 of a mixing ratio."""
    return theta if parameter.is_log else jnp.log10(theta)
