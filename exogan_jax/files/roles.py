"""Which column of a table plays which role, by name or as the user says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple, NoReturn

import numpy as np

from exogan_jax.files.columns import DIFFERENCE, IGNORED, UNKNOWN
from exogan_jax.files.names import Named, describe, is_no_error
from exogan_jax.files.tables import Table
from exogan_jax.files.text import quoted, shown
from exogan_jax.files.units import DEPTHS, LENGTHS, WAVENUMBER, parse_unit

LENGTH_ROLES: tuple[str, ...] = (
    "wavelength",
    "wavenumber",
    "low_edge",
    "high_edge",
    "half_width",
    "full_width",
)
LENGTH_ROLES += ("width",)
VALUE_ROLES = ("depth", "rp_rs", "error", "error_up", "error_low")
WIDTH_ROLES = ("half_width", "full_width", "width")
_ECLIPSE = re.compile(r"(?i)ecl|occ|secondary|dayside|fp|emission|thermal")
_ECLIPSE_TABLE = re.compile(r"(?i)eclips|occult|emission|dayside")
REMEDY = "say which is which: --columns wavelength,depth,error (one role a column, - for none)"


class Part(NamedTuple):
    """One column in its role."""

    column: int
    unit: str  # as in `units`; "" where the numbers must tell
    how: str  # where role and unit come from: "name", "choice" or "numbers"


@dataclass(frozen=True)
class Reading:
    """One spectrum of a table: the columns that it is made of."""

    parts: dict[str, Part]  # role -> column
    label: str = ""
    rows: np.ndarray | None = None  # which rows of the table belong to it; None for all
    notes: tuple[str, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether the user said what the columns or units are."""
        return any(part.how == "choice" for part in self.parts.values())


def listing(table: Table, indices: Iterable[int] | None = None, most: int = 8) -> str:
    """The names of columns, for a message."""
    chosen = list(range(len(table.columns)) if indices is None else indices)
    names = [shown(table.columns[i].name or f"column {i + 1}") for i in chosen]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _unit(table: Table, index: int, role: str, named: Named) -> str:
    """The unit of a column from the file: its unit's entry, or else its name."""
    written = table.columns[index].unit.strip()
    unit = parse_unit(written) if written else named.unit
    title = table.title(index)
    known = (*LENGTHS, WAVENUMBER) if role in LENGTH_ROLES else tuple(DEPTHS)
    if unit == "fraction" and role in LENGTH_ROLES:
        return ""
    if unit is None or (unit and unit not in known):
        table.fail(
            f"{title} is in {quoted(written or named.unit)}, which is no unit of a {role}",
            f"say it by --units {role}=UNIT, one of {', '.join(known)}",
        )
    return unit


def _first(table: Table, found: list[tuple[int, Named]], role: str, label: str) -> int | None:
    """The first column of this role: one with the label, or else one without."""
    # An x, where nothing says wavelength; a column without a unit, where none has one.
    names = [column.name.casefold() for column in table.columns]
    found = sorted(found, key=lambda one: (names[one[0]] == "x", not one[1].unit))
    for wanted in dict.fromkeys((label, "")):
        for index, named in found:
            if named.role == role and named.label.casefold() == wanted.casefold():
                return index
    matches = [index for index, named in found if named.role == role]
    return matches[0] if len(matches) == 1 else None


def _as_used(table: Table, index: int, named: Named) -> Named:
    """What a column's name and its values say: an "upper limit" of 0 and 1 is no end of a bin;
    words name instruments and planets, and no more.
    """
    values = table.columns[index].values
    if values.dtype.kind != "f":
        if named.role in ("instrument", "planet", IGNORED):
            return named
        return named._replace(role=UNKNOWN, label="")
    if named.role in ("low_edge", "high_edge") and np.isin(values, (0.0, 1.0)).all():
        return named._replace(role="limit")
    return named


