"""The forward model's own spectrum at the parameters of a fit, to hold the generator's against."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import Array, Float

from exogan_jax.layout import Layout
from exogan_jax.physics.forward import ForwardModel

_SAME = 1e-5  # relative difference of wavelengths that are the same: tables hold float32


def check_physics(physics: ForwardModel, layout: Layout) -> None:
    """Refuses a forward model of another problem than a layout's.

    Raises:
      ValueError: other parameters, or other wavelengths.
    """
    if physics.parameters != layout.parameters:
        raise ValueError("physics is of other parameters than the model")
    ours, theirs = layout.wavelength_um, np.asarray(physics.wavelength_um, np.float64)
    if ours.shape != theirs.shape or np.abs(theirs / ours - 1).max() > _SAME:
        raise ValueError(
            "physics is of other wavelengths than the model: make it with "
            "physics.problem.problem_model(table, model.layout)"
        )


@jax.jit
def _spectrum(physics: ForwardModel, theta: Float[Array, " d"]) -> Float[Array, " w"]:
    return physics(theta)


def true_spectrum(physics: ForwardModel, theta: Float[np.ndarray, " d"]) -> Float[np.ndarray, " w"]:
    """The forward model's depths on its whole grid, of ONE planet; one program serves all."""
    return np.asarray(_spectrum(physics, np.asarray(theta, np.float32)), np.float64)
