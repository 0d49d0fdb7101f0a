"""Adversarial training: a factory that closes over networks and optimisers and returns pure
`init` and `step`. The defaults are the paper's: Adam (2e-4, beta1 0.5), and per batch one step of
the discriminator, then two of the generator. `r1_weight` and `ema_decay` stabilise it;
`anchor_weight` ties latents to parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, Float

from exogan_jax import grid
from exogan_jax.gan import losses
from exogan_jax.gan.anchor import anchored_latents
from exogan_jax.gan.nets import SIZE, Networks

PAPER_OPTIMIZER = optax.adam(2e-4, b1=0.5)

Tree = Any  # a pytree of arrays


class GANState(NamedTuple):
    """All that training carries from batch to batch."""

    step: Array  # (), int32, batches seen
    generator: Tree  # parameters
    generator_stats: Tree  # running statistics of batch normalisation, {} if there are none
    discriminator: Tree  # parameters
    discriminator_stats: Tree  # as generator_stats
    generator_opt: optax.OptState
    discriminator_opt: optax.OptState
    ema: Tree  # running mean of generator; equal to it when ema_decay is 0
    ema_stats: Tree  # running mean of generator_stats, which goes with ema


class GANInfo(NamedTuple):
    """Diagnostics of one step, scalars, before the update that they describe."""

    discriminator_loss: Array  # the paper's: 1.386 at chance; without the R1 penalty
    generator_loss: Array  # the paper's: 0.693 at chance; mean over the generator's steps
    real_logit: Array  # mean over the batch
    fake_logit: Array  # mean over the discriminator's generated batch
    r1: Array  # mean squared norm of the logit's gradient; 0 when r1_weight is 0
    anchor: Array  # anchor loss, mean over the generator's steps; 0 when anchor_weight is 0


class GAN(NamedTuple):
    """A pair of pure functions; the caller jits, and donates the state."""

    init: Callable[[Array], GANState]  # key -> state
    step: Callable[[Array, GANState, Array], tuple[GANState, GANInfo]]  # key, state, (n, 33, 33)


def _train(module: nn.Module, params: Tree, stats: Tree, x: Array) -> tuple[Array, Tree]:
    """Output and new running statistics."""
    out, updated = module.apply(
        {"params": params, "batch_stats": stats}, x, train=True, mutable=["batch_stats"]
    )
    return out, updated.get("batch_stats", {})


def gan(
    networks: Networks,
    *,
    generator_optimizer: optax.GradientTransformation = PAPER_OPTIMIZER,
    discriminator_optimizer: optax.GradientTransformation = PAPER_OPTIMIZER,
    objective: str = "paper",
    generator_steps: int = 2,
    r1_weight: float = 0.0,
    r1_coordinates: Callable[[Array], Array] = lambda gradient: gradient,
    anchor_weight: float = 0.0,
    anchor_coordinates: Callable[[Array], Array] = lambda difference: difference,
    ema_decay: float = 0.0,
    axis_name: str | None = None,
) -> GAN:
    """Builds the training of a pair of networks.

    `step(key, state, batch)` takes arrays (n, 33, 33) in [0, 1] and returns the new state and its
    `GANInfo`. Every step of either network draws its own n latents, uniform in [-1, 1].

    Args:
      networks: from `nets.networks`.
      generator_optimizer: optax transformation; the default is the paper's Adam.
      discriminator_optimizer: as above.
      objective: one of `losses.OBJECTIVES`.
      generator_steps: steps of the generator per batch, at least 1.
      r1_weight: gamma of Mescheder et al. (2018): gamma/2 times `losses.r1_penalty` is added to
        the discriminator's loss. 0, the paper's, leaves it out.
      r1_coordinates: takes the gradient with respect to the arrays (n, 33, 33) to the coordinates
        in which the penalty measures it, `compact.whitened_gradient` for instance.
      anchor_weight: adds this times `losses.anchor_loss` to the generator's loss; the latents of
        its steps then are `anchor.anchored_latents` of the batch. 0, the paper's, leaves it out.
      anchor_coordinates: takes differences of arrays (n, 33, 33) to the coordinates in which the
        anchor loss measures them.
      ema_decay: the generator for use is the mean of its past with this decay per batch, in
        [0, 1). 0 keeps the latest, as the paper does.
      axis_name: mapped axis (of `jax.pmap` or `jax.vmap`) over which gradients, statistics and
        diagnostics are averaged; each replica takes its part of the latents that one device would
        draw, so that both agree. None under plain `jax.jit`, also with sharded batches.

    Raises:
      ValueError: an option is out of its range.
    """
    if objective not in losses.OBJECTIVES:
        raise ValueError(
            f"unknown objective {objective!r}: choose one of {', '.join(losses.OBJECTIVES)}"
        )
    game = losses.OBJECTIVES[objective]
    if generator_steps < 1 or min(r1_weight, anchor_weight) < 0 or not 0 <= ema_decay < 1:
        raise ValueError(
            "gan needs generator_steps >= 1, r1_weight >= 0, anchor_weight >= 0 and 0 <= ema_decay "
            f"< 1, got {generator_steps}, {r1_weight}, {anchor_weight}, {ema_decay}"
        )
    if anchor_weight and networks.latent_dim < grid.N_PARAMETERS:
        raise ValueError(
            f"gan needs latent_dim >= {grid.N_PARAMETERS} to anchor latents, got "
            f"{networks.latent_dim}"
        )

    def mean_over_replicas(tree: Tree) -> Tree:
        return tree if axis_name is None else jax.lax.pmean(tree, axis_name)

    def latents(key: Array, n: int) -> Float[Array, "n latent_dim"]:
        shape = (n * n_replicas(), networks.latent_dim)
        z = jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
        if axis_name is None:
            return z
        return jax.lax.dynamic_slice_in_dim(z, jax.lax.axis_index(axis_name) * n, n)

    def n_replicas() -> int:
        return 1 if axis_name is None else jax.lax.axis_size(axis_name)

    def init(key: Array) -> GANState:
        generator_key, discriminator_key = jax.random.split(key)
        g = networks.generator.init(generator_key, jnp.zeros((1, networks.latent_dim)))
        d = networks.discriminator.init(discriminator_key, jnp.zeros((1, SIZE, SIZE)))
        stats = g.get("batch_stats", {})
        return GANState(
            step=jnp.zeros((), jnp.int32),
            generator=g["params"],
            generator_stats=stats,
            discriminator=d["params"],
            discriminator_stats=d.get("batch_stats", {}),
            generator_opt=generator_optimizer.init(g["params"]),
            discriminator_opt=discriminator_optimizer.init(d["params"]),
            # Copies, because a donated state must not hold a buffer twice.
            ema=jax.tree.map(jnp.copy, g["params"]),
            ema_stats=jax.tree.map(jnp.copy, stats),
        )

    def discriminator_step(
        key: Array, state: GANState, batch: Array
    ) -> tuple[GANState, tuple[Array, Array, Array, Array]]:
        z = latents(key, batch.shape[0])
        fake, _ = _train(networks.generator, state.generator, state.generator_stats, z)

        def loss_fn(params: Tree) -> tuple[Array, tuple[Tree, tuple[Array, ...]]]:
            stats = state.discriminator_stats
            real_logits, new_stats = _train(networks.discriminator, params, stats, batch)
            fake_logits, new_stats = _train(networks.discriminator, params, new_stats, fake)
            loss = game.discriminator(real_logits, fake_logits)
            r1 = jnp.zeros(())
            if r1_weight:
                r1 = losses.r1_penalty(
                    lambda x: _train(networks.discriminator, params, stats, x)[0],
                    batch,
                    r1_coordinates,
                )
            diagnostics = (loss, real_logits.mean(), fake_logits.mean(), r1)
            return loss + 0.5 * r1_weight * r1, (new_stats, diagnostics)

        gradient, (stats, diagnostics) = jax.grad(loss_fn, has_aux=True)(state.discriminator)
        gradient, stats, diagnostics = mean_over_replicas((gradient, stats, diagnostics))
        updates, opt = discriminator_optimizer.update(
            gradient, state.discriminator_opt, state.discriminator
        )
        state = state._replace(
            discriminator=optax.apply_updates(state.discriminator, updates),
            discriminator_stats=stats,
            discriminator_opt=opt,
        )
        return state, diagnostics

    def generator_step(
        key: Array, state: GANState, batch: Array
    ) -> tuple[GANState, tuple[Array, Array]]:
        z = latents(key, batch.shape[0])
        if anchor_weight:
            z = anchored_latents(z, batch)

        def judged(arrays: Array) -> Array:
            params, stats = state.discriminator, state.discriminator_stats
            return _train(networks.discriminator, params, stats, arrays)[0]

        def loss_fn(params: Tree) -> tuple[Array, tuple[Tree, tuple[Array, Array]]]:
            fake, stats = _train(networks.generator, params, state.generator_stats, z)
            logits = judged(fake)
            loss = game.generator(judged(batch) if game.generator_sees_real else logits, logits)
            anchor = jnp.zeros(())
            if anchor_weight:
                anchor = losses.anchor_loss(fake, batch, anchor_coordinates)
            return loss + anchor_weight * anchor, (stats, (loss, anchor))

        gradient, (stats, diagnostics) = jax.grad(loss_fn, has_aux=True)(state.generator)
        gradient, stats, diagnostics = mean_over_replicas((gradient, stats, diagnostics))
        updates, opt = generator_optimizer.update(gradient, state.generator_opt, state.generator)
        state = state._replace(
            generator=optax.apply_updates(state.generator, updates),
            generator_stats=stats,
            generator_opt=opt,
        )
        return state, diagnostics

    def step(key: Array, state: GANState, batch: Array) -> tuple[GANState, GANInfo]:
        discriminator_key, *generator_keys = jax.random.split(key, 1 + generator_steps)
        state, (d_loss, real_logit, fake_logit, r1) = discriminator_step(
            discriminator_key, state, batch
        )
        g_losses = []
        for generator_key in generator_keys:
            state, g_loss = generator_step(generator_key, state, batch)
            g_losses.append(jnp.stack(g_loss))
        g_loss, anchor = jnp.stack(g_losses).mean(axis=0)
        ema, ema_stats = state.generator, state.generator_stats
        if ema_decay:
            mean = state.ema, state.ema_stats
            ema, ema_stats = optax.incremental_update((ema, ema_stats), mean, 1 - ema_decay)
        state = state._replace(step=state.step + 1, ema=ema, ema_stats=ema_stats)
        return state, GANInfo(d_loss, g_loss, real_logit, fake_logit, r1, anchor)

    return GAN(init, step)


def generate(
    networks: Networks, state: GANState, z: Float[Array, "n latent_dim"], use_ema: bool = True
) -> Float[Array, "n 33 33"]:
    """Arrays of a trained generator, on running statistics.

    Args:
      networks: the pair that `state` belongs to.
      state: from `gan`.
      z: (n, latent_dim) latents in [-1, 1].
      use_ema: take the mean generator (the latest where `ema_decay` was 0) or the latest.
    """
    params = state.ema if use_ema else state.generator
    stats = state.ema_stats if use_ema else state.generator_stats
    out = networks.generator.apply({"params": params, "batch_stats": stats}, z, train=False)
    assert isinstance(out, jax.Array)
    return out


def score(networks: Networks, state: GANState, aspa: Float[Array, "n 33 33"]) -> Float[Array, " n"]:
    """Logits of arrays (n, 33, 33) under a trained discriminator, on running statistics."""
    variables = {"params": state.discriminator, "batch_stats": state.discriminator_stats}
    out = networks.discriminator.apply(variables, aspa, train=False)
    assert isinstance(out, jax.Array)
    return out
