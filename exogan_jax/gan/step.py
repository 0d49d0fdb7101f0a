"""Adversarial training: pure functions `init` and `step` of a `Training`, which holds networks,
objective and optimisers. The defaults are the paper's: Adam (2e-4, beta1 0.5), and per batch one
step of the discriminator, then two of the generator.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, Float

from exogan_jax.gan import losses
from exogan_jax.gan.anchor import anchored_latents
from exogan_jax.gan.nets import Networks
from exogan_jax.layout import Values
from exogan_jax.parameters import Parameters

PAPER_OPTIMIZER = optax.adam(2e-4, b1=0.5)

Tree = Any  # a pytree of arrays


class Player(NamedTuple):
    """One network in training: the same for both."""

    params: Tree
    stats: Tree  # running statistics of batch normalisation, {} if there are none
    optimizer: optax.OptState


class GANState(NamedTuple):
    """All that training carries from batch to batch."""

    step: Array  # (), int32, batches seen
    generator: Player
    discriminator: Player
    ema: Tree  # running mean of the generator's params; equal to them when ema_decay is 0
    ema_stats: Tree  # and of its stats


class GANInfo(NamedTuple):
    """Diagnostics of a step, scalars, before the update that they describe; NaN without one."""

    discriminator_loss: Array  # the objective's; the paper's is 1.386 at chance; without R1
    generator_loss: Array  # the paper's: 0.693 at chance; mean over the generator's steps
    real_logit: Array  # mean over the batch
    fake_logit: Array  # mean over the discriminator's generated batch
    r1: Array  # mean squared norm of the logit's gradient; 0 when r1_weight is 0
    anchor: Array  # anchor loss, mean over the generator's steps; 0 when anchor_weight is 0


@dataclasses.dataclass(frozen=True)
class Training:
    """The game: networks, objective, optimisers and weights.

    Attributes:
      networks: from `nets.networks`.
      parameters: the problem's, to which latents are anchored.
      generator_optimizer: optax transformation; the default is the paper's Adam.
      discriminator_optimizer: as above.
      objective: one of `losses.OBJECTIVES`.
      generator_steps: steps of the generator per batch, at least 1.
      r1_weight: gamma of Mescheder et al. (2018): gamma/2 times `losses.r1_penalty` is added to the
        discriminator's loss. 0, the paper's, leaves it out.
      r1_coordinates: takes the gradient with respect to the drawings (n, ...) to the coordinates in
        which the penalty measures it, `compact.whitened_gradient` for instance.
      anchor_weight: adds this times `losses.anchor_loss` to the generator's loss; the latents of
        its steps then are `anchor.anchored_latents` of the batch. 0, the paper's, leaves it out.
      anchor_coordinates, anchor_root: of differences of drawings, see `losses.anchor_loss`.
      adversary_weight: of the adversary's verdict in the generator's loss; 1 is the paper's.
      discriminator_every: batches of which the discriminator sees one; 1 is the paper's.
      ema_decay: the generator for use is the mean of its past with this decay per batch, in [0, 1).
        0 keeps the latest, as the paper does.
      axis_name: mapped axis (of `jax.pmap` or `jax.vmap`) over which gradients, statistics and
        diagnostics are averaged; each replica takes its part of the latents that one device would
        draw, so that both agree. None under plain `jax.jit`, also with sharded batches.

    Raises:
      ValueError: an option is out of its range.
    """

    networks: Networks
    parameters: Parameters
    generator_optimizer: optax.GradientTransformation = PAPER_OPTIMIZER
    discriminator_optimizer: optax.GradientTransformation = PAPER_OPTIMIZER
    objective: str = "paper"
    generator_steps: int = 2
    r1_weight: float = 0.0
    r1_coordinates: Callable[[Array], Array] = lambda gradient: gradient
    anchor_weight: float = 0.0
    anchor_coordinates: Callable[[Array], Array] = lambda difference: difference
    anchor_root: bool = False
    adversary_weight: float = 1.0
    discriminator_every: int = 1
    ema_decay: float = 0.0
    axis_name: str | None = None

    def __post_init__(self) -> None:
        if self.objective not in losses.OBJECTIVES:
            known = ", ".join(losses.OBJECTIVES)
            raise ValueError(f"unknown objective {self.objective!r}: choose one of {known}")
        weights = self.r1_weight, self.anchor_weight, self.adversary_weight
        counts = self.generator_steps, self.discriminator_every
        if min(counts) < 1 or min(weights) < 0 or not 0 <= self.ema_decay < 1:
            raise ValueError(
                "training needs generator_steps and discriminator_every >= 1, r1_weight, "
                "anchor_weight and adversary_weight >= 0 and 0 <= ema_decay < 1, got "
                f"{', '.join(map(str, (*counts, *weights, self.ema_decay)))}"
            )
        if self.anchor_weight and self.networks.latent_dim < len(self.parameters):
            raise ValueError(
                f"anchored latents need latent_dim >= {len(self.parameters)}, got "
                f"{self.networks.latent_dim}"
            )


def init(key: Array, training: Training) -> GANState:
    """Fresh networks and optimisers."""
    nets = training.networks
    generator_key, discriminator_key = jax.random.split(key)

    def player(variables: Tree, optimizer: optax.GradientTransformation) -> Player:
        params = variables["params"]
        return Player(params, variables.get("batch_stats", {}), optimizer.init(params))

    generator = player(
        nets.generator.init(generator_key, jnp.zeros((1, nets.latent_dim))),
        training.generator_optimizer,
    )
    discriminator = player(
        nets.discriminator.init(discriminator_key, jnp.zeros((1, *nets.shape))),
        training.discriminator_optimizer,
    )
    # Copies, because a donated state must not hold a buffer twice.
    ema, ema_stats = jax.tree.map(jnp.copy, (generator.params, generator.stats))
    return GANState(jnp.zeros((), jnp.int32), generator, discriminator, ema, ema_stats)


def step(
    key: Array, state: GANState, batch: Values, training: Training
) -> tuple[GANState, GANInfo]:
    """One batch: a step of the discriminator, then those of the generator.

    Args:
      key: PRNG key; every step of either network draws its own n latents, uniform in [-1, 1].
      state: from `init`; the caller jits, and donates it.
      batch: training spectra, every field with a leading axis of n.
      training: static.
    """
    real = jax.vmap(training.networks.draw)(batch)
    discriminator_key, *generator_keys = jax.random.split(key, 1 + training.generator_steps)
    learn = partial(_discriminator_step, training=training)
    if training.discriminator_every > 1:
        turn = state.step % training.discriminator_every == 0
        state, judged = jax.lax.cond(turn, learn, _skip, discriminator_key, state, real)
    else:
        state, judged = learn(discriminator_key, state, real)
    played = []
    for generator_key in generator_keys:
        state, one = _generator_step(generator_key, state, real, batch.theta, training)
        played.append(jnp.stack(one))
    generator_loss, anchor = jnp.stack(played).mean(axis=0)
    ema, ema_stats = state.generator.params, state.generator.stats
    if training.ema_decay:
        past = state.ema, state.ema_stats
        ema, ema_stats = optax.incremental_update((ema, ema_stats), past, 1 - training.ema_decay)
    state = state._replace(step=state.step + 1, ema=ema, ema_stats=ema_stats)
    loss, real_logit, fake_logit, r1 = judged
    return state, GANInfo(loss, generator_loss, real_logit, fake_logit, r1, anchor)


def _skip(key: Array, state: GANState, real: Array) -> tuple[GANState, tuple[Array, ...]]:
    """No step of the discriminator, nor its diagnostics."""
    del key, real
    return state, (jnp.full((), jnp.nan),) * 4


def _discriminator_step(
    key: Array, state: GANState, real: Array, training: Training
) -> tuple[GANState, tuple[Array, ...]]:
    nets, game = training.networks, losses.OBJECTIVES[training.objective]
    z = _latents(key, len(real), training)
    fake, _ = _apply(nets.generator, state.generator.params, state.generator.stats, z)
    old_stats = state.discriminator.stats

    def loss_fn(params: Tree) -> tuple[Array, tuple[Tree, tuple[Array, ...]]]:
        real_logits, stats = _apply(nets.discriminator, params, old_stats, real)
        fake_logits, stats = _apply(nets.discriminator, params, stats, fake)
        loss = game.discriminator(real_logits, fake_logits)
        r1 = jnp.zeros(())
        if training.r1_weight:
            r1 = losses.r1_penalty(
                lambda x: _apply(nets.discriminator, params, old_stats, x)[0],
                real,
                training.r1_coordinates,
            )
        diagnostics = (loss, real_logits.mean(), fake_logits.mean(), r1)
        return loss + 0.5 * training.r1_weight * r1, (stats, diagnostics)

    player, diagnostics = _update(
        state.discriminator, loss_fn, training.discriminator_optimizer, training.axis_name
    )
    return state._replace(discriminator=player), diagnostics


def _generator_step(
    key: Array, state: GANState, real: Array, theta: Array, training: Training
) -> tuple[GANState, tuple[Array, Array]]:
    nets, game = training.networks, losses.OBJECTIVES[training.objective]
    z = _latents(key, len(real), training)
    if training.anchor_weight:
        z = anchored_latents(z, theta, training.parameters)

    def judged(drawings: Array) -> Array:
        player = state.discriminator
        return _apply(nets.discriminator, player.params, player.stats, drawings)[0]

    def loss_fn(params: Tree) -> tuple[Array, tuple[Tree, tuple[Array, Array]]]:
        fake, stats = _apply(nets.generator, params, state.generator.stats, z)
        loss, anchor = jnp.zeros(()), jnp.zeros(())
        if training.adversary_weight:
            logits = judged(fake)
            loss = game.generator(judged(real) if game.generator_sees_real else logits, logits)
        if training.anchor_weight:
            by = training.anchor_coordinates, training.anchor_root
            anchor = losses.anchor_loss(fake, real, *by)
        total = training.adversary_weight * loss + training.anchor_weight * anchor
        return total, (stats, (loss, anchor))

    player, diagnostics = _update(
        state.generator, loss_fn, training.generator_optimizer, training.axis_name
    )
    return state._replace(generator=player), diagnostics


def _update(
    player: Player,
    loss_fn: Callable[[Tree], tuple[Array, tuple[Tree, Any]]],
    optimizer: optax.GradientTransformation,
    axis_name: str | None,
) -> tuple[Player, Any]:
    """A player after one step down its loss, and the loss's diagnostics."""
    gradient, (stats, diagnostics) = jax.grad(loss_fn, has_aux=True)(player.params)
    if axis_name is not None:
        gradient, stats, diagnostics = jax.lax.pmean((gradient, stats, diagnostics), axis_name)
    updates, optimizer_state = optimizer.update(gradient, player.optimizer, player.params)
    params = optax.apply_updates(player.params, updates)
    return Player(params, stats, optimizer_state), diagnostics


