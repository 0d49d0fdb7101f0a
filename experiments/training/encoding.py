"""Training of the encoder, the generator frozen: made-up observations, and the likelihood of the
latents that belong to them. They are of simulated spectra where the latents are the parameters,
else of generated ones, anew at each step.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from exogan_jax.atmosphere import excess
from exogan_jax.files.records import Spectra
from exogan_jax.gan.altitude import Depths
from exogan_jax.gan.model import LevelError, Model
from exogan_jax.gan.npe import (
    Encoder,
    Proposal,
    bend,
    log_determinant,
    negative_log_density,
    standardised,
    to_normal,
)
from exogan_jax.layout import Values
from exogan_jax.retrieval.encode import features, n_features
from exogan_jax.triangular import inverse
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


@dataclasses.dataclass(frozen=True)
class EncoderTraining:
    """How an encoder is trained."""

    network: Encoder
    optimizer: optax.GradientTransformation
    batch_size: int  # observations per step, all new
    ema_decay: float  # of the running mean, in [0, 1)


def drawn(key: Array, model: Model, n: int) -> Float[Array, "n d"]:
    """Uniform latents; of planets that exist, where the networks can tell."""
    shape = (n, model.networks.latent_dim)
    if not isinstance(model.error, LevelError):
        return jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
    some, other = jax.random.uniform(key, (2, *shape), minval=-1.0, maxval=1.0)
    z = jnp.concatenate([some, other])
    drawing, d = model.drawing, len(model.layout.parameters)
    missing = jax.vmap(lambda z: excess(drawing.scale(drawing.theta(z[:d])), drawing.background))(z)
    return z[jnp.argsort(missing > 0, stable=True)[:n]]  # four fifths of all planets exist


def is_simulated(model: Model) -> bool:
    """Whether latents are the parameters, so that those of any spectrum are known."""
    own = model.networks.latent_dim == len(model.layout.parameters)
    return own and isinstance(model.error, LevelError)


def observed(
    key: Array, model: Model, n: int, radius: tuple[float, float], spectra: Spectra | None = None
) -> tuple[Float[Array, "n d"], Float[Array, "n f"]]:
    """Latents (n, d) and the features (n, f), scaled with `radius`, of one observation of each.

    Args:
      key: PRNG key.
      model: with the generator.
      n: number of observations.
      radius: see `npe.Encoder`.
      spectra: simulated ones, of which any n are observed; None for generated ones.
    """
    latent_key, design_key, noise_key = jax.random.split(key, 3)
    layout = model.layout

    def generated(z: Array) -> Values | Depths:
        return model.some(model.generate(z), jnp.arange(layout.n_wavelength))

    if spectra is None:
        z = drawn(latent_key, model, n)
        seen = jax.vmap(generated)(z)
    else:
        row = jax.random.randint(latent_key, (n,), 0, len(spectra.theta))
        depth, theta = jnp.asarray(spectra.depth)[row], jnp.asarray(spectra.theta)[row]
        z = layout.parameters.to_anchor(theta)
        none = jnp.zeros_like(depth)  # of levels, nothing is asked
        seen = Depths(none, depth, none, theta, z, jnp.zeros(n))

    def one(spectrum: Values | Depths, design_key: Array, noise_key: Array) -> Array:
        plan = design(design_key, layout)
        return features(observe(noise_key, spectrum, plan, model.error, layout), radius)

    keys = (jax.random.split(key, n) for key in (design_key, noise_key))
    return z, jax.vmap(one)(seen, *keys)


def measure_radius(
    model: Model, key: Array, n: int = 4096, spectra: Spectra | None = None
) -> tuple[float, float]:
    """Mean and spread of sqrt(mean depth) of `n` spectra, see `npe.Encoder.radius`."""
    if spectra is not None:
        depth = np.asarray(spectra.depth[:n], np.float64)
    else:

        def one(z: Array) -> Array:
            return model.layout.unpack(model.values(model.generate(z)))[0]

        run = jax.jit(lambda z: jax.lax.map(one, z, batch_size=256))
        depth = np.asarray(run(drawn(key, model, n)), np.float64)
    radius = np.sqrt(depth.mean(axis=1))
    return float(f"{radius.mean():.4g}"), float(f"{radius.std():.4g}")


def init(key: Array, training: EncoderTraining, model: Model) -> EncoderState:
    """An encoder for a model: fresh, but for the layers of its own that are of the same shape."""
    example = jnp.zeros((1, n_features(model.layout.n_wavelength)))
    params = training.network.init(key, example)["params"]
    own = model.encoder["params"] if model.encoder is not None else {}
    for name, layer in own.items():
        if jax.tree.map(jnp.shape, layer) == jax.tree.map(jnp.shape, params.get(name)):
            params = params | {name: layer}
    optimizer = training.optimizer.init(params)
    return EncoderState(jnp.zeros((), jnp.int32), params, optimizer, params)


def losses(
    network: Encoder, params: Any, latent: Float[Array, "n d"], proposal: Proposal
) -> Float[Array, "part n"]:
    """-log densities of latents in u, without (d/2) log 2 pi: of the normal distributions, and of
    what the flow, where there is one, makes of them. These stay the best normal ones: the flow's
    density does not change them.
    """
    normal = negative_log_density(latent, proposal)
    if proposal.context is None:
        return normal[None]
    fixed = jax.lax.stop_gradient(proposal)
    at = standardised(latent, fixed)
    unit, volume = bend(network, {"params": params}, at, proposal.context, backwards=True)
    bent = 0.5 * jnp.square(unit).sum(axis=1) - volume - log_determinant(fixed)
    return jnp.stack([normal, bent])


def step(
    key: Array,
    state: EncoderState,
    model: Model,
    training: EncoderTraining,
    spectra: Spectra | None = None,
) -> tuple[EncoderState, EncoderInfo]:
    """One batch of new observations, see `observed`; the caller jits."""
    z, x = observed(key, model, training.batch_size, training.network.radius, spectra)

    def loss_fn(params: Any) -> Array:
        proposal = training.network.apply({"params": params}, x)
        assert isinstance(proposal, Proposal)
        return losses(training.network, params, z, proposal).sum(axis=0).mean()

    loss, gradient = jax.value_and_grad(loss_fn)(state.params)
    updates, optimizer = training.optimizer.update(gradient, state.optimizer, state.params)
    params = optax.apply_updates(state.params, updates)
    ema = optax.incremental_update(params, state.ema, 1 - training.ema_decay)
    info = EncoderInfo(loss, optax.tree.norm(gradient))
    return EncoderState(state.step + 1, params, optimizer, ema), info


def judge(model: Model, key: Array, n: int, spectra: Spectra | None = None) -> dict[str, float]:
    """How good a model's encoder is, on `n` observations that it never saw, see `observed`.

    Returns:
      `loss`, of what the encoder proposes; `normal_loss`, of the normal distributions; `residual`,
      the rms of the latents in units of these, 1 for calibrated ones; `inside_68`, `inside_95`, the
      shares of single latents within their intervals.
    """
    return {name: float(x) for name, x in _judge(key, model, n, spectra).items()}


@partial(jax.jit, static_argnums=2)
def _judge(key: Array, model: Model, n: int, spectra: Spectra | None) -> dict[str, Array]:
    z, x = observed(key, model, n, model.encoder_network.radius, spectra)
    proposal = jax.vmap(model.propose)(x)
    loss = losses(model.encoder_network, model.encoder["params"], z, proposal)
    residual = standardised(z, proposal)
    spread = jax.vmap(inverse)(proposal.precision)
    sigma = jnp.sqrt(jnp.square(spread).sum(axis=2))
    score: Float[Array, "n d"] = jnp.abs(to_normal(z) - proposal.mean) / sigma
    return {
        "loss": loss[-1].mean(),
        "normal_loss": loss[0].mean(),
        "residual": jnp.sqrt(jnp.square(residual).mean()),
        "inside_68": (score < 0.9945).mean(),  # 68 % of a normal distribution
        "inside_95": (score < 1.96).mean(),
    }
