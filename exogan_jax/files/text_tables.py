"""A table in plain text: columns between blanks, commas, semicolons, tabs or bars, with names in a
header (commented out or not), in numbered comments, or with none.
"""

from __future__ import annotations

import csv
import itertools
import re
from pathlib import Path

import numpy as np

from exogan_jax.files.columns import IGNORED, UNKNOWN, describe
from exogan_jax.files.tables import MISSING, Column, Table
from exogan_jax.files.text import fail, parse_number, quoted
from exogan_jax.files.units import parse_unit

_LAYOUT = "give wavelength [um], depth, 1-sigma error and, if you like, bin width [um]"
_COMMENT = re.compile(r"^\s*(?:#+|%+|!+|;+|//+|\\+|\*+(?=\s))\s?")
_RULE = re.compile(r"[\s|+=:,-]+")  # ----- or |---|---|
_QUOTED = re.compile(r'"([^"]*)"|\'([^\']*)\'|(\S+)')
_PLUS_MINUS = re.compile(r"\s*(?:±|\+/-|\\pm|\+-)\s*|\$|\s*\\\\\s*$")
_RANGE = re.compile(r"(\d*\.?\d+)\s*[-–—]\s*(\d*\.?\d+)")
_PYRAT_BAY = ["depth", "error", "wavelength", "half_width", "instrument"]


def split(line: str, delimiter: str) -> list[str]:
    """The fields of a line; delimiter "" stands for blanks, "  " for two or more."""
    line = line.strip()
    if delimiter == "":
        return [next((g for g in m.groups() if g is not None), "") for m in _QUOTED.finditer(line)]
    if delimiter == "  ":
        return re.split(r"\s{2,}|\t", line)
    if delimiter == "|":
        line = line.removeprefix("|").removesuffix("|")
    if '"' in line:
        fields = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    else:
        fields = line.split(delimiter)
    fields = [x.strip().strip("'\"") for x in fields]
    return (
        fields[:-1] if len(fields) > 1 and not fields[-1] and line.endswith(delimiter) else fields
    )


def _is_data(line: str) -> bool:
    """Whether a line without comment sign holds a row: half of its fields are numbers, or none is
    a word that could be a name.
    """
    fields = [x for x in re.split(r"[\s,;|]+", line.strip(" ,;|\t")) if x]
    numbers = sum(parse_number(x) is not None or x.casefold() in MISSING for x in fields)
    return 2 * numbers >= len(fields) and any(parse_number(x) is not None for x in fields)


def _delimiter(lines: list[str]) -> str:
    """What separates the fields of all these rows."""
    for delimiter in ("|", ";", "&", "\t", ","):
        if all(delimiter in line.strip() for line in lines):
            counts = {len(split(line, delimiter)) for line in lines[:50]}
            if delimiter != "\t" or (len(counts) == 1 and max(counts) > 2):
                return delimiter
    return ""


def _header_fields(line: str, n: int) -> list[list[str]]:
    """The ways to cut a header into n names (or, last, into fewer)."""
    ways = []
    for delimiter in ("|", ",", ";", "&", "\t", "  ", ""):
        if delimiter.strip() and delimiter not in line:
            continue
        fields = split(line, delimiter)
        if delimiter == "":  # "depth (ppm) error (ppm)": a unit belongs to the word before it
            merged: list[str] = []
            for token in re.findall(r"(?:\([^)]*\)|\[[^\]]*\]|[^\s(\[]+)+|\S", line):
                if merged and token[0] in "([" and parse_unit(token):
                    merged[-1] += " " + token
                else:
                    merged.append(token)
            fields = merged if len(merged) == n or len(fields) != n else fields
            fields = [x.strip("'\"") for x in fields]
        if len(fields) > 1:
            ways.append(fields)
    exact = [fields for fields in ways if len(fields) == n]
    exact += [fields for fields in (_by_units(line, n), _by_words(line, n)) if fields]
    return exact + [fields for fields in ways if len(fields) < n]


def _by_units(line: str, n: int) -> list[str]:
    """n names of which each ends in its unit: "Wavelength (um) Transit depth (ppm) Error (ppm)"."""
    names, start = [], 0
    for bracket in re.finditer(r"[(\[][^()\[\]]*[)\]](?![\^*²])", line):
        if parse_unit(bracket[0]):
            names.append(line[start : bracket.end()].strip(" ,;|"))
            start = bracket.end()
    if line[start:].strip(" ,;|"):
        names.append(line[start:].strip(" ,;|"))
    return names if len(names) == n and n > 2 else []


