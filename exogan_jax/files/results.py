"""Reading a run's results: one store, or those of its parts, as one.

Of each name the row of the highest revision counts: a spectrum that was done again with another
input or other settings has several.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from exogan_jax.files.folders import part_folders
from exogan_jax.files.rows import FIELDS, Rows, corner, fill_value, numpy_dtype
from exogan_jax.files.store import STORE, Store, open_store, read_slot, rows_done

if TYPE_CHECKING:
    import xarray as xr

_INDEX = ("name", "settings", "revision", "status")


class Where(NamedTuple):
    """Where a row is."""

    store: int
    row: int  # of the store
    settings: str
    revision: int
    status: str


class Results(NamedTuple):
    """The rows of some stores."""

    stores: tuple[Store, ...]
    rows: dict[str, Where]  # by name, those that count

    @property
    def runs(self) -> dict[str, dict[str, Any]]:
        """What rows were made with, by the digests that rows have."""
        return {k: v for s in self.stores for k, v in s.group.attrs.get("runs", {}).items()}

    def run_of(self, name: str) -> str:
        """The digest of what a row was made with; "" where nothing was made."""
        return str(read_rows(self, [name], ["run"])["run"][0])

    def made_with(self, name: str) -> dict[str, Any]:
        """What a row was made with: settings, versions, the model and its weights' digest."""
        return dict(self.runs.get(self.run_of(name), {}))


def index(stores: Sequence[Store], counts: Sequence[Sequence[int]]) -> Results:
    """Finds the rows of stores.

    Args:
      stores: all of one layout.
      counts: the number of rows in each of their slots, see `store.rows_done`.

    Raises:
      ValueError: stores of different problems; names them.
    """
    found: dict[str, Where] = {}
    for i, store in enumerate(stores):
        if store.layout != stores[0].layout:
            raise ValueError(f"{store.path} is of another problem than {stores[0].path}")
        for slot, n in enumerate(counts[i]):
            if not n:
                continue
            columns = read_slot(store, slot, n, _INDEX)
            for k in range(n):
                name, settings, revision, status = (columns[field][k] for field in _INDEX)
                where = Where(i, slot * store.slot + k, settings, int(revision), status)
                if name not in found or where.revision > found[name].revision:
                    found[name] = where
    return Results(tuple(stores), found)


def stores_in(folder: str | os.PathLike[str]) -> list[Store]:
    """The stores of a run's folder and of its parts.

    Raises:
      ValueError: one is damaged.
    """
    places = [Path(folder), *part_folders(Path(folder))]
    return [open_store(p / STORE, "r") for p in places if (p / STORE).is_dir()]


def find_results(folder: str | os.PathLike[str]) -> Results:
    """The rows of a run's folder.

    Raises:
      FileNotFoundError: there are no results.
      ValueError: a store is damaged.
    """
    stores = stores_in(folder)
    if not stores:
        raise FileNotFoundError(f"{folder}: no {STORE} in it, nor in its parts")
    return index(stores, [rows_done(store, verify=False) for store in stores])


def read_rows(results: Results, names: Sequence[str], fields: Iterable[str] = FIELDS) -> Rows:
    """Fields of rows, by the spectra's names and in their order; a store's chunk is read once.

    Raises:
      KeyError: no such row.
      ValueError: a chunk is damaged.
    """
    wanted = [results.rows[name] for name in names]
    groups: dict[tuple[int, int], list[int]] = {}
    for i, where in enumerate(wanted):
        slot = where.row // results.stores[where.store].slot
        groups.setdefault((where.store, slot), []).append(i)
    out: Rows = {}
    fields = list(fields)
    for (number, slot), members in groups.items():
        store = results.stores[number]
        read = read_slot(store, slot, store.slot, fields)
        for name in fields:
            _put(
                out,
                name,
                members,
                read[name],
                [wanted[i].row % store.slot for i in members],
                len(names),
            )
    if not groups:
        out = {name: np.array([], numpy_dtype(FIELDS[name].dtype)) for name in fields}
    return out


def _put(out: Rows, name: str, to: list[int], values: np.ndarray, rows: list[int], n: int) -> None:
    """Puts rows of a slot where they belong; stores may have room for other numbers of points."""
    dtype = FIELDS[name].dtype
    have = out.get(name)
    shape = values.shape[1:]
    if have is None or any(a < b for a, b in zip(have.shape[1:], shape, strict=True)):
        grown = shape if have is None else tuple(map(max, have.shape[1:], shape))
        wide = np.full((n, *grown), fill_value(dtype), numpy_dtype(dtype))
        if have is not None:
            wide[corner(slice(None), have.shape[1:])] = have
        out[name] = have = wide
    have[corner(np.array(to), shape)] = values[rows]


def open_results(folder: str | os.PathLike[str]) -> xr.Dataset:
    """The results of a run as xarray: dimensions `spectrum`, `parameter`, `draw`, `quantile`,
    `band`, `wavelength`, `point`; arrays are read when they are used.

    Args:
      folder: of the run, `--out` of `exogan retrieve`; those of its parts are read with it.

    Returns:
      a dataset with `samples`, `weight`, `quantiles`, `depth_quantiles`, `log_evidence`, `flags`,
      `status` and the others of `rows.FIELDS`, and the names as the coordinate `spectrum`; its
      attribute `runs` says what the rows were made with.

    Raises:
      FileNotFoundError: there are no results.
      ValueError: a store is damaged.
    """
    import xarray as xr
    from xarray.core.indexing import LazilyIndexedArray

    from exogan_jax.files.lazily import JoinedRows

    results = find_results(folder)
    where = sorted(results.rows.items(), key=lambda pair: (pair[1].store, pair[1].row))
    rows = np.array([(w.store, w.row) for _, w in where], int).reshape(-1, 2)
    variables: dict[str, Any] = {}
    for name, field in FIELDS.items():
        arrays = [store.group[name] for store in results.stores]
        joined = LazilyIndexedArray(JoinedRows(arrays, rows, fill_value(field.dtype)))
        variables[name] = (("spectrum", *field.dims), joined, dict(arrays[0].attrs))
    first = results.stores[0]
    coordinates: dict[str, Any] = {
        name: (first.group[name].metadata.dimension_names, first.group[name][:])
        for name in ("parameter", "unit", "quantile", "band", "wavelength_um")
    }
    coordinates["spectrum"] = [name for name, _ in where]
    variables.pop("name")
    attrs = {k: v for k, v in first.group.attrs.items() if k != "slot"}
    attrs["runs"] = results.runs
    return xr.Dataset(variables, coordinates, attrs)
