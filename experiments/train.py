"""Trains a GAN and writes its weights.

python -m experiments.train --config experiments/configs/published.py --out runs/published
python -m experiments.train --config ... --set data=DIR/exogan_spectra/simulated/1.0.0  # from TFDS
srun python -m experiments.train ...    # several hosts: SLURM, Open MPI and TPU pods are recognised

Killed or told to stop (SIGTERM), it goes on from its last checkpoint when the command is given
again; the result is then the same, to the bit, as uninterrupted. Writes to OUT: config.json,
layout.json (the problem), sessions.jsonl (source, packages, devices), metrics.jsonl, tensorboard/,
samples/, checkpoints/ (the last, and the best by the evaluation on held-out spectra) and
NAME.safetensors.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import grain
import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from ml_collections import ConfigDict
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from exogan_jax import parallel
from exogan_jax.files.opacities import load_opacities
from exogan_jax.files.weights import save_model
from exogan_jax.gan.loop import steps
from exogan_jax.gan.model import GeneratorError, LevelError, Model
from exogan_jax.gan.step import GANState
from exogan_jax.parameters import Parameters
from exogan_jax.physics.forward import ForwardModel
from exogan_jax.physics.problem import problem_model
from experiments.training.build import (
    Whitenings,
    as_model,
    build,
    init,
    measure_whitenings,
    networks_of,
)
from experiments.training.configure import load_config, settings
from experiments.training.data import Data, open_data
from experiments.training.log import RunLog, cost
from experiments.training.own_error import measure_error
from experiments.training.quality import quality
from experiments.training.stop import STOPPED, Stopped, termination

_OF_GENERATOR = ("generator_loss", "anchor")


def checkpoints(out: Path, chosen_by: str) -> ocp.CheckpointManager:
    """Asynchronous checkpoints: the last, and the best of those that were evaluated."""
    policies = ocp.checkpoint_managers
    options = ocp.CheckpointManagerOptions(
        preservation_policy=policies.AnyPreservationPolicy(
            [
                policies.LatestN(1),
                policies.BestN(
                    get_metric_fn=lambda metrics: -metrics[chosen_by],
                    n=1,
                    keep_checkpoints_without_metrics=False,
                ),
            ]
        ),
        best_fn=lambda metrics: metrics[chosen_by],
        best_mode="min",
    )
    return ocp.CheckpointManager((out / "checkpoints").absolute(), options=options)


def unmeasured(
    config: ConfigDict, state: GANState, whitenings: Whitenings | None, physics: ForwardModel
) -> Model:
    """The model of a state, its error not known yet; on this process alone."""
    layout = config.layout
    one = jnp.ones(layout.n_wavelength)
    unknown: GeneratorError | LevelError = LevelError(jnp.zeros((0, one.size)), one)
    if config.network != "altitude":
        unknown = GeneratorError(one, *jnp.ones((2, layout.n_sections)))
    return as_model(config, jax.device_get(state), whitenings, unknown, physics.table)


def limits(parameters: Parameters) -> str:
    """What a model of these parameters may be used for."""
    gases = ", ".join(gas.upper() for gas in parameters.gases)
    sky = "" if {"cloud_top", "haze_strength"} & set(parameters.roles) else ", clear"
    return f"isothermal{sky} atmospheres of {gases} in H2/He within the bounds"


def finish(
    config: ConfigDict,
    out: Path,
    model: Model,
    key: jax.Array,
    data: Data,
    step: int,
    numbers: dict[str, float],
) -> Path:
    """Measures the error, writes the weights with their card: `numbers` are their evaluation."""
    error, measured = measure_error(model, key, data.held_out, config.anchor_weight > 0)
    card = {
        "data": data.about,
        "steps": step,
        "training": settings(config),
        "cost": cost(out, config.steps_per_call * config.batch_size),
        "quality": {name: float(f"{x:.4g}") for name, x in numbers.items()},
        "generator_error": {name: float(f"{x:.4g}") for name, x in measured.items()},
        "limits": limits(config.layout.parameters),
    }
    path = out / f"{config.name}.safetensors"
    save_model(path, dataclasses.replace(model, error=error), card)
    print(f"{path}: {card['quality']}")
    return path


def train(config: ConfigDict, out: Path) -> Path | None:
    """Trains, resuming if `out` holds a checkpoint.

    Returns:
      the path of the weights; None in all processes but the first.

    Raises:
      Stopped: SIGTERM came.
    """
    out.mkdir(parents=True, exist_ok=True)
    first_process = jax.process_index() == 0
    if first_process:
        (out / "config.json").write_text(json.dumps(settings(config), indent=2))
        (out / "layout.json").write_text(config.layout.to_json())
    keys = jax.random.split(jax.random.key(config.seed), 5)
    data_key, init_key, train_key, test_key, error_key = keys
    parallel.check_batch(config.batch_size)
    physics = problem_model(load_opacities(config.opacities), config.layout)
    data = open_data(config, out, data_key, physics)
    nets = networks_of(config, physics.table)
    whitenings = measure_whitenings(config, data.first, nets)
    training = build(config, whitenings, nets)
    how = parallel.mapped if config.parallel == "pmap" else parallel.sharded
    compiled = how(partial(steps, training=training, layout=config.layout))
    state = compiled.init(partial(init, training=training, whitenings=whitenings), init_key)
    batches = iter(data.batches)
    k, n = config.steps_per_call, config.n_steps
    with checkpoints(out, config.chosen_by) as manager, termination() as told_to_stop:
        step = 0
        if (last := manager.latest_step()) is not None:
            state, step = restore(manager, last, compiled, state, batches), last
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with (
            RunLog(out, step) if first_process else nullcontext() as log,
            Progress(*columns, TimeRemainingColumn(), disable=not first_process) as bar,
        ):
            task = bar.add_task("training", total=n, completed=step)
            while step < n:
                began = time.perf_counter()
                state, info = compiled.run(train_key, state, *map(compiled.place, next(batches)))
                step += k
                losses = {name: float(x) for name, x in info._asdict().items()}  # waits for it
                if config.discriminator_every > 1:  # it may have made no step
                    losses = {k: x for k, x in losses.items() if k in _OF_GENERATOR or x == x}
                rate = k * config.batch_size / (time.perf_counter() - began)
                if log:
                    log.write(step, losses | {"spectra_per_second": rate})
                bar.update(task, completed=step, description=f"training, {rate:.0f} spectra/s")
                evaluated = step % config.evaluate_every == 0 or step == n
                stop = parallel.any_process(told_to_stop.is_set())
                numbers: dict[str, float] = {}
                if evaluated:
                    numbers = evaluate(
                        config, compiled, state, whitenings, data, physics, test_key, step, log
                    )
                if evaluated or stop or step % config.checkpoint_every == 0:
                    save(manager, step, compiled, state, batches, numbers)
                if stop and step < n:
                    manager.wait_until_finished()
                    raise Stopped(f"stopped at step {step} of {n}")
        manager.wait_until_finished()
        best = manager.best_step()
        chosen = manager.latest_step() if best is None else best
        assert chosen is not None
        state = restore(manager, chosen, compiled, state, batches)
        numbers = manager.metrics(chosen) or {}
    if not first_process:
        return None
    model = unmeasured(config, compiled.to_one(state), whitenings, physics)
    return finish(config, out, model, error_key, data, chosen, numbers)


def evaluate(
    config: ConfigDict,
    compiled: parallel.Compiled,
    state: GANState,
    whitenings: Whitenings | None,
    data: Data,
    physics: ForwardModel,
    key: jax.Array,
    step: int,
    log: RunLog | None,
) -> dict[str, float]:
    """Judges the generator on held-out spectra, in the first process; all get the numbers."""
    one = compiled.to_one(state)
    chosen = np.zeros(())
    numbers: dict[str, float] = {}
    if log:
        numbers, arrays = quality(
            unmeasured(config, one, whitenings, physics),
            jax.random.clone(key),  # the same latents at every evaluation
            data.first,
            data.held_out,
            physics,
            config.n_evaluated,
        )
        log.write(step, numbers, "quality")
        log.picture(step, arrays)
        chosen = np.asarray(numbers[config.chosen_by])
    return numbers | {config.chosen_by: float(parallel.from_first(chosen))}


def save(
    manager: ocp.CheckpointManager,
    step: int,
    compiled: parallel.Compiled,
    state: GANState,
    batches: Any,
    numbers: dict[str, float],
) -> None:
    """Begins to write a checkpoint: the state, the position in the data, and its evaluation."""
    # A copy: the state's own buffers are donated to the next call while this is being written.
    kept = jax.tree.map(jnp.copy, compiled.to_one(state))
    manager.save(
        step,
        args=ocp.args.Composite(
            state=ocp.args.StandardSave(kept), data=grain.checkpoint.CheckpointSave(batches)
        ),
        metrics=numbers or None,
    )


def restore(
    manager: ocp.CheckpointManager,
    step: int,
    compiled: parallel.Compiled,
    state: GANState,
    batches: Any,
) -> GANState:
    """The state of a checkpoint; puts `batches` where they were."""
    abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, compiled.to_one(state))
    restored = manager.restore(
        step,
        args=ocp.args.Composite(
            state=ocp.args.StandardRestore(abstract),
            data=grain.checkpoint.CheckpointRestore(batches),
        ),
    )
    return compiled.from_one(restored["state"])


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--coordinator", metavar="HOST:PORT", help="of several hosts, if not found")
    parser.add_argument("--processes", type=int, help="their number")
    parser.add_argument("--process", type=int, help="which of them this is")
    args = parser.parse_args(argv)
    config = load_config(args.config, args.set)
    logging.set_verbosity(logging.ERROR)  # Orbax warns of checkpoints without an evaluation
    parallel.connect(args.coordinator, args.processes, args.process)
    try:
        train(config, args.out)
    except Stopped as stopped:
        print(f"{stopped}; the same command goes on from there", file=sys.stderr)
        return STOPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
