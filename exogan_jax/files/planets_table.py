"""A table of stars and planets, one row per spectrum, in place of a `.par` file beside each.

    name,star_radius,mass,mass_error,temperature,temperature_error
    WASP-39b,0.90,0.28,0.03,,
    HD189733b.dat,0.756,1.13,0.05,1200,100

`name` is a spectrum's file, with its ending or without. A value with an error is a measurement: a
prior of the retrieval. Without one it is a true value, which a retrieval does not see, as in a
`.par` file. Units are those of the columns where the table has any, else R_sun, M_J, R_J and K.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from exogan_jax.files.splitting import split_at
from exogan_jax.files.text import SpectrumError
from exogan_jax.parameters import UNITS
from exogan_jax.retrieval.priors import Normal

if TYPE_CHECKING:
    from astropy.table import Table

    from exogan_jax.files.spectra import Spectrum

_ROLES = {"mass": "M_J", "radius": "R_J", "temperature": "K"}
#: What else a column may be called: the NASA Exoplanet Archive's names among them.
_SYNONYMS = {
    "name": ("name", "file", "spectrum", "planet", "pl_name"),
    "star_radius": ("star_radius", "stellar_radius", "r_star", "rs", "st_rad"),
    "mass": ("mass", "pl_bmassj", "pl_massj"),
    "radius": ("radius", "pl_radj"),
    "temperature": ("temperature", "t_eq", "teq", "pl_eqt"),
}
_ERRORS = ("{}_error", "{}_err", "e_{}", "{}err1", "{}_sigma")


class Planet(NamedTuple):
    """A row."""

    star_radius: float | None  # [R_sun]
    truth: Mapping[str, float]  # role -> value, in M_J, R_J, K
    measured: Mapping[str, Normal]  # role -> prior


def read_planets(path: str | os.PathLike[str]) -> dict[str, Planet]:
    """Reads a table: CSV, ECSV, or another format that astropy guesses.

    Returns:
      by names, as the table has them.

    Raises:
      SpectrumError: no such table, no names, two rows of one name, or a value that cannot be; it
        names the row.
    """
    from astropy.table import Table

    try:
        form = "ascii.ecsv" if str(path).endswith(".ecsv") else "ascii"
        table = Table.read(path, format=form)
    except Exception as error:  # astropy raises many kinds
        raise SpectrumError(f"{path}: not a table ({str(error).splitlines()[0]})") from None
    return planets_of(path, table)


def planets_of(path: str | os.PathLike[str], table: Table) -> dict[str, Planet]:
    """The rows of a table that was read from `path`. Raises as `read_planets`."""
    columns = {str(name).lower().removeprefix("planet_"): str(name) for name in table.colnames}

    def column(role: str) -> str | None:
        return next((columns[x] for x in _SYNONYMS[role] if x in columns), None)

    names = column("name")
    if names is None:
        raise SpectrumError(f"{path}: no column `name`, which says what file a row is of")
    found: dict[str, Planet] = {}
    for row in range(len(table)):
        name = str(table[names][row]).strip()
        if name in found:
            raise SpectrumError(f"{path}: row {row + 1}: {name} is there twice")
        star = _value(path, table, column("star_radius"), row, "R_sun")
        truth, measured = {}, {}
        for role, unit in _ROLES.items():
            own = column(role)
            value = _value(path, table, own, row, unit)
            if own is None or value is None:
                continue
            short = own.lower().removeprefix("planet_")
            spelt = [form.format(short) for form in _ERRORS]
            beside = next((columns[x] for x in spelt if x in columns), None)
            sigma = _value(path, table, beside, row, unit)
            if sigma is None:
                truth[role] = value
            else:
                measured[role] = Normal(value, sigma, unit)
        found[name] = Planet(star, truth, measured)
    return found


def _value(path: Any, table: Table, name: str | None, row: int, unit: str) -> float | None:
    """A number above 0 in a unit, None where the cell is empty."""
    if name is None:
        return None
    cell = table[name][row]
    if np.ma.is_masked(cell) or str(cell).strip().lower() in ("", "nan", "--"):
        return None
    try:
        value = float(cell) * _factor(table[name].unit, unit)
    except (TypeError, ValueError):
        value = np.nan
    if not (np.isfinite(value) and value > 0):
        what = f"{name} is {str(cell)!r}, not a number above 0 [{unit}]"
        raise SpectrumError(f"{path}: row {row + 1}: {what}; correct it, or leave it empty")
    return value


def _factor(given: Any, unit: str) -> float:
    """From a column's unit to ours.

    Raises:
      ValueError: they do not convert.
    """
    if given is None:
        return 1.0
    from astropy import units as u

    ours = {"R_sun": u.R_sun, "M_J": UNITS["M_J"] * u.kg, "R_J": UNITS["R_J"] * u.m, "K": u.K}[unit]
    return float(u.Unit(given).to(ours))


def planet_of(planets: Mapping[str, Planet], file: str | os.PathLike[str]) -> Planet | None:
    """The row of a spectrum's file: by its name with the ending, or without."""
    path = Path(file)
    return next((planets[x] for x in (path.name, path.stem) if x in planets), None)


def read_with(
    planets: Mapping[str, Planet],
    file: str | os.PathLike[str],
    grid_um: np.ndarray,
    *,
    star_radius: float | None = None,
    split: Sequence[float] = (),
    offsets: bool = False,
    **choices: Any,
) -> Spectrum:
    """A spectrum with what its row tells, which goes before its `.par` file.

    Args:
      planets: from `read_planets`; none: the spectrum alone.
      file, grid_um, **choices: as for `read_spectrum`.
      star_radius: in R_sun, before the row's.
      split, offsets: as `edges_um` and `wanted` of `splitting.split_at`.

    Raises:
      SpectrumError: as `read_spectrum`.
    """
    from exogan_jax.files.spectra import read_spectrum

    planet = planet_of(planets, file)
    if star_radius is None and planet is not None:
        star_radius = planet.star_radius
    spectrum = read_spectrum(file, grid_um, star_radius=star_radius, **choices)
    spectrum = with_planet(split_at(spectrum, split, offsets), planet)
    if planets and planet is None:
        note = f"{file}: the table of planets has no row of that name"
        spectrum = spectrum._replace(notes=(*spectrum.notes, note))
    return spectrum


def with_planet(spectrum: Spectrum, planet: Planet | None) -> Spectrum:
    """The spectrum with what a row tells of its planet, which goes before what it has."""
    if planet is None:
        return spectrum
    truth = {k: v for k, v in spectrum.truth.items() if k not in planet.measured}
    priors = {k: v for k, v in spectrum.priors.items() if k not in planet.truth}
    return spectrum._replace(truth={**truth, **planet.truth}, priors={**priors, **planet.measured})
