"""Catalogues in one table: one row per spectrum, its wavelengths, depths and errors in cells.

    ECSV     cells that hold lists: `subtype: 'float64[null]'`, as astropy writes them
    FITS     columns of arrays, of one length or of variable ones, in a binary table
    NetCDF   variables along `spectrum`, those of the points along another dimension too (or along
             that alone, where all spectra share them); shorter ones are filled up with NaN
    TFDS     a dataset's folder, see `catalogue_tfds`

Columns of one value per row are the spectrum's: `name`, and those of `planets_table`. The others
are its table, which is read as one of a file of its own: by names, units and numbers.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy.table import Table as AstropyTable

from exogan_jax.files.astropy_tables import check_yaml
from exogan_jax.files.catalogue_tfds import is_tfds, tfds_table
from exogan_jax.files.planets_table import Planet, planet_of, planets_of, with_planet
from exogan_jax.files.spectra import Spectrum, reading_sha256, spectrum_of_table
from exogan_jax.files.splitting import split_at
from exogan_jax.files.tables import Column, Table
from exogan_jax.files.text import SpectrumError, fail

_MAGIC = {b"SIMPLE  =": "FITS", b"\x89HDF\r\n\x1a\n": "NetCDF", b"# %ECSV": "ECSV"}
_REMEDY = (
    "give a table with one row per spectrum: ECSV with lists in cells, FITS with columns of arrays"
)
#: In the header of an ECSV: columns that astropy would make of others.
_OBJECTS = ("__serialized_columns__", "!astropy.table.SerializedColumn")


class CatalogueRow(NamedTuple):
    """One spectrum of a catalogue, not read yet."""

    name: str
    table: Table
    planet: Planet | None

    def read(
        self,
        planets: Mapping[str, Planet],
        grid_um: np.ndarray,
        *,
        split: Any = (),
        offsets: bool = False,
        select: str | None = None,
        star_radius: float | None = None,
        **choices: Any,
    ) -> Spectrum:
        """The spectrum; arguments as for `planets_table.read_with`.

        Raises:
          SpectrumError: it cannot be read; names file and row.
        """
        del select  # of several spectra in a file: here each has a row
        planet = planet_of(planets, self.name) or self.planet
        if star_radius is None and planet is not None:
            star_radius = planet.star_radius
        try:
            found = spectrum_of_table(self.table, grid_um, star_radius=star_radius, **choices)
        except SpectrumError as error:
            path, why = self.table.path, str(error).removeprefix(f"{self.table.path}: ")
            raise SpectrumError(f"{path}: {self.table.label}: {why}") from None
        found = with_planet(split_at(found, split, offsets), planet)
        # Another row of the file is nothing to this one.
        return found._replace(name=self.name, sha256=reading_sha256(found))


def read_catalogue(path: str | os.PathLike[str]) -> list[CatalogueRow]:
    """The rows of a catalogue.

    Raises:
      SpectrumError: no such file, or not a table of spectra; names the row and the remedy.
    """
    path = Path(path)
    form = "TFDS" if is_tfds(path) else _form(path)
    readers = {"FITS": _fits, "ECSV": _ecsv, "NetCDF": _netcdf, "TFDS": tfds_table}
    try:
        table = readers[form](path)
    except SpectrumError:
        raise
    except Exception as error:  # astropy and xarray raise many kinds
        fail(path, f"a damaged {form} file ({' '.join(str(error).split())[:120]})", "make it again")
    return _rows(path, table, form)


def _form(path: Path) -> str:
    """What a file begins like."""
    try:
        with path.open("rb") as file:
            begin = file.read(8)
    except OSError as error:
        fail(path, str(error.strerror).lower(), "check the path")
    if begin.startswith(b"CDF"):
        return "NetCDF"
    for magic, form in _MAGIC.items():
        if begin.startswith(magic[:8]):
            return form
    fail(path, "neither ECSV, FITS nor NetCDF", _REMEDY)


def _fits(path: Path) -> AstropyTable:
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
        if len(tables) != 1:
            fail(path, f"holds {len(tables)} binary tables, not one", _REMEDY)
        return AstropyTable.read(tables[0])


def _ecsv(path: Path) -> AstropyTable:
    with path.open(encoding="utf-8") as file:
        header = list(itertools.takewhile(lambda line: line.startswith("#"), file))
    if any(word in line for line in header for word in _OBJECTS):
        fail(path, "its header asks for objects", "save plain numbers, text and lists")
    check_yaml(path, header)
    return AstropyTable.read(path, format="ascii.ecsv")


def _netcdf(path: Path) -> AstropyTable:
    import xarray as xr

    with xr.open_dataset(path, decode_times=False) as data:
        if "spectrum" not in data.sizes:
            fail(path, "has no dimension `spectrum`", _REMEDY)
        table = AstropyTable()
        n = data.sizes["spectrum"]
        for name, variable in data.variables.items():
            values, dims = variable.values, variable.dims
            if dims[:1] != ("spectrum",) and len(dims) == 1:  # shared by all
                values = np.broadcast_to(values, (n, *values.shape))
            elif dims[:1] != ("spectrum",):
                continue
            key = "name" if name == "spectrum" and "name" not in data.variables else str(name)
            table[key] = values
            unit = str(variable.attrs.get("units", ""))
            if unit:
                table[key].unit = unit
        return table


def _rows(path: Path, table: AstropyTable, form: str) -> list[CatalogueRow]:
    """Each row with its own table."""
    many = [n for n in table.colnames if table[n].ndim == 2 or _holds_arrays(table[n])]
    if not many or not len(table):
        fail(path, "no column holds arrays, one per spectrum", _REMEDY)
    single = [n for n in table.colnames if n not in many and table[n].ndim == 1]
    plain = table[single]
    for name in single:
        if plain[name].dtype.kind in "SO":
            plain[name] = [x.decode() if isinstance(x, bytes) else str(x) for x in plain[name]]
    planets = planets_of(path, plain)
    digest = hashlib.sha256(str(path).encode(errors="replace")).hexdigest()
    rows = []
    for number, name in enumerate(planets):
        columns = [_column(path, table, column, number, name) for column in many]
        lengths = {column.values.size for column in columns}
        label = f"row {number + 1} ({name})"
        if len(lengths) != 1:
            sizes = ", ".join(f"{c.name} {c.values.size}" for c in columns)
            fail(path, f"{label}: arrays of different lengths ({sizes})", "give each point all")
        kept = tuple(columns)
        numbers = [c.values for c in columns if c.numeric]
        if numbers:
            # What fills up is NaN in all, but in wavelengths that all spectra share.
            use = np.isfinite(np.stack(numbers)).sum(axis=0) > 1
            kept = tuple(Column(c.name, c.unit, c.values[use]) for c in columns)
        n = kept[0].values.size
        own = Table(path, kept, np.arange(1, n + 1), form, "point", label, digest)
        rows.append(CatalogueRow(name, own, planets[name]))
    return rows


def _holds_arrays(column: Any) -> bool:
    return column.dtype.kind == "O" and any(np.ndim(x) == 1 for x in column[:100])


def _column(path: Path, table: AstropyTable, name: str, row: int, spectrum: str) -> Column:
    """One cell as a column of the spectrum's own table."""
    cell = table[name][row]
    values: Any = np.ma.filled(np.ma.asarray(cell, float), np.nan) if _is_number(cell) else None
    if values is None:
        texts = [x.decode() if isinstance(x, bytes) else str(x) for x in np.ravel(cell)]
        values = np.char.strip(np.array(texts, dtype=str))
    if values.ndim != 1:
        fail(path, f"row {row + 1} ({spectrum}): {name} holds no list", _REMEDY)
    return Column(name, str(table[name].unit or ""), values)


def _is_number(cell: Any) -> bool:
    kind = np.ma.asarray(cell).dtype.kind
    if kind == "O":
        return all(x is None or isinstance(x, (int, float, np.number)) for x in np.ravel(cell))
    return kind in "biuf"
