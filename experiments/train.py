"""Trains a GAN on spectra simulated from the prior and writes its weights.

python -m experiments.train --config experiments/configs/compact.py --out runs/compact

Resumes from OUT's last checkpoint if there is one; the result is then the same as uninterrupted.
Writes to OUT: spectra.npz (the training set), checkpoints, metrics.jsonl and NAME.safetensors.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
from ml_collections import ConfigDict
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from exogan_jax import aspa, grid
from exogan_jax.api import retrieve
from exogan_jax.files.checkpoints import save_model
from exogan_jax.gan.anchor import anchored_latents
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
from exogan_jax.physics.observation import Observation
from exogan_jax.physics.opacity import OpacityTable, load_opacities
from exogan_jax.physics.prior import sample_prior, simulate


def progress_bar() -> Progress:
    """A bar with counts and the time left."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )


def training_set(
    path: Path, key: jax.Array, n: int, table: OpacityTable, block: int = 2048
) -> tuple[np.ndarray, ...]:
    """Depths (n, 515) and theta (n, 7), simulated or read back from `path`."""
    if path.exists():
        with np.load(path, allow_pickle=False) as file:
            if file["theta"].shape[0] == n:
                return file["depth"], file["theta"]
    theta = np.asarray(sample_prior(key, n))
    depth = np.empty((n, grid.N_WAVELENGTH), np.float32)
    run = jax.jit(simulate)
    with progress_bar() as bar:
        for start in bar.track(range(0, n, block), description="simulating (blocks)"):
            rows = np.arange(start, start + block).clip(max=n - 1)  # one shape, one compilation
            block_depth = np.asarray(run(jnp.asarray(theta[rows]), table))
            depth[start : start + block] = block_depth[: n - start]
    temporary = path.with_name("partial.npz")
    np.savez(temporary, depth=depth, theta=theta)
    os.replace(temporary, path)
    return depth, theta


class Whitenings(NamedTuple):
    """The coordinates in which a compact pair works."""

    generator: Whitening
    discriminator: Whitening


def measure_whitenings(
    config: ConfigDict, depth: jax.Array, theta: jax.Array, n: int = 20_000
) -> Whitenings:
    """The whitenings of the first `n` training spectra."""
    encode = jax.jit(lambda d, t: reduce_values(jax.vmap(aspa.encode)(d, t)))
    values = np.asarray(encode(depth[:n], theta[:n]))
    floors = config.generator_floor, config.discriminator_floor
    return Whitenings(*(fit_whitening(values, floor) for floor in floors))


