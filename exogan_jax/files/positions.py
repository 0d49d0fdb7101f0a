"""The roles of columns without names, from their numbers.

TauREx 3 writes wavelength, depth, error, full bin width; petitRADTRANS and many tables of JWST
write wavelength, half width, depth, error; others edges, two-sided errors or flags. A layout is
possible if its wavelengths, depths and errors are those of a planet and its bins are narrow. One
that is possible alone is taken; of several, the only one whose bins touch; else the user must say.
"""

from __future__ import annotations

import numpy as np

from exogan_jax.files.diagnosis import diagnose, fail_for_gaps, fail_for_text, settle_units
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
    if np.sum(half > 0.1 * w) > 1 or np.any(half > 0.25 * w):
        return None
    if "quality" in by_role and not is_flag(by_role["quality"]):
        return None
    depth = by_role["depth"]
    up = by_role.get("error", by_role.get("error_up"))
    down = by_role.get("error", by_role.get("error_low"))
    if up is None or down is None or up.min() <= 0:
        return None
    if looks_like_width(w, depth) and (len(roles) > 3 or np.ptp(depth) > 0):
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
    if any(np.all(np.abs(np.abs(x) - w) <= 0.5 * w) and ordered(x, 1.0) for x in others):
        return None  # another column of wavelengths
    # Three columns have one order; of three rows no order shows.
    certain = ordered(w) or (len(roles) == 3 and len(w) < 4)
    if not certain and (not natural or any(ordered(other, 1.0) for other in others)):
        return None
    touch = max(touching(w, half), touching(w, 2 * half))
    bins = (edges and "wavelength" in by_role) or touch >= 0.5
    return lengths, depths, bool(bins)


def _possible(
    columns: list[np.ndarray],
) -> list[tuple[list[str], tuple[list[str], list[str], bool]]]:
    """The layouts that these columns can have: one in um and fractions whose bins touch, or else
    all that are possible in any unit.
    """
    fits: dict[bool, list[tuple[list[str], tuple[list[str], list[str], bool]]]] = {}
    for natural in (True, False):
        every = [layout.split() for layout in LAYOUTS[len(columns)]]
        found = [(roles, _fit(roles, columns, natural)) for roles in every]
        fits[natural] = [(roles, fit) for roles, fit in found if fit]
        touching_bins = [fit for fit in fits[natural] if fit[1][2]]
        if touching_bins:
            return touching_bins
    more = [fit for fit in fits[False] if fit[0] not in [roles for roles, _ in fits[True]]]
    return fits[True] + more


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
            fail_for_text(table, texts)
            table.fail(f"{problem}, where wavelength, depth and error are needed", layout, 0)
        table.fail(problem, REMEDY, 0)
    fail_for_gaps(table, numeric, whole)
    columns = [table.columns[i].values[whole] for i in numeric]
    fits = _possible(columns)
    if len(fits) > 1:
        ways = " or ".join(",".join(roles) for roles, _ in fits)
        problem = "no header, and the columns can be read in several ways"
        table.fail(problem, f"say which: --columns {ways}", 0)
    if not fits:
        three = _fit(LAYOUTS[3][0].split(), columns[:3], True)
        diagnose(table, columns, three is not None)
    roles, (lengths, depths, _) = fits[0]
    w = columns[roles.index("wavelength")] if "wavelength" in roles else columns[0]
    depth = columns[roles.index("depth")]
    settle_units(table, roles, w, depth, lengths, depths, numeric[roles.index("depth")])
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
