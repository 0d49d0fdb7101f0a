"""What one field of a text table can hold beside a number: a value with its errors, or a range."""

from __future__ import annotations

import re
from typing import NamedTuple

from exogan_jax.files.text import parse_number

_N = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_LATEX = re.compile(r"\$|\\\\(?:\s*\\\w+)*\s*$|\\[,;:! ]")
_MARKS = frozenset("$\\^±+")
_PLUS_MINUS = re.compile(r"±|\+/-|\\pm|\+-")
# Few blanks only: patterns that take any number of them need hours for some lines.
_S = r"\s{0,3}"
_UP, _DOWN = rf"\^{_S}\{{?{_S}(\+?{_S}{_N}){_S}\}}?", rf"_{_S}\{{?{_S}(-?{_S}{_N}){_S}\}}?"
#: 2.1^{+0.3}_{-0.2}, the same the other way round, and 2.1 +0.3 -0.2.
_UP_DOWN, _DOWN_UP = re.compile(f"{_UP}{_S}{_DOWN}"), re.compile(f"{_DOWN}{_S}{_UP}")
_SIGNED = re.compile(rf"(?<=[\d.]){_S}\(?(\+{_N}){_S}[,/]?{_S}(-{_N}){_S}\)?")
_SPACED_RANGE = re.compile(r"(?<=[\d.])\s{1,3}(?:--|[-–—]|to)\s{1,3}(?=[\d.])")
_NUMBER = r"(\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+)"
_RANGE = re.compile(rf"{_NUMBER}{_S}(?:--|[-–—]|to){_S}{_NUMBER}")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+([eEdD][-+]?\d+)?")


class Expanded(NamedTuple):
    """The fields of a table's rows, a value and its errors apart."""

    rows: list[list[str]]
    widths: list[int]  # for each field as written: how many it became, 1 to 3


def marked(line: str) -> str:
    """A row in which a value and its errors are one word: 2.1±0.3, or 2.1↑+0.3↓-0.2."""
    if not _MARKS.intersection(line):  # nearly all rows: a table is read in half the time
        return line
    line = _LATEX.sub("", line)
    line = _UP_DOWN.sub(lambda m: f"↑{m[1]}↓{m[2]}".replace(" ", ""), line)
    line = _DOWN_UP.sub(lambda m: f"↑{m[2]}↓{m[1]}".replace(" ", ""), line)
    return "±".join(part.strip() for part in _PLUS_MINUS.split(line))


def joined_ranges(lines: list[str]) -> list[str]:
    """Rows in which "1.1 - 1.2" is one word, where each has one: else - is a missing value."""
    if not all(_SPACED_RANGE.search(line) for line in lines):
        return lines
    return [_SPACED_RANGE.sub("-", line) for line in lines]


def range_ends(cell: str) -> tuple[str, str] | None:
    """The ends of "1.12-1.14" (--, – or "to"), None if it is no range."""
    match = _RANGE.fullmatch(cell.strip("[](){} "))
    return (match[1], match[2]) if match else None


def expanded(rows: list[list[str]]) -> Expanded:
    """Fields with errors (see `marked`) cut into a value and one or two errors."""
    rows = [[_SIGNED.sub(r"↑\1↓\2", x) if "+" in x else x for x in fields] for fields in rows]
    widths = [1] * len(rows[0])
    for fields in rows:
        for i, cell in enumerate(fields):
            widths[i] = max(widths[i], 3 if "↑" in cell else 2 if "±" in cell else 1)
    if max(widths) == 1:
        return Expanded(rows, widths)
    out = []
    for fields in rows:
        cut: list[str] = []
        for cell, width in zip(fields, widths, strict=True):
            parts = [part.strip("(){}, ") for part in re.split("[±↑↓]", cell)]
            if width == 3 and len(parts) == 2:  # the same error on both sides
                parts.append(f"-{parts[1]}")
            cut += parts[:width] + [""] * (width - len(parts))
        out.append(cut)
    return Expanded(out, widths)


def decimal_commas(rows: list[list[str]]) -> bool:
    """Whether the numbers of these rows, not separated by commas, have decimal commas: none has a
    point, or most have a comma.
    """
    flat = [cell for fields in rows[:200] for cell in fields if cell]
    commas = sum("," in cell and bool(_DECIMAL_COMMA.fullmatch(cell)) for cell in flat)
    points = any("." in cell and parse_number(cell) is not None for cell in flat)
    return bool(commas) and (not points or 2 * commas >= len(flat))


def with_point(field: str) -> str:
    """A number with a point in the place of a decimal comma."""
    return re.sub(r"(?<=\d),(?=\d)", ".", field)


def is_range(field: str) -> bool:
    """Whether a field is a bin, from low to high: 10-6 is a unit."""
    ends = range_ends(field)
    return ends is not None and float(ends[0]) < float(ends[1])


def may_be_thousands(table: list[list[str]]) -> bool:
    """Whether every comma of a table stands before three digits, and behind one to three."""
    cells = [x for fields in table for x in fields if "," in x]
    return all(re.fullmatch(r"[1-9]\d{0,2},\d{3}", x) for x in cells)
