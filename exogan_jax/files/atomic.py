"""Writing a file all at once, so that an interrupted run leaves no half-written result."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path beside `path`, which takes its place if the block succeeds.

    If the block raises, the temporary file is removed and `path` stays as it was.

    Raises:
      OSError: the folder is missing or not writable.
    """
    path = Path(path)
    # Not the process's number: machines that share a folder may have the same ones.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
