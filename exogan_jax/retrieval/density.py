"""A posterior's density, whose likelihood can count to a power while the prior keeps its own."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float


class Density(NamedTuple):
    """Of a posterior at one position of an ensemble, or at many."""

    log: Float[Array, "*n"]  # up to a constant; -inf where it is zero
    log_volume: Float[Array, "*n"]  # of which the prior's, which no power changes


def cleared(density: Density) -> Density:
    """The same, zero where a density is no number."""
    return density._replace(log=jnp.where(jnp.isfinite(density.log), density.log, -jnp.inf))


def tempered(density: Density, power: float | Float[Array, ""]) -> Float[Array, "*n"]:
    """Log density with the likelihood to a power above 0 and up to 1."""
    volume = jnp.where(jnp.isfinite(density.log), density.log_volume, 0.0)
    return power * (density.log - volume) + volume


def energy_of(density: Density) -> Float[Array, "*n"]:
    """-log likelihood, up to a constant; infinite where there is none."""
    return jnp.where(jnp.isfinite(density.log), density.log_volume - density.log, jnp.inf)
