"""Observed spectra as text: the published `.dat` format, with the `.par` file beside it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from exogan_jax.files.atomic import replacing
from exogan_jax.files.par import Truth, format_par, gases_of, read_par
from exogan_jax.files.text import SpectrumError, fail, parse_number, quoted, read_lines
from exogan_jax.layout import Layout
from exogan_jax.physics.observation import Observation, check, grid_range

__all__ = ["Spectrum", "SpectrumError", "notes_for", "read_spectrum", "write_spectrum"]

_COLUMNS = ("wavelength", "depth", "error", "bin width")
_LAYOUT = "give wavelength [um], depth, 1-sigma error and, if you like, bin width [um]"


class Spectrum(NamedTuple):
    """A spectrum as read from its file."""

    name: str  # the file's stem
    path: Path
    observation: Observation  # n points; depths and errors times (R_star/R_sun)^2
    truth: Truth  # what its .par file tells of the planet; see `par.truth_theta`
    star_radius: float  # [R_sun]
    notes: tuple[str, ...]  # one-line warnings
    sha256: str  # of the .dat file's content


def _parse_table(path: Path, lines: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The rows of a table (n, 3 or 4), and each row's line number (n,)."""
    rows: list[list[float]] = []
    numbers: list[int] = []
    for number, raw in enumerate(lines, 1):
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        tokens = re.split(r"\s*,\s*|\s+", line.removesuffix(",").rstrip())
        values = [parse_number(token) for token in tokens]
        if None in values[: len(_COLUMNS)]:
            column = values.index(None)
            problem = f"column {column + 1} ({_COLUMNS[column]}) "
            problem += (
                f"is {quoted(tokens[column])}, not a number" if tokens[column] else "is empty"
            )
            fail(path, problem, "correct it, or put # before a header or comment", number)
        if not 3 <= len(tokens) <= 4:
            hint = ", with a point as decimal mark" if "," in line and len(tokens) > 4 else ""
            word = "column" if len(tokens) == 1 else "columns"
            fail(path, f"{len(tokens)} {word} instead of 3 or 4", _LAYOUT + hint, number)
        if rows and len(tokens) != len(rows[0]):
            problem = f"{len(tokens)} columns, but line {numbers[0]} has {len(rows[0])}"
            fail(path, problem, "give every row the same columns", number)
        rows.append(values)  # type: ignore[arg-type]
        numbers.append(number)
    if not rows:
        fail(path, "no data, only comments", _LAYOUT)
    return np.array(rows), np.array(numbers)


def _check_distinct(path: Path, wavelength: np.ndarray, numbers: np.ndarray) -> None:
    order = np.argsort(wavelength, kind="stable")
    same = np.flatnonzero(np.diff(wavelength[order]) == 0)
    if same.size:
        first, second = numbers[order[same[0]]], numbers[order[same[0] + 1]]
        value = wavelength[order[same[0]]]
        problem = f"wavelength {value:g} um is also on line {first}"
        fail(path, problem, "keep one of them, or their weighted mean", int(second))


