"""One process in a folder of results at a time, or one for each part of a run.

The lock is the operating system's: it ends with the process that holds it, however that ends.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from exogan_jax.files.folders import part_folder, part_folders

LOCK = ".lock"
_HOLDER = ".lock.holder"


class Busy(Exception):
    """Another process works in the folder; one line."""


def _held(folder: Path) -> FileLock:
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Busy(_who(folder)) from None
    return lock


def _who(folder: Path) -> str:
    try:
        who = (folder / _HOLDER).read_text(encoding="utf-8").strip()
    except OSError:
        who = "another process"
    return (
        f"{who} works in {folder}: wait until it is done, name another folder, or give each "
        "process its part (--part 0/2, --part 1/2)"
    )


@contextmanager
def locked(out: Path, part: tuple[int, int] | None = None) -> Iterator[None]:
    """Holds the folder of a run, or that of a part.

    Args:
      out: the run's folder, which exists.
      part: (k, n), or None for all of it: no part may be at work then.

    Raises:
      Busy: another process works there.
      OSError: the folder cannot be written.
    """
    whole = _held(out)
    lock = whole
    try:
        if part is None:
            for folder in part_folders(out):
                _held(folder).release()
            folder = out
        else:
            folder = part_folder(out, part)
            folder.mkdir(exist_ok=True)
            lock = _held(folder)
            whole.release()
        try:
            note = f"process {os.getpid()} on {socket.gethostname()}"
            (folder / _HOLDER).write_text(note + "\n", encoding="utf-8")
        except OSError:
            pass  # a full disk: the lock holds all the same
        yield
    finally:
        lock.release()
        if whole is not lock:
            whole.release()
