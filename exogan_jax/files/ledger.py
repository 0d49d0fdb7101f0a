"""What of a run is done, what is not, and where each row goes.

Rows go to the store in the order of their tasks, into slots that are not whole first and then below
what is there: so a run that was killed, whatever it had done, ends with the same store as one that
was not. A last slot that is not full is taken out first (its rows wait with the pending ones) and
written again with more.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from exogan_jax.files.folders import FEW
from exogan_jax.files.pending import (
    FOLDER,
    KEY,
    Key,
    Pending,
    file_of,
    held_file,
    keys_of,
    save_rows,
)
from exogan_jax.files.results import Results, index, stores_in
from exogan_jax.files.rows import DONE, FIELDS, Task, row_of, stack
from exogan_jax.files.store import (
    SLOT,
    STORE,
    Store,
    clean,
    create_store,
    forget_slot,
    note_run,
    open_store,
    read_slot,
    reserve,
    rows_done,
    write_slot,
)
from exogan_jax.layout import Layout
from exogan_jax.retrieval.result import Posterior


class OtherProblem(Exception):
    """The folder's results are of another model, or hold other numbers of samples; one line."""


class Ledger:
    """The rows of one folder, while a run writes it. One process at a time: see `lock`."""

    def __init__(
        self, folder: Path, layout: Layout, *, n_kept: int, chunk: int, others: Path | None = None
    ) -> None:
        """Opens a folder's store, or makes one.

        Args:
          folder: of the run or of its part; exists.
          layout: of the problem.
          n_kept: samples per row.
          chunk: spectra that are computed together; the slots of a new store hold whole ones.
          others: the run's folder, if this is a part.

        Raises:
          OtherProblem: there are many rows of another layout or with other numbers of samples.
          OSError: the folder cannot be written.
          ValueError: the store is damaged.
        """
        self.folder, self.chunk = folder, chunk
        path = folder / STORE
        if path.is_dir():
            store = open_store(path)
            if (store.layout, store.n_kept) != (layout, n_kept):
                n = sum(rows_done(store, verify=False))
                if n > FEW:
                    what = (
                        "samples per spectrum" if store.layout == layout else "parameters or grid"
                    )
                    raise OtherProblem(
                        f"{folder} holds {n} spectra with other {what}: name another folder, or "
                        "say --overwrite"
                    )
                clear(folder)
        if not path.is_dir():
            create_store(path, layout, n_kept=n_kept, slot=chunk * -(-SLOT // chunk))
        self.store: Store = open_store(path)
        clean(self.store)
        self.counts = rows_done(self.store)
        for slot, n in enumerate(self.counts):
            if not n:
                forget_slot(self.store, slot)
        self.pending = Pending(folder / FOLDER)
        self._stored: set[Key] = set()
        for slot, n in enumerate(self.counts):
            if n:
                self._stored |= set(keys_of(read_slot(self.store, slot, n, KEY)))
        self.pending.drop(self._stored, list(self.pending.where))
        elsewhere = [s for s in stores_in(others or folder) if s.path != path]
        self._elsewhere = [s for s in elsewhere if s.layout == layout]
        self._their_counts = [rows_done(s) for s in self._elsewhere]
        self._expected: dict[int, list[Key]] = {}  # slot -> its rows, where not yet written
        #: Name -> revision, settings, whether it is an error: of the row that counts.
        self._newest = {
            name: (where.revision, where.settings, where.status != DONE)
            for name, where in self.results().rows.items()
        }
        held = [key for keys in self.pending.held.values() for key in keys]
        for row in self.pending.take(held):  # a killed run took them out
            mine = int(row["revision"]), str(row["settings"]), row["status"] != DONE
            name = str(row["name"])
            self._newest[name] = max(mine, self._newest.get(name, mine))

    def results(self) -> Results:
        """The rows that are written, here and in the run's other parts."""
        own = rows_done(self.store, verify=False)
        return index([self.store, *self._elsewhere], [own, *self._their_counts])

    def is_done(self, task: Task) -> bool:
        """Whether the row that counts of its name is the task's."""
        _, settings, _ = self._newest.get(task.name, (0, "", False))
        return settings == task.settings

    def has_failed(self, task: Task) -> bool:
        """Whether the row that counts of its name is an error."""
        return self._newest.get(task.name, (0, "", False))[2]

    def plan(
        self, todo: Sequence[Task], made_with: Mapping[str, Mapping[str, Any]]
    ) -> list[list[Task]]:
        """Says where the rows of tasks go.

        Args:
          todo: tasks that are not done, in an order that does not depend on what is.
          made_with: run -> what its rows are made with.

        Returns:
          The tasks whose rows do not wait already, in chunks.

        Raises:
          OSError: the folder cannot be written.
        """
        if todo:
            for run, about in made_with.items():
                note_run(self.store, run, about)
            self._take_out_the_last()
        held = self.pending.held
        if not todo and not held:
            return []
        todo = [t._replace(revision=self._newest.get(t.name, (0,))[0] + 1) for t in todo]
        size = self.store.slot
        self._expected = {slot: list(keys) for slot, keys in held.items()}
        chunks: dict[int, list[Task]] = {}
        for task, row in zip(todo, self._free_rows(), strict=False):
            self._expected.setdefault(row // size, []).append(task.key)
            if task.key not in self.pending.where:
                chunks.setdefault(row // self.chunk, []).append(task)
        ends = [slot * size + n for slot, n in enumerate(self.counts) if n]
        ends += [slot * size + len(keys) for slot, keys in self._expected.items()]
        points = [len(np.asarray(t.observation.depth)) for t in todo if t.observation]
        reserve(self.store, max(ends), max(points, default=0))
        self.flush()
        return list(chunks.values())

    def _free_rows(self) -> Iterator[int]:
        """Rows of slots that are not whole, and then those below all."""
        held = {slot: len(keys) for slot, keys in self.pending.held.items()}
        for slot in itertools.count():
            if slot >= len(self.counts) or not self.counts[slot]:
                begin = slot * self.store.slot
                yield from range(begin + held.get(slot, 0), begin + self.store.slot)

    def _take_out_the_last(self) -> None:
        """Lets the rows of a last slot that is not full wait with the others."""
        done = [slot for slot, n in enumerate(self.counts) if n]
        if not done or self.counts[done[-1]] == self.store.slot:
            return
        slot = done[-1]
        path = held_file(self.pending.folder, slot)
        save_rows(path, read_slot(self.store, slot, self.counts[slot]))
        self.pending.add(path)
        forget_slot(self.store, slot)
        self.counts[slot] = 0

    def add(self, path: Path) -> None:
        """Takes note of computed rows, and writes the slots that are complete.

        Raises:
          OSError: the disk is full, or cannot be written.
        """
        self.pending.add(path)
        self.flush()

    def add_all(self) -> int:
        """Takes note of all rows that others have computed, and writes the slots that are complete;
        returns the number of rows that are still missing.

        Raises:
          OSError: the disk is full, or cannot be written.
        """
        for path in sorted(self.pending.folder.glob("*.npz")):
            if path not in self.pending.files:
                self.pending.add(path)
        self.flush()
        return sum(
            key not in self.pending.where for keys in self._expected.values() for key in keys
        )

    def flush(self) -> None:
        """Writes the slots that are complete."""
        for slot, keys in list(self._expected.items()):
            if any(key not in self.pending.where for key in keys):
                continue
            rows = stack(self.pending.take(keys), self.store.lengths)
            write_slot(self.store, slot, rows)
            del self._expected[slot]
            self._stored |= set(keys)
            self.pending.drop(self._stored, keys)

    def close(self) -> Results:
        """What is there now."""
        self.pending.close()
        return self.results()


def save_chunk(folder: Path, pairs: Sequence[tuple[Task, Posterior | None]], n_kept: int) -> Path:
    """Writes the rows of computed tasks to where they wait; returns the file.

    Args:
      folder: of the run.
      pairs: tasks with their answers; None where the task's problem is the answer.
      n_kept: samples per row.

    Raises:
      OSError: the folder cannot be written.
    """
    rows = []
    for task, posterior in pairs:
        try:
            rows.append(row_of(task, posterior, n_kept))
        except ValueError as error:
            rows.append(row_of(task._replace(problem=f"failed: {error}"), None, n_kept))
    path = file_of(folder / FOLDER, [task for task, _ in pairs])
    save_rows(path, stack(rows, _lengths(rows)))
    return path


def _lengths(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The largest of each dimension that the rows have."""
    lengths: dict[str, int] = {}
    for name, field in FIELDS.items():
        for axis, dim in enumerate(field.dims):
            found = [np.shape(row[name])[axis] for row in rows if name in row]
            lengths[dim] = max([lengths.get(dim, 0), *found])
    return lengths


def clear(folder: Path) -> None:
    """Removes the store of a folder and what waits for it."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    if (folder / STORE).is_dir():
        gone = folder / f".{STORE}.gone"  # at once: no half of a store is ever seen
        shutil.rmtree(gone, ignore_errors=True)
        (folder / STORE).rename(gone)
        shutil.rmtree(gone)
