"""The forward model that a shipped problem's networks learnt from."""

from __future__ import annotations

import functools

from exogan_jax.files.opacities import EMBEDDED, load_opacities
from exogan_jax.gan.model import Model
from exogan_jax.layout import Layout
from exogan_jax.physics.forward import ForwardModel
from exogan_jax.physics.problem import problem_model


def physics_of(model: Model) -> ForwardModel | None:
    """The forward model of a model's problem; None where its opacities do not ship, or ship for
    other wavelengths, gases or temperatures: a retrieval goes without it.
    """
    return _physics(model.opacities, model.layout) if model.opacities in EMBEDDED else None


@functools.lru_cache(maxsize=2)  # 0.1 GB each
def _physics(opacities: str, layout: Layout) -> ForwardModel | None:
    table = load_opacities(opacities)
    try:
        return problem_model(table, layout)
    except ValueError:
        return None
