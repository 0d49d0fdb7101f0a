"""Training of the encoder, the generator frozen: made-up observations of generated arrays, and the
likelihood of the latents that made them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from exogan_jax.gan.encoder import Encoder, Proposal, negative_log_density, to_normal
from exogan_jax.gan.model import Model
from exogan_jax.retrieval.encode import N_FEATURES, features
from experiments.training.designs import design, observe


class EncoderState(NamedTuple):
    """All that training carries from step to step."""

    step: Array  # (), int32
    params: Any
    optimizer: optax.OptState
    ema: Any  # running mean of the parameters, the encoder for use


class EncoderInfo(NamedTuple):
    """Diagnostics of one step, scalars, before the update."""

    loss: Array  # negative log density of the latents, in u; d/2 for the prior
    gradient: Array  # norm of its gradient


class Encoding(NamedTuple):
    """Pure functions; the caller jits."""

    init: Callable[[Array], EncoderState]  # key -> state
    step: Callable[[Array, EncoderState, Model], tuple[EncoderState, EncoderInfo]]


def observed(key: Array, model: Model, n: int) -> tuple[Array, Array]:
    """Latents (n, d) and the features (n, f) of one observation of each."""
    latent_key, design_key, noise_key = jax.random.split(key, 3)
    z = jax.random.uniform(latent_key, (n, model.networks.latent_dim), minval=-1.0, maxval=1.0)
    arrays = jax.vmap(model.generate)(z)
    plans = jax.vmap(design)(jax.random.split(design_key, n))
    keys = jax.random.split(noise_key, n)
    evidence = jax.vmap(observe, (0, 0, 0, None))(keys, arrays, plans, model.error)
    return z, jax.vmap(features)(evidence)


def encoding(
    network: Encoder,
    *,
    optimizer: optax.GradientTransformation,
    batch_size: int,
    ema_decay: float,
) -> Encoding:
    """Builds the training of an encoder: `step(key, state, model)` for the model's generator.

    Args:
      network: the encoder.
      optimizer: optax transformation.
      batch_size: observations per step, all new.
      ema_decay: of the running mean, in [0, 1).
    """

    def init(key: Array) -> EncoderState:
        params = network.init(key, jnp.zeros((1, N_FEATURES)))["params"]
        return EncoderState(jnp.zeros((), jnp.int32), params, optimizer.init(params), params)

    def step(key: Array, state: EncoderState, model: Model) -> tuple[EncoderState, EncoderInfo]:
        z, x = observed(key, model, batch_size)

        def loss_fn(params: Any) -> Array:
            proposal = network.apply({"params": params}, x)
            assert isinstance(proposal, Proposal)
            return negative_log_density(z, proposal).mean()

        loss, gradient = jax.value_and_grad(loss_fn)(state.params)
        updates, opt = optimizer.update(gradient, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        ema = optax.incremental_update(params, state.ema, 1 - ema_decay)
        info = EncoderInfo(loss, optax.tree.norm(gradient))
        return EncoderState(state.step + 1, params, opt, ema), info

    return Encoding(init, step)


def judge(model: Model, key: Array, n: int) -> dict[str, float]:
    """How good a model's encoder is, on `n` observations that it never saw.

    Returns:
      `loss`; `residual`, the rms of the latents in units of the proposals, 1 for calibrated ones;
      `inside_68`, `inside_95`, the shares of single latents within those intervals.
    """
    return {name: float(x) for name, x in _judge(key, model, n).items()}


@partial(jax.jit, static_argnums=2)
def _judge(key: Array, model: Model, n: int) -> dict[str, Array]:
    z, x = observed(key, model, n)
    proposal = jax.vmap(model.propose)(x)
    residual = jnp.einsum("nij,nj->ni", proposal.precision, to_normal(z) - proposal.mean)
    covariance = jnp.linalg.inv(proposal.precision)
    sigma = jnp.sqrt(jnp.square(covariance).sum(axis=2))
    score: Float[Array, "n d"] = jnp.abs(to_normal(z) - proposal.mean) / sigma
    return {
        "loss": negative_log_density(z, proposal).mean(),
        "residual": jnp.sqrt(jnp.square(residual).mean()),
        "inside_68": (score < 0.9945).mean(),  # 68 % of a normal distribution
        "inside_95": (score < 1.96).mean(),
    }
