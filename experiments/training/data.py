"""Where training spectra come from: simulated once and kept in memory (`data = "memory"`), a TFDS
dataset on disk (its folder), or the simulator itself, anew for every batch (`data = "simulator"`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict
from rich.progress import track

from exogan_jax.files.atomic import replacing
from exogan_jax.files.dataset import (
    ArraySource,
    Part,
    RecordSource,
    Source,
    simulated_stream,
    stream,
)
from exogan_jax.files.records import Spectra
from exogan_jax.layout import Layout
from exogan_jax.physics.forward import ForwardModel, simulate


class Data(NamedTuple):
    """What training reads."""

    batches: Any  # a grain.IterDataset of `Spectra` (steps, batch, ...)
    first: Spectra  # some training spectra, to measure whitenings and look for memorised ones
    held_out: Spectra  # spectra that training never sees
    about: str


def simulate_blocks(key: jax.Array, n: int, model: ForwardModel, block: int = 2048) -> Spectra:
    """`n` spectra over the prior, with a progress bar.

    Raises:
      ValueError: too few planets within the bounds exist; gives the parameters of one that does
        not.
    """
    theta = np.asarray(model.sample(key, n))
    depth = np.empty((n, model.wavelength_um.size), np.float32)
    run = jax.jit(simulate)
    block = min(block, -(-n // 256) * 256)
    starts = range(0, n, block)
    for start in track(starts, "simulating (blocks)") if n > 4 * block else starts:
        rows = np.arange(start, start + block).clip(max=n - 1)  # one shape, one compilation
        depth[start : start + block] = np.asarray(run(model, jnp.asarray(theta[rows])))[: n - start]
    bad = ~np.isfinite(depth).all(axis=1) | ~np.asarray(jax.jit(jax.vmap(model.exists))(theta))
    if bad.any():
        pairs = zip(model.parameters.names, theta[bad][0], strict=True)
        planet = ", ".join(f"{name} {value:.4g}" for name, value in pairs)
        raise ValueError(
            f"{bad.sum()} of {n} planets within the bounds do not hold their atmosphere, as that "
            f"of {planet}. Narrow the bounds"
        )
    return Spectra(depth, theta)


def kept_in(path: Path, key: jax.Array, n: int, model: ForwardModel, layout: Layout) -> Spectra:
    """`n` simulated spectra, read back from `path` if they are there."""
    problem = np.array(layout.to_json())
    if path.exists():
        with np.load(path, allow_pickle=False) as file:
            if file["theta"].shape[0] == n and file.get("layout") == problem:
                return Spectra(file["depth"], file["theta"])
    spectra = simulate_blocks(key, n, model)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, depth=spectra.depth, theta=spectra.theta, layout=problem)
    return spectra


def open_data(config: ConfigDict, out: Path, key: jax.Array, model: ForwardModel) -> Data:
    """The data of a run, the model being that of its problem.

    Raises:
      FileNotFoundError: `data` is no folder of a dataset.
      ValueError: the dataset is of another problem, or the processes cannot share a batch evenly.
    """
    train_key, held_out_key, first_key = jax.random.split(key, 3)
    part = Part(jax.process_index(), jax.process_count())
    shape = {"batch_size": config.batch_size, "steps": config.steps_per_call}
    n_first, n_held_out = min(config.n_spectra, 20_000), config.n_held_out
    if config.data == "simulator":
        seed = int(jax.random.bits(train_key, dtype=jnp.uint32))
        batches = simulated_stream(
            model, seed=seed, part=part, chunk=config.simulator_chunk, **shape
        )
        first = simulate_blocks(first_key, n_first, model)
        about = f"simulated on the fly with the {config.opacities} opacities"
    else:
        source: Source
        if config.data == "memory":
            name = f"spectra-{jax.process_index()}.npz" if part.count > 1 else "spectra.npz"
            kept = kept_in(out / name, train_key, config.n_spectra, model, config.layout)
            source = ArraySource(kept)
            about = f"{len(source)} spectra of the {config.opacities} opacities"
        else:
            source = RecordSource(config.data, layout=config.layout)
            about = f"{len(source)} spectra of {Path(config.data).parent.name}"
        batches = stream(source, seed=config.seed, part=part, **shape)
        first = source.read(range(min(n_first, len(source))))
    if config.data in ("memory", "simulator"):
        held_out = simulate_blocks(held_out_key, n_held_out, model)
    else:
        validation = RecordSource(config.data, "validation", config.layout)
        held_out = validation.read(range(min(n_held_out, len(validation))))
    return Data(batches, first, held_out, f"{about}, uniform prior within the bounds")