def _latents(key: Array, n: int, training: Training) -> Float[Array, "n latent_dim"]:
    """Of the latents of all, the part of one replica."""
    axis_name = training.axis_name
    replicas = 1 if axis_name is None else jax.lax.axis_size(axis_name)
    shape = (n * replicas, training.networks.latent_dim)
    z = jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
    if axis_name is None:
        return z
    return jax.lax.dynamic_slice_in_dim(z, jax.lax.axis_index(axis_name) * n, n)


def _apply(module: nn.Module, params: Tree, stats: Tree, x: Array) -> tuple[Array, Tree]:
    """Output and new running statistics, in training."""
    variables = {"params": params, "batch_stats": stats}
    out, updated = module.apply(variables, x, train=True, mutable=["batch_stats"])
    return out, updated.get("batch_stats", {})


def generate(
    networks: Networks, state: GANState, z: Float[Array, "n latent_dim"], use_ema: bool = True
) -> Float[Array, "n ..."]:
    """Drawings of a trained generator, on running statistics.

    Args:
      networks: the pair that `state` belongs to.
      state: from `step`.
      z: (n, latent_dim) latents in [-1, 1].
      use_ema: take the mean generator (the latest where `ema_decay` was 0) or the latest.
    """
    latest = state.generator.params, state.generator.stats
    params, stats = (state.ema, state.ema_stats) if use_ema else latest
    out = networks.generator.apply({"params": params, "batch_stats": stats}, z, train=False)
    assert isinstance(out, jax.Array)
    return out


def score(networks: Networks, state: GANState, drawings: Float[Array, "n ..."]) -> Array:
    """Logits (n,) of drawings under a trained discriminator, on running statistics."""
    player = state.discriminator
    variables = {"params": player.params, "batch_stats": player.stats}
    out = networks.discriminator.apply(variables, drawings, train=False)
    assert isinstance(out, jax.Array)
    return out
