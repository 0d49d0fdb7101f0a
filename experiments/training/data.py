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

from exogan_jax import grid
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
from exogan_jax.physics.opacity import OpacityTable
from exogan_jax.physics.prior import sample_prior, simulate


class Data(NamedTuple):
    """What training reads."""

    batches: Any  # a grain.IterDataset of `Spectra` (steps, batch, ...)
    first: Spectra  # some training spectra, to measure whitenings and look for memorised ones
    held_out: Spectra  # spectra that training never sees
    about: str


def simulate_blocks(key: jax.Array, n: int, table: OpacityTable, block: int = 2048) -> Spectra:
    """`n` spectra over the prior, with a progress bar."""
    theta = np.asarray(sample_prior(key, n))
    depth = np.empty((n, grid.N_WAVELENGTH), np.float32)
    run = jax.jit(simulate)
    starts = range(0, n, block)
    for start in track(starts, "simulating (blocks)") if n > 4 * block else starts:
        rows = np.arange(start, start + block).clip(max=n - 1)  # one shape, one compilation
        depth[start : start + block] = np.asarray(run(jnp.asarray(theta[rows]), table))[: n - start]
    return Spectra(depth, theta)


def kept_in(path: Path, key: jax.Array, n: int, table: OpacityTable) -> Spectra:
    """`n` simulated spectra, read back from `path` if they are there."""
    if path.exists():
        with np.load(path, allow_pickle=False) as file:
            if file["theta"].shape[0] == n:
                return Spectra(file["depth"], file["theta"])
    spectra = simulate_blocks(key, n, table)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, depth=spectra.depth, theta=spectra.theta)
    return spectra


def open_data(config: ConfigDict, out: Path, key: jax.Array, table: OpacityTable) -> Data:
    """The data of a run.

    Raises:
      FileNotFoundError: `data` is no folder of a dataset.
      ValueError: the processes cannot share a batch evenly.
    """
    train_key, held_out_key, first_key = jax.random.split(key, 3)
    part = Part(jax.process_index(), jax.process_count())
    shape = {"batch_size": config.batch_size, "steps": config.steps_per_call}
    n_first, n_held_out = min(config.n_spectra, 20_000), config.n_held_out
    if config.data == "simulator":
        seed = int(jax.random.bits(train_key, dtype=jnp.uint32))
        batches = simulated_stream(
            table, seed=seed, part=part, chunk=config.simulator_chunk, **shape
        )
        first = simulate_blocks(first_key, n_first, table)
        about = f"simulated on the fly with the {config.opacities} opacities"
    else:
        source: Source
        if config.data == "memory":
            name = f"spectra-{jax.process_index()}.npz" if part.count > 1 else "spectra.npz"
            source = ArraySource(kept_in(out / name, train_key, config.n_spectra, table))
            about = f"{len(source)} spectra of the {config.opacities} opacities"
        else:
            source = RecordSource(config.data)
            about = f"{len(source)} spectra of {Path(config.data).parent.name}"
        batches = stream(source, seed=config.seed, part=part, **shape)
        first = source.read(range(min(n_first, len(source))))
    if config.data in ("memory", "simulator"):
        held_out = simulate_blocks(held_out_key, n_held_out, table)
    else:
        validation = RecordSource(config.data, "validation")
        held_out = validation.read(range(min(n_held_out, len(validation))))
    return Data(batches, first, held_out, f"{about}, uniform prior over the published bounds")
