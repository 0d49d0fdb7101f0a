"""Trains the encoder of a model, its generator frozen, and writes the model with it.

python -m experiments.train_encoder --model FILE --config experiments/configs/encoder.py --out OUT

It observes simulated spectra, made first, where the latents are the parameters; otherwise, or with
n_simulated=0, generated ones. Killed or told to stop (SIGTERM), it goes on from its last checkpoint
when the command is given again. Writes to OUT: config.json, spectra.npz, held_out.npz,
sessions.jsonl, metrics.jsonl, tensorboard/, checkpoints/ and NAME.safetensors.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import orbax.checkpoint as ocp
from absl import logging
from ml_collections import ConfigDict
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from exogan_jax.files.records import Spectra
from exogan_jax.files.weights import load_model, model_card, save_model
from exogan_jax.gan.model import Model
from exogan_jax.gan.npe import Encoder
from experiments.evaluate import physics_of
from experiments.training.configure import load_config, settings
from experiments.training.data import kept_in
from experiments.training.encoding import (
    EncoderInfo,
    EncoderState,
    EncoderTraining,
    init,
    is_simulated,
    judge,
    measure_radius,
)
from experiments.training.encoding import step as encoder_step
from experiments.training.log import RunLog, cost
from experiments.training.stop import STOPPED, Stopped, termination


def with_encoder(model: Model, options: dict[str, Any], params: Any) -> Model:
    """The model with this encoder, of these options of `npe.Encoder`."""
    pairs = tuple(sorted(options.items()))
    return dataclasses.replace(model, encoder={"params": params}, encoder_options=pairs)


_Stepped = tuple[EncoderState, EncoderInfo]


class Observed(NamedTuple):
    """Simulated spectra that are observed; None where generated ones are."""

    train: Spectra | None
    held_out: Spectra | None


def spectra_of(name_or_path: str, model: Model, config: ConfigDict, out: Path) -> Observed:
    """Simulated spectra of a model's world, as many as the configuration says, kept in `out`."""
    if not config.n_simulated or not is_simulated(model):
        return Observed(None, None)
    _, physics = physics_of(name_or_path)
    keys = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), 1))
    kinds = ("spectra", config.n_simulated), ("held_out", config.n_evaluated)
    made = (
        kept_in(out / f"{name}.npz", key, n, physics, model.layout)
        for (name, n), key in zip(kinds, keys, strict=True)
    )
    return Observed(*(jax.tree.map(jnp.asarray, each) for each in made))


def train(name_or_path: str, config: ConfigDict, out: Path) -> Path:
    """Trains, resuming if `out` holds a checkpoint; returns the path of the model.

    Raises:
      Stopped: SIGTERM came.
      FloatingPointError: training diverged; the last checkpoint is from before.
    """
    model, card = load_model(name_or_path), model_card(name_or_path)
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(settings(config), indent=2))
    n, k = config.n_steps, config.steps_per_call
    rate = optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, min(500, n // 10), n)
    radius_key, init_key, train_key, test_key = jax.random.split(jax.random.key(config.seed), 4)
    spectra = spectra_of(name_or_path, model, config, out)
    options = config.options.to_dict()
    options["radius"] = measure_radius(model, radius_key, spectra=spectra.train)
    training = EncoderTraining(
        Encoder(model.networks.latent_dim, **options),
        optimizer=optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate, b2=config.b2)),
        batch_size=config.batch_size,
        ema_decay=config.ema_decay,
    )

    def run(key: jax.Array, state: EncoderState, model: Model, seen: Spectra | None) -> _Stepped:
        def one(state: EncoderState, _: None) -> _Stepped:
            step_key = jax.random.fold_in(key, state.step)
            return encoder_step(step_key, state, model, training, seen)

        state, infos = jax.lax.scan(one, state, length=k)
        return state, jax.tree.map(lambda x: x.mean(), infos)

    def judged(params: Any) -> dict[str, float]:
        found = with_encoder(model, options, params)
        # The same every time.
        return judge(found, jax.random.clone(test_key), config.n_evaluated, spectra.held_out)

    compiled = jax.jit(run)  # not donated: a checkpoint may still be reading the state
    state = jax.jit(lambda key: init(key, training, model))(init_key)
    keep_one = ocp.CheckpointManagerOptions(max_to_keep=1)
    with (
        ocp.CheckpointManager((out / "checkpoints").absolute(), options=keep_one) as manager,
        termination() as told_to_stop,
    ):
        step = 0
        if (last := manager.latest_step()) is not None:
            abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
            state = manager.restore(last, args=ocp.args.StandardRestore(abstract))
            step = last
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with RunLog(out, step) as log, Progress(*columns, TimeRemainingColumn()) as bar:
            task = bar.add_task("training the encoder", total=n, completed=step)
            while step < n:
                began = time.perf_counter()
                state, info = compiled(train_key, state, model, spectra.train)
                step += k
                numbers = {name: float(x) for name, x in info._asdict().items()}  # waits for it
                seconds = time.perf_counter() - began
                if not math.isfinite(numbers["loss"]):
                    raise FloatingPointError(f"the loss is {numbers['loss']} at step {step}")
                numbers["spectra_per_second"] = k * config.batch_size / seconds
                log.write(step, numbers)
                bar.update(task, completed=step)
                if step % config.evaluate_every == 0:
                    log.write(step, judged(state.ema), "quality")
                stop = told_to_stop.is_set()
                if stop or step == n or step % config.checkpoint_every == 0:
                    manager.save(step, args=ocp.args.StandardSave(state))
                if stop and step < n:
                    manager.wait_until_finished()
                    raise Stopped(f"stopped at step {step} of {n}")
    numbers = judged(state.ema)
    card["encoder"] = {
        "training": settings(config),
        "cost": cost(out, k * config.batch_size),
        "quality": {name: float(f"{x:.4g}") for name, x in numbers.items()},
    }
    path = out / f"{model.name}.safetensors"
    save_model(path, with_encoder(model, options, state.ema), card)
    print(f"{path}: {card['encoder']['quality']}")
    return path


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, help="shipped name or file")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args(argv)
    logging.set_verbosity(logging.ERROR)  # Orbax tells of every write
    try:
        train(args.model, load_config(args.config, args.set), args.out)
    except Stopped as stopped:
        print(f"{stopped}; the same command goes on from there", file=sys.stderr)
        return STOPPED
    except FloatingPointError as error:
        print(f"{error}: take a smaller learning_rate; it goes on from before", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
