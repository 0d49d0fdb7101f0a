"""What the user says of the columns and units of a file, by `--columns` and `--units`."""

from __future__ import annotations

import re
from dataclasses import replace

from exogan_jax.files.columns import DIFFERENCE, IGNORED, ROLES
from exogan_jax.files.names import describe
from exogan_jax.files.roles import LENGTH_ROLES, REMEDY, Part, Reading, listing, parts_of
from exogan_jax.files.tables import Table
from exogan_jax.files.text import quoted
from exogan_jax.files.units import DEPTHS, LENGTHS, WAVENUMBER, parse_unit


def _entry(table: Table, key: str) -> int | None:
    """The column that a user calls by its name or number, None if there is none."""
    names = [column.name for column in table.columns]
    if key in names:
        return names.index(key)
    folded = [name.casefold() for name in names]
    if key.casefold() in folded:
        return folded.index(key.casefold())
    return int(key) - 1 if key.isdecimal() and 0 < int(key) <= len(names) else None


def _chosen_role(table: Table, text: str) -> str:
    """The role that a user's word means, "" for none."""
    plain = re.sub(r"[\s-]+", "_", text.strip()).casefold()
    if plain in ("", "_", "skip", "none", "ignore"):
        return ""
    if plain in ROLES:
        return plain
    role = describe(text).role
    if role in ("", IGNORED, DIFFERENCE):
        table.fail(f"--columns: {quoted(text)} is no role", f"choose from {', '.join(ROLES)}, or -")
    return role


def chosen_columns(table: Table, columns: str) -> dict[str, int]:
    """Role -> column as the user says: "wavelength,half_width,depth,error", one per column of the
    file, or "depth=NAME,error=NAME".

    Raises:
      SpectrumError: a role or a column that there is not, or one said twice.
    """
    entries = [entry.strip() for entry in columns.split(",")]
    if not any("=" in entry for entry in entries) and len(entries) > len(table.columns):
        found = f"the file has {len(table.columns)} columns"
        table.fail(f"--columns names {len(entries)}, but {found}", "give one role a column")
    out: dict[str, int] = {}
    for position, entry in enumerate(entries):
        text, equals, name = entry.partition("=")
        role = _chosen_role(table, text)
        index = _entry(table, name.strip()) if equals else position
        if index is None:
            table.fail(f"--columns: no column {quoted(name)}", f"there are {listing(table)}")
        if role and role in out:
            table.fail(f"--columns: {role} is named twice", "name each role once")
        if role:
            out[role] = index
    return out


def chosen_units(table: Table, units: str, columns: str | None) -> dict[int, str]:
    """Column -> unit as the user says: "um,um,ppm,ppm", one per column, or "wave=mm,depth=ppm" by
    the column's name or role.

    Raises:
      SpectrumError: a unit or a column that there is not.
    """
    entries = [entry.strip() for entry in units.split(",")]
    pairs = [entry.strip() for entry in (columns or "").split(",")]
    if any("=" in entry for entry in pairs):  # in the order in which --columns named them
        places = [_entry(table, pair.partition("=")[2].strip()) for pair in pairs]
    else:
        places = list(range(len(table.columns)))
    if not any("=" in entry for entry in entries) and len(entries) > len(places):
        found = f"there are {len(places)} columns"
        table.fail(
            f"--units gives {len(entries)}, but {found}", "give one unit per column, - for none"
        )
    out: dict[int, str] = {}
    for position, entry in enumerate(entries):
        name, equals, text = entry.rpartition("=")
        indices = [places[position]] if not equals else [_entry(table, name)]
        if equals and indices == [None]:
            role = _chosen_role(table, name)
            indices = [i for i, c in enumerate(table.columns) if describe(c.name).role == role]
        if not indices or None in indices:
            table.fail(f"--units: no column {quoted(name)}", f"there are {listing(table)}")
        if text in ("", "-", "none"):
            continue
        unit = parse_unit(text)
        if unit is None:
            known = ", ".join((*LENGTHS, WAVENUMBER, *DEPTHS))
            table.fail(f"--units: {quoted(text)} is no unit", f"choose from {known}")
        out.update({index: unit for index in indices if index is not None})
    return out


def with_choices(table: Table, reading: Reading, units: dict[int, str]) -> Reading:
    """The reading with the units that the user says.

    Raises:
      SpectrumError: a length for a depth, or the like.
    """
    parts = dict(reading.parts)
    main = next((parts[r] for r in ("wavelength", "low_edge") if r in parts), None)
    for role, part in reading.parts.items():
        unit = units.get(part.column)
        if not unit and main and role in LENGTH_ROLES and part.unit == main.unit:
            unit = units.get(main.column)  # a file whose um are mm means all of them
        known = (*LENGTHS, WAVENUMBER) if role in LENGTH_ROLES else tuple(DEPTHS)
        if unit and unit not in known:
            problem = f"--units: {table.title(part.column)} is read as {role}, which has no {unit}"
            table.fail(problem, f"choose from {', '.join(known)}, or name the roles by --columns")
        if unit:
            parts[role] = Part(part.column, unit, "choice")
    return replace(reading, parts=parts)


def chosen_reading(table: Table, columns: str) -> Reading:
    """The reading that the user asks for.

    Raises:
      SpectrumError: wavelengths, depths or errors are not among it.
    """
    chosen = chosen_columns(table, columns)
    found = [(i, describe(column.name)) for i, column in enumerate(table.columns)]
    have = set(chosen)
    if not {"depth", "rp_rs"} & have or not {"error", "error_up", "error_low"} & have:
        table.fail(f"--columns {quoted(columns)} lacks a depth or an error", REMEDY)
    parts = parts_of(table, chosen, found)
    return Reading({role: part._replace(how="choice") for role, part in parts.items()})
