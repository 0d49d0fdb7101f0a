"""Rows on their way to the store: a file for each computed chunk, named by what it holds.

A file is there whole or not at all, and the same rows have the same name whoever computes them: a
chunk that is computed twice changes nothing. They wait until the rows of a chunk of the store are
together. NumPy's `.npz` without pickles; what cannot be read is removed, and computed again.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from exogan_jax.files.atomic import replacing
from exogan_jax.files.rows import FIELDS, Rows, Task, numpy_dtype, split

FOLDER = ".pending"
KEY = ("name", "settings", "revision")
Key = tuple[str, str, int]  # name, settings and revision of a row


def file_of(folder: Path, tasks: Sequence[Task]) -> Path:
    """The file of some tasks' rows."""
    text = "\n".join(str(part) for task in tasks for part in task.key)
    name = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]
    return folder / f"{name}.npz"


def held_file(folder: Path, slot: int) -> Path:
    """The file of rows that were taken out of a slot of the store, to be written with more."""
    return folder / f"held-{slot}.npz"


def save_rows(path: Path, rows: Rows) -> None:
    """Writes rows, all at once.

    Raises:
      OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {
        name: values.astype(np.str_) if values.dtype == object else values
        for name, values in rows.items()
    }
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_rows(path: Path) -> Rows:
    """Reads what `save_rows` wrote.

    Raises:
      ValueError: the file is damaged, or not one of rows.
    """
    try:
        with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
            return {n: file[n].astype(numpy_dtype(field.dtype)) for n, field in FIELDS.items()}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not rows that can be read ({error})") from error


def keys_of(rows: Rows) -> list[Key]:
    """Which rows they are."""
    columns = (rows[name] for name in KEY)
    return [(str(name), str(own), int(r)) for name, own, r in zip(*columns, strict=True)]


class Pending:
    """The rows that wait in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.where: dict[Key, tuple[Path, int]] = {}
        self.files: dict[Path, list[Key]] = {}
        if not folder.is_dir():
            return
        for rest in folder.glob(".*.tmp"):
            rest.unlink(missing_ok=True)  # of a process that was killed
        for path in sorted(folder.glob("*.npz")):
            self.add(path)

    @property
    def held(self) -> dict[int, list[Key]]:
        """Slot of the store -> the rows that were taken out of it."""
        found = {path: re.fullmatch(r"held-(\d+)\.npz", path.name) for path in self.files}
        return {int(match[1]): self.files[path] for path, match in found.items() if match}

    def add(self, path: Path) -> None:
        """Takes note of a file; removes one that is damaged."""
        try:
            keys = keys_of(load_rows(path))
        except ValueError:
            path.unlink(missing_ok=True)
            return
        self.files[path] = keys
        self.where |= {key: (path, i) for i, key in enumerate(keys)}

    def take(self, keys: Iterable[Key]) -> list[dict[str, Any]]:
        """The rows, in the order asked for."""
        wanted = [self.where[key] for key in keys]
        loaded = {path: split(load_rows(path)) for path in dict.fromkeys(p for p, _ in wanted)}
        return [loaded[path][i] for path, i in wanted]

    def drop(self, stored: Container[Key], among: Iterable[Key]) -> None:
        """Removes files of which all rows are stored elsewhere.

        Args:
          stored: what is.
          among: rows whose files are looked at.
        """
        for path in {self.where[key][0] for key in among if key in self.where}:
            if all(key in stored for key in self.files[path]):
                path.unlink(missing_ok=True)
                for key in self.files.pop(path):
                    if self.where[key][0] == path:
                        del self.where[key]

    def close(self) -> None:
        """Removes the folder if nothing waits in it."""
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()
