"""Observed spectra from files: any table that an observer has, with the `.par` file beside it.

The steps are modules of their own: `tables` opens a file, `roles` (by names) or `positions` (by
numbers) say which column is what, `points` brings units and errors to one form, `plausible` refuses
what cannot be meant.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from exogan_jax import grid
from exogan_jax.files.par import read_par
from exogan_jax.files.plausible import check_points
from exogan_jax.files.points import Points, points_of
from exogan_jax.files.reach import reached
from exogan_jax.files.readings import readings_of
from exogan_jax.files.roles import Reading
from exogan_jax.files.tables import Table
from exogan_jax.files.text import SpectrumError, fail, quoted
from exogan_jax.files.writing import write_spectrum

if TYPE_CHECKING:
    from exogan_jax.physics.observation import Observation

__all__ = ["Spectrum", "SpectrumError", "read_spectra", "read_spectrum", "write_spectrum"]

# The binning operator knows points up to half a step outside the grid.
_HALF_STEP = float(np.sqrt(grid.WAVELENGTH_UM[-2] / grid.WAVELENGTH_UM[-1]))
#: The model's wavelengths, to which finer spectra are averaged.
MODEL_WAVELENGTH_UM = grid.WAVELENGTH_UM
#: Wavelengths [um] of the points that are kept, and the bluest that the comparison can use.
MODEL_RANGE_UM = (
    float(grid.WAVELENGTH_UM[-1]) / _HALF_STEP,
    float(grid.WAVELENGTH_UM[0]) * _HALF_STEP,
)
BLUEST_USED_UM = float(grid.WAVELENGTH_UM[grid.N_ENCODED - 1])


class Spectrum(NamedTuple):
    """A spectrum as read from its file."""

    name: str  # the file's stem, with the label of one spectrum among several
    path: Path
    observation: Observation  # n points; depths and errors times (R_star/R_sun)^2
    truth: np.ndarray | None  # (7,) in the units of grid.PARAMETERS, NaN where unknown
    star_radius: float  # [R_sun]
    notes: tuple[str, ...]  # one line for each reading that was inferred, and each doubt
    sha256: str  # of the file's content
    instrument: np.ndarray | None = None  # (n,) names, None if the file names none
    two_sided: np.ndarray | None = None  # (2, n) errors downward and upward, as `observation.sigma`
    columns: tuple[tuple[str, str, str], ...] = ()  # (title, role, unit) of each column of the file
    form: str = "text"  # the file's format


def reading_sha256(spectrum: Spectrum) -> str:
    """Of what was made of the file: another reading of the same file has another."""
    digest = hashlib.sha256()
    for values in spectrum.observation[:4]:
        digest.update(np.ascontiguousarray(values, np.float64).tobytes())
    if spectrum.instrument is not None:
        digest.update("\n".join(map(str, spectrum.instrument)).encode())
    return digest.hexdigest()


def _star(
    table: Table, points: Points, star_radius: float | None
) -> tuple[float, np.ndarray | None, list[str]]:
    """The star's radius in R_sun, true values, and notes."""
    path = table.path
    par = path.with_suffix(".par")
    radius, truth = 1.0, None
    notes: list[str] = []
    if par.exists():
        radius, truth, more = read_par(par)
        notes += more
    elif star_radius is None and points.star_radius:
        radius = points.star_radius
        notes.append(f"{path}: the table gives the star {radius:g} R_sun, which is used")
    elif star_radius is None:
        notes.append(f"{path}: no {par.name} beside it, so the star is taken to have 1 R_sun")
    if star_radius is not None:
        if not star_radius > 0:
            fail(path, f"star_radius is {star_radius}, not positive", "give it in R_sun")
        radius = float(star_radius)
    if np.any(points.depth * radius**2 >= 1):
        problem = f"[Star] radius = {radius:g} makes the planet larger than the Sun"
        fail(par if par.exists() else path, problem, "give the star's radius in R_sun")
    typical = float(np.median(points.depth)) * radius**2
    if not grid.DEPTH_MIN / 2 < typical < grid.DEPTH_MAX * 2:
        notes.append(
            f"{path}: the median depth {typical:.2g} (for 1 R_sun) is far from the training set's "
            f"{grid.DEPTH_MIN:.4f}-{grid.DEPTH_MAX:.3f}; are the units and the star's radius right?"
        )
    return radius, truth, notes


