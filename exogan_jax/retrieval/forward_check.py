"""The forward model's check of a fit: the true spectrum of samples, and how well they fit."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from exogan_jax.layout import Layout
from exogan_jax.physics.forward import ForwardModel
from exogan_jax.physics.problem import SAME
from exogan_jax.retrieval.residuals import Bins


def check_physics(physics: ForwardModel, layout: Layout) -> None:
    """Refuses a forward model whose problem is not the layout's.

    Raises:
      ValueError: other parameters, or other wavelengths.
    """
    if physics.parameters != layout.parameters:
        raise ValueError("physics is of other parameters than the model")
    ours, theirs = layout.wavelength_um, np.asarray(physics.wavelength_um, np.float64)
    if ours.shape != theirs.shape or np.abs(theirs / ours - 1).max() > SAME:
        raise ValueError(
            "physics is of other wavelengths than the model: make it with "
            "physics.problem.problem_model(table, model.layout)"
        )


@jax.jit
def _spectrum(physics: ForwardModel, theta: Float[Array, " d"]) -> Float[Array, " w"]:
    return physics(theta)


def true_spectrum(physics: ForwardModel, theta: Float[np.ndarray, " d"]) -> Float[np.ndarray, " w"]:
    """The forward model's depths on its whole grid, of ONE planet; compiled once for all."""
    return np.array(_spectrum(physics, np.asarray(theta, np.float32)), np.float64)


@jax.jit
def _spectra(few: ForwardModel, theta: Float[Array, "n d"]) -> Float[Array, "n k"]:
    depth = jax.vmap(few)(theta)
    exists = jax.vmap(few.exists)(theta)
    return jnp.where(exists[:, None], depth, jnp.nan)


def true_depths(
    physics: ForwardModel, theta: Float[np.ndarray, "n d"], bins: Bins, at_once: int
) -> Float[np.ndarray, "n k"]:
    """The forward model's depths at the points that the bins touch, which alone are computed; NaN
    for planets that do not exist.

    Args:
      physics: on the whole grid.
      theta: (n, d).
      bins: of the observation.
      at_once: planets side by side: a program is compiled for each such number, and each padded
        size of an observation.
    """
    few = physics.at_points(bins.point)
    n, theta = len(theta), np.asarray(theta, np.float32)
    rows = np.arange(-(-n // at_once) * at_once).reshape(-1, at_once) % n
    return np.concatenate([np.asarray(_spectra(few, theta[row]), np.float64) for row in rows])[:n]
