"""A problem's forward model: opacities restricted to the wavelengths of its layout."""

from __future__ import annotations

from typing import Any

import numpy as np

from exogan_jax.layout import Layout
from exogan_jax.physics.forward import ForwardModel, forward_model
from exogan_jax.physics.opacity import OpacityTable

SAME = 1e-5  # relative difference of wavelengths that are the same: tables hold float32


def problem_model(table: OpacityTable, layout: Layout, **options: Any) -> ForwardModel:
    """The forward model of a layout's parameters on a layout's wavelengths.

    Args:
      table: opacities at, at least, those wavelengths, in any order.
      layout: the problem's.
      **options: see `forward_model`.

    Raises:
      ValueError: the table lacks a wavelength or a gas, or see `forward_model`.
    """
    known = np.asarray(table.wavelength_um, np.float64)
    distance = np.abs(layout.wavelength_um[:, None] / known - 1)
    point = distance.argmin(axis=1)
    missing = distance.min(axis=1) > SAME
    if missing.any():
        first = layout.wavelength_um[missing][0]
        raise ValueError(
            f"the opacity table has no {first:g} um, as {missing.sum()} of the layout's "
            f"{layout.n_wavelength} wavelengths; it has {known.size} of {known.min():g} to "
            f"{known.max():g} um"
        )
    whole = np.array_equal(point, np.arange(known.size))
    return forward_model(table, layout.parameters, points=None if whole else point, **options)
