"""Many training steps as one call: a scan over the batches of a stack of spectra, which are encoded
where they are needed, so that nothing but spectra travels to the device.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from exogan_jax import aspa
from exogan_jax.gan.step import GAN, GANInfo, GANState

#: key, state, depth (steps, n, 515), theta (steps, n, 7) -> state, mean diagnostics
Run = Callable[[Array, GANState, Array, Array], tuple[GANState, GANInfo]]


def scan_steps(training: GAN) -> Run:
    """The steps of `training` over a stack of batches.

    `run(key, state, depth, theta)` takes depth (steps, n, 515) and theta (steps, n, 7), and returns
    the state after that many steps and the mean of their `GANInfo`. The randomness of a step
    depends on the key and on `state.step` alone: however many steps a call takes, the result is the
    same.
    """

    def run(
        key: Array,
        state: GANState,
        depth: Float[Array, "steps n 515"],
        theta: Float[Array, "steps n 7"],
    ) -> tuple[GANState, GANInfo]:
        def one(state: GANState, batch: tuple[Array, Array]) -> tuple[GANState, GANInfo]:
            arrays = jax.vmap(aspa.encode)(*batch)
            return training.step(jax.random.fold_in(key, state.step), state, arrays)

        state, infos = jax.lax.scan(one, state, (depth, theta))
        return state, jax.tree.map(jnp.mean, infos)

    return run
