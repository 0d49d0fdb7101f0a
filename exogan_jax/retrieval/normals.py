"""Unit normal random numbers, drawn in a row."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def unit_normal(
    key: Array, shape: tuple[int, ...], dtype: jnp.dtype = jnp.float32
) -> Float[Array, "..."]:
    """What `jax.random.normal` draws, to the bit.

    XLA on CPU compiles a row of numbers in 0.15 s, an array of (50, 128, 11) in 1.2 s: a retrieval
    has seven such arrays.
    """
    return jax.random.normal(key, (math.prod(shape),), dtype).reshape(shape)
