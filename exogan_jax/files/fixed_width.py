"""Tables whose header says between which characters a column stands (IPAC, CDS): whether rows keep
to it. Where they do not, a number would lose digits, or be cut in two, in silence.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from exogan_jax.files.text import fail, quoted

_BYTES = re.compile(r"\s*(?:(\d+)\s*-\s*)?(\d+)\s+[AIFED]\d[\d.]*\s")


def ipac_columns(lines: list[str]) -> tuple[list[tuple[int, int]], list[int]]:
    """(start, stop) of each column, and the numbers of the lines with rows, from 1."""
    header = next(line for line in lines if line.startswith("|")).rstrip()
    bars = [i for i, sign in enumerate(header) if sign == "|"]
    spans = [(a + 1, b) for a, b in itertools.pairwise(bars)]
    rows = [i for i, line in enumerate(lines, 1) if line.strip() and line[0] not in "\\|"]
    return spans, rows


def cds_columns(lines: list[str]) -> tuple[list[tuple[int, int]], list[int]]:
    """(start, stop) of each column, and the numbers of the lines with rows, from 1."""
    start = next(i for i, line in enumerate(lines) if line.startswith("Byte-by-byte"))
    rules = [i for i, line in enumerate(lines) if re.match(r"[-=]{6,}", line)]
    found = [_BYTES.match(line) for line in lines[start : rules[-1]]]
    spans = [(int(m[1] or m[2]) - 1, int(m[2])) for m in found if m]
    rows = [i for i, line in enumerate(lines, 1) if i > rules[-1] + 1 and line.strip()]
    return spans, rows


def check_rows(
    path: Path, form: str, lines: list[str], spans: list[tuple[int, int]], rows: list[int]
) -> None:
    """Refuses rows with signs between their columns or after the last, or that end within one.

    Raises:
      SpectrumError: naming the line.
    """
    if not spans:
        return
    remedy = f"mend the row, or save the table as plain columns instead of {form}"
    inside = {i for a, b in spans for i in range(a, b)}
    for number in rows:
        line = lines[number - 1].rstrip()
        stray = next((i for i, x in enumerate(line) if i not in inside and not x.isspace()), None)
        if stray is not None:
            what = f"{quoted(line[stray:])} at character {stray + 1} is in none of the columns"
            fail(path, f"{what} that the header tells", remedy, number)
        if any(a < len(line) < b for a, b in spans[:-1]):
            fail(path, f"the row ends within a column, after {quoted(line[-12:])}", remedy, number)
