"""The points of a spectrum, in um and as fractions, from the columns of a reading.

Rows that lack a value, are flagged, or hold a limit are left out, and counted in a note.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from exogan_jax.files.bins import bins_of
from exogan_jax.files.roles import LENGTH_ROLES, VALUE_ROLES, Reading
from exogan_jax.files.tables import Table
from exogan_jax.files.units import depth_units, to_fraction


class Points(NamedTuple):
    """A spectrum's points (n,), as the file gives them but for the units."""

    wavelength_um: np.ndarray
    half_width_um: np.ndarray  # 0 where the file gives no width
    depth: np.ndarray  # (Rp/Rs)^2 as a fraction
    sigma: np.ndarray  # 1-sigma error; of two-sided errors the mean
    two_sided: np.ndarray | None  # (2, n): the error downward, the error upward; None if one
    instrument: np.ndarray | None  # (n,) text
    rows: np.ndarray  # (n,) row of the table, from 0
    star_radius: float | None  # [R_sun], if the table gives it
    units: dict[str, str]  # role -> unit that was used
    notes: tuple[str, ...]

    def where(self, kept: np.ndarray) -> Points:
        """The points at which `kept` (n,) holds."""
        arrays: dict[str, Any] = {
            name: value[..., kept]
            for name, value in self._asdict().items()
            if isinstance(value, np.ndarray)
        }
        return self._replace(**arrays)


def _kept_rows(table: Table, reading: Reading, notes: list[str]) -> np.ndarray:
    """The rows of the table that hold a measured point."""
    n = len(table.rows)
    keep = np.ones(n, bool) if reading.rows is None else np.isin(np.arange(n), reading.rows)
    needed = [r for r in VALUE_ROLES if r in reading.parts]
    centres = [r for r in ("wavelength", "wavenumber") if r in reading.parts]
    needed += centres[:1] or ["low_edge", "high_edge"]
    values = {r: table.columns[p.column].values for r, p in reading.parts.items()}

    def leave_out(bad: np.ndarray, why: str) -> None:
        nonlocal keep
        lost = np.flatnonzero(bad & keep)
        if lost.size:
            count = f"{lost.size} row{'s' if lost.size > 1 else ''}"
            first = f"{'the first on ' if lost.size > 1 else ''}{table.where(lost[0])}"
            notes.append(f"{table.path}: left out {count} {why} ({first})")
            keep = keep & ~bad

    for role in needed:
        infinite = np.isinf(values[role]) & keep
        if infinite.any():
            row = int(np.argmax(infinite))
            what = f"{table.title(reading.parts[role].column, role)} is {values[role][row]:g}"
            table.fail(f"{what}, not a finite number", "remove the row, or put # before it", row)
    for role in needed:
        coded = _is_code(values[role], keep)
        if coded.any():
            code = values[role][np.flatnonzero(coded)[0]]
            title = table.title(reading.parts[role].column, role)
            leave_out(coded, f"whose {title} is {code:g}, which stands for a missing value")
    leave_out(np.any([np.isnan(values[r]) for r in needed], axis=0), "with missing values")
    if not keep.any():
        table.fail("every row has a missing value", "give wavelength, depth and error in each row")
    for role, why in (
        ("quality", "flagged by"),
        ("good", "not good by"),
        ("limit", "that are limits by"),
    ):
        if role in values:
            bad = values[role] == 0 if role == "good" else np.nan_to_num(values[role]) != 0
            if (bad & keep).sum() == keep.sum():
                column = table.title(reading.parts[role].column, role)
                notes.append(f"{table.path}: {column} would flag every row, and is not used")
            else:
                title = table.title(reading.parts[role].column, role)
                # Of a mask alone, 1 may be what is kept.
                doubtful = "mask" in title.casefold() and 2 * (bad & keep).sum() > keep.sum()
                if doubtful and not reading.settled:
                    what = f"{title} would leave {(keep & ~bad).sum()} of {keep.sum()} rows"
                    other = "good" if role == "quality" else "quality"
                    remedy = f"say what it is by --columns: {role}, {other} (the opposite) or -"
                    table.fail(what, remedy)
                leave_out(bad, f"{why} {title} (give it - in --columns to keep them)")
    return np.flatnonzero(keep)


#: Numbers that files write where there is no value.
_CODES = (-1.0, -99.0, -99.9, -999.0, -999.9, -9999.0, -99999.0, 99.99, 999.0, 9999.0, 99999.0)


