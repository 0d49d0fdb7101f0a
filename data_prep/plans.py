"""What a dataset is made of: blocks of spectra, each made from its number alone, so that any block
can be made anywhere, in any order, with the same bits.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np

from data_prep.pkgz import MAX_BYTES, ChunkError, read_chunk
from exogan_jax import grid
from exogan_jax.files.records import Spectra
from exogan_jax.physics.opacity import OpacityTable, load_opacities
from exogan_jax.physics.prior import sample_prior, simulate


class Plan(Protocol):
    """A dataset by blocks. Plans are small and can be sent to other processes."""

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
    opacities: str | None, block_size: int, chunk: int
) -> Callable[[int, int], tuple[jax.Array, jax.Array]]:
    """(seed, block) -> depth, theta, compiled once a process."""
    table = load_opacities(opacities)

    @jax.jit
    def run(key: jax.Array, block: jax.Array, table: OpacityTable) -> tuple[jax.Array, jax.Array]:
        theta = sample_prior(jax.random.fold_in(key, block), block_size)
        return simulate(theta, table, chunk=chunk), theta

    return lambda seed, block: run(jax.random.key(seed), np.uint32(block), table)


def fingerprint(table: OpacityTable) -> str:
    """SHA-256 over a table's names and arrays."""
    digest = hashlib.sha256(repr((table.gases, table.pairs, table.background)).encode())
    for array in jax.tree.leaves(table):
        digest.update(repr(array.shape).encode() + np.ascontiguousarray(array, "<f4").tobytes())
    return "sha256:" + digest.hexdigest()


@dataclasses.dataclass(frozen=True)
class SimulatedPlan:
    """Spectra of the forward model, parameters uniform between the published bounds."""

    n_spectra: int
    seed: int = 0
    opacities: str | None = None  # as for `load_opacities`
    block_size: int = 10_000
    chunk: int = 2  # as for `simulate`; may change the last bits

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
        depth, theta = _simulator(self.opacities, self.block_size, self.chunk)(self.seed, block)
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
            "opacities": self.opacities or "published",
            "opacities_fingerprint": fingerprint(load_opacities(self.opacities)),
            "prior_lower": np.asarray(grid.LOWER).tolist(),
            "prior_upper": np.asarray(grid.UPPER).tolist(),
        }


@dataclasses.dataclass(frozen=True)
class PublishedPlan:
    """Spectra of published chunks, a block a chunk."""

    chunks: tuple[Path, ...]
    max_bytes: int = MAX_BYTES

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
        return {"source": "published", "max_bytes": self.max_bytes, "chunks": chunks}


def find_chunks(folder: Path) -> tuple[Path, ...]:
    """The published chunks in a folder, `chunck_2.pkgz` before `chunck_10.pkgz`.

    Raises:
      FileNotFoundError: there are none.
    """

    def by_number(path: Path) -> list[Any]:
        return [int(x) if x.isdigit() else x for x in re.split(r"(\d+)", path.name)]

    chunks = tuple(sorted(folder.glob("*.pkgz"), key=by_number))
    if not chunks:
        raise FileNotFoundError(f"{folder}: no *.pkgz files; see data_prep/README.md")
    return chunks