def _spectrum(table: Table, reading: Reading, star_radius: float | None, several: bool) -> Spectrum:
    """One spectrum of a table."""
    from exogan_jax.physics.observation import Observation, check

    path = table.path
    with np.errstate(all="ignore"):  # a damaged file's numbers overflow; they are refused by value
        points = points_of(table, reading)
        notes = [*table.notes, *points.notes, *check_points(table, reading, points)]
        inside, more = reached(table, reading, points, MODEL_RANGE_UM, BLUEST_USED_UM)
    notes += more
    points = points._replace(
        **{
            name: getattr(points, name)[..., inside]
            for name in (
                "wavelength_um",
                "half_width_um",
                "depth",
                "sigma",
                "two_sided",
                "instrument",
                "rows",
            )
            if getattr(points, name) is not None
        }
    )
    radius, truth, more = _star(table, points, star_radius)
    scale = radius**2
    observation = Observation(
        points.wavelength_um, points.half_width_um, points.depth * scale, points.sigma * scale
    )
    try:
        observation = check(observation, str(path))
    except ValueError as error:
        raise SpectrumError(str(error)) from None
    by_column = {part.column: role for role, part in reading.parts.items()}
    columns = tuple(
        (
            column.name or f"column {i + 1}",
            by_column.get(i, "-"),
            points.units.get(by_column.get(i, ""), ""),
        )
        for i, column in enumerate(table.columns)
    )
    label = reading.label or table.label
    name = f"{path.stem}_{label}".replace("/", "-").replace(" ", "_") if several else path.stem
    sides = None if points.two_sided is None else points.two_sided * scale
    return Spectrum(
        name,
        path,
        observation,
        truth,
        radius,
        tuple(notes + more),
        table.sha256,
        points.instrument,
        sides,
        columns,
        table.form,
    )


def read_spectra(
    path: str | os.PathLike[str],
    *,
    columns: str | None = None,
    units: str | None = None,
    star_radius: float | None = None,
) -> list[Spectrum]:
    """Reads all spectra of a file; see `read_spectrum`.

    Raises:
      SpectrumError: one of them cannot be read.
    """
    found = readings_of(Path(path), columns, units)
    return [_spectrum(*one, star_radius, len(found) > 1) for one in found]


def read_spectrum(
    path: str | os.PathLike[str],
    *,
    columns: str | None = None,
    units: str | None = None,
    star_radius: float | None = None,
    select: str | None = None,
) -> Spectrum:
    """Reads a spectrum from text in columns, CSV, ECSV, IPAC, CDS, FITS, HDF5 or NetCDF.

    Columns are recognised by their names (the table of words in `files.columns`), or, without
    names, by their numbers where one layout alone is plausible: wavelength, depth, error and then
    full bin width, as TauREx 3 writes it, or wavelength, half width, depth, error, as petitRADTRANS
    does. Units come from the file or, where only one is plausible, from the numbers. All that was
    inferred is in the `notes`. Points off the model's grid (0.300-50.4 um) are left out, with a
    note. A file of the same stem that ends in `.par` gives the star's radius and true values
    (`par`); without it the star is taken to have 1 R_sun, with a note.

    Args:
      path: the file.
      columns: what the file's columns are, "wavelength,half_width,depth,error" (`columns.ROLES`; -
        for none), or "depth=NAME,error=NAME,wavelength=NAME".
      units: of the columns, "um,um,ppm,ppm", or "NAME=mm,NAME=ppm" by a column's name or role.
      star_radius: in R_sun, instead of what the files say.
      select: which one of several spectra in the file: its label or number.

    Raises:
      SpectrumError: anything wrong with either file, or a reading in doubt; one line with file,
        line or row, what was read, and the remedy.
    """
    path = Path(path)
    found = readings_of(path, columns, units)
    labels = [reading.label or table.label or str(i) for i, (table, reading) in enumerate(found, 1)]
    if select is not None:
        folded = [label.casefold() for label in labels]
        if select.casefold() in folded:
            found = [found[folded.index(select.casefold())]]
        elif select.isdecimal() and 0 < int(select) <= len(found):
            found = [found[int(select) - 1]]
        else:
            fail(path, f"no spectrum {quoted(select)}", f"there are {_listed(labels)}")
    if len(found) > 1:
        problem = f"holds {len(found)} spectra ({_listed(labels)})"
        fail(
            path, problem, f"choose one: --select {labels[0]} (select= in Python), or read_spectra"
        )
    return _spectrum(*found[0], star_radius, select is not None and len(labels) > 1)


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels[:6]) + (", ..." if len(labels) > 6 else "")