def _errors(
    table: Table,
    found: list[tuple[int, Named]],
    value: tuple[int, Named],
    values: list[tuple[int, Named]],
) -> dict[str, int]:
    """The error columns (role -> index) of a depth or Rp/Rs column, {} if there are none."""
    of, alone = value[1].role, len({n.label for _, n in values}) == 1
    fitting = [(i, n) for i, n in found if n.role.startswith("error") and n.of in ("", of)]
    if any(n.role != of and n.label == value[1].label for _, n in values):
        # Of depths and Rp/Rs side by side, an error that does not say so is of what it follows.
        places = [i for i, _ in values]
        owner = {i: max((p for p in places if p < i), default=places[0]) for i, _ in fitting}
        units = {n.unit for _, n in values if n.role == "depth"} - {""}
        own = {i: n.unit in units if n.unit else None for i, n in fitting}  # as the depth's
        fitting = [
            (i, n)
            for i, n in fitting
            if n.of or (owner[i] == value[0] if own[i] is None else own[i] == (of == "depth"))
        ]
    labelled = [(i, n) for i, n in fitting if n.label.casefold() == value[1].label.casefold()]
    plain = [(i, n) for i, n in fitting if not n.label]
    # An error of another label may be another quantity's own: u1_err, beside u1.
    others = {table.columns[i].name.casefold() for i, n in found if n.role in (UNKNOWN, IGNORED)}
    strange = [(i, n) for i, n in fitting if n.label.casefold() not in others]
    chosen = labelled or (plain or strange if alone else plain)
    specific = [(i, n) for i, n in chosen if n.of == of]
    chosen = specific or chosen
    numbered = {n.label: i for i, n in chosen if n.role == "error"}
    if set(numbered) == {"1", "2"}:  # the archive's err1 and err2: upper and lower
        return {"error_up": numbered["1"], "error_low": numbered["2"]}
    if set(numbered) == {"2"} and value[1].label != "2":  # err2 alone may be a variance
        return {}
    out: dict[str, int] = {}
    for index, named in chosen:
        if named.role in out:
            both = f"{table.title(out[named.role])} and {table.title(index)}"
            table.fail(f"both {both} could hold the errors", REMEDY)
        out[named.role] = index
    if "error_low" in out and "error_up" not in out and "error" in out:  # E_x, e_x; err, err_low
        out["error_up"] = out.pop("error")
    elif "error_up" in out and "error_low" not in out and "error" in out:
        out["error_low"] = out.pop("error")
    return {"error": out["error"]} if "error" in out else out


def _complete(
    table: Table, index: int, errors: dict[str, int], rows: np.ndarray | None = None
) -> int:
    """How many rows, of all or some, have a value and its errors."""
    columns = [table.columns[i].values for i in (index, *errors.values())]
    held = np.all([np.isfinite(x) for x in columns if x.dtype.kind == "f"], axis=0)
    return int(np.sum(held if rows is None else held[rows]))


def _fail_without_depths(table: Table, found: list[tuple[int, Named]]) -> NoReturn:
    """Says what a table has instead."""
    eclipse = [i for i, n in found if n.role == IGNORED and _ECLIPSE.search(table.columns[i].name)]
    if eclipse:
        problem = f"{table.title(eclipse[0])} is of an eclipse, not of a transit"
        table.fail(problem, "give transit depths: emission spectra are not read")
    relative = [i for i, n in found if n.role == DIFFERENCE]
    if relative:
        problem = f"{table.title(relative[0])} holds differences from a mean, not whole depths"
        table.fail(problem, "add the mean depth, and give the whole (Rp/Rs)^2")
    table.fail(f"no column of depths is known among {listing(table)}", REMEDY)


