"""A table in plain text: columns between blanks, commas, semicolons, tabs or bars, with names in a
header (commented out or not), in numbered comments, or with none.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from exogan_jax.files.cells import (
    decimal_commas,
    expanded,
    is_range,
    joined_ranges,
    marked,
    may_be_thousands,
    range_ends,
    with_point,
)
from exogan_jax.files.columns import IGNORED, UNKNOWN
from exogan_jax.files.names import describe
from exogan_jax.files.row_marks import MARKED, are_marks
from exogan_jax.files.tables import MISSING, Column, Table
from exogan_jax.files.text import fail, parse_number, quoted
from exogan_jax.files.text_comments import check_aside, comment_notes
from exogan_jax.files.text_headers import names_of, split

_LONGEST_LINE = 20_000  # no row is longer; keeps patterns from running for ever
_LAYOUT = "give wavelength [um], depth, 1-sigma error and, if you like, bin width [um]"
# A ; before names, in a line cut by ;, is an empty first name.
_COMMENT = re.compile(r"^\s*(?:#+|%+|!+|;+(?=\s|$)(?!.*;)|;(?![^;]*;)|//+|\\+|\*+(?=\s))\s?")
_RULE = re.compile(r"[\s|+=:,-]+")  # ----- or |---|---|
_LATEX_END = re.compile(r"\\\\\s*$")
_PYRAT_BAY = ["depth", "error", "wavelength(um)", "half_width(um)", "instrument"]


def _is_data(line: str) -> bool:
    """Whether a line without comment sign holds a row: half of its fields are numbers."""
    plain = marked(line).strip(" ,;|&\t")
    ways = [re.split(r"[\s,;|&]+", plain)]
    ways += [plain.split(sign) for sign in ",;|&\t" if plain.count(sign) > 1]
    return any(_holds_numbers([x.strip(" \"'") for x in fields]) for fields in ways)


def _holds_numbers(fields: list[str]) -> bool:
    """Whether half of the fields that are not empty are numbers, or stand for some."""
    held = [re.split("[±↑↓]", x)[0].strip("(){} ") for x in fields if x]
    numbers = [parse_number(x) is not None or is_range(x) for x in held]
    gaps = sum(x.casefold() in MISSING for x in held)
    return any(numbers) and 2 * (sum(numbers) + gaps) >= len(held)


def _delimiter(lines: list[str]) -> str:
    """What separates the fields of all these rows."""
    found = []
    for delimiter in ("|", ";", "&", "\t", ","):
        if not all(delimiter in line.strip() for line in lines):
            continue
        counts = {line.count(delimiter) for line in lines[:50]}
        if delimiter != "\t" or (len(counts) == 1 and max(counts) > 1):
            found.append(delimiter)
    # A sign may stand in a cell of words, too: what separates leaves the most numbers.
    return max(found, key=lambda sign: _numbers_between(lines[0], sign), default="")


def _numbers_between(line: str, delimiter: str) -> int:
    """How many fields of a row are numbers, if this separates them."""
    fields = split(line, delimiter)
    if delimiter != ",":  # which is the decimal mark then
        fields = [with_point(x) for x in fields]
    return sum(parse_number(x) is not None for x in fields)


class _Lines(NamedTuple):
    """The lines of a text by what they are."""

    above: list[tuple[int, str, bool]]  # before the first row: number, text, whether a comment
    rows: list[tuple[int, str]]  # number, text
    below: list[tuple[int, str]]  # after the last row, like it
    depth_unit: str  # that a keyword gives, or ""
    lost: list[int]  # numbers of the rows that are left out
    starred: list[int]  # of rows behind a *, which are left out too
    between: tuple[int, str] | None  # the first comment between the rows that says something


def _sorted_lines(path: Path, lines: list[str]) -> _Lines:
    """Tells rows, comments and keywords apart."""
    above: list[tuple[int, str, bool]] = []
    rows: list[tuple[int, str]] = []
    depth_unit, keyword = "", ""
    lost: list[int] = []
    aside: list[tuple[int, str, str]] = []
    header: set[str] = set()
    for number, raw in enumerate(lines, 1):
        if len(raw) > _LONGEST_LINE:
            fail(path, f"{len(raw)} characters", "give a table with one row per line", number)
        # Tabs at the ends of a row are empty cells.
        line = raw.replace("\N{MINUS SIGN}", "-").strip(" \r\n\f\v")
        if not line.strip() or _RULE.fullmatch(_COMMENT.sub("", line)):
            continue
        if line.startswith("@"):  # Pyrat Bay's keywords; the value is on the next line
            keyword = line
            continue
        if keyword == "@DEPTH_UNITS":
            depth_unit, keyword = line, ""
            continue
        comment = _COMMENT.match(raw)
        if comment:
            if rows:
                aside.append((number, raw[comment.end() :].strip(), comment[0].strip()))
            else:  # LaTeX has names and units in one line
                parts = re.split(r"\\\\", raw[comment.end() :])
                above += [(number, part.strip(" "), True) for part in parts if part.strip()]
            continue
        body = re.sub(r"#(?!\d).*", "", line).strip(" ")  # "visit #1" is a name
        if not rows and not _is_data(body):
            above.append((number, _LATEX_END.sub("", line), False))
            header.add(body)
        elif body.strip() and body not in header:  # which some files repeat
            rows.append((number, body))
    if keyword == "@DATA" and rows:
        every = [number for number, _ in rows]
        rows = _passbands(path, rows, bool(depth_unit))
        lost = [number for number in every if number not in {kept for kept, _ in rows}]
        above.insert(0, (0, " ".join(_PYRAT_BAY), True))
    check_aside(path, above, aside)
    if all(line.startswith("\t") for _, line in rows):  # a margin, no cell
        rows = [(number, line.removeprefix("\t")) for number, line in rows]
    below = []
    while len(rows) > 1 and not _is_data(rows[-1][1]):
        below.append(rows.pop())
    starred = [number for number, line, sign in aside if sign.startswith("*") and _is_data(line)]
    last = rows[-1][0] if rows else 0
    said = [(n, x) for n, x, _ in aside if n < last and re.search(r"[^\W\d]{3}", x)]
    between = next((one for one in said if not _is_data(one[1])), None)
    return _Lines(above, rows, below[::-1], depth_unit, lost, starred, between)


def _passbands(path: Path, rows: list[tuple[int, str]], depths: bool) -> list[tuple[int, str]]:
    """Pyrat Bay's rows with a name in each; those that name a file of a filter are left out."""
    if not depths:
        fail(path, "holds passbands without depths", "add @DEPTH_UNITS, depths and errors")
    kept = []
    for number, line in rows:
        fields = split(line, "")
        if len(fields) in (4, 5):
            kept.append((number, line if len(fields) == 5 else f'{line} ""'))
    if not kept:
        what = "every row names the file of a filter, which is not opened"
        fail(path, what, "give wavelength and half width instead", rows[0][0])
    return kept


