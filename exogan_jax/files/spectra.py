"""Observed spectra from files: any table that an observer has, with the `.par` file beside it.

The steps are modules of their own: `tables` opens a file, `roles` (by names) or `positions` (by
numbers) say which column is what, `points` brings units and errors to one form, `plausible` refuses
what cannot be meant.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from exogan_jax.files.par import Par, Truth, gases_of, read_par
from exogan_jax.files.plausible import check_points, check_range
from exogan_jax.files.points import Points, points_of
from exogan_jax.files.reach import reached
from exogan_jax.files.readings import readings_of, readings_of_table
from exogan_jax.files.roles import Reading
from exogan_jax.files.row_marks import with_marks
from exogan_jax.files.tables import Table
from exogan_jax.files.text import SpectrumError, fail, quoted
from exogan_jax.files.writing import write_spectrum

if TYPE_CHECKING:
    from exogan_jax.layout import Layout
    from exogan_jax.physics.observation import Observation
    from exogan_jax.retrieval.priors import Prior

__all__ = [
    "Spectrum",
    "SpectrumError",
    "notes_for",
    "read_spectra",
    "read_spectrum",
    "write_spectrum",
]


class Spectrum(NamedTuple):
    """A spectrum as read from its file."""

    name: str  # the file's stem, with the label of one spectrum among several
    path: Path
    observation: Observation  # n points; depths and errors times (R_star/R_sun)^2
    truth: Truth  # what its .par file tells of the planet; see `par.truth_theta`
    star_radius: float  # [R_sun]
    notes: tuple[str, ...]  # one line for each reading that was inferred, and each doubt
    sha256: str  # of the file's content
    two_sided: np.ndarray | None = None  # (2, n) errors downward and upward, as `observation.sigma`
    columns: tuple[tuple[str, str, str], ...] = ()  # (title, role, unit) of each column of the file
    form: str = "text"  # the file's format
    priors: Mapping[str, Prior] = MappingProxyType({})  # role -> measurement in its .par file

    @property
    def instrument(self) -> np.ndarray | None:
        """Names of the points' instruments (n,), None if the file has none."""
        names = self.observation.instrument
        return None if names is None else np.array(names, dtype=str)


def reading_sha256(spectrum: Spectrum) -> str:
    """Of what was made of the file: another reading of the same file has another."""
    digest = hashlib.sha256()
    for values in spectrum.observation[:4]:
        digest.update(np.ascontiguousarray(values, np.float64).tobytes())
    if spectrum.instrument is not None:
        digest.update("\n".join(map(str, spectrum.instrument)).encode())
    return digest.hexdigest()


def _star(table: Table, points: Points, star_radius: float | None) -> tuple[Par, list[str]]:
    """What is known of the star and the planet, and notes."""
    path = table.path
    par = path.with_suffix(".par")
    told = Par(1.0, {}, {})
    notes: list[str] = []
    if par.exists():
        told = read_par(par)
    elif star_radius is None and points.star_radius:
        told = told._replace(star_radius=points.star_radius)
        notes.append(f"{path}: the table gives the star {told.star_radius:g} R_sun, which is used")
    elif star_radius is None:
        notes.append(f"{path}: no {par.name} beside it, so the star is taken to have 1 R_sun")
    if star_radius is not None:
        if not star_radius > 0:
            fail(path, f"star_radius is {star_radius}, not positive", "give it in R_sun")
        told = told._replace(star_radius=float(star_radius))
    radius = told.star_radius
    if told.star_error and star_radius is None:
        share = f"{100 * told.star_error / radius:.2g} %"
        notes.append(
            f"{par}: the star's radius is known to {share}; so is the planet's, beside what the "
            "result says (both go together)"
        )
    if np.any(points.depth * radius**2 >= 1):
        problem = f"[Star] radius = {radius:g} makes the planet larger than the Sun"
        fail(par if par.exists() else path, problem, "give the star's radius in R_sun")
    return told, notes


