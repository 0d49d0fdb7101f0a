"""Tables that carry their own description: FITS, HDF5 and NetCDF, and text that astropy knows by its
header (ECSV, IPAC, CDS).

Objects are never made from a file: only numbers and strings are taken, and the YAML header of an
ECSV may hold no tags but those of units and of plain columns.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from exogan_jax.files.tables import MISSING, Column, Table
from exogan_jax.files.text import fail, quoted

_MOST_VALUES = 10_000_000  # of one array; a small file may declare a huge one
_SAFE_TAGS = ("!!omap", "!astropy.units.Unit", "!astropy.table.SerializedColumn")


def _values(array: Any) -> np.ndarray | None:
    """A column's values as float64 or text, None if they are neither."""
    mask = np.ma.getmaskarray(array) if isinstance(array, np.ma.MaskedArray) else None
    plain = np.asarray(np.ma.getdata(array))
    if plain.dtype.kind == "O":
        if not all(isinstance(x, (str, bytes)) for x in plain.ravel()[:10_000]):
            return None
        plain = np.array([x.decode(errors="replace") if isinstance(x, bytes) else x for x in plain])
    if plain.dtype.kind == "S":
        plain = np.char.decode(plain, "latin-1")
    if plain.dtype.kind in "biuf":
        plain = plain.astype(np.float64)
        return np.where(mask, np.nan, plain) if mask is not None else plain
    if plain.dtype.kind != "U":
        return None
    plain = np.char.strip(plain)
    gaps = np.isin(np.char.lower(plain), list(MISSING))
    return np.where(gaps if mask is None else gaps | mask, "", plain)


def _columns(names: list[str], units: list[str], arrays: list[Any]) -> tuple[Column, ...]:
    """The columns that hold numbers or text, one value a row; a single row of arrays is unrolled."""
    columns = []
    for name, unit, array in zip(names, units, arrays, strict=True):
        values = _values(np.ma.ravel(array) if np.shape(array)[:1] == (1,) else array)
        if values is not None and values.ndim == 1:
            columns.append(Column(str(name), str(unit or ""), values))
    lengths = [column.values.size for column in columns]
    most = max(lengths, key=lengths.count, default=0)
    return tuple(column for column in columns if column.values.size == most)


def _from_astropy(table: Any) -> tuple[Column, ...]:
    """The columns of an astropy table."""
    names = list(table.colnames)
    units = [getattr(table[name], "unit", None) for name in names]
    arrays = []
    for name in names:
        column = table[name]
        column = getattr(column, "unmasked", column) if hasattr(column, "unmasked") else column
        array = getattr(column, "value", column) if hasattr(column, "unit") else column
        mask = getattr(table[name], "mask", None)
        data = np.ma.getdata(array)
        arrays.append(np.ma.MaskedArray(data, mask) if mask is not None else np.asarray(data))
    return _columns(names, ["" if unit is None else str(unit) for unit in units], arrays)


def header_table(path: Path, lines: list[str], form: str, sha256: str) -> Table:
    """A text table whose header astropy reads: form "ECSV", "IPAC" or "CDS".

    Raises:
      SpectrumError: astropy cannot read it.
    """
    from astropy.table import Table as AstropyTable

    if form == "ECSV":
        for number, line in enumerate(lines, 1):
            if not line.startswith("#"):
                break
            bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", line)
            tags = [tag for tag in re.findall(r"(?<!\S)!\S+", bare) if tag not in _SAFE_TAGS]
            if tags:
                remedy = "remove it: only numbers and text are read"
                fail(path, f"the header holds the YAML tag {quoted(tags[0])}", remedy, number)
        start = next((i for i, line in enumerate(lines) if not line.startswith("#")), 0)
        rows = [i for i, line in enumerate(lines, 1) if i > start + 1 and line.strip()]
        rows = [i for i in rows if not lines[i - 1].startswith("#")]
    elif form == "IPAC":
        rows = [i for i, line in enumerate(lines, 1) if line.strip() and line[0] not in "\\|"]
    else:
        rows = []
    name = {"ECSV": "ascii.ecsv", "IPAC": "ascii.ipac", "CDS": "ascii.cds"}[form]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = AstropyTable.read([line for line in lines if line.strip()], format=name)
            columns = _from_astropy(table)
    except Exception as error:  # astropy raises anything for a broken header
        reason = " ".join(str(error).split())[:120]
        remedy = "mend its header, or save it as plain columns"
        fail(path, f"line 1: cannot be read as {form} ({reason})", remedy)
    n = columns[0].values.size if columns else 0
    if not n:
        fail(path, f"this {form} table has no rows", "give rows of wavelength, depth, error")
    exact = len(rows) == n
    numbers = np.array(rows) if exact else np.arange(1, n + 1)
    return Table(path, columns, numbers, form, "line" if exact else "row", sha256=sha256)


