"""What all commands of `exogan` share: how they speak, and how they fail."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


class UserError(Exception):
    """Something the user can put right; ends the run with one line."""


def say(kind: str, message: object) -> None:
    """Prints one line to standard error."""
    line = " ".join(str(message).split()).encode(errors="backslashreplace").decode()
    print(f"exogan: {kind}: {line}", file=sys.stderr, flush=True)


def load(read: Callable[[str | None], Any], name: str | None) -> Any:
    """A model, or its layout, by the function that reads it."""
    try:
        return read(name)
    except (OSError, ValueError) as error:
        raise UserError(f"--model: {error}") from None