def named_readings(table: Table, rows: np.ndarray | None = None) -> list[Reading]:
    """The spectra of a table whose columns have names, at least one.

    Args:
      table: as read.
      rows: those that matter, where a value is in one column or another; None for all.

    Raises:
      SpectrumError: no wavelengths, depths or errors among the names.
    """
    found = [
        (i, _as_used(table, i, describe(column.name))) for i, column in enumerate(table.columns)
    ]
    values = [(i, n) for i, n in found if n.role in ("depth", "rp_rs")]
    if any(n.says_value for _, n in values):  # "Transit" is a number then, "Spectrum" another
        values = [(i, n) for i, n in values if n.says_value]
    if _ECLIPSE_TABLE.search(table.label):
        problem = f"the table {quoted(table.label)} is of an eclipse, not of a transit"
        table.fail(problem, "give transit depths: emission spectra are not read")
    if not values:
        _fail_without_depths(table, found)
    notes = []
    options: dict[str, list[tuple[int, int, Named, dict[str, int]]]] = {}
    without = []
    for value in values:
        errors = _errors(table, found, value, values)
        if errors:
            complete = _complete(table, value[0], errors, rows)
            options.setdefault(value[1].label, []).append((complete, *value, errors))
        else:
            without.append(value[0])
    if not options:
        what = listing(table)
        others = [i for i, n in found if n.role == UNKNOWN and is_no_error(table.columns[i].name)]
        if others:
            problem = f"{table.title(others[0])} holds no 1-sigma errors of the depths"
            table.fail(problem, "give those, or name them by --columns")
        table.fail(f"no column of errors is known among {what}", REMEDY)
    readings, used = [], set()
    for label, group in options.items():
        # The most complete; of equals, depths rather than Rp/Rs, then the first.
        best = max(group, key=lambda g: (g[0], g[2].role == "depth", -g[1]))
        columns = {best[2].role: best[1], **best[3]}
        for i in best[3].values():
            own = describe(table.columns[i].name).label.casefold()
            if own not in ("", label.casefold(), "1", "2"):
                notes.append(f"{table.path}: {table.title(i)} is taken for the errors")
        for role in (
            *LENGTH_ROLES,
            "instrument",
            "quality",
            "good",
            "limit",
            "planet",
            "star_radius",
        ):
            index = _first(table, found, role, label)
            if index is not None:
                columns[role] = index
        columns.update(_instrument(table, found))
        parts = parts_of(table, columns, found)
        _check_twins(table, parts)
        used |= {part.column for part in parts.values()}
        readings.append(Reading(parts, label))
    unused = [
        i
        for i, n in found
        if i not in (*used, *without) and n.role != IGNORED and table.columns[i].name
    ]
    if unused:
        notes.append(f"{table.path}: left out, having no use: {listing(table, unused, 4)}")
    if without:
        notes.append(f"{table.path}: left out, having no errors: {listing(table, without, 4)}")
    return [replace(reading, notes=tuple(notes)) for reading in readings]


def _check_twins(table: Table, parts: dict[str, Part]) -> None:
    """Refuses a column that is used where another of its name holds other values."""
    for role, part in parts.items():
        mine = table.columns[part.column]
        for index, other in enumerate(table.columns):
            if index == part.column or other.name.casefold() != mine.name.casefold():
                continue
            if describe(other.name).role != describe(mine.name).role:  # VizieR's E_Depth, e_Depth
                continue
            if not np.array_equal(mine.values, other.values, equal_nan=mine.numeric):
                both = f"columns {part.column + 1} and {index + 1} are both {shown(mine.name)}"
                table.fail(f"{both}, with different values", f"say --columns {role}=NUMBER,...")


def _instrument(table: Table, found: list[tuple[int, Named]]) -> dict[str, int]:
    """The column that tells most instruments apart."""
    filled = []
    for index, named in found:
        values = table.columns[index].values
        if named.role == "instrument":
            held = values[values != ""] if values.dtype.kind == "U" else values[np.isfinite(values)]
            if held.size:
                called = "instr" in table.columns[index].name.casefold()
                filled.append((len(np.unique(held)), called, -index))
    # The one that tells most apart: STIS and WFC3 rather than HST; of equals, the first.
    return {"instrument": -max(filled)[2]} if filled else {}


def parts_of(
    table: Table, columns: dict[str, int], found: list[tuple[int, Named]]
) -> dict[str, Part]:
    """The columns with their units; those that say where a bin is must be enough."""
    edges = {"low_edge", "high_edge"} <= set(columns)
    if not edges:
        columns = {k: i for k, i in columns.items() if k not in ("low_edge", "high_edge")}
    if not ({"wavelength", "wavenumber"} & set(columns) or edges):
        table.fail(f"no column of wavelengths is known among {listing(table)}", REMEDY)
    if "wavelength" in columns:
        columns.pop("wavenumber", None)
    parts = {}
    by_index = dict(found)
    for role, index in sorted(columns.items(), key=lambda item: item[1]):
        if role not in ("instrument", "planet") and not table.columns[index].numeric:
            table.fail(f"{table.title(index)} holds text, not numbers", REMEDY)
        known = role in LENGTH_ROLES or role in VALUE_ROLES
        unit = _unit(table, index, role, by_index[index]) if known else ""
        parts[role] = Part(index, unit or (WAVENUMBER if role == "wavenumber" else ""), "name")
    return parts