def _by_words(line: str, n: int) -> list[str]:
    """n names of several words each between single blanks ("wavelength bin half width transit depth
    uncertainty"), if there is but one sequence of roles into which the words can be cut.
    """
    words = line.replace(",", " ").split()
    if not 3 <= n < len(words) <= 12 or _PROSE & {word.casefold() for word in words}:
        return []
    found: dict[tuple[str, ...], list[str]] = {}
    for cuts in itertools.combinations(range(1, len(words)), n - 1):
        ends = (0, *cuts, len(words))
        names = [" ".join(words[a:b]) for a, b in itertools.pairwise(ends)]
        roles = tuple(describe(name).role for name in names)
        known = len(set(roles)) == n and not {UNKNOWN, IGNORED, "difference"} & set(roles)
        errors = {"error", "error_up", "error_low"} & set(roles)
        if known and errors and "depth" in roles and _score(names):
            found.setdefault(roles, names)
    return next(iter(found.values())) if len(found) == 1 else []


_PROSE = frozenset("a and are as at by for from is of on per the this was were with".split())


def _score(names: list[str]) -> int:
    """How many of the names have a known role, 0 if that is no header of a spectrum."""
    roles = [describe(name).role for name in names]
    known = [role for role in roles if role not in (UNKNOWN, IGNORED)]
    where = {"wavelength", "wavenumber", "low_edge"} & set(known)
    return len(known) if where and len(known) > 1 and len(names[0]) < 80 else 0


def _numbered(comments: list[str], n: int) -> list[str] | None:
    """Names from comments such as "Column 1: wavelength (um)", if there is one for each column."""
    found: dict[int, str] = {}
    for line in comments:
        match = re.match(
            r"(?:col(?:umn)?s?\.?\s*#?)?\s*(\d+)\s*[:=.)\-–]+\s*(.{1,80})$", line, re.I
        )
        if match and int(match[1]) not in found:
            found[int(match[1])] = match[2].strip()
    start = min(found, default=1)
    names = [found.get(i, "") for i in range(start, start + n)]
    return names if n > 1 and start in (0, 1) and all(names) and _score(names) else None


def _names(
    path: Path, before: list[tuple[int, str, bool]], n: int, first: list[str], texts: int
) -> tuple[list[str], list[str]]:
    """The columns' names and units ("" where there are none).

    Args:
      path: for the message.
      before: (line number, text without comment sign, whether it had one) above the rows.
      n: number of columns.
      first: fields of the first row.
      texts: how many of the last columns hold text.
    """
    best: tuple[int, list[str], int] = (0, [], -1)
    for i, (_, line, comment) in enumerate(before[-200:], max(0, len(before) - 200)):
        for names in _header_fields(line, n):
            if len(names) == n - 1 and first[0] in ("0", "1") and not comment:
                names = ["", *names]  # the row numbers that pandas writes have no name
            elif not n - texts <= len(names) <= n:
                continue
            score = _score(names)
            if score and score >= best[0]:
                best = (score, names, i)
                break
    if best[1]:
        names = best[1] + [""] * (n - len(best[1]))
        following = before[best[2] + 1 :][:1]
        units = [""] * n
        if following:
            fields = next(iter(_header_fields(following[0][1], n)), [])
            if len(fields) == n and all(not x or parse_unit(x) for x in fields):
                units = [x.strip("-") for x in fields]
        return names, units
    numbered = _numbered([line for _, line, comment in before if comment], n)
    if numbered:
        return numbered, [""] * n
    for number, line, comment in before:
        if not comment:
            ways = _header_fields(line, n)
            if ways and len(ways[0]) == n:
                return ways[0], [""] * n
            fields = re.split(r"[\s,;|]+", line.strip())
            problem = f"column 1 is {quoted(fields[0])}, not a number, and the line does not name "
            fail(path, problem + f"the {n} columns", "correct it, or put # before it", number)
    return [""] * n, [""] * n


