"""From a configuration to networks, their training, and the trained model."""

from __future__ import annotations

from collections.abc import Callable
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
    fold_first,
    fold_last,
    whitened_difference,
    whitened_gradient,
)
from exogan_jax.gan.model import GeneratorError, LevelError, Model
from exogan_jax.gan.nets import Networks, networks
from exogan_jax.gan.step import GANState, Player, Training
from exogan_jax.physics.opacity import OpacityTable
from experiments.training.soap import scale_by_soap

_PAPER_B1 = 0.5  # of Adam, for either network

#: What configurations may take as `optimizer`, the generator's.
OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "adam": optax.scale_by_adam,
    "soap": scale_by_soap,
}


class Whitenings(NamedTuple):
    """The coordinates in which a compact pair works."""

    generator: Whitening
    discriminator: Whitening


def networks_of(config: ConfigDict, table: OpacityTable) -> Networks:
    """The networks of a configuration; those that draw levels know the masses of the gases."""
    options = config.options.to_dict()
    if config.network == "paper":  # normalises batches over all replicas
        options["axis_name"] = parallel.AXIS if config.parallel == "pmap" else None
    return networks(config.network, config.layout, **options, **level_options(config, table))


def level_options(config: ConfigDict, table: OpacityTable) -> dict[str, Any]:
    """What the networks need to know of the opacities, where they draw levels."""
    if config.network != "altitude":
        return {}
    masses = table.with_gases(config.layout.parameters.gases).molar_mass
    return {"molar_mass": tuple(map(float, masses)), "background": table.background}


def measure_whitenings(config: ConfigDict, spectra: Spectra, nets: Networks) -> Whitenings | None:
    """The whitenings of training spectra; None for networks that have none."""
    if not config.options.get("whitened", False):
        return None
    layout = config.layout
    draw = jax.jit(jax.vmap(lambda d, t: nets.draw(layout.pack(d, t))))
    drawings = np.asarray(draw(spectra.depth, spectra.theta))
    own, n = drawings, None
    if config.network == "altitude":
        own, n = drawings[:, : layout.n_wavelength], config.options.n_components
    return Whitenings(
        fit_whitening(own, config.generator_floor, n),
        fit_whitening(drawings, config.discriminator_floor),
    )


def build(config: ConfigDict, whitenings: Whitenings | None, nets: Networks) -> Training:
    """How the networks are trained."""

    def optimizer(
        scaling: optax.GradientTransformation, rate: float, n: int, warm: int = 0
    ) -> optax.GradientTransformation:
        last = rate * config.final_rate_fraction
        schedule = optax.warmup_cosine_decay_schedule(0.0, rate, warm, n, last)
        return optax.chain(scaling, optax.scale_by_learning_rate(schedule))

    coordinates: dict[str, Any] = {}
    if whitenings is not None:
        coordinates = {
            "r1_coordinates": partial(whitened_gradient, whitening=whitenings.discriminator),
            "anchor_coordinates": anchor_coordinates(config, whitenings.generator),
        }
    return Training(
        networks=nets,
        parameters=config.layout.parameters,
        generator_optimizer=optimizer(
            OPTIMIZERS[config.optimizer](b1=config.b1, b2=config.b2),
            config.learning_rate,
            config.n_steps * config.generator_steps,  # it counts its own
            config.warmup_steps,
        ),
        discriminator_optimizer=optimizer(
            optax.scale_by_adam(b1=_PAPER_B1, b2=config.b2),
            config.discriminator_rate,
            config.n_steps,
        ),
        objective=config.objective,
        generator_steps=config.generator_steps,
        r1_weight=config.r1_weight,
        anchor_weight=config.anchor_weight,
        anchor_root=config.anchor_root,
        adversary_weight=config.adversary_weight,
        discriminator_every=config.discriminator_every,
        ema_decay=config.ema_decay,
        axis_name=parallel.AXIS if config.parallel == "pmap" else None,
        **coordinates,
    )


def anchor_coordinates(
    config: ConfigDict, whitening: Whitening
) -> Callable[[jax.Array], jax.Array]:
    """Coordinates of the anchor loss. Parameters that a generator passes on are not in them."""
    measured = whitened_difference(whitening, config.anchor_power)
    n = whitening.mean.size
    return lambda difference: measured(difference[:, :n])


def init(key: jax.Array, training: Training, whitenings: Whitenings | None) -> GANState:
    """Fresh networks and optimisers, the whitenings in place."""
    state = step.init(key, training)
    if whitenings is None:
        return state

    def stats(old: Any, whitening: Whitening) -> Any:
        # Copies, because a donated state must not hold a buffer twice.
        held = {name: jnp.copy(getattr(whitening, name)) for name in old["whitening"]}
        return old | {"whitening": held}

    def whitened(player: Player, whitening: Whitening) -> Player:
        return player._replace(stats=stats(player.stats, whitening))

    return state._replace(
        generator=whitened(state.generator, whitenings.generator),
        discriminator=whitened(state.discriminator, whitenings.discriminator),
        ema_stats=stats(state.ema_stats, whitenings.generator),
    )


def as_model(
    config: ConfigDict,
    state: GANState,
    whitenings: Whitenings | None,
    error: GeneratorError | LevelError,
    table: OpacityTable,
) -> Model:
    """The trained networks as they are used: the generator's running mean, whitening folded in,
    except where it is what makes levels of components.
    """
    options = config.options.to_dict() | level_options(config, table)
    generator = state.ema, state.ema_stats
    discriminator = state.discriminator.params, state.discriminator.stats
    if whitenings is not None:
        if config.network != "altitude":
            generator = fold_last(generator[0], whitenings.generator), {}
        discriminator = fold_first(discriminator[0], whitenings.discriminator), {}
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
