"""Names and units of a text table's columns, from the lines above its rows.

A header may be commented out or not, cut by any sign or by blanks alone, be a list of numbered
comments ("Column 1: wavelength"), and have a line of units below it.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from exogan_jax.files.columns import IGNORED, UNKNOWN
from exogan_jax.files.names import describe
from exogan_jax.files.text import fail, quoted
from exogan_jax.files.units import parse_unit, split_unit

_LONGEST_HEADER = 4000
_MARKUP = re.compile(r"\\?\b(?:colhead|textbf|textit)\{((?:[^{}]|\{[^{}]*\})*)\}")
_QUOTED = re.compile(r'"([^"]*)"|\'([^\']*)\'|(\S+)')


def split(line: str, delimiter: str) -> list[str]:
    """The fields of a line; delimiter "" stands for blanks, "  " for two or more."""
    line = line.strip(" \r\n" if delimiter == "\t" else None)
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


def _header_fields(line: str, n: int) -> Iterator[list[str]]:
    """The ways to cut a header into n names (or, last, into fewer)."""
    line = _MARKUP.sub(r"\1", line.removeprefix("tablehead{"))
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
        if len(fields) > 1 and not any(re.fullmatch(r"[&|;,]+", x) for x in fields):
            ways.append(fields)
    yield from (fields for fields in ways if len(fields) == n)
    yield from (fields for fields in (_by_units(line, n), _by_words(line, n)) if fields)
    yield from (fields for fields in ways if len(fields) < n)


def _by_units(line: str, n: int) -> list[str]:
    """The n names of which each ends in its unit: "Wavelength (um) Transit depth (ppm)"."""
    names, start = [], 0
    for bracket in re.finditer(r"[(\[][^()\[\]]*[)\]](?![\^*²])", line):
        if parse_unit(bracket[0]):
            names.append(line[start : bracket.end()].strip(" ,;|"))
            start = bracket.end()
    if line[start:].strip(" ,;|"):
        names.append(line[start:].strip(" ,;|"))
    return names if len(names) == n and n > 2 else []


def _by_words(line: str, n: int) -> list[str]:
    """The n names of several words between single blanks ("wavelength bin half width depth"), if
    there is but one sequence of roles into which the words can be cut.
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


_RADII = re.compile(r"(?i)r_?p\s*/\s*r_?(?:s|star|\*)")  # a unit of other columns than depths
_PROSE = frozenset(
    "a and are as at by for from is of on per the this was were with".split()  # noqa: SIM905
)


def _score(names: list[str]) -> int:
    """How many of the names have a known role, 0 if that is no header of a spectrum."""
    roles = [describe(name).role for name in names]
    known = [role for role in roles if role not in (UNKNOWN, IGNORED)]
    where = {"wavelength", "wavenumber", "low_edge"} & set(known)
    return len(known) if where and len(known) > 1 and len(names[0]) < 80 else 0


def is_header(line: str) -> bool:
    """Whether a line names wavelengths, depths and errors."""
    for fields in _header_fields(line, 3):
        roles = {describe(name).role for name in fields}
        if roles & {"depth", "rp_rs"} and any(role.startswith("error") for role in roles):
            return bool(roles & {"wavelength", "wavenumber", "low_edge"})
    for delimiter in (",", ""):
        roles = {describe(name).role for name in split(line, delimiter)}
        where = roles & {"wavelength", "wavenumber", "low_edge"}
        value = roles & {"depth", "rp_rs", IGNORED}
        if where and value and any(role.startswith("error") for role in roles):
            return True
    return False


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


def _described(comments: list[str]) -> dict[str, str]:
    """Name -> unit from comments such as "COLUMN bandwidth: Band Width [microns]"."""
    found: dict[str, str] = {}
    for line in comments:
        match = re.match(r"(?:column\s+)?([\w^/*+-]+)\s*:\s+(.{1,200})$", line, re.IGNORECASE)
        pattern = r"(\([^()]*\)|\[[^\[\]]*\]|\bin\s+\S+?)[\s.]*$"
        bracket = re.search(pattern, match[2]) if match else None
        if match and bracket and parse_unit(bracket[1]):
            found[match[1].casefold()] = bracket[1].strip("()[]")
    return found