def _fields(
    path: Path, rows: list[tuple[int, str]], delimiter: str, above: list[tuple[int, str, bool]]
) -> list[list[str]]:
    """The rows' fields, as many in each."""
    table = [split(line, delimiter) for _, line in rows]
    n = len(table[0])
    ends = [bool(delimiter) and line.endswith(delimiter) for _, line in rows]
    # A last column that is empty everywhere is one if the header names it.
    named = bool(delimiter) and any(len(split(x, delimiter)) == n + 1 for _, x, _ in above)
    n += ends[0] and (any(len(fields) == n + 1 for fields in table) or (all(ends) and named))
    for (number, line), fields, end in zip(rows, table, ends, strict=True):
        if end and len(fields) == n - 1:  # its last field is empty
            fields.append("")
        if len(fields) > n and parse_number(fields[n - 1]) is None and delimiter == "":
            fields[n - 1 :] = [" ".join(fields[n - 1 :])]  # a name with blanks ends the row
        if len(fields) != n:
            problem = f"{len(fields)} columns, but line {rows[0][0]} has {n}"
            fail(path, problem, "give every row the same columns", number)
        if delimiter == "," and any(re.search(r"\d\s+[\d.]", x) for x in fields):
            problem = f"{quoted(line)} mixes commas and blanks"
            fail(path, problem, "separate by one of them, with a point as decimal mark", number)
    return table


def _column(
    path: Path, index: int, name: str, unit: str, fields: list[str], numbers: list[int]
) -> Column:
    """A column of numbers, or of text if most fields are none."""
    missing = [not field or field.casefold() in MISSING for field in fields]
    values = [np.nan if gap else parse_number(x) for x, gap in zip(fields, missing, strict=True)]
    wrong = [i for i, value in enumerate(values) if value is None]
    held = len(fields) - sum(missing)
    role = describe(name).role
    stray = 2 * len(wrong) < held and role not in ("instrument", "planet")
    marks = role in MARKED and are_marks(fields)
    words = len(wrong) == held and role not in ("wavelength", "error")
    if wrong and not marks and not words and (stray or (name and role not in _TEXT_ROLES)):
        title = f"column {index + 1}" + (f" ({name})" if name else "")
        problem = f"{title} is {quoted(fields[wrong[0]])}, not a number"
        remedy = "correct it, or put # before a header or comment"
        fail(path, problem, remedy, numbers[wrong[0]])
    if wrong:
        text = ["" if gap else field for field, gap in zip(fields, missing, strict=True)]
        return Column(name, unit, np.array(text, dtype=np.str_))
    return Column(name, unit, np.array(values, dtype=np.float64))


