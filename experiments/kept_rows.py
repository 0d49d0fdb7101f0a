"""What long experiments find, row by row, in a file of JSON lines: the settings come first, and a
run of the same settings goes on where the one before stopped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def kept_rows(path: Path, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that a file has, which is begun if it is not there. A last row that a kill cut
    short is taken away.

    Raises:
      SystemExit: it is of other settings.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings) + "\n")
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    known, rows = read_rows(path)
    if known != settings:
        raise SystemExit(f"{path}: of other settings, {json.dumps(known)}; choose another file")
    return rows


def read_rows(path: Path) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Settings, None where a file has none, and rows of a file."""
    first, *rows = path.read_text().splitlines() or [json.dumps(None)]
    return json.loads(first), [json.loads(row) for row in rows]


def keep_row(path: Path, row: dict[str, Any]) -> None:
    """Adds one."""
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")