def _with_errors(names: list[str], widths: list[int]) -> list[str]:
    """Names of all columns, from those of fields that hold a value and its errors."""
    out = []
    for name, width in zip(names, widths, strict=True):
        bare, unit = split_unit(name)
        unit = f" ({unit})" if unit else ""
        kinds = ["", " error"] if width == 2 else ["", " error up", " error low"]
        out += [name, *(f"{bare}{kind}{unit}" for kind in kinds[1:width])]
    return out


def _units_beside(
    path: Path, lines: list[tuple[int, str, bool]], n: int, below: bool = True
) -> list[str]:
    """Units of n columns in one of the two lines below their names or the one above, where all
    fields must be units, or in one that begins with "units:"; "" of columns that have none. What is
    no unit stands as it is: it matters where the column is used.

    Raises:
      SpectrumError: the line gives units of fewer columns.
    """
    said = [(i, re.sub(r"^units?\s*[:=]\s*", "", x, flags=re.I)) for i, x, _ in lines]
    marked = [(i, x) for (i, x), (_, line, _) in zip(said, lines, strict=True) if x != line]
    for number, line in [*(said[:2] if below else said[-1:]), *marked]:
        cut = [[x.strip() for x in line.split(sign)] for sign in "\t,;|"]
        fields = next((x for x in cut if len(x) == n), next(_header_fields(line, n), []))
        known = [bool(parse_unit(x) or _RADII.fullmatch(x)) for x in fields if x.strip("-")]
        if not below and not all(known):
            continue
        units = bool(known) and (all(known) or (2 * sum(known) >= len(known) and sum(known) > 1))
        if len(fields) == n and units:
            return [x.strip("-") for x in fields]
        if 1 < len(fields) < n and len(known) == len(fields) and all(known):
            problem = f"gives units of {len(fields)} columns, but there are {n}"
            fail(path, problem, "give - for a column without a unit", number)
    return [""] * n


def names_of(
    path: Path,
    before: list[tuple[int, str, bool]],
    widths: list[int],
    counted: bool,
    texts: int,
) -> tuple[list[str], list[str]]:
    """The columns' names and units ("" where there are none).

    Args:
      path: for the message.
      before: (line number, text without comment sign, whether it had one) above the rows.
      widths: columns that each field of a row makes: one that holds errors too makes several, which
        may have one name.
      counted: whether the first column counts the rows, as pandas writes it without a name.
      texts: how many of the last columns hold text.
    """
    n = sum(widths)
    best: tuple[int, list[str], int] = (0, [], -1)
    for i, (_, line, comment) in enumerate(before[-200:], max(0, len(before) - 200)):
        if len(line) > _LONGEST_HEADER:
            continue
        found: tuple[int, list[str]] = (0, [])
        for names in _header_fields(line, n):
            if len(names) == n - 1 and counted and not comment:
                names = ["", *names]
            elif not n - texts <= len(names) <= n:
                continue
            found = (_score(names), names)
            if found[0]:
                break
        for names in _header_fields(line, len(widths)) if len(widths) < n else ():
            if len(names) == len(widths):
                names = _with_errors(names, widths)
                found = max(found, (_score(names), names), key=lambda way: way[0])
        if found[0] and found[0] >= best[0]:
            best = (*found, i)
    if best[1]:
        names = best[1] + [""] * (n - len(best[1]))
        units = _units_beside(path, before[best[2] + 1 :], n)
        if not any(units):
            units = _units_beside(path, before[: best[2]], n, below=False)
        described = _described([line for _, line, comment in before if comment])
        return names, [
            unit or ("" if split_unit(name)[1] else described.get(name.casefold(), ""))
            for name, unit in zip(names, units, strict=True)
        ]
    numbered = _numbered([line for _, line, comment in before if comment], n)
    if numbered:
        return numbered, [""] * n
    for number, line, comment in before:
        if not comment:
            names = next(_header_fields(line, n), [])
            if len(names) == n:
                return names, [""] * n
            fields = re.split(r"[\s,;|]+", line.strip())
            problem = f"column 1 is {quoted(fields[0])}, not a number, and the line does not name "
            fail(path, problem + f"the {n} columns", "correct it, or put # before it", number)
    for number, line, _ in before:
        if is_header(line):
            fields = max(_header_fields(line, len(line)), key=len, default=[])
            problem = f"names {len(fields)} columns, but there are {n}"
            fail(path, problem, "name each of them, or say what they are by --columns", number)
    return [""] * n, [""] * n
