"""Endless streams of training batches: from a dataset on disk, from arrays, or straight from the
simulator. All three are the same to the trainer, a grain pipeline whose element i depends on the
seed and on i alone: any position can be restored, and any process can make its own part.

An element is `Spectra` with leading axes (steps, batch): the batches of several training steps.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from exogan_jax.files.records import RecordFormat, Spectra
from exogan_jax.files.shards import check_same, dataset_layout, find_shards
from exogan_jax.layout import Layout
from exogan_jax.physics.forward import ForwardModel, simulate

#: Elements of a stream, as good as endless.
_LENGTH = 2**40


class Source(Protocol):
    """Spectra by their number."""

    def __len__(self) -> int: ...

    def read(self, rows: Sequence[int]) -> Spectra:
        """Depth (n, w) and theta (n, d) of n rows."""
        ...


@dataclasses.dataclass(frozen=True)
class Part:
    """The part of each batch that this process makes."""

    index: int = 0
    count: int = 1

    def of(self, batch_size: int) -> slice:
        """The rows of a batch; raises ValueError where they do not divide evenly."""
        if batch_size % self.count:
            raise ValueError(f"{self.count} processes cannot share batches of {batch_size} evenly")
        size = batch_size // self.count
        return slice(self.index * size, (self.index + 1) * size)


#: The only process makes all of it.
WHOLE = Part()


class ArraySource:
    """Spectra in memory: depth (n, w), theta (n, d)."""

    def __init__(self, spectra: Spectra) -> None:
        self._spectra = Spectra(*map(np.asarray, spectra))

    def __len__(self) -> int:
        return len(self._spectra.theta)

    def read(self, rows: Sequence[int]) -> Spectra:
        """See `Source`."""
        return Spectra(*(x[np.asarray(rows)] for x in self._spectra))


class RecordSource:
    """A split of an `exogan_spectra` dataset as TFDS lays it out; needs array_record, not TFDS.

    Args:
      directory: the version's folder, see `find_shards`.
      split: one of `physics.split.SPLITS`.
      layout: what the spectra must be of; None takes the dataset's own.

    Raises:
      FileNotFoundError: no such dataset, or some of its files are missing.
      ValueError: the dataset is of another problem; says in what they differ.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        split: str = "train",
        layout: Layout | None = None,
    ) -> None:
        from array_record.python.array_record_data_source import ArrayRecordDataSource

        shards = [str(path) for path in find_shards(directory, split)]
        self.layout = dataset_layout(directory)  # of the problem
        if layout is not None:
            check_same(directory, self.layout, layout)
        self._format = RecordFormat(self.layout.n_wavelength, len(self.layout.parameters))
        self._records = ArrayRecordDataSource(shards)

    def __len__(self) -> int:
        return len(self._records)

    def read(self, rows: Sequence[int]) -> Spectra:
        """See `Source`."""
        return self._format.unpack(self._records.__getitems__(rows))


class _Stacks:
    """Element i of a stream over a source: shuffled anew each epoch, by the seed."""

    def __init__(
        self, source: Source, batch_size: int, steps: int, seed: int, shuffle: bool, part: Part
    ) -> None:
        self._source, self._steps, self._batch_size = source, steps, batch_size
        self._seed, self._shuffle, self._mine = seed, shuffle, part.of(batch_size)
        self._order = lru_cache(maxsize=2)(self._order_of)

    def _order_of(self, epoch: int) -> np.ndarray:
        """The rows in the order of an epoch, which depends on the seed and the epoch alone."""
        n = len(self._source)
        if not self._shuffle:
            return np.arange(n)
        return np.random.Generator(np.random.Philox(key=[self._seed, epoch])).permutation(n)

    def __len__(self) -> int:
        return _LENGTH

    def __getitem__(self, i: int) -> Spectra:
        batches = i * self._steps + np.arange(self._steps)
        mine = np.arange(self._mine.start, self._mine.stop)
        # A batch may end one epoch and begin the next.
        epochs, places = np.divmod(
            (batches[:, None] * self._batch_size + mine).ravel(), len(self._source)
        )
        rows = np.concatenate([self._order(int(e))[places[epochs == e]] for e in np.unique(epochs)])
        flat = self._source.read(rows.tolist())
        return Spectra(*(np.asarray(x).reshape(self._steps, -1, x.shape[-1]) for x in flat))


def simulate_stack(
    key: jax.Array,
    i: jax.Array,
    model: ForwardModel,
    *,
    batch_size: int,
    steps: int,
    part: Part = WHOLE,
    chunk: int | None = None,
) -> Spectra:
    """Element i of a simulated stream: depth (steps, n, w), theta (steps, n, d).

    Pure; parameters are drawn by `Parameters.sample`. The processes' parts together are the batch
    that one process makes. For `chunk` see `simulate`.
    """
    rows = part.of(batch_size)
    theta = model.sample(jax.random.fold_in(key, i), steps * batch_size)
    theta = theta.reshape(steps, batch_size, -1)[:, rows]
    depth = simulate(model, theta.reshape(-1, theta.shape[-1]), chunk=chunk)
    return Spectra(depth.reshape(*theta.shape[:2], -1), theta)


class _Simulated:
    """Element i of a simulated stream."""

    def __init__(self, make: Callable[[Any], Spectra]) -> None:
        self._make = make

    def __len__(self) -> int:
        return _LENGTH

    def __getitem__(self, i: int) -> Spectra:
        return self._make(jnp.uint32(i))


def _iterate(elements: Any, threads: int, ahead: int) -> Any:
    import grain

    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=ahead)
    return grain.MapDataset.source(elements).to_iter_dataset(options)


def stream(
    source: Source,
    *,
    batch_size: int,
    steps: int = 1,
    seed: int = 0,
    shuffle: bool = True,
    part: Part = WHOLE,
    threads: int = 2,
    ahead: int = 4,
) -> Any:
    """Batches of a source, shuffled by key anew each epoch, epoch after epoch.

    Args:
      source: `RecordSource`, `ArraySource`, or anything like them.
      batch_size: spectra per batch, over all processes.
      steps: batches per element.
      seed: of the order.
      shuffle: False: the source's own order.
      part: which process of how many this is; it gets that part of each batch.
      threads: that read at the same time.
      ahead: elements read in advance.

    Returns:
      a `grain.IterDataset`; its iterators have `get_state` and `set_state`, and elements `Spectra`
      of NumPy arrays (steps, batch_size / part.count, ...).

    Raises:
      ValueError: the source is empty, or the processes cannot share a batch evenly.
    """
    if not len(source):
        raise ValueError("the source holds no spectra")
    stacks = _Stacks(source, batch_size, steps, seed, shuffle, part)
    return _iterate(stacks, threads, ahead)


def simulated_stream(
    model: ForwardModel,
    *,
    batch_size: int,
    steps: int = 1,
    seed: int = 0,
    part: Part = WHOLE,
    chunk: int | None = None,
    ahead: int = 1,
) -> Any:
    """Batches straight from the simulator, no spectrum ever twice; the same interface as `stream`.

    Elements are arrays on the device where they were simulated. For the arguments see `stream` and
    `simulate_stack`.
    """
    key = jax.random.key(seed)
    part.of(batch_size)
    options = {"batch_size": batch_size, "steps": steps, "part": part, "chunk": chunk}
    run = jax.jit(lambda k, i, m: simulate_stack(k, i, m, **options))  # type: ignore[arg-type]
    return _iterate(_Simulated(lambda i: run(key, i, model)), 1, ahead)
