"""The spectra that a file holds, before their values are taken: tables, and readings of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from exogan_jax.files.choices import chosen_reading, chosen_units, with_choices
from exogan_jax.files.positions import positional_reading
from exogan_jax.files.roles import Reading, named_readings
from exogan_jax.files.row_marks import by_kind, with_marks
from exogan_jax.files.tables import Column, Table, open_tables
from exogan_jax.files.text import SpectrumError
from exogan_jax.files.units import DEPTHS, to_fraction, to_um


def _readings(table: Table, columns: str | None, units: str | None) -> list[Reading]:
    """The spectra of one table."""
    if columns is not None:
        readings = [chosen_reading(table, columns)]
    elif table.named:
        readings = named_readings(table)
    elif units is not None:
        readings = [_positional_with_units(table, units)]
    else:
        readings = [positional_reading(table)]
    split: list[Reading] = []
    for reading in readings:
        split += _by_planet(table, reading, choose=columns is None)
    if columns is None:
        split = [own for reading in split for own in by_kind(table, reading)]
    if units is not None:
        chosen = chosen_units(table, units, columns)
        split = [with_choices(table, reading, chosen) for reading in split]
    return split


def _positional_with_units(table: Table, units: str) -> Reading:
    """The layout of columns without names whose units the user says."""
    chosen = chosen_units(table, units, None)
    columns = list(table.columns)
    for index, unit in chosen.items():
        column = columns[index]
        if column.numeric and unit != "fraction":
            convert = to_fraction if unit in DEPTHS else to_um
            columns[index] = Column(column.name, "", convert(column.values, unit))
    return positional_reading(replace(table, columns=tuple(columns)))


def _by_planet(table: Table, reading: Reading, choose: bool) -> list[Reading]:
    """A reading for each planet that the table names; with `choose`, of the columns that hold
    most of its points: archives have the depths of some and Rp/Rs of others.
    """
    part = reading.parts.get("planet")
    if part is None or table.columns[part.column].numeric:
        return [reading]
    names = table.columns[part.column].values
    found = list(dict.fromkeys(str(name) for name in names if name))
    if len(found) < 2:
        return [reading]
    label = f"{reading.label} " if reading.label else ""
    out = []
    for name in found:
        rows = np.flatnonzero(names == name)
        own = reading
        if choose:
            same = [r for r in named_readings(table, rows) if r.label == reading.label]
            own = same[0] if same else reading
        out.append(replace(own, label=label + name, rows=rows))
    return out


def readings_of(path: Path, columns: str | None, units: str | None) -> list[tuple[Table, Reading]]:
    """The spectra of a file's tables; tables that hold none are passed over if others do.

    Raises:
      SpectrumError: the file cannot be opened, or none of its tables holds a spectrum.
    """
    found: list[tuple[Table, Reading]] = []
    errors = []
    for table in map(with_marks, open_tables(path)):
        try:
            with np.errstate(all="ignore"):
                found += [(table, reading) for reading in _readings(table, columns, units)]
        except SpectrumError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    return found


def readings_of_table(table: Table, columns: str | None, units: str | None) -> list[Reading]:
    """The spectra of ONE table that is open already.

    Raises:
      SpectrumError: it holds none, or the choices do not fit it.
    """
    with np.errstate(all="ignore"):
        return _readings(table, columns, units)