def _may_be_bins(name: str) -> bool:
    """Whether ranges below this name can be bins: "Pixels" and dates are none."""
    words = set(re.split(r"[\W_]+", name.casefold()))
    return not name or describe(name).role not in (UNKNOWN, IGNORED) or bool(words & _BINS)


_BINS = frozenset("bin bins range interval band channel passband bandpass wavelengths".split())  # noqa: SIM905
_TEXT_ROLES = ("instrument", "planet", "quality", "good", UNKNOWN, IGNORED)


def _counts(table: list[list[str]]) -> bool:
    """Whether the first column counts the rows from 0 or 1."""
    start = table[0][0]
    return start in ("0", "1") and all(
        fields[0] == str(i) for i, fields in enumerate(table, int(start))
    )


def _joined(
    table: list[list[str]], names: list[str], units: list[str], delimiter: str
) -> tuple[list[list[str]], list[str], list[str]]:
    """The table with the words of a last named column joined: "HST WFC3" is one name."""
    last = max((i for i, name in enumerate(names) if name), default=len(names) - 1)
    words = all(parse_number(x) is None for fields in table for x in fields[last:])
    if delimiter or last == len(names) - 1 or not words:
        return table, names, units
    joined = [[*fields[:last], " ".join(fields[last:])] for fields in table]
    return joined, names[: last + 1], units[: last + 1]


def text_table(path: Path, content: list[str], sha256: str) -> Table:
    """The table in a text's lines.

    Raises:
      SpectrumError: no rows, rows of different length, or a word among the numbers.
    """
    found = _sorted_lines(path, content)
    rows, depth_unit, lost = found.rows, found.depth_unit, found.lost
    if not rows:
        loose = [(number, line) for number, line, comment in found.above if not comment]
        if loose:
            number, line = loose[0]
            what = quoted(re.split(r"[\s,;|]+", line)[0])
            fail(path, f"column 1 is {what}, not a number, and no row follows", _LAYOUT, number)
        fail(path, "no data, only comments", _LAYOUT)
    notes: list[str] = []
    if lost:
        listed = ", ".join(map(str, lost[:6])) + (", ..." if len(lost) > 6 else "")
        notes.append(f"{path}: left out {len(lost)} rows that name files of filters ({listed})")
    if found.starred:
        listed = ", ".join(map(str, found.starred[:6]))
        notes.append(f"{path}: left out rows marked by * (line {listed})")
    if found.between:
        number, line = found.between
        notes.append(f"{path}: line {number} between the rows says {quoted(line)}")
    if found.below:
        number, line = found.below[0]
        what = f"left out what follows the table (line {number}: {quoted(line)})"
        notes.append(f"{path}: {what}")
    lines = joined_ranges([marked(line) for _, line in rows])
    delimiter = _delimiter(lines)
    rows = [(number, line) for (number, _), line in zip(rows, lines, strict=True)]
    table, widths = expanded(_fields(path, rows, delimiter, found.above))
    if delimiter in (";", "\t", "|", "") and decimal_commas(table):
        if may_be_thousands(table):
            what = f"{quoted(next(x for x in table[0] if ',' in x))} may be thousands or a decimal"
            fail(path, what, "write numbers with a decimal point and no other sign", rows[0][0])
        table = [[with_point(x) for x in fields] for fields in table]
        notes.append(f"{path}: commas are taken for decimal marks")
    n = len(table[0])
    numbers = [number for number, _ in rows]
    texts = 0
    while texts < n - 1 and parse_number(table[0][n - 1 - texts]) is None:
        texts += 1
    names, units = names_of(path, found.above, widths, _counts(table), texts)
    notes += comment_notes(path, found.above, names, units)
    table, names, units = _joined(table, names, units, delimiter)
    n = len(names)
    if depth_unit:
        roles = [describe(name).role for name in names]
        units = [
            depth_unit if role == "depth" or role.startswith("error") else unit
            for role, unit in zip(roles, units, strict=True)
        ]
    columns: list[Column] = []
    for i, name in enumerate(names):
        cells = [fields[i] for fields in table]
        ends = [range_ends(cell) for cell in cells]
        if all(ends) and _may_be_bins(name):  # a bin as "1.12-1.14"
            for end, edge in ((0, "low edge"), (1, "high edge")):
                side = [both[end] for both in ends if both]
                title = f"{name or 'wavelength'} {edge}" if any(names) else ""
                columns.append(_column(path, i, title, units[i], side, numbers))
        else:
            columns.append(_column(path, i, name, units[i], cells, numbers))
    form = {",": "CSV", "": "text"}.get(delimiter, "text")
    return Table(path, tuple(columns), np.array(numbers), form, sha256=sha256, notes=tuple(notes))
