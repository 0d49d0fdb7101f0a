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

    position: Float[Array, " n"]  # what is optimised; the latent itself in the paper's coordinates
    optimizer: optax.OptState


class InpaintInfo(NamedTuple):
    """Diagnostics, before the update that they describe; `run` stacks them to (n_steps,)."""

    loss: Float[Array, "*steps"]  # contextual + weight * perceptual
    contextual: Float[Array, "*steps"]
    perceptual: Float[Array, "*steps"]


class PixelTarget(NamedTuple):
    """What the paper compares: the visible pixels of an ASPA."""

    array: Float[Array, "side side"]
    mask: Float[Array, "side side"]  # 1 = visible


def pixel_loss(array: Float[Array, "side side"], target: PixelTarget) -> Float[Array, ""]:
    """The paper's contextual loss, sum |mask * (array - target)|."""
    return losses.contextual_loss(target.mask, array, target.array)


class Coordinates(NamedTuple):
    """Where an optimisation starts, and in which coordinates it steps."""

    start: Callable[[jax.Array, Any], Array]  # key, target -> position
    latent: Callable[[Array, Any], Array]  # position, target -> latent
    project: Callable[[Array], Array]  # position after a step -> position that is allowed


def box(latent_dim: int) -> Coordinates:
    """The paper's: the latent itself, begun anywhere in [-1, 1] and clipped to it."""
    return Coordinates(
        start=lambda key, target: jax.random.uniform(key, (latent_dim,), minval=-1.0, maxval=1.0),
        latent=lambda position, target: position,
        project=lambda position: jnp.clip(position, -1.0, 1.0),
    )


class Inpainter(NamedTuple):
    """Pure functions; the caller vmaps and jits."""

    init: Callable[[jax.Array, Any], InpaintState]  # key, target -> state
    step: Callable[[InpaintState, Any], tuple[InpaintState, InpaintInfo]]  # state, target
    run: Callable[[jax.Array, Any], tuple[InpaintState, InpaintInfo]]  # key, target


def inpainter(
    generate_fn: Callable[[Float[Array, " latent_dim"]], Any],
    score_fn: Callable[[Any], Float[Array, ""]],
    *,
    coordinates: Coordinates,
    contextual_fn: Callable[[Any, Any], Float[Array, ""]] = pixel_loss,
    perceptual_weight: float = 0.1,
    optimizer: optax.GradientTransformation = PAPER_OPTIMIZER,
    n_steps: int = N_STEPS,
) -> Inpainter:
    """Builds the inpainting of one target from one start.

    Args:
      generate_fn: z (latent_dim,) -> what the generator draws, an array for instance.
      score_fn: that -> the discriminator's logit.
      coordinates: `box(latent_dim)` is the paper's.
      contextual_fn: (drawing, target) -> how badly it fits; the default is the paper's, with
        a `PixelTarget`. A target is any pytree of arrays.
      perceptual_weight: weight of the generator's loss -log D(G(z)); 0.1 in the paper.
      optimizer: optax transformation; the default is the paper's Adam.
      n_steps: steps of `run`; 1001 in the paper.

    Returns:
      init(key, target): where the coordinates start, and a fresh optimiser.
      step(state, target): one step of the optimiser, projected back.
      run(key, target): `n_steps` of them, as one scan, with the trace of the losses; the latent is
        `coordinates.latent(state.position, target)`.
    """

    def loss_fn(position: Array, target: Any) -> tuple[Array, InpaintInfo]:
        drawing = generate_fn(coordinates.latent(position, target))
        contextual = contextual_fn(drawing, target)
        perceptual = losses.perceptual_loss(score_fn(drawing))
        loss = contextual + perceptual_weight * perceptual
        return loss, InpaintInfo(loss, contextual, perceptual)

    def init(key: jax.Array, target: Any) -> InpaintState:
        position = coordinates.start(key, target)
        return InpaintState(position, optimizer.init(position))

    def step(state: InpaintState, target: Any) -> tuple[InpaintState, InpaintInfo]:
        gradient, info = jax.grad(loss_fn, has_aux=True)(state.position, target)
        updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.position)
        position = coordinates.project(state.position + updates)
        return InpaintState(position, optimizer_state), info

    def run(key: jax.Array, target: Any) -> tuple[InpaintState, InpaintInfo]:
        start = init(key, target)
        return jax.lax.scan(lambda state, _: step(state, target), start, length=n_steps)

    return Inpainter(init, step, run)
