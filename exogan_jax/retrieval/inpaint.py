"""Inpainting (Zingales & Waldmann 2018, section 3.4; Yeh et al. 2016): the latent whose generated
array agrees best with what was observed, found by Adam.

One target and one start. Callers vmap over starts and over targets:

    run = jax.vmap(jax.vmap(inpainter.run, (0, None)), (0, 0))
    states, infos = jax.jit(run)(keys, targets)     # keys (n_targets, n_starts)

The networks come in as two functions; nothing here knows what they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from exogan_jax.gan import losses

N_STARTS = 64  # the paper's number of latents per spectrum
N_STEPS = 1001  # the paper's number of Adam steps
PAPER_OPTIMIZER = optax.adam(0.01, b1=0.9, b2=0.999)


class InpaintState(NamedTuple):
    """What the optimisation carries from step to step."""

    latent: Float[Array, " latent_dim"]  # in [-1, 1]
    optimizer: optax.OptState


class InpaintInfo(NamedTuple):
    """Diagnostics, before the update that they describe; `run` stacks them to (n_steps,)."""

    loss: Float[Array, "*steps"]  # contextual + weight * perceptual
    contextual: Float[Array, "*steps"]
    perceptual: Float[Array, "*steps"]


class PixelTarget(NamedTuple):
    """What the paper compares: the visible pixels of an ASPA."""

    aspa: Float[Array, "33 33"]
    mask: Float[Array, "33 33"]  # 1 = visible


def pixel_loss(aspa: Float[Array, "33 33"], target: PixelTarget) -> Float[Array, ""]:
    """The paper's contextual loss, sum |mask * (aspa - target)|."""
    return losses.contextual_loss(target.mask, aspa, target.aspa)


class Inpainter(NamedTuple):
    """Pure functions; the caller vmaps and jits."""

    init: Callable[[jax.Array], InpaintState]  # key -> state
    step: Callable[[InpaintState, Any], tuple[InpaintState, InpaintInfo]]  # state, target
    run: Callable[[jax.Array, Any], tuple[InpaintState, InpaintInfo]]  # key, target


def inpainter(
    generate_fn: Callable[[Float[Array, " latent_dim"]], Float[Array, "33 33"]],
    score_fn: Callable[[Float[Array, "33 33"]], Float[Array, ""]],
    *,
    latent_dim: int,
    contextual_fn: Callable[[Float[Array, "33 33"], Any], Float[Array, ""]] = pixel_loss,
    perceptual_weight: float = 0.1,
    optimizer: optax.GradientTransformation = PAPER_OPTIMIZER,
    n_steps: int = N_STEPS,
) -> Inpainter:
    """Builds the inpainting of one target from one start.

    Args:
      generate_fn: z (latent_dim,) -> array (33, 33).
      score_fn: array (33, 33) -> the discriminator's logit.
      latent_dim: length of z.
      contextual_fn: (array, target) -> how badly the array fits; the default is the paper's, with
        a `PixelTarget`. A target is any pytree of arrays.
      perceptual_weight: weight of the generator's loss -log D(G(z)); 0.1 in the paper.
      optimizer: optax transformation; the default is the paper's Adam.
      n_steps: steps of `run`; 1001 in the paper.

    Returns:
      init(key): a latent drawn uniformly from [-1, 1] and a fresh optimiser.
      step(state, target): one step of the optimiser, the latent clipped to [-1, 1].
      run(key, target): `n_steps` of them, as one scan, with the trace of the losses.
    """

    def loss_fn(latent: Array, target: Any) -> tuple[Array, InpaintInfo]:
        aspa = generate_fn(latent)
        contextual = contextual_fn(aspa, target)
        perceptual = losses.perceptual_loss(score_fn(aspa))
        loss = contextual + perceptual_weight * perceptual
        return loss, InpaintInfo(loss, contextual, perceptual)

    def init(key: jax.Array) -> InpaintState:
        latent = jax.random.uniform(key, (latent_dim,), minval=-1.0, maxval=1.0)
        return InpaintState(latent, optimizer.init(latent))

    def step(state: InpaintState, target: Any) -> tuple[InpaintState, InpaintInfo]:
        gradient, info = jax.grad(loss_fn, has_aux=True)(state.latent, target)
        updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.latent)
        latent = jnp.clip(state.latent + updates, -1.0, 1.0)
        return InpaintState(latent, optimizer_state), info

    def run(key: jax.Array, target: Any) -> tuple[InpaintState, InpaintInfo]:
        return jax.lax.scan(lambda state, _: step(state, target), init(key), length=n_steps)

    return Inpainter(init, step, run)
