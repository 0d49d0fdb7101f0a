"""From the independent pixels of an array to the array, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

if TYPE_CHECKING:
    from exogan_jax.layout import Layout


def expand(layout: Layout, vector: Float[Array, " v"]) -> Float[Array, "side side"]:
    """Lays independent pixels out as an array: every strip is one value.

    Args:
      layout: of the array.
      vector: (n_vector,), see `Layout.vector`.
    """
    n, k, strips = layout.inner, layout.n_column_sections, layout.n_strips
    cuts = np.cumsum([n * n, layout.n_sections, layout.n_sections, strips])
    area1, high, low, right, below = jnp.split(vector[:-1], cuts)
    # Slices and broadcasts: their gradients are sums, where that of an index is a scatter.
    bars = jnp.concatenate(
        [
            jnp.broadcast_to(high[:, None], (high.size, layout.n_high)),
            jnp.broadcast_to(low[:, None], (low.size, n - layout.n_high)),
        ],
        axis=1,
    )
    columns, rows = _edge(layout, bars[:k], right), _edge(layout, bars[k:], below)
    corner = jnp.broadcast_to(vector[-1], (layout.side - n, layout.side - n))
    return jnp.block([[area1.reshape(n, n), columns.T], [rows, corner]])


def _edge(layout: Layout, bars: Array, parameters: Array) -> Float[Array, "edge inner"]:
    """Strips of sections from the inside, of parameters in the last places, 0 between."""
    n = layout.inner
    filler = jnp.zeros((layout.side - n - len(bars) - layout.n_strips, n), bars.dtype)
    own = jnp.broadcast_to(parameters[:, None], (parameters.size, n))
    rest = jnp.zeros((layout.n_strips - parameters.size, n), bars.dtype)
    return jnp.concatenate([bars, filler, own, rest])


def reduce(layout: Layout, image: Float[Array, "side side"]) -> Float[Array, " v"]:
    """Inverse of `expand`: the mean of every group of pixels that should be equal; of the corner,
    as the published code reads it, the last ones'.

    A mean, and not one pixel of the group, so that a gradient reaches every pixel.
    """
    n, k, strips = layout.inner, layout.n_column_sections, layout.n_strips
    below = len(layout.parameters) - 1 - strips
    columns, rows = image[:n, n:].T, image[n:, :n]
    bars = jnp.concatenate([columns[:k], rows[: layout.n_sections - k]])
    first = layout.side - n - strips
    last = max(strips, 1)
    parts = (
        image[:n, :n].reshape(-1),
        bars[:, : layout.n_high].mean(axis=1),
        bars[:, layout.n_high :].mean(axis=1),
        columns[first : first + strips].mean(axis=1),
        rows[first : first + below].mean(axis=1),
        image[-last:, -last:].mean()[None],
    )
    return jnp.concatenate(parts)
