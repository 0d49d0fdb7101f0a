"""Many training steps as one call: a scan over the batches of a stack of spectra, which are packed
where they are needed, so that nothing but spectra travels to the device.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from exogan_jax.gan.step import GANInfo, GANState, Training, step
from exogan_jax.layout import Layout


def steps(
    key: Array,
    state: GANState,
    depth: Float[Array, "steps n w"],
    theta: Float[Array, "steps n d"],
    *,
    training: Training,
    layout: Layout,
) -> tuple[GANState, GANInfo]:
    """The steps of `training` over a stack of batches.

    The randomness of a step depends on the key and on `state.step` alone: however many steps a call
    takes, the result is the same.

    Args:
      key: PRNG key of the whole training.
      state: where it stands.
      depth, theta: (steps, n, w) and (steps, n, d), the batches.
      training, layout: static.

    Returns:
      the state after the last of them, and the mean of their `GANInfo`, of the discriminator's over
      the steps that it made.
    """

    def one(state: GANState, batch: tuple[Array, Array]) -> tuple[GANState, GANInfo]:
        values = jax.vmap(layout.pack)(*batch)
        return step(jax.random.fold_in(key, state.step), state, values, training)

    state, infos = jax.lax.scan(one, state, (depth, theta))
    return state, jax.tree.map(jnp.nanmean, infos)
