"""Reading a user's text file, with one-line errors that name the file and the line."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import NoReturn

_MAX_BYTES = 2**26  # no spectrum is this long; keeps /dev/zero and the like out of memory
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")


class SpectrumError(ValueError):
    """A spectrum that cannot be read; its text is one line: file, line number, cause and remedy."""

    def __init__(self, message: str):
        super().__init__(" ".join(message.split()))


def fail(path: str | os.PathLike[str], problem: str, remedy: str = "", line: int = 0) -> NoReturn:
    """Raises a `SpectrumError` "path: line N: problem; remedy" (no line number if 0)."""
    where = f"line {line}: " if line else ""
    raise SpectrumError(f"{path}: {where}{problem}" + (f"; {remedy}" if remedy else ""))


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
      SpectrumError: missing, a folder, unreadable, empty, or too long.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        fail(path, "no such file", "check the path")
    except IsADirectoryError:
        fail(path, "is a folder", "name the files in it")
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or error
        fail(path, f"cannot be read ({reason})", "check the path and its permissions")
    if not content.strip():
        fail(path, "the file is empty", "give rows of wavelength, depth, error")
    if len(content) > _MAX_BYTES:
        fail(path, f"longer than {_MAX_BYTES >> 20} MiB", "give a file with one spectrum")
    return content


def decode_lines(path: Path, content: bytes) -> list[str]:
    """The lines of a text (UTF-8, or Latin-1 as older tools write it).

    Raises:
      SpectrumError: the content is not text.
    """
    content = content.rstrip(b"\x1a")  # DOS's end of a file
    if _CONTROL.search(content):
        fail(path, "not a text file", "save the spectrum as plain UTF-8 text in columns")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return re.split(r"\r\n|\r|\n", text)


def read_lines(path: Path) -> tuple[list[str], str]:
    """The lines of a text file, and its sha256.

    Raises:
      SpectrumError: missing, a folder, unreadable, empty, too long, or not text.
    """
    content = read_bytes(path)
    return decode_lines(path, content), hashlib.sha256(content).hexdigest()


def parse_number(token: str) -> float | None:
    """A decimal number (NaN and inf included), or None if the token is something else."""
    if "_" in token or not token.isascii():  # Python's float takes more than a table should hold
        return None
    try:
        return float(token)
    except ValueError:
        pass
    match = re.fullmatch(r"([+-]?[\d.]+)[dD]([+-]?\d+)", token)  # as Fortran writes 1.0D-02
    try:
        return float(f"{match[1]}e{match[2]}") if match else None
    except ValueError:
        return None


def quoted(token: str) -> str:
    """The token in quotes, escaped and cut to a length that suits an error message."""
    return repr(token if len(token) <= 24 else token[:21] + "...")


def shown(name: str) -> str:
    """The name of a column as a message has it: cut, without what a terminal would obey."""
    return quoted(name)[1:-1].replace("\\\\", "\\")
