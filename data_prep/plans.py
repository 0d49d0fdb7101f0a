"""What a dataset is made of: blocks of spectra, each made from its number alone, so that any block
can be made anywhere, in any order, with the same bits.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np
import xarray as xr

import exogan_jax
from data_prep.opacities import netcdf
from data_prep.pkgz import MAX_BYTES, ChunkError, read_chunk
from exogan_jax.files.opacities import EMBEDDED, load_opacities
from exogan_jax.files.records import Spectra
from exogan_jax.layout import PUBLISHED, Layout
from exogan_jax.physics.forward import ForwardModel, simulate
from exogan_jax.physics.problem import problem_model


class Plan(Protocol):
    """A dataset by blocks. Plans are small and can be sent to other processes."""

    @property
    def layout(self) -> Layout:
        """Of its problem."""
        ...

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        ...

    def make(self, block: int) -> Spectra:
        """The spectra of a block; raises ChunkError."""
        ...

    def describe(self) -> dict[str, Any]:
        """All that the bytes depend on, as JSON; a build resumes only one with the same."""
        ...


@lru_cache(maxsize=2)
def _simulator(
    opacities: str, layout: Layout, block_size: int, chunk: int
) -> Callable[[int, int], tuple[jax.Array, jax.Array]]:
    """(seed, block) -> depth, theta, compiled once per process."""
    model = problem_model(load_opacities(opacities), layout)

    @jax.jit
    def run(key: jax.Array, block: jax.Array, model: ForwardModel) -> tuple[jax.Array, jax.Array]:
        theta = model.sample(jax.random.fold_in(key, block), block_size)
        return simulate(model, theta, chunk=chunk), theta

    return lambda seed, block: run(jax.random.key(seed), np.uint32(block), model)


def table_fingerprint(opacities: str) -> str:
    """The fingerprint (`netcdf.fingerprint`) of a table, by name or file."""
    load_opacities(opacities)  # says what is wrong with it
    folder = Path(exogan_jax.__file__).parent / "assets"
    path = folder / EMBEDDED[opacities] if opacities in EMBEDDED else Path(opacities)
    with xr.open_dataset(path, engine="h5netcdf") as table:
        return netcdf.fingerprint(table)


@dataclasses.dataclass(frozen=True)
class SimulatedPlan:
    """Spectra of the forward model, parameters drawn from the problem's prior."""

    n_spectra: int
    seed: int = 0
    opacities: str = "published"  # as for `load_opacities`
    block_size: int = 10_000
    chunk: int = 2  # as for `simulate`; may change the last bits
    layout: Layout = PUBLISHED  # of the problem

    def __post_init__(self) -> None:
        if self.n_spectra < 1 or self.block_size < 1 or not 0 <= self.seed < 2**32:
            raise ValueError(
                "a simulated dataset needs n_spectra >= 1, block_size >= 1 and 0 <= seed < 2**32, "
                f"got {self.n_spectra}, {self.block_size}, {self.seed}"
            )

    @property
    def n_blocks(self) -> int:
        """See `Plan`."""
        return -(-self.n_spectra // self.block_size)

    def make(self, block: int) -> Spectra:
        """See `Plan`."""
        run = _simulator(self.opacities, self.layout, self.block_size, self.chunk)
        depth, theta = run(self.seed, block)
        n = min(self.block_size, self.n_spectra - block * self.block_size)
        return Spectra(np.asarray(depth)[:n], np.asarray(theta)[:n])

    def describe(self) -> dict[str, Any]:
        """See `Plan`."""
        return {
            "source": "simulated",
            "n_spectra": self.n_spectra,
            "seed": self.seed,
            "block_size": self.block_size,
            "chunk": self.chunk,
            "opacities": self.opacities,
            "opacities_fingerprint": table_fingerprint(self.opacities),
            "layout": self.layout.to_json(),
        }


@dataclasses.dataclass(frozen=True)
class PublishedPlan:
    """Spectra of published chunks, one block per chunk."""

    chunks: tuple[Path, ...]
    max_bytes: int = MAX_BYTES

    @property
    def layout(self) -> Layout:
        """See `Plan`."""
        return PUBLISHED

    @property
    def n_blocks(self) -> int:
        """See `Plan`."""
        return len(self.chunks)

    def make(self, block: int) -> Spectra:
        """See `Plan`."""
        depth, theta = [], []
        seen = set()
        for entry in read_chunk(self.chunks[block], max_bytes=self.max_bytes):
            if entry.key in seen:
                raise ChunkError(f"{self.chunks[block]}: spectrum {entry.key!r} occurs twice")
            seen.add(entry.key)
            depth.append(entry.depth.astype(np.float32))
            theta.append(entry.theta.astype(np.float32))
        return Spectra(np.stack(depth), np.stack(theta))

    def describe(self) -> dict[str, Any]:
        """See `Plan`."""
        chunks = [{"name": path.name, "bytes": path.stat().st_size} for path in self.chunks]
        about = {"source": "published", "max_bytes": self.max_bytes, "chunks": chunks}
        return about | {"layout": self.layout.to_json()}


def find_chunks(folder: Path) -> tuple[Path, ...]:
    """The published chunks in a folder, `chunck_2.pkgz` before `chunck_10.pkgz`.

    Raises:
      FileNotFoundError: no chunks there.
    """

    def by_number(path: Path) -> list[Any]:
        return [int(x) if x.isdigit() else x for x in re.split(r"(\d+)", path.name)]

    chunks = tuple(sorted(folder.glob("*.pkgz"), key=by_number))
    if not chunks:
        raise FileNotFoundError(f"{folder}: no *.pkgz files; see data_prep/README.md")
    return chunks