def fits_tables(path: Path, content: bytes, sha256: str) -> list[Table]:
    """The tables of a FITS file, one an extension.

    Raises:
      SpectrumError: damaged, or without a table.
    """
    from astropy.io import fits
    from astropy.table import Table as AstropyTable

    tables = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(io.BytesIO(content), memmap=False) as hdus:
                for i, hdu in enumerate(hdus):
                    if not isinstance(hdu, (fits.BinTableHDU, fits.TableHDU)):
                        continue
                    columns = _from_astropy(AstropyTable.read(hdu))
                    if columns and columns[0].values.size:
                        rows = np.arange(1, columns[0].values.size + 1)
                        label = hdu.name or f"extension {i}"
                        tables.append(Table(path, columns, rows, "FITS", "row", label, sha256))
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        fail(path, f"row 1: a damaged FITS file ({reason})", "copy or download it again")
    if not tables:
        fail(path, "this FITS file holds no table with rows", "save the spectrum as a table")
    return tables


def _groups(file: Any) -> Iterator[Any]:
    """The groups of an HDF5 file that hold arrays, links to other files not followed."""
    import h5py

    waiting = [file]
    while waiting:
        group = waiting.pop(0)
        inside = [
            group[name]
            for name in group
            if isinstance(group.get(name, getlink=True), h5py.HardLink)
        ]
        if any(isinstance(item, h5py.Dataset) for item in inside):
            yield group
        waiting += [item for item in inside if isinstance(item, h5py.Group)][:1000]


def _check_dataset(path: Path, dataset: Any) -> None:
    """Refuses what is no array of numbers or text: objects, references, and arrays without end."""
    import h5py

    kinds = [dataset.dtype]
    if dataset.dtype.names:
        kinds = [dataset.dtype[name] for name in dataset.dtype.names]
    for kind in kinds:
        if kind.kind == "O" and h5py.check_string_dtype(kind) is None:
            what = f"{quoted(dataset.name)} holds objects, which are never opened"
            fail(path, what, "save numbers and text only, each column as an array")
    if dataset.size is not None and dataset.size > _MOST_VALUES:
        what = f"{quoted(dataset.name)} has {dataset.size} values"
        fail(path, what, "give a file with one spectrum")


def _group_columns(group: Any) -> tuple[Column, ...]:
    """The arrays of one group of an HDF5 file as columns."""
    import h5py

    names, units, arrays = [], [], []
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item = group[name]
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            continue
        if item.dtype.names:  # a table in one dataset, as astropy and h5py write it
            return _columns(
                list(item.dtype.names),
                [""] * len(item.dtype.names),
                [item[field] for field in item.dtype.names],
            )
        unit = item.attrs.get("units", item.attrs.get("unit", ""))
        names.append(name)
        units.append(unit.decode() if isinstance(unit, bytes) else str(unit))
        arrays.append(item[()])
    return _columns(names, units, arrays)


def hdf_tables(path: Path, content: bytes, sha256: str) -> list[Table]:
    """The tables of an HDF5 or NetCDF file, one a group: its arrays of one dimension, through
    xarray where they follow NetCDF's conventions.

    Raises:
      SpectrumError: damaged, holding objects, or without arrays of one length.
    """
    from exogan_jax.files.text import SpectrumError

    form = "NetCDF"
    found: list[tuple[str, tuple[Column, ...]]] = []
    try:
        if content.startswith(b"CDF"):
            found = [("", _xarray_columns(content, "", "scipy"))]
        else:
            import h5py

            with h5py.File(io.BytesIO(content), "r") as file:
                netcdf = "_NCProperties" in file.attrs
                form = "NetCDF" if netcdf else "HDF5"
                for group in _groups(file):
                    datasets = [x for x in group.values() if isinstance(x, h5py.Dataset)]
                    for dataset in datasets:
                        _check_dataset(path, dataset)
                    compound = any(x.dtype.names for x in datasets)
                    columns = (
                        _group_columns(group)
                        if compound or not netcdf
                        else _xarray_columns(content, group.name, "h5netcdf")
                    )
                    found.append((group.name.strip("/"), columns))
    except SpectrumError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        fail(path, f"row 1: a damaged {form} file ({reason})", "copy or download it again")
    tables = [
        Table(path, columns, np.arange(1, columns[0].values.size + 1), form, "row", label, sha256)
        for label, columns in found
        if columns and columns[0].values.size
    ]
    if not tables:
        fail(
            path,
            f"this {form} file holds no arrays of one dimension and one length",
            "save wavelength, depth and error as such",
        )
    return tables


def _xarray_columns(content: bytes, group: str, engine: str) -> tuple[Column, ...]:
    """The variables of one dimension of a NetCDF file's group."""
    import xarray as xr

    options: dict[str, Any] = {"group": group} if engine == "h5netcdf" and group.strip("/") else {}
    with xr.open_dataset(
        io.BytesIO(content), engine=engine, decode_times=False, **options
    ) as dataset:
        variables = [v for v in dataset.variables.values() if v.ndim == 1]
        names = [str(n) for n, v in dataset.variables.items() if v.ndim == 1]
        units = [str(v.attrs.get("units", v.attrs.get("unit", ""))) for v in variables]
        return _columns(names, units, [v.values for v in variables])
