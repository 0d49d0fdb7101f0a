"""A copy of a run's results where fsspec can write: an object store, a web server, another disk.

A run itself needs a disk (locks, files that replace one another); the copy is one plain Zarr (v3)
group, for `xarray.open_zarr(URL)`. It grows a chunk at a time; rows count when `n_done` says so.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import track

from exogan_jax.files.results import open_results
from exogan_jax.files.rows import FIELDS, fill_value
from exogan_jax.files.store import SLOT

_DONE = "n_done"  # attribute: rows that are whole


def copy_results(folder: str | os.PathLike[str], names: Sequence[str], url: str) -> int:
    """Copies rows of a run's results, but for those that the copy has.

    Args:
      folder: of the run.
      names: of the spectra, in order; those of the copy must be their beginning.
      url: of the copy, `s3://bucket/run.zarr`; credentials are fsspec's own.

    Returns:
      How many rows were new.

    Raises:
      FileNotFoundError: there are no results.
      ImportError: fsspec, or its part for this URL, is not installed.
      OSError: cannot be reached, or written.
      ValueError: other results are there.
    """
    import zarr

    data = open_results(folder).sel(spectrum=list(names))
    group = zarr.open_group(url, mode="a", zarr_format=3)
    done = _begun(group, data)
    starts = range(done, len(names), SLOT)
    for start in track(starts, "copying", console=Console(stderr=True)):
        rows = slice(start, min(start + SLOT, len(names)))
        part = data.isel(spectrum=rows).load()
        for name in _of_rows(part):
            array: Any = group[name]
            if array.shape[0] < rows.stop:
                array.resize((rows.stop, *array.shape[1:]))
            array[rows] = part[name].values
        group.attrs[_DONE] = rows.stop
    return len(names) - done


def _of_rows(data: Any) -> list[str]:
    """Names of what there is for each spectrum."""
    return [str(name) for name in data.variables if data[name].dims[:1] == ("spectrum",)]


def _begun(group: Any, data: Any) -> int:
    """The rows that are there already; makes the arrays of a new copy."""
    about = {k: v for k, v in data.attrs.items() if k != "runs"}
    if _DONE not in group.attrs:
        if len(group) or len(group.attrs):
            raise ValueError("something else is there; choose another place")
        rows = _of_rows(data)
        for name, variable in data.variables.items():
            array = _make(group, str(name), data[name])
            if name not in rows:
                array[:] = variable.values
        group.attrs.update({**about, "runs": data.attrs["runs"], _DONE: 0})
        return 0
    done = int(group.attrs[_DONE])
    same = all(group.attrs.get(key) == value for key, value in about.items())
    if not same or list(group["spectrum"][:done]) != list(data["spectrum"].values[:done]):
        raise ValueError("it holds other results; choose another place")
    group.attrs["runs"] = data.attrs["runs"]
    return done


def _make(group: Any, name: str, variable: Any) -> Any:
    """An array like a variable, of no rows where it has one for each spectrum."""
    is_rows = variable.dims[0] == "spectrum"
    shape = (0, *variable.shape[1:]) if is_rows else variable.shape
    is_text = name == "spectrum" or variable.dtype.kind in "OUT"
    return group.create_array(
        name,
        shape=shape,
        chunks=(SLOT, *shape[1:]) if is_rows else shape,
        dtype=str if is_text else variable.dtype,
        fill_value=fill_value(FIELDS[name].dtype) if name in FIELDS else "" if is_text else None,
        dimension_names=variable.dims,
        attributes={k: v for k, v in variable.attrs.items() if isinstance(v, str)},
    )
