"""The roles of columns without names, from their numbers.

TauREx 3 writes wavelength, depth, error, full bin width; petitRADTRANS and many tables of JWST
write wavelength, half width, depth, error; others edges, two-sided errors or flags. A layout is
possible if its wavelengths, depths and errors are those of a planet and its bins are narrow. One
that is possible alone is taken; of several, the only one whose bins touch; else the user must say.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from exogan_jax.files.patterns import is_flag, looks_like_width, ordered, touching
from exogan_jax.files.roles import REMEDY, Part, Reading
from exogan_jax.files.tables import Table
from exogan_jax.files.units import (
    DEEPEST,
    SHALLOWEST,
    SMALLEST_ERROR,
    SURELY_FRACTION,
    depth_units,
    length_units,
    to_um,
)

#: Layouts by number of columns.
LAYOUTS = {
    3: ("wavelength depth error",),
    4: (
        "wavelength depth error full_width",
        "wavelength half_width depth error",
        "low_edge high_edge depth error",
        "wavelength depth error_up error_low",
        "wavelength depth width error",
        "wavelength depth error quality",
    ),
    5: (
        "wavelength half_width depth error_up error_low",
        "wavelength depth error_up error_low full_width",
        "wavelength low_edge high_edge depth error",
        "low_edge high_edge wavelength depth error",
        "wavelength depth error low_edge high_edge",
        "low_edge high_edge depth error_up error_low",
        "wavelength depth error full_width quality",
        "wavelength half_width depth error quality",
    ),
    6: (
        "wavelength low_edge high_edge depth error_up error_low",
        "low_edge high_edge wavelength depth error_up error_low",
    ),
}


def _fit(
    roles: list[str], columns: list[np.ndarray], natural: bool
) -> tuple[list[str], list[str], bool] | None:
    """The units that wavelengths and depths can be in for a layout, and whether its bins touch;
    None if the layout is impossible.
    """
    by_role = dict(zip(roles, columns, strict=True))
    edges = "low_edge" in by_role
    low, high = by_role.get("low_edge"), by_role.get("high_edge")
    if low is not None and high is not None:
        if np.any(low >= high) or low.min() <= 0:
            return None
        middle, half = (low + high) / 2, (high - low) / 2
        w = by_role.get("wavelength", middle)
        if np.any((w < low) | (w > high)):
            return None
    else:
        w, half = by_role["wavelength"], np.zeros(len(columns[0]))
    if w.min() <= 0:
        return None
    for role in ("half_width", "full_width", "width"):
        if role in by_role:
            half = by_role[role] / (1 if role == "half_width" else 2)
            if half.min() < 0 or is_flag(by_role[role]):
                return None
    if np.sum(half > 0.1 * w) > 1:
        return None
    if "quality" in by_role and not is_flag(by_role["quality"]):
        return None
    depth = by_role["depth"]
    up = by_role.get("error", by_role.get("error_up"))
    down = by_role.get("error", by_role.get("error_low"))
    if up is None or down is None or up.min() <= 0 or looks_like_width(w, depth):
        return None
    if not (np.all(down < 0) or np.all(down > 0)):
        return None
    if not 0.2 <= np.median(np.abs(down)) / np.median(up) <= 5:
        return None
    sigma = (up + np.abs(down)) / 2
    lengths, depths = length_units(w), depth_units(depth, sigma)
    # Numbers above 0.04 and below a third may be Rp/Rs.
    surely = depths == ["fraction"] and np.median(depth) <= SURELY_FRACTION
    if not surely and SHALLOWEST <= np.median(depth) ** 2 <= DEEPEST:
        depths = [*depths, "Rp/Rs"] if np.median(sigma) < np.median(depth) else depths
    if natural and (lengths != ["um"] or depths != ["fraction"]):
        return None
    if not lengths or not depths or np.median(sigma) < SMALLEST_ERROR * (1 if natural else 0):
        return None
    others = [c for r, c in by_role.items() if r in ("depth", "error", "error_up", "error_low")]
    if any(np.all(np.abs(np.abs(other) - w) <= 0.5 * w) for other in others):
        return None  # another column of wavelengths
    if not ordered(w) and (not natural or any(ordered(other, 1.0) for other in others)):
        return None
    touch = max(touching(w, half), touching(w, 2 * half))
    bins = (edges and "wavelength" in by_role) or touch >= 0.5
    return lengths, depths, bool(bins)


def _diagnose(table: Table, columns: Sequence[np.ndarray]) -> None:
    """Fails with what is wrong if the columns are wavelength, depth, error, bin width."""
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
    table.fail(
        f"no header, and the {n} columns ({first}, ...) fit no known layout"
        if n > 3
        else f"no header, and {first} are no wavelength, depth and error with known units",
        REMEDY + " and --units um,ppm,ppm",
        0,
    )


def _no_length(table: Table, w: np.ndarray) -> None:
    """Fails for wavelengths that are in no unit."""
    found = f"{w.min():g} to {w.max():g}"
    remedy = "give wavelengths in um, or say their unit: --units nm,fraction,fraction"
    table.fail(f"no wavelength within what a model knows (found {found})", remedy, 0)


def positional_reading(table: Table) -> Reading:
    """The reading of a table without names.

    Raises:
      SpectrumError: no layout is possible, or several are; or the units are in doubt.
    """
    numeric = [i for i, column in enumerate(table.columns) if column.numeric]
    texts = [i for i in range(len(table.columns)) if i not in numeric]
    whole = np.all([np.isfinite(table.columns[i].values) for i in numeric], axis=0)
    if len(numeric) not in LAYOUTS:
        word = "column" if len(table.columns) == 1 else "columns"
        layout = "give wavelength [um], depth, 1-sigma error and, if you like, bin width [um]"
        problem = f"{len(table.columns)} {word} without names"
        if len(numeric) < 3:
            table.fail(f"{problem}, where wavelength, depth and error are needed", layout, 0)
        table.fail(problem, REMEDY, 0)
    if not whole.any():
        table.fail("every row has a missing value", "give wavelength, depth and error", 0)
    columns = [table.columns[i].values[whole] for i in numeric]
    for natural in (True, False):
        fits = []
        for layout in LAYOUTS[len(numeric)]:
            found = _fit(layout.split(), columns, natural)
            if found:
                fits.append((layout.split(), found))
        if any(found[2] for _, found in fits):
            fits = [fit for fit in fits if fit[1][2]]
        if len(fits) > 1:
            ways = " or ".join(",".join(roles) for roles, _ in fits)
            problem = "no header, and the columns can be read in several ways"
            table.fail(problem, f"say which: --columns {ways}", 0)
        if fits:
            break
    else:
        _diagnose(table, columns)
    roles, (lengths, depths, _) = fits[0]
    w = columns[roles.index("wavelength")] if "wavelength" in roles else columns[0]
    depth = columns[roles.index("depth")]
    _settle_units(table, roles, w, depth, lengths, depths, numeric[roles.index("depth")])
    units = {"depth": depths[0], "error": depths[0], "error_up": depths[0], "error_low": depths[0]}
    parts = {
        role: Part(index, units.get(role, "" if role == "quality" else lengths[0]), "numbers")
        for role, index in zip(roles, numeric, strict=True)
    }
    notes = []
    labels = [set(table.columns[i].values) for i in texts]
    if len(labels) == 1 and whole.size > len(labels[0]):
        parts["instrument"] = Part(texts[0], "", "numbers")
    if np.median(depth) > 0.03 and depths == ["fraction"]:
        notes.append(
            f"{table.path}: a depth of {np.median(depth):.3g} is a planet of "
            f"{np.sqrt(np.median(depth)):.2f} stellar radii; if the column is Rp/Rs, say "
            f"--columns {','.join(roles).replace('depth', 'rp_rs')}"
        )
    return Reading(parts, notes=tuple(notes))


def _settle_units(
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
        span = [f"{to_um(np.array([wavelength.min(), wavelength.max()]), u)} um" for u in lengths]
        ways = " or ".join(f"{u} ({s})" for u, s in zip(lengths, span, strict=True))
        remedy = f"say which: --units {spelled(lengths[0], depths[0])}"
        table.fail(f"the wavelengths, {wavelength[0]:g} for one, can be in {ways}", remedy, 0)
    if len(depths) > 1 or depths == ["Rp/Rs"]:
        remedy = "say which"
        if depths[0] != "Rp/Rs":
            remedy += f": --units {spelled(lengths[0], depths[0])}"
        if "Rp/Rs" in depths:
            remedy += f": --columns {','.join(roles).replace('depth', 'rp_rs')} for Rp/Rs"
        what = f"can be in {' or '.join(depths)}" if len(depths) > 1 else "looks like Rp/Rs"
        table.fail(f"column {column + 1} (depth) is {depth[0]:g}, which {what}", remedy, 0)
