"""From a configuration to networks, their training, and the model that comes out."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from exogan_jax import parallel
from exogan_jax.files.records import Spectra
from exogan_jax.gan import step
from exogan_jax.gan.compact import (
    Whitening,
    fit_whitening,
    fold,
    set_whitening,
    whitened_difference,
    whitened_gradient,
)
from exogan_jax.gan.model import GeneratorError, Model
from exogan_jax.gan.nets import networks
from exogan_jax.gan.step import GANState, Player, Training


class Whitenings(NamedTuple):
    """The coordinates in which a compact pair works."""

    generator: Whitening
    discriminator: Whitening


def measure_whitenings(config: ConfigDict, spectra: Spectra) -> Whitenings | None:
    """The whitenings of training spectra; None for networks that have none."""
    if not config.options.get("whitened", False):
        return None
    layout = config.layout
    pixels = jax.jit(jax.vmap(lambda d, t: layout.vector(layout.pack(d, t))))
    values = np.asarray(pixels(spectra.depth, spectra.theta))
    floors = config.generator_floor, config.discriminator_floor
    return Whitenings(*(fit_whitening(values, floor) for floor in floors))


def build(config: ConfigDict, whitenings: Whitenings | None) -> Training:
    """The networks and how they are trained."""
    options = config.options.to_dict()
    axis_name = parallel.AXIS if config.parallel == "pmap" else None
    if config.network == "paper":  # normalises batches over all replicas
        options["axis_name"] = axis_name

    def optimizer(rate: float, steps_per_batch: int) -> optax.GradientTransformation:
        # The generator's optimiser counts its own steps.
        n = config.n_steps * steps_per_batch
        schedule = optax.cosine_decay_schedule(rate, n, alpha=config.final_rate_fraction)
        return optax.adam(schedule, b1=0.5, b2=config.b2)

    coordinates: dict[str, Any] = {}
    if whitenings is not None:
        coordinates = {
            "r1_coordinates": partial(whitened_gradient, whitening=whitenings.discriminator),
            "anchor_coordinates": whitened_difference(whitenings.generator, config.anchor_power),
        }
    return Training(
        networks=networks(config.network, config.layout, **options),
        parameters=config.layout.parameters,
        generator_optimizer=optimizer(config.learning_rate, config.generator_steps),
        discriminator_optimizer=optimizer(config.discriminator_rate, 1),
        objective=config.objective,
        generator_steps=config.generator_steps,
        r1_weight=config.r1_weight,
        anchor_weight=config.anchor_weight,
        ema_decay=config.ema_decay,
        axis_name=axis_name,
        **coordinates,
    )


def init(key: jax.Array, training: Training, whitenings: Whitenings | None) -> GANState:
    """Fresh networks and optimisers, the whitenings in place."""
    state = step.init(key, training)
    if whitenings is None:
        return state

    def stats(old: Any, whitening: Whitening) -> Any:
        # Copies, because a donated state must not hold a buffer twice.
        return set_whitening(old, jax.tree.map(jnp.copy, whitening))

    def whitened(player: Player, whitening: Whitening) -> Player:
        return player._replace(stats=stats(player.stats, whitening))

    return state._replace(
        generator=whitened(state.generator, whitenings.generator),
        discriminator=whitened(state.discriminator, whitenings.discriminator),
        ema_stats=stats(state.ema_stats, whitenings.generator),
    )


def as_model(
    config: ConfigDict, state: GANState, whitenings: Whitenings | None, error: GeneratorError
) -> Model:
    """The trained networks as they are used: the generator's running mean, whitening folded in."""
    options = config.options.to_dict()
    generator = state.ema, state.ema_stats
    discriminator = state.discriminator.params, state.discriminator.stats
    if whitenings is not None:
        g, d = fold(generator[0], discriminator[0], *whitenings)
        generator, discriminator = (g, {}), (d, {})
        options["whitened"] = False

    def variables(params: Any, stats: Any) -> Any:
        return {"params": params, "batch_stats": stats} if stats else {"params": params}

    return Model(
        name=config.name,
        layout=config.layout,
        network=config.network,
        options=tuple(sorted(options.items())),
        generator=variables(*generator),
        discriminator=variables(*discriminator),
        error=error,
    )