def _rows(
    path: Path, lines: list[str]
) -> tuple[list[tuple[int, str, bool]], list[tuple[int, str]], str]:
    """What stands above the first row, the rows with their line numbers, and a unit of depth."""
    above: list[tuple[int, str, bool]] = []
    rows: list[tuple[int, str]] = []
    depth_unit, keyword = "", ""
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line or _RULE.fullmatch(_COMMENT.sub("", line)):
            continue
        if line.startswith("@"):  # Pyrat Bay's keywords; the value is on the next line
            keyword = line
            continue
        if keyword == "@DEPTH_UNITS":
            depth_unit, keyword = line, ""
            continue
        comment = _COMMENT.match(raw)
        if comment:
            if not rows:
                above.append((number, raw[comment.end() :].strip(), True))
            continue
        body = line.partition("#")[0].strip()
        if not rows and not _is_data(body):
            above.append((number, line, False))
        elif body:
            rows.append((number, body))
    if keyword == "@DATA" and rows:
        count = len(split(rows[0][1], ""))
        above.insert(0, (0, " ".join(_PYRAT_BAY[:count]), True))
    return above, rows, depth_unit


def _fields(path: Path, rows: list[tuple[int, str]], delimiter: str) -> list[list[str]]:
    """The rows' fields, as many in each."""
    table = [split(line, delimiter) for _, line in rows]
    n = len(table[0])
    for (number, line), fields in zip(rows, table, strict=True):
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
    if wrong and (2 * len(wrong) < held or describe(name).role not in _TEXT_ROLES):
        role = f" ({name})" if name else ""
        if 2 * len(wrong) < held or (name and describe(name).role != UNKNOWN):
            problem = f"column {index + 1}{role} is {quoted(fields[wrong[0]])}, not a number"
            remedy = "correct it, or put # before a header or comment"
            fail(path, problem, remedy, numbers[wrong[0]])
    if wrong:
        text = ["" if gap else field for field, gap in zip(fields, missing, strict=True)]
        return Column(name, unit, np.array(text, dtype=np.str_))
    return Column(name, unit, np.array(values, dtype=np.float64))


_TEXT_ROLES = ("instrument", "planet", "quality", "good", UNKNOWN, IGNORED)


def text_table(path: Path, lines: list[str], sha256: str) -> Table:
    """The table in a text's lines.

    Raises:
      SpectrumError: no rows, rows of different length, or a word among the numbers.
    """
    above, rows, depth_unit = _rows(path, lines)
    if not rows:
        loose = [(number, line) for number, line, comment in above if not comment]
        if loose:
            number, line = loose[0]
            what = quoted(re.split(r"[\s,;|]+", line)[0])
            fail(path, f"column 1 is {what}, not a number, and no row follows", _LAYOUT, number)
        fail(path, "no data, only comments", _LAYOUT)
    notes: list[str] = []
    # "0.0145 ± 0.0001" is two columns, and so it is in a table written for LaTeX.
    rows = [(number, _PLUS_MINUS.sub(" ", line)) for number, line in rows]
    delimiter = _delimiter([line for _, line in rows])
    table = _fields(path, rows, delimiter)
    flat = [x for fields in table[:200] for x in fields if x]
    commas = sum(bool(re.fullmatch(r"[-+]?\d+,\d+([eE][-+]?\d+)?", x)) for x in flat)
    if delimiter in (";", "\t", "|", "") and commas and 2 * commas >= len(flat):
        table = [[re.sub(r"(?<=\d),(?=\d)", ".", x) for x in fields] for fields in table]
        notes.append(f"{path}: commas are taken for decimal marks")
    n = len(table[0])
    numbers = [number for number, _ in rows]
    texts = 0
    while texts < n - 1 and parse_number(table[0][n - 1 - texts]) is None:
        texts += 1
    names, units = _names(path, above, n, table[0], texts)
    if depth_unit:
        roles = [describe(name).role for name in names]
        units = [
            depth_unit if role == "depth" or role.startswith("error") else unit
            for role, unit in zip(roles, units, strict=True)
        ]
    columns: list[Column] = []
    for i, name in enumerate(names):
        cells = [fields[i] for fields in table]
        ends = [_RANGE.fullmatch(cell) for cell in cells]
        if all(ends):  # a bin as "1.12-1.14"
            for group, edge in ((1, "low edge"), (2, "high edge")):
                side = [match[group] for match in ends if match]
                title = f"{name or 'wavelength'} {edge}"
                columns.append(_column(path, i, title, units[i], side, numbers))
        else:
            columns.append(_column(path, i, name, units[i], cells, numbers))
    form = {",": "CSV", "": "text"}.get(delimiter, "text")
    return Table(path, tuple(columns), np.array(numbers), form, sha256=sha256, notes=tuple(notes))
