"""A clean end on SIGTERM, as schedulers send it before they take a machine away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Exit status after SIGTERM: that of a process which the signal ended.
STOPPED = 128 + signal.SIGTERM


class Stopped(Exception):
    """SIGTERM came; a checkpoint was written."""


@contextmanager
def termination() -> Iterator[threading.Event]:
    """An event that SIGTERM sets."""
    came = threading.Event()
    old = signal.signal(signal.SIGTERM, lambda *_: came.set())
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, old)
