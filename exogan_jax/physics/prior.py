"""The prior of the published training set, and spectra simulated from it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from exogan_jax import grid
from exogan_jax.physics.opacity import OpacityTable
from exogan_jax.physics.transit import transit_depth


def sample_prior(key: jax.Array, n: int) -> Float[Array, "n 7"]:
    """Draws parameters uniformly between the published bounds (the published set is their grid).

    Args:
      key: PRNG key.
      n: number of draws.

    Returns:
      (n, 7) theta in the order and units of `grid.PARAMETERS`.
    """
    low = jnp.asarray(grid.LOWER, jnp.float32)
    high = jnp.asarray(grid.UPPER, jnp.float32)
    return jax.random.uniform(key, (n, grid.N_PARAMETERS), minval=low[None], maxval=high[None])


def simulate(
    theta: Float[Array, "n 7"], table: OpacityTable, *, chunk: int = 2
) -> Float[Array, "n w"]:
    """Transit depths of many parameter sets, `chunk` of them in memory at once.

    Args:
      theta: (n, 7) in the units of `grid.PARAMETERS`.
      table: the opacities.
      chunk: spectra computed side by side; two stay within a CPU's cache, an accelerator takes
        hundreds. Peak memory is about 10 MB x chunk for the embedded table.

    Returns:
      (n, w) transit depths for a star of 1 R_sun.
    """
    return jax.lax.map(lambda one: transit_depth(one, table), theta, batch_size=chunk)
