"""Whether points can be a planet's spectrum, before anything is computed.

What cannot be meant is refused, unless the user has settled it by `--columns` or `--units`; then,
as where there is only a doubt, it is a note. Either names the column, the row, what was read, and
the remedy.
"""

from __future__ import annotations

import numpy as np

from exogan_jax.files.patterns import looks_like_width
from exogan_jax.files.points import Points
from exogan_jax.files.roles import Reading
from exogan_jax.files.tables import Table
from exogan_jax.files.units import DEPTHS, SMALLEST_ERROR

_DEEPEST = 0.1  # a planet of a third of its star's radius
_LEAST_ERROR = 1e-7
_BLUEST_UM, _REDDEST_UM = 0.05, 300.0  # beyond, no spectrum of a transit is taken


class _Judge:
    """Collects notes, or fails, about the rows of one table."""

    def __init__(self, table: Table, reading: Reading, points: Points):
        self.table, self.reading, self.points = table, reading, points
        self.notes: list[str] = []

    def title(self, *roles: str) -> str:
        """The column of the first of these roles that there is."""
        role = next((r for r in roles if r in self.reading.parts), "")
        return self.table.title(self.reading.parts[role].column, role) if role else "column"

    def doubt(self, bad: np.ndarray, what: str, remedy: str, *, grave: bool) -> None:
        """Refuses, or notes, what holds at the rows `bad`; {} in `what` is the first row's."""
        if not bad.any():
            return
        first = int(np.flatnonzero(bad)[0])
        row = int(self.points.rows[first])
        if grave and not self.reading.settled:
            self.table.fail(what, remedy, row)
        more = f" and {bad.sum() - 1} more" if bad.sum() > 1 else ""
        self.notes.append(f"{self.table.path}: {self.table.where(row)}{more}: {what}; {remedy}")


def check_points(table: Table, reading: Reading, points: Points) -> tuple[str, ...]:
    """Notes on what is doubtful.

    Raises:
      SpectrumError: what cannot be meant.
    """
    judge = _Judge(table, reading, points)
    _check_depths(judge)
    _check_errors(judge)
    _check_bins(judge)
    _check_overlap(judge)
    return tuple(judge.notes)


def check_range(table: Table, reading: Reading, points: Points) -> tuple[str, ...]:
    """The same of wavelengths, where no model's grid is there to tell.

    Raises:
      SpectrumError: none of them is one at which transits are seen.
    """
    judge, w = _Judge(table, reading, points), points.wavelength_um
    strange = (w < _BLUEST_UM) | (w > _REDDEST_UM)
    if strange.all():
        what = f"{judge.title('wavelength', 'wavenumber', 'low_edge')} begins at {w[0]:.4g} um"
        judge.doubt(strange, what, "say its unit by --units wavelength=UNIT", grave=True)
    return tuple(judge.notes)


def _first(bad: np.ndarray) -> int:
    return int(np.flatnonzero(bad)[0]) if bad.any() else 0


def _check_depths(judge: _Judge) -> None:
    depth, table, points = judge.points.depth, judge.table, judge.points
    title, units = judge.title("depth", "rp_rs"), points.units
    unit = units.get("depth", units.get("rp_rs", "fraction"))
    bad = depth <= 0
    if bad.any():
        row = _first(bad)
        what = f"{title} is {depth[row]:g} as a fraction, not positive"
        table.fail(
            what,
            "give the whole (Rp/Rs)^2, not a difference; average noisy pixels first",
            int(points.rows[row]),
        )
    middle = float(np.median(depth))
    first = f"{title} is {depth[0]:.3g} as a fraction (read in {unit})"
    likely = [
        name
        for name, factor in DEPTHS.items()
        if name != unit and 1e-4 <= middle / DEPTHS[unit] * factor <= 0.05
    ]
    name = likely[0] if likely else "UNIT"
    remedy = f"if the unit is another, say --units {'depth' if 'depth' in units else 'rp_rs'}="
    remedy += f"{name},error={name}" + ("" if name == "ppm" else "; if it is Rp/Rs, use --columns")
    if np.any(depth >= 1):
        row = _first(depth >= 1)
        table.fail(
            f"{title} is {depth[row]:.3g} as a fraction, 1 or more", remedy, int(points.rows[row])
        )
    everywhere = np.ones(len(depth), bool)
    if middle > _DEEPEST:
        what = f"{first}, a planet of {np.sqrt(middle):.2f} stellar radii"
        judge.doubt(everywhere, what, remedy, grave=True)
    elif middle < 1e-6:
        judge.doubt(everywhere, f"{first}, less than the Moon's before the Sun", remedy, grave=True)
    w = points.wavelength_um
    ratio = np.maximum(depth / middle, middle / depth)
    odd = ratio > 3
    if odd.any() and not odd.all():
        row = _first(odd)
        times = f"{depth[row] / middle:.3g} times the median"
        what = f"{title} is {depth[row]:.3g}, {times}"
        judge.doubt(odd, what, "put # before the row if it is no measurement", grave=False)
    if looks_like_width(w, depth) and np.ptp(depth) > 0:
        what = f"{title} looks like the bins' width: {depth[0]:.3g} at {w[0]:.4g} um"
        judge.doubt(everywhere, what, "name the columns by --columns", grave=True)


