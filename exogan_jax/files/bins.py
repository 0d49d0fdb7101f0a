"""The bins of a spectrum in um, from the columns of a reading."""

from __future__ import annotations

import numpy as np

from exogan_jax.files.patterns import is_flag, touching
from exogan_jax.files.roles import REMEDY, WIDTH_ROLES, Reading
from exogan_jax.files.tables import Table
from exogan_jax.files.units import WAVENUMBER, length_units, to_um


def _length_unit(table: Table, reading: Reading, wavelength: np.ndarray, column: int) -> str:
    """The unit of wavelengths that have none: the only one that is plausible."""
    fits = length_units(wavelength)
    if len(fits) == 1:
        return fits[0]
    role = "wavelength" if "wavelength" in reading.parts else "low_edge"
    title = table.title(column)
    found = f"{title} runs from {wavelength.min():g} to {wavelength.max():g}"
    remedy = f"say its unit: --units {role}=um (or nm, Angstrom, m, mm, cm-1)"
    if fits:
        table.fail(f"{found}, which can be in {' or '.join(fits)}", remedy)
    if 0 < wavelength.min() < wavelength.max() < 0.2:
        remedy += "; multiply by 1000 if these are mm"
    if np.any((wavelength > 0.2) & (wavelength < 60)) and wavelength.min() > 0:
        return "um"  # some lie outside what models know, and are named later
    table.fail(f"{found}: no wavelength within what a model knows in um, nm, Angstrom or m", remedy)


def bins_of(
    table: Table, reading: Reading, keep: np.ndarray, units: dict[str, str], notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Bin centres and half widths in um, of the rows `keep` (n,); 0 where no width is given.

    Args:
      table, reading: what is read.
      keep: rows that hold a point.
      units: role -> unit, to which the units that were used are added.
      notes: to which what was inferred is added.

    Raises:
      SpectrumError: values that are no bins, or units in doubt.
    """
    parts = reading.parts
    main = next(r for r in ("wavelength", "wavenumber", "low_edge") if r in parts)
    every = table.columns[parts[main].column].values
    values = every[keep]
    for name in (main, *(r for r in ("low_edge", "high_edge", *WIDTH_ROLES) if r in parts)):
        given = table.columns[parts[name].column].values[keep]
        if np.isinf(given).any():
            row = int(np.argmax(np.isinf(given)))
            what = f"{table.title(parts[name].column, name)} is {given[row]:g}, not a finite number"
            table.fail(what, "correct it, or put # before the row", int(keep[row]))
    if np.any(values <= 0):
        row = int(np.flatnonzero(values <= 0)[0])
        what = f"{table.title(parts[main].column, main)} is {values[row]:g}, not positive"
        table.fail(what, "give wavelengths in um", int(keep[row]))
    unit = parts[main].unit or _length_unit(table, reading, values, parts[main].column)
    units[main] = unit
    if "low_edge" in parts:
        return _from_edges(table, reading, keep, main, units, notes)
    centre = to_um(every, unit)
    role = next((r for r in WIDTH_ROLES if r in parts), None)
    if role is None:
        return centre[keep], np.zeros(len(keep))
    raw = table.columns[parts[role].column].values
    title = table.title(parts[role].column, role)
    if is_flag(raw[keep]):
        row = int(np.argmax(raw[keep]))
        what = f"{title}, read as {role}, holds only 0 and 1: a flag?"
        table.fail(what, REMEDY, int(keep[row]))
    if np.any(raw[keep] < 0):
        row = int(np.argmax(raw[keep] < 0))
        what = f"{title} is {raw[keep][row]:g}, a negative bin width"
        table.fail(what, "give bin widths in um, 0 for none", int(keep[row]))
    units[role] = parts[role].unit or unit
    gaps = np.isnan(raw[keep])
    if gaps.any():
        count = int(gaps.sum())
        notes.append(f"{table.path}: no bin width in {count} row{'s' if count > 1 else ''}")
    half = _half_widths(table, reading, role, centre, units[role], notes)
    return centre[keep], np.nan_to_num(half[keep])


def _from_edges(
    table: Table,
    reading: Reading,
    keep: np.ndarray,
    main: str,
    units: dict[str, str],
    notes: list[str],
) -> tuple[np.ndarray, np.ndarray]:
    """Bins between two columns of edges."""
    both = []
    for role in ("low_edge", "high_edge"):
        part = reading.parts[role]
        units[role] = part.unit or units[main]
        both.append(to_um(table.columns[part.column].values[keep], units[role]))
    low, high = np.minimum(*both), np.maximum(*both)
    gaps = int(np.isnan(high - low).sum())
    if gaps:
        notes.append(f"{table.path}: no bin edges in {gaps} row{'s' if gaps > 1 else ''}")
    half, middle = (high - low) / 2, (low + high) / 2
    if main == "low_edge":
        return middle, np.nan_to_num(half)
    centre = to_um(table.columns[reading.parts[main].column].values[keep], units[main])
    outside = (centre < low) | (centre > high)
    if outside.any():
        row = int(np.argmax(outside))
        what = f"the wavelength {centre[row]:g} um lies outside its bin"
        table.fail(f"{what} {low[row]:g} to {high[row]:g} um", REMEDY, int(keep[row]))
    off = np.abs(centre - middle) > 0.2 * half
    if off.any():
        notes.append(
            f"{table.path}: {off.sum()} wavelengths lie off the middle of their bins, which counts"
        )
    return np.where(off, middle, centre), np.nan_to_num(half)


def _half_widths(
    table: Table, reading: Reading, role: str, centre: np.ndarray, unit: str, notes: list[str]
) -> np.ndarray:
    """Half widths in um of all rows; of a mere "width", whichever makes the bins touch."""
    part = reading.parts[role]
    raw = table.columns[part.column].values

    def in_um(half: np.ndarray) -> np.ndarray:
        if unit == WAVENUMBER:
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.abs(1e4 / (1e4 / centre - half) - 1e4 / (1e4 / centre + half)) / 2
        return to_um(half, unit)

    guessed = role == "width" or part.how == "numbers"
    if not guessed or not np.nan_to_num(raw).any():
        return in_um(raw if role == "half_width" else raw / 2)
    known = np.isfinite(centre) & np.isfinite(raw)
    as_half = touching(centre[known], in_um(raw)[known])
    as_full = touching(centre[known], in_um(raw / 2)[known])
    half = as_half >= 0.5 and as_half > as_full
    if role == "half_width" and not (as_full >= 0.5 and as_full > as_half):
        half = True
    if role == "width" or half != (role == "half_width"):
        seen = max(as_half, as_full) >= 0.5
        why = "the bins touch so" if seen else "the bins touch neither so nor as half widths"
        what = "half widths" if half else "full widths"
        notes.append(f"{table.path}: {table.title(part.column)} is read as {what}: {why}")
    return in_um(raw if half else raw / 2)