def _on_grid(
    path: Path, wavelength: np.ndarray, numbers: np.ndarray, grid_um: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Which points (n,) lie on a model's grid, and a note if some do not."""
    low, high = grid_range(grid_um)  # what the binning operator knows
    inside = (wavelength >= low) & (wavelength <= high)
    if not inside.any():
        remedy = "give wavelengths in um"
        if wavelength.min() > high:
            remedy += ": divide by 1000 if these are nm, by 10000 if Angstrom"
        elif wavelength.max() < 1e-3:
            remedy += ": multiply by 1e6 if these are m"
        problem = f"no wavelength within the model's {low:.2f}-{high:.1f} um"
        found = f"found {wavelength.min():g} to {wavelength.max():g}"
        fail(path, f"{problem} ({found})", remedy, int(numbers[0]))
    if inside.all():
        return inside, []
    count, first = np.sum(~inside), numbers[~inside][0]
    points = f"{count} point{'s' if count > 1 else ''}"
    outside = f"outside {low:.2f}-{high:.1f} um, the first on line {first}"
    return inside, [f"{path}: left out {points} {outside}"]


def _check_values(path: Path, table: np.ndarray, numbers: np.ndarray) -> None:
    """Every value of the table, with the line of the first that is wrong."""

    def reject(bad: np.ndarray, column: int, problem: str, remedy: str) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            name, value = _COLUMNS[column], table[row, column]
            text = f"column {column + 1} ({name}) is {value:g}{problem}"
            fail(path, text, remedy, int(numbers[row]))

    for column in range(table.shape[1]):
        remedy = "remove the row, or put # before it"
        reject(~np.isfinite(table[:, column]), column, ", not a finite number", remedy)
    depth = table[:, 1]
    reject(table[:, 0] <= 0, 0, ", not positive", "give wavelengths in um")
    unit = (
        "ppm: divide depths and errors by 1e6"
        if np.median(depth) > 100
        else ("percent: divide depths and errors by 100")
    )
    remedy = f"give (Rp/Rs)^2 as a fraction; these look like {unit}"
    reject(depth >= 1, 1, ", 1 or more", remedy)
    reject(depth <= 0, 1, ", not positive", "give the whole (Rp/Rs)^2, not a difference")
    reject(table[:, 2] <= 0, 2, ", not positive", "give 1-sigma errors above 0")
    if table.shape[1] == 4:
        width = table[:, 3]
        reject(width < 0, 3, ", negative", "give full bin widths in um, 0 for none")
        # An error is never far above the bin's width; a depth in its place is.
        if np.all((width > 0) & (table[:, 2] > 10 * width)):
            problem = "the columns look like wavelength, half width, depth, error"
            remedy = f"{_LAYOUT}, in this order (leave the widths out if they are right)"
            fail(path, problem, remedy, int(numbers[0]))


def read_spectrum(
    path: str | os.PathLike[str], grid_um: Float[np.ndarray, " w"] | None = None
) -> Spectrum:
    """Reads a spectrum: columns wavelength [um], depth (Rp/Rs)^2, 1-sigma error.

    Columns are separated by blanks or commas, in rows of any order; # starts a comment. A fourth
    column is the full width of each bin in um, as in TauREx 3; without it, or at width 0, a depth
    is that of the model's own bin. A file of the same stem that ends in `.par` gives the star's
    radius and true values (`par`); without it the star is taken to have 1 R_sun, with a note.

    Args:
      path: the table.
      grid_um: (w,) a model's wavelengths: points off them are dropped, with a note. None keeps all.

    Raises:
      SpectrumError: anything wrong with either file; one line with file, line number and remedy.
    """
    path = Path(path)
    if path.suffix == ".par":
        fail(path, "is a parameter file", "name the spectrum; its .par is found beside it")
    lines, sha256 = read_lines(path)
    table, numbers = _parse_table(path, lines)
    _check_values(path, table, numbers)
    _check_distinct(path, table[:, 0], numbers)
    notes: list[str] = []
    if grid_um is not None:
        inside, notes = _on_grid(path, table[:, 0], numbers, grid_um)
        table = table[inside]
    par = path.with_suffix(".par")
    star_radius = 1.0
    truth: Truth = {}
    if par.exists():
        star_radius, truth = read_par(par)
    else:
        notes.append(f"{path}: no {par.name} beside it, so the star is taken to have 1 R_sun")

    depth, sigma = table[:, 1] * star_radius**2, table[:, 2] * star_radius**2
    if np.any(depth >= 1):
        problem = f"[Star] radius = {star_radius:g} makes the planet larger than the Sun"
        fail(par, problem, "give the star's radius in R_sun")
    half_width = table[:, 3] / 2 if table.shape[1] == 4 else np.zeros(len(table))
    observation = check(Observation(table[:, 0], half_width, depth, sigma), str(path))
    return Spectrum(path.stem, path, observation, truth, star_radius, tuple(notes), sha256)


def notes_for(spectrum: Spectrum, layout: Layout) -> tuple[str, ...]:
    """What is odd about a spectrum for a problem, one line each: depths far from those of its
    training set, true values of gases that it does not retrieve.
    """
    notes = []
    typical = float(np.median(spectrum.observation.depth))
    low, high = layout.depth_range
    if not low / 2 < typical < high * 2:
        notes.append(
            f"{spectrum.path}: the median depth {typical:.2g} (for 1 R_sun) is far from the "
            f"training set's {low:.4f}-{high:.3f}; are the units and the star's radius right?"
        )
    others = sorted(set(gases_of(spectrum.truth)) - set(layout.parameters.gases))
    if others:
        par = spectrum.path.with_suffix(".par")
        notes.append(f"{par}: not retrieved: {', '.join(others).upper()}")
    return tuple(notes)


def write_spectrum(
    path: str | os.PathLike[str],
    observation: Observation,
    *,
    truth: Truth | None = None,
    star_radius: float = 1.0,
) -> None:
    """Writes a spectrum that `read_spectrum` reads back: `path` and a `.par` beside it.

    Args:
      path: the file to write, its name not ending in `.par`.
      observation: depths and errors for a star of 1 R_sun; they are divided by `star_radius`^2.
      truth: true values by role or gas; `par.truth_of` makes it of a theta.
      star_radius: in R_sun.

    Raises:
      ValueError: an observation that could not be read back.
      OSError: the folder is missing or not writable.
    """
    path = Path(path)
    if not star_radius > 0:
        raise ValueError(f"{path}: star_radius must be above 0, got {star_radius}")
    wavelength, half_width, depth, sigma, _ = check(observation, str(path))
    depth, sigma = depth / star_radius**2, sigma / star_radius**2
    check(Observation(wavelength, half_width, depth, sigma), str(path))
    columns = [wavelength, depth, sigma]
    if np.any(half_width > 0):
        columns.append(2 * half_width)
    names = ["wavelength [um]", "depth (Rp/Rs)^2", "1-sigma error", "bin width [um]"]
    lines = ["# " + ", ".join(names[: len(columns)])]
    lines += [" ".join(repr(float(x)) for x in row) for row in zip(*columns, strict=True)]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with replacing(path.with_suffix(".par")) as temporary:
        temporary.write_text(format_par(float(star_radius), truth or {}), encoding="utf-8")
