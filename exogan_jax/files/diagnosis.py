"""What is wrong with columns that have no names, in the words of who wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import numpy as np

from exogan_jax.files.patterns import ordered
from exogan_jax.files.roles import REMEDY
from exogan_jax.files.tables import Table
from exogan_jax.files.text import parse_number, quoted
from exogan_jax.files.units import length_units, to_um

_ORDER = ("wavelength", "depth", "error", "bin width")


def fail_for_text(table: Table, texts: list[int]) -> None:
    """Fails for a word where a number must be."""
    for index in texts:
        values = table.columns[index].values
        row = next((i for i, x in enumerate(values) if x and parse_number(str(x)) is None), None)
        if row is not None:
            title = table.title(index, _ORDER[index] if index < len(_ORDER) else "")
            what = f"{title} is {quoted(str(values[row]))}, not a number"
            table.fail(what, "correct it, or put # before a header or comment", row)


def fail_for_gaps(table: Table, numeric: list[int], whole: np.ndarray) -> None:
    """Fails if no row is whole, or a number is infinite."""
    for index in numeric:
        values = table.columns[index].values
        title = table.title(index, _ORDER[index] if index < len(_ORDER) else "")
        if np.isinf(values).any():
            row = int(np.argmax(np.isinf(values)))
            remedy = "remove the row, or put # before it"
            table.fail(f"{title} is {values[row]:g}, not a finite number", remedy, row)
        if not whole.any() and np.isnan(values[0]):
            table.fail(f"{title} is missing, and so in each row a value is", "give it", 0)


def diagnose(table: Table, columns: Sequence[np.ndarray], three_fit: bool) -> NoReturn:
    """Fails with what is wrong if the columns are wavelength, depth, error, bin width.

    Args:
      table: for the message.
      columns: of numbers, three at least.
      three_fit: whether the first three could be a spectrum by themselves.
    """
    w, depth, error = columns[:3]
    middle, scatter = float(np.median(depth)), float(np.median(np.abs(error)))
    n = len(table.columns)
    first = f"{w[0]:g}, {depth[0]:g}, {error[0]:g}"
    like = [i for i, c in enumerate(columns) if length_units(c) == ["um"] and ordered(c, 1.0)]
    if like and like[0] > 0 and length_units(w) != ["um"]:
        what = f"without names column 1 must hold wavelengths, but column {like[0] + 1} seems to"
        table.fail(what, REMEDY, 0)
    if n == 3 and depth.min() <= 0:
        row = int(np.argmin(depth > 0))
        problem = f"column 2 (depth) is {depth[row]:g}, not positive"
        table.fail(problem, "give the whole (Rp/Rs)^2, not a difference", row)
    if n == 3 and error.min() <= 0:
        row = int(np.argmin(error > 0))
        problem = f"column 3 (error) is {error[row]:g}, not positive"
        table.fail(problem, "give 1-sigma errors above 0", row)
    if n == 3 and w.min() <= 0:
        row = int(np.argmin(w > 0))
        table.fail(f"column 1 (wavelength) is {w[row]:g}, not positive", "give it in um", row)
    if n == 3 and scatter > middle > 0:
        problem = f"column 3 (error) is {error[0]:g}, above the depth {depth[0]:g} in column 2"
        remedy = "if the errors are in ppm, say --units um,fraction,ppm; else correct them"
        table.fail(problem, remedy, 0)
    if n == 3 and not length_units(w):
        _no_length(table, w)
    if n == 4 and three_fit:
        what = f"column 4 is {columns[3][0]:g}: no width of a bin, error or flag"
        table.fail(what, "if it is none, say --columns wavelength,depth,error,-", 0)
    table.fail(
        f"no header, and the {n} columns ({first}, ...) fit no known layout"
        if n > 3
        else f"no header, and {first} are no wavelength, depth and error with known units",
        REMEDY + " and --units um,ppm,ppm",
        0,
    )


def _no_length(table: Table, w: np.ndarray) -> NoReturn:
    """Fails for wavelengths that are in no unit."""
    found = f"{w.min():g} to {w.max():g}"
    remedy = "give wavelengths in um, or say their unit: --units nm,fraction,fraction"
    table.fail(f"no wavelength within what a model knows (found {found})", remedy, 0)


def settle_units(
    table: Table,
    roles: list[str],
    wavelength: np.ndarray,
    depth: np.ndarray,
    lengths: list[str],
    depths: list[str],
    column: int,
) -> None:
    """Fails where the numbers leave a choice of units, or could be Rp/Rs."""

    def spelled(length: str, fraction: str) -> str:
        values = ("depth", "error", "error_up", "error_low")
        units = [fraction if r in values else "-" if r == "quality" else length for r in roles]
        return ",".join(units)

    if len(lengths) > 1:
        spans = [to_um(np.array([wavelength.min(), wavelength.max()]), unit) for unit in lengths]
        pairs = zip(lengths, spans, strict=True)
        ways = " or ".join(f"{unit} ({a:.4g} to {b:.4g} um)" for unit, (a, b) in pairs)
        said = " or ".join(spelled(unit, depths[0]) for unit in lengths)
        remedy = f"say which: --units {said}"
        table.fail(f"the wavelength {wavelength[0]:g} can be in {ways}", remedy, 0)
    if len(depths) > 1 or depths == ["Rp/Rs"]:
        remedy = "say which"
        if depths[0] != "Rp/Rs":
            remedy += f": --units {spelled(lengths[0], depths[0])}"
        if "Rp/Rs" in depths:
            remedy += f": --columns {','.join(roles).replace('depth', 'rp_rs')} for Rp/Rs"
        what = f"can be in {' or '.join(depths)}" if len(depths) > 1 else "looks like Rp/Rs"
        table.fail(f"column {column + 1} (depth) is {depth[0]:g}, which {what}", remedy, 0)