def build(config: ConfigDict, whitenings: Whitenings | None) -> tuple[Networks, GAN]:
    """The networks and their training step."""
    nets = networks(config.network, **config.options.to_dict())

    def optimizer(rate: float, steps_per_batch: int) -> optax.GradientTransformation:
        # The generator's optimiser counts its own steps.
        n = config.n_steps * steps_per_batch
        schedule = optax.cosine_decay_schedule(rate, n, alpha=config.final_rate_fraction)
        return optax.adam(schedule, b1=0.5, b2=config.b2)

    options: dict[str, Any] = {}
    if whitenings is not None:
        options = {
            "r1_coordinates": partial(whitened_gradient, whitening=whitenings.discriminator),
            "anchor_coordinates": whitened_difference(whitenings.generator, config.anchor_power),
        }
    training = gan(
        nets,
        generator_optimizer=optimizer(config.learning_rate, config.generator_steps),
        discriminator_optimizer=optimizer(config.discriminator_rate, 1),
        generator_steps=config.generator_steps,
        r1_weight=config.r1_weight,
        anchor_weight=config.anchor_weight,
        ema_decay=config.ema_decay,
        **options,
    )
    if whitenings is None:
        return nets, training

    def init(key: jax.Array) -> GANState:
        state = training.init(key)
        # Copies, because a donated state must not hold a buffer twice.
        stats = [
            set_whitening(old, jax.tree.map(jnp.copy, whitening))
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


def many_steps(training: GAN, batch_size: int, n: int) -> Callable[..., tuple[GANState, Any]]:
    """`n` training steps as one scan; the batch of step i depends on the key and i alone."""

    def one(carry: tuple[jax.Array, jax.Array, jax.Array, GANState], _: None) -> tuple[Any, Any]:
        key, depth, theta, state = carry
        batch_key, step_key = jax.random.split(jax.random.fold_in(key, state.step))
        rows = jax.random.randint(batch_key, (batch_size,), 0, depth.shape[0])
        batch = jax.vmap(aspa.encode)(depth[rows], theta[rows])
        state, info = training.step(step_key, state, batch)
        return (key, depth, theta, state), info

    def run(
        key: jax.Array, state: GANState, depth: jax.Array, theta: jax.Array
    ) -> tuple[GANState, Any]:
        (_, _, _, state), infos = jax.lax.scan(one, (key, depth, theta, state), length=n)
        return state, jax.tree.map(jnp.mean, infos)

    return run


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


def fitted(model: Model, depth: np.ndarray) -> jax.Array:
    """What the model makes of spectra when it is fitted to them as the paper does."""
    zero, sigma = np.zeros(grid.N_WAVELENGTH), np.full(grid.N_WAVELENGTH, 1e-6)
    observations = [Observation(grid.WAVELENGTH_UM, zero, d, sigma) for d in depth]
    return jnp.asarray(retrieve(observations, model, n_starts=16, likelihood="paper").aspa)


def measure_error(
    model: Model, key: jax.Array, n: int, table: OpacityTable, anchored: bool
) -> GeneratorError:
    """The generator's own error on noise-free spectra that it never saw (rms).

    An anchored generator is asked for the arrays of their parameters; another one is fitted to
    them. Neighbouring pixels err together; a chi-square that counts them as independent would be
    too sure. So the pixel error is multiplied by the root of its correlation length.
    """
    theta = sample_prior(key, n)
    depth = jax.jit(simulate)(theta, table)
    target = jax.vmap(aspa.encode)(depth, theta)
    if anchored:
        free = jax.random.uniform(key, (n, model.networks.latent_dim), minval=-1.0)
        latents = anchored_latents(free, target)
        found = jax.jit(jax.vmap(model.generate))(latents)
    else:
        found = fitted(model, np.asarray(depth))
    pixels = np.asarray(found - target)[:, :23, :23].reshape(n, -1)[:, : grid.N_ENCODED]
    pixel = np.sqrt(np.mean(pixels**2, axis=0))
    padded = np.pad(pixel, 4, mode="edge")
    pixel = np.sqrt(np.convolve(padded**2, np.full(9, 1 / 9), mode="valid"))
    scaled = pixels / pixel
    length = 1.0
    for lag in range(1, 40):
        correlation = np.mean(scaled[:, lag:] * scaled[:, :-lag]) / np.mean(scaled**2)
        if correlation < 0.05:
            break
        length += 2 * float(correlation)
    pixel = np.pad(pixel * np.sqrt(length), (0, grid.N_WAVELENGTH - grid.N_ENCODED), mode="edge")
    pairs = zip(
        jax.vmap(aspa.section_bounds)(found), jax.vmap(aspa.section_bounds)(target), strict=True
    )
    bounds = [np.sqrt(np.mean((np.asarray(a) - np.asarray(b)) ** 2, axis=0)) for a, b in pairs]
    return GeneratorError(*(jnp.asarray(x, jnp.float32) for x in (pixel, *bounds)))


def train(config: ConfigDict, out: Path) -> Path:
    """Trains, resuming if `out` holds a checkpoint; returns the path of the weights."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(config.to_json_best_effort(indent=2))
    data_key, init_key, train_key, test_key = jax.random.split(jax.random.key(config.seed), 4)
    table = load_opacities(config.opacities)
    spectra = training_set(out / "spectra.npz", data_key, config.n_spectra, table)
    depth, theta = (jnp.asarray(x) for x in spectra)
    whitenings = None
    if config.options.get("whitened", False):
        whitenings = measure_whitenings(config, depth, theta)
    _, training = build(config, whitenings)
    state = training.init(init_key)
    options = ocp.CheckpointManagerOptions(max_to_keep=2)
    began = time.perf_counter()
    with (
        ocp.CheckpointManager((out / "checkpoints").absolute(), options=options) as manager,
        open(out / "metrics.jsonl", "a", encoding="utf-8") as log,
        progress_bar() as bar,
    ):
        if (last := manager.latest_step()) is not None:
            abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
            state = manager.restore(last, args=ocp.args.StandardRestore(abstract))
        run = jax.jit(
            many_steps(training, config.batch_size, config.steps_per_call), donate_argnums=1
        )
        task = bar.add_task("training", total=config.n_steps, completed=int(state.step))
        while (step := int(state.step)) < config.n_steps:
            state, info = run(train_key, state, depth, theta)
            step += config.steps_per_call
            metrics = {name: round(float(x), 5) for name, x in info._asdict().items()}
            metrics |= {"step": step, "seconds": round(time.perf_counter() - began, 1)}
            log.write(json.dumps(metrics) + "\n")
            log.flush()
            bar.update(task, completed=step)
            if step % config.checkpoint_every == 0 or step >= config.n_steps:
                manager.save(step, args=ocp.args.StandardSave(state))
    # Neither way of measuring the error needs one.
    unknown = GeneratorError(jnp.ones(grid.N_WAVELENGTH), *jnp.ones((2, grid.N_SECTIONS)))
    unmeasured = as_model(config, state, whitenings, unknown)
    error = measure_error(
        unmeasured, test_key, config.n_held_out, table, anchored=config.anchor_weight > 0
    )
    model = as_model(config, state, whitenings, error)
    card = {
        "data": f"{config.n_spectra} spectra of the {config.opacities} opacities, uniform prior "
        "over the published bounds",
        "training": config.to_dict(),
        "generator_error": {
            "pixel, median, with correlation": round(float(np.median(error.pixel)), 4),
            "section bounds, median [ppm]": round(float(np.median(error[1:])) * 1e6, 1),
        },
        "limits": "isothermal, clear atmospheres of H2O, CO2, CO, CH4 in H2/He within the bounds",
    }
    path = out / f"{config.name}.safetensors"
    save_model(path, model, card)
    print(f"{path}: {card['generator_error']}")
    return path


def load_config(path: Path, changes: list[str]) -> ConfigDict:
    """Reads a configuration file and applies `key=value` changes (dots for nested keys)."""
    spec = importlib.util.spec_from_file_location("config", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SystemExit(f"{path}: no such configuration")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config: ConfigDict = module.get_config()
    for change in changes:
        name, _, value = change.partition("=")
        if name not in config and "." not in name:
            raise SystemExit(f"--set {change}: the configuration has no {name!r}")
        try:
            parsed = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            parsed = value
        config.update_from_flattened_dict({name: parsed})
    return config


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args(argv)
    train(load_config(args.config, args.set), args.out)


if __name__ == "__main__":
    main()
