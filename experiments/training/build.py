"""From a configuration to networks, their training step, and the model that comes out."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from ml_collections import ConfigDict

from exogan_jax import aspa, parallel
from exogan_jax.files.records import Spectra
from exogan_jax.gan.compact import (
    Whitening,
    fit_whitening,
    fold,
    reduce_values,
    set_whitening,
    whitened_difference,
    whitened_gradient,
)
from exogan_jax.gan.model import GeneratorError, Model
from exogan_jax.gan.nets import Networks, networks
from exogan_jax.gan.step import GAN, GANState, gan


class Whitenings(NamedTuple):
    """The coordinates in which a compact pair works."""

    generator: Whitening
    discriminator: Whitening


def measure_whitenings(config: ConfigDict, spectra: Spectra) -> Whitenings | None:
    """The whitenings of training spectra; None for networks that have none."""
    if not config.options.get("whitened", False):
        return None
    encode = jax.jit(lambda d, t: reduce_values(jax.vmap(aspa.encode)(d, t)))
    values = np.asarray(encode(spectra.depth, spectra.theta))
    floors = config.generator_floor, config.discriminator_floor
    return Whitenings(*(fit_whitening(values, floor) for floor in floors))


def build(config: ConfigDict, whitenings: Whitenings | None) -> tuple[Networks, GAN]:
    """The networks and their training step."""
    options = config.options.to_dict()
    axis_name = parallel.AXIS if config.parallel == "pmap" else None
    if config.network == "paper":  # normalises batches over all replicas
        options["axis_name"] = axis_name
    nets = networks(config.network, **options)

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
    training = gan(
        nets,
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
    if whitenings is None:
        return nets, training

    def init(key: jax.Array) -> GANState:
        state = training.init(key)
        # Copies, because a donated state must not hold a buffer twice.
        stats = [
            set_whitening(old, jax.tree.map(jax.numpy.copy, whitening))
            for old, whitening in (
                (state.generator_stats, whitenings.generator),
                (state.discriminator_stats, whitenings.discriminator),
                (state.ema_stats, whitenings.generator),
            )
        ]
        return state._replace(
            generator_stats=stats[0], discriminator_stats=stats[1], ema_stats=stats[2]
        )

    return nets, training._replace(init=init)


def as_model(
    config: ConfigDict, state: GANState, whitenings: Whitenings | None, error: GeneratorError
) -> Model:
    """The trained networks as they are used: the generator's running mean, whitening folded in."""
    options = config.options.to_dict()
    if whitenings is not None:
        g, d = fold(state.ema, state.discriminator, *whitenings)
        state = state._replace(ema=g, ema_stats={}, discriminator=d, discriminator_stats={})
        options["whitened"] = False

    def variables(params: Any, stats: Any) -> Any:
        return {"params": params, "batch_stats": stats} if stats else {"params": params}

    return Model(
        name=config.name,
        network=config.network,
        options=tuple(sorted(options.items())),
        generator=variables(state.ema, state.ema_stats),
        discriminator=variables(state.discriminator, state.discriminator_stats),
        error=error,
    )
