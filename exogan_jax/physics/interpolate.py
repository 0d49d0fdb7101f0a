"""Linear interpolation on the nodes of a table, clamped at the edges."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def bracket(
    nodes: Float[Array, " n"], value: Float[Array, "*shape"]
) -> tuple[Array, Float[Array, "*shape"]]:
    """Index of the node below each value, and the fraction of the way to the next.

    Values outside the nodes are clamped to the edge.
    """
    index = jnp.clip(jnp.searchsorted(nodes, value, side="right") - 1, 0, max(nodes.size - 2, 0))
    if nodes.size == 1:
        return index, jnp.zeros_like(value)
    low = nodes[index]
    fraction = jnp.clip((value - low) / (nodes[index + 1] - low), 0.0, 1.0)
    return index, fraction


def interpolation_weights(
    nodes: Float[Array, " n"], value: Float[Array, " m"]
) -> Float[Array, "m n"]:
    """Matrix of linear interpolation weights from `nodes` to each value, clamped at the edges."""
    index, fraction = bracket(nodes, value)
    below = jax.nn.one_hot(index, nodes.size, dtype=value.dtype)
    above = jax.nn.one_hot(jnp.minimum(index + 1, nodes.size - 1), nodes.size, dtype=value.dtype)
    return below * (1 - fraction)[:, None] + above * fraction[:, None]


def at_temperature(
    nodes: Float[Array, " t"], values: Float[Array, "t *rest"], temperature: Float[Array, ""]
) -> Float[Array, "*rest"]:
    """`values` interpolated linearly to one temperature [K], clamped at the edges."""
    index, fraction = bracket(nodes, temperature)
    upper = jnp.minimum(index + 1, nodes.size - 1)
    return values[index] * (1 - fraction) + values[upper] * fraction
