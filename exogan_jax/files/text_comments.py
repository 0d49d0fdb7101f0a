"""What a text table's comments say that its columns do not: another table, an eclipse, a unit."""

from __future__ import annotations

import re
from pathlib import Path

from exogan_jax.files.names import describe
from exogan_jax.files.text import fail, quoted
from exogan_jax.files.text_headers import is_header
from exogan_jax.files.units import DEPTHS, parse_unit, split_unit

_ECLIPSE = re.compile(r"(?i)\beclipse|\boccultation|\bdayside|\bemission spectr")
_TRANSIT = re.compile(r"(?i)transit|transmission")
_SEVERAL_SIGMA = re.compile(r"(?i)\b[2-5][\s-]*(?:sigma|σ)")
_RATIO = re.compile(r"(?i)\br_?p\s*/\s*r_?(?:s|star|\*)(?!\s*\)?\s*(?:\^|\*\*|²|2))")
_OF_DEPTHS = re.compile(r"(?i)depth|error|unit|rp")
_UNIT = re.compile(r"(?i)\b(?:per\s?cent|ppm|per\s?mille?)\b|%")


def check_aside(
    path: Path, above: list[tuple[int, str, bool]], aside: list[tuple[int, str, str]]
) -> None:
    """Refuses a second header among the comments between the rows.

    Args:
      path: for the message.
      above: (line number, text, whether a comment) above the rows.
      aside: (line number, text, comment sign) between or below them.

    Raises:
      SpectrumError: a line names the columns of another table.
    """
    if not any(is_header(line) for _, line, _ in above):
        return
    for number, line, _ in aside:
        if is_header(line):
            problem = f"{quoted(line)} begins another table"
            fail(path, problem, "give each table a file of its own", number)


def comment_notes(
    path: Path, above: list[tuple[int, str, bool]], names: list[str], units: list[str]
) -> list[str]:
    """Notes on comments above the rows that speak of an eclipse, or of a unit that no column has.

    Args:
      path: for the notes.
      above: (line number, text, whether a comment).
      names, units: of the columns, as written.
    """
    notes = []
    known = {parse_unit(unit) for unit in units} | {split_unit(name)[1] for name in names}
    for number, line, comment in above:
        if not comment:
            continue
        if _ECLIPSE.search(line) and not _TRANSIT.search(line):
            notes.append(
                f"{path}: line {number} speaks of an eclipse; depths are read as transits'"
            )
        if _SEVERAL_SIGMA.search(line):
            notes.append(
                f"{path}: line {number} speaks of several sigma; errors are read as 1 sigma"
            )
        if _RATIO.search(line) and not any(describe(name).role == "rp_rs" for name in names):
            notes.append(
                f"{path}: line {number} speaks of Rp/Rs; if that is it, say so by --columns"
            )
        said = _UNIT.search(line) if _OF_DEPTHS.search(line) else None
        unit = parse_unit(re.sub(r"\s", "", said[0])) if said else None
        if unit in DEPTHS and unit not in known:
            notes.append(
                f"{path}: line {number} speaks of {unit}, the columns' names do not; if depths are "
                f"in it, say --units depth={unit},error={unit}"
            )
    return notes