def _check_errors(judge: _Judge) -> None:
    points = judge.points
    depth, sigma = points.depth, points.sigma
    title = judge.title("error", "error_up", "error_low")
    units = points.units
    unit = units.get("error", units.get("error_up", units.get("error_low", "fraction")))
    remedy = "say the units by --units depth=UNIT,error=UNIT, or the roles by --columns"
    above = sigma > depth
    if above.any():
        row = _first(above)
        what = f"{title} is {sigma[row]:.3g} as a fraction (read in {unit}), above the depth "
        what += f"{depth[row]:.3g}"
        judge.doubt(above, what, remedy, grave=bool(np.median(sigma) > np.median(depth)))
    small = sigma < _LEAST_ERROR
    if small.any():
        row = _first(small)
        what = f"{title} is {sigma[row]:.3g} as a fraction (read in {unit}), below 0.1 ppm"
        judge.doubt(small, what, remedy, grave=True)
    elif np.median(sigma) < SMALLEST_ERROR:
        what = f"{title} is {sigma[0]:.3g} as a fraction (read in {unit}), less than any "
        judge.doubt(sigma < SMALLEST_ERROR, what + "instrument has reached", remedy, grave=False)


def _check_bins(judge: _Judge) -> None:
    points = judge.points
    w, half = points.wavelength_um, points.half_width_um
    roles = ("half_width", "full_width", "width", "high_edge")
    title = judge.title(*roles)
    wide = half > 0.1 * w
    if wide.sum() > 1:
        row = _first(wide)
        what = f"{title} gives the bin at {w[row]:.4g} um a half width of {half[row]:.3g} um"
        remedy = "if it is no bin width or has another unit, say so by --columns or --units"
        impossible = bool(np.any(half > 0.5 * w))
        judge.doubt(wide, what, remedy, grave=impossible)


def _check_overlap(judge: _Judge) -> None:
    """Bins that overlap within one instrument, and wavelengths that are there twice."""
    points = judge.points
    w, half = points.wavelength_um, points.half_width_um
    names = points.instrument
    groups = [np.arange(len(w))]
    if names is not None:
        groups = [np.flatnonzero(names == name) for name in np.unique(names)]
    twice, overlap = np.zeros(len(w), bool), np.zeros(len(w), bool)
    for group in groups:
        order = group[np.argsort(w[group], kind="stable")]
        distance, reach = np.diff(w[order]), half[order][:-1] + half[order][1:]
        twice[order[1:]] |= distance <= 1e-9 * w[order[1:]]
        shared = reach - distance
        narrow = np.minimum(half[order][:-1], half[order][1:])
        overlap[order[1:]] |= (shared > 0.5 * narrow) & (narrow > 0) & ~twice[order[1:]]
    within = "within one instrument" if names is not None else "and no column names instruments"
    if twice.any():
        row = _first(twice)
        what = f"wavelength {w[row]:g} um is there twice {within}"
        remedy = "all are kept, as visits of their own; remove those that are copies"
        judge.doubt(twice, what, remedy, grave=False)
    elif overlap.any():
        row = _first(overlap)
        what = f"the bin at {w[row]:.4g} um overlaps its neighbour {within}"
        remedy = "if widths are half what was read, or other, say so by --columns"
        judge.doubt(overlap, what, remedy, grave=False)