def _is_code(values: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Which values stand for a missing one: a few of a number that is far from all others."""
    code = np.isin(values, _CODES) & keep
    others = values[keep & ~code & np.isfinite(values)]
    if not code.any() or 2 * code.sum() > keep.sum() or not others.size:
        return np.zeros(len(values), bool)
    far = (values < 0) & (others.min() >= 0)
    far |= np.abs(values) > 20 * np.abs(others).max()
    return code & far


def _is_archives(table: Table, column: int) -> bool:
    """Whether a column is called as the Exoplanet Archive calls its transit depths."""
    name = table.columns[column].name.casefold().replace("_", "")
    return name.startswith(("pltrandep", "plntransdep"))


def _depth_unit(
    table: Table, reading: Reading, role: str, value: np.ndarray, error: np.ndarray, row: int
) -> str:
    """The unit of depths or Rp/Rs that have none: the only one that is plausible."""
    column = reading.parts[role].column
    title = table.title(column)
    if role == "rp_rs":
        if np.median(value) < 1:
            return "fraction"
        table.fail(f"{title} is {value[0]:g}, no Rp/Rs", f"say its unit: --units {role}=ppm", row)
    bad = value <= 0
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        what = f"{title} is {value[row]:g}, not positive"
        table.fail(what, "give the whole (Rp/Rs)^2, not a difference", row)
    fits = depth_units(value, error)
    if len(fits) == 1:
        return fits[0]
    names = ", ".join(fits) if fits else "no unit"
    remedy = "say its unit: --units depth=ppm,error=ppm (or percent, per mille, fraction)"
    if 0.1 < np.median(value) < 0.32 and fits != ["ppm"]:
        remedy += ", or --columns with rp_rs if it is Rp/Rs"
    scatter = float(np.median(error))
    if scatter > np.median(value):
        what = f"the error beside it, {error[0]:g}, is larger: are they in different units?"
    elif fits:
        what = f"which can be in {' or '.join(fits)}"
    else:
        what = f"with the error {error[0]:g} a planet's depth in {names}"
    table.fail(f"{title} is {value[0]:g}, {what}", remedy, row)


def _are_bounds(value: np.ndarray, low: np.ndarray, up: np.ndarray) -> bool:
    """Whether columns named lower and upper are the ends of an interval about the depths."""
    around = np.all(up >= value) and np.all(low <= value) and np.median(up) > np.median(value)
    return bool(around and np.median(low) > 0.5 * np.median(value))


def _value_notes(
    table: Table, reading: Reading, units: dict[str, str], value: np.ndarray
) -> list[str]:
    """What is doubtful about the units of depths and of their errors."""
    notes: list[str] = []
    part = reading.parts.get("depth")
    if part is None:
        return notes
    title, unit = table.title(part.column, "depth"), units["depth"]
    if not part.unit and 0.04 < np.median(value) < 0.32:
        notes.append(
            f"{table.path}: {title} has no unit and is {value[0]:.3g}, read in {unit}; if it is "
            "Rp/Rs, say --columns rp_rs"
        )
    if not part.unit and unit != "percent" and _is_archives(table, part.column):
        notes.append(
            f"{table.path}: the Exoplanet Archive gives {title} in percent; here it has no unit, "
            f"and is read in {unit} (--units depth=percent)"
        )
    if unit != "percent" and "percent" in (units.get(r) for r in VALUE_ROLES if r != "depth"):
        notes.append(
            f"{table.path}: errors in percent beside depths in {unit} are read as shares of the "
            "star's light, not of the depth"
        )
    return notes


def _values(
    table: Table, reading: Reading, keep: np.ndarray, units: dict[str, str], notes: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Depths, errors, and two-sided errors (2, n) or None, as fractions."""

    def column(role: str) -> np.ndarray:
        return table.columns[reading.parts[role].column].values[keep]

    parts = reading.parts
    role = "depth" if "depth" in parts else "rp_rs"
    value = column(role)
    sides: list[str] = [r for r in ("error_low", "error_up") if r in parts] or ["error"]
    errors = {}
    sought = {side: column(side) for side in sides}
    if len(sides) == 2 and _are_bounds(value, sought["error_low"], sought["error_up"]):
        sought = {"error_low": value - sought["error_low"], "error_up": sought["error_up"] - value}
        title = table.title(parts["error_low"].column, "error_low")
        notes.append(
            f"{table.path}: {title} and its like are bounds: their distances from the depth are "
            "the errors"
        )
    for side, raw in sought.items():
        if side == "error_low" and np.all(raw <= 0):
            raw = -raw  # signed, as the archive writes it
        bad = raw <= 0
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            what = f"{table.title(parts[side].column, side)} is {raw[row]:g}, not positive"
            table.fail(what, "give 1-sigma errors above 0", int(keep[row]))
        errors[side] = raw
    units[role] = parts[role].unit
    if not units[role]:
        declared = [parts[side].unit for side in sides if parts[side].unit]
        mean = np.mean(list(errors.values()), axis=0)
        if not declared:
            units[role] = _depth_unit(table, reading, role, value, mean, int(keep[0]))
        else:  # the errors' unit is known: the depths' is the one that gives a planet
            scaled = to_fraction(mean, declared[0])
            alone = depth_units(value, np.minimum(scaled, value))
            same = to_fraction(value, declared[0])
            fits = 1e-5 <= np.median(same) <= 0.1
            units[role] = declared[0] if fits or len(alone) != 1 else alone[0]
            if fits and alone == ["fraction"] and declared[0] != "fraction":
                what = f"{table.title(parts[role].column, role)} has no unit, but its errors have"
                table.fail(what, "say it: --units depth=UNIT", int(keep[0]))
    depth = to_fraction(value, units[role])
    converted = {}
    for side, raw in errors.items():
        units[side] = parts[side].unit or units[role]
        converted[side] = to_fraction(raw, units[side])
    notes += _value_notes(table, reading, units, value)
    if role == "rp_rs":
        converted = {side: 2 * np.abs(depth) * error for side, error in converted.items()}
        depth = np.sign(depth) * depth**2
        notes.append(
            f"{table.path}: {table.title(parts[role].column, role)} is Rp/Rs: squared, its "
            "errors propagated"
        )
    if len(sides) == 1:
        if sides[0] != "error":
            notes.append(f"{table.path}: only one side's errors are given; taken for both")
        return depth, converted[sides[0]], None
    low, up = converted["error_low"], converted["error_up"]
    most = float(np.max(np.abs(up - low) / np.minimum(up, low)))
    if most > 0.005:
        notes.append(
            f"{table.path}: errors up and down differ by up to {100 * most:.0f} %; kept, "
            "but the likelihood takes their mean as a Gaussian's"
        )
    return depth, (low + up) / 2, np.stack([low, up])


def points_of(table: Table, reading: Reading) -> Points:
    """The points of a reading.

    Raises:
      SpectrumError: no row is left, a value is not positive, or a unit is in doubt.
    """
    notes = list(reading.notes)
    keep = _kept_rows(table, reading, notes)
    units: dict[str, str] = {}
    centre, half = bins_of(table, reading, keep, units, notes)
    depth, sigma, sides = _values(table, reading, keep, units, notes)
    guessed = [
        f"{table.title(part.column)} is {role}" + (f" [{units[role]}]" if role in units else "")
        for role, part in reading.parts.items()
        if part.how == "numbers" or (role in units and not part.unit)
    ]
    known_roles = [r for r in (*LENGTH_ROLES, *VALUE_ROLES) if r in reading.parts]
    if any(reading.parts[r].how == "numbers" for r in known_roles):
        notes.append(f"{table.path}: read by the numbers: {', '.join(guessed)}")
    elif guessed:
        notes.append(f"{table.path}: units by the numbers: {', '.join(guessed)}")
    instrument = None
    if "instrument" in reading.parts:
        column = table.columns[reading.parts["instrument"].column]
        if column.numeric:
            name = column.name or "instrument"
            gaps = np.isnan(column.values)
            text = np.where(gaps, "", [f"{name} {x:g}" for x in column.values])
        else:
            text = column.values
            if text[0] and (text == "").any() and reading.rows is None:
                last = np.maximum.accumulate(np.where(text != "", np.arange(len(text)), 0))
                text = text[last]
                notes.append(
                    f"{table.path}: rows without an instrument are taken to be of the one above"
                )
        instrument = text[keep] if (text[keep] != "").any() else None
    star = None
    if "star_radius" in reading.parts:
        radii = table.columns[reading.parts["star_radius"].column].values[keep]
        known = radii[np.isfinite(radii)]
        star = float(known[0]) if known.size and np.ptp(known) == 0 else None
    return Points(centre, half, depth, sigma, sides, instrument, keep, star, units, tuple(notes))