def _spectrum(
    table: Table,
    reading: Reading,
    star_radius: float | None,
    several: bool,
    grid_um: np.ndarray | None,
    n_usable: int | None,
) -> Spectrum:
    """One spectrum of a table."""
    from exogan_jax.physics.observation import Observation, check, grid_range

    path = table.path
    with np.errstate(all="ignore"):  # a damaged file's numbers overflow; they are refused by value
        points = points_of(table, reading)
        notes = [*table.notes, *points.notes, *check_points(table, reading, points)]
        if grid_um is None:
            notes += check_range(table, reading, points)
        else:
            bluest = None
            if n_usable is not None and n_usable < len(grid_um):
                bluest = float(np.min(grid_um[:n_usable]))
            inside, more = reached(table, reading, points, grid_range(grid_um), bluest)
            points = points.where(inside)
            notes += more
    told, more = _star(table, points, star_radius)
    scale = told.star_radius**2
    observation = Observation(
        points.wavelength_um,
        points.half_width_um,
        points.depth * scale,
        points.sigma * scale,
        None if points.instrument is None else tuple(map(str, points.instrument)),
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
        told.truth,
        told.star_radius,
        tuple(notes + more),
        table.sha256,
        sides,
        columns,
        table.form,
        told.measured,
    )


def read_spectra(
    path: str | os.PathLike[str],
    grid_um: Float[np.ndarray, " w"] | None = None,
    *,
    n_usable: int | None = None,
    columns: str | None = None,
    units: str | None = None,
    star_radius: float | None = None,
) -> list[Spectrum]:
    """Reads all spectra of a file; see `read_spectrum`.

    Raises:
      SpectrumError: one of them cannot be read.
    """
    found = readings_of(Path(path), columns, units)
    return [_spectrum(*one, star_radius, len(found) > 1, grid_um, n_usable) for one in found]


def read_spectrum(
    path: str | os.PathLike[str],
    grid_um: Float[np.ndarray, " w"] | None = None,
    *,
    n_usable: int | None = None,
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
    inferred is in the `notes`. A file of the same stem that ends in `.par` gives the star's radius
    and true values (`par`); without it the star is taken to have 1 R_sun, with a note.

    Args:
      path: the file.
      grid_um: (w,) a model's wavelengths: points off them are dropped, with a note. None keeps all.
      n_usable: only the first of these wavelengths can be compared (`Layout.n_usable`): bins that
        reach beyond are noted.
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
    several = select is not None and len(labels) > 1
    return _spectrum(*found[0], star_radius, several, grid_um, n_usable)


def notes_for(spectrum: Spectrum, layout: Layout) -> tuple[str, ...]:
    """What is odd about a spectrum for a problem, one line each: depths far from those of its
    training set, true values of gases and measured values of what it does not retrieve.
    """
    notes = []
    typical = float(np.median(spectrum.observation.depth))
    low, high = layout.depth_range
    if not low / 2 < typical < high * 2:
        notes.append(
            f"{spectrum.path}: the median depth {typical:.2g} (for 1 R_sun) is far from the "
            f"training set's {low:.4f}-{high:.3f}; are the units and the star's radius right?"
        )
    par = spectrum.path.with_suffix(".par")
    others = sorted(set(gases_of(spectrum.truth)) - set(layout.parameters.gases))
    if others:
        notes.append(f"{par}: not retrieved: {', '.join(others).upper()}")
    unused = sorted(set(spectrum.priors) - set(layout.parameters.roles))
    if unused:
        notes.append(f"{par}: not retrieved, so its error is not used: {', '.join(unused)}")
    return tuple(notes)


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels[:6]) + (", ..." if len(labels) > 6 else "")


def spectrum_of_table(
    table: Table,
    grid_um: Float[np.ndarray, " w"] | None = None,
    *,
    n_usable: int | None = None,
    columns: str | None = None,
    units: str | None = None,
    star_radius: float | None = None,
) -> Spectrum:
    """The spectrum of a table that is open already; see `read_spectrum`.

    Raises:
      SpectrumError: it cannot be read, or there are several.
    """
    table = with_marks(table)
    readings = readings_of_table(table, columns, units)
    if len(readings) > 1:
        labels = [reading.label or str(i) for i, reading in enumerate(readings, 1)]
        problem = f"{table.label}: holds {len(readings)} spectra ({_listed(labels)})"
        fail(table.path, problem, "say which columns are meant (--columns)")
    return _spectrum(table, readings[0], star_radius, False, grid_um, n_usable)
