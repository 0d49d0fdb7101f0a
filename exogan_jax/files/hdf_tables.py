"""Tables in HDF5 and NetCDF files: arrays of one dimension, a table for each group.

Objects and references are refused, links to other files are not followed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from exogan_jax.files.astropy_tables import columns_of
from exogan_jax.files.tables import Column, Table
from exogan_jax.files.text import SpectrumError, fail, quoted

_MOST_VALUES = 10_000_000  # of one array; a small file may declare a huge one


def _groups(file: Any) -> Iterator[Any]:
    """The groups of an HDF5 file that hold arrays, links to other files not followed."""
    import h5py

    waiting, seen = [file], set()
    while waiting:
        group = waiting.pop(0)
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:  # a group within itself
            continue
        seen.add(address)
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
            return columns_of(
                list(item.dtype.names),
                [""] * len(item.dtype.names),
                [item[field] for field in item.dtype.names],
            )
        unit = item.attrs.get("units", item.attrs.get("unit", ""))
        names.append(name)
        units.append(unit.decode() if isinstance(unit, bytes) else str(unit))
        arrays.append(item[()])
    return columns_of(names, units, arrays)


def hdf_tables(path: Path, content: bytes, sha256: str) -> list[Table]:
    """The tables of an HDF5 or NetCDF file, one per group: its arrays of one dimension, through
    xarray where they follow NetCDF's conventions.

    Raises:
      SpectrumError: damaged, holding objects, or without arrays of one length.
    """
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
        return columns_of(names, units, [v.values for v in variables])
