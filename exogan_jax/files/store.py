"""The results of a run: a Zarr (v3) store with one row per spectrum, which xarray opens lazily.

DIR/results.zarr               arrays along `spectrum`, see `rows.FIELDS`, with the problem's layout
                               and what the rows were made with as attributes
DIR/results.zarr/checks/done   a digest of each slot's files, written last

Rows are written a slot (a Zarr chunk of all arrays) at a time. A slot counts where the digest is
that of its files: a process may be killed, a disk be full or a file truncated at any moment, and
what is not whole is not there. Zstandard's checksums tell of a damaged byte on reading.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from exogan_jax.files.atomic import replacing
from exogan_jax.files.rows import BANDS, FIELDS, Rows, corner, fill_value, numpy_dtype, sizes
from exogan_jax.layout import Layout
from exogan_jax.retrieval.weighted import QUANTILES

STORE: Final = "results.zarr"
SLOT: Final = 64  # rows per chunk of the store, at least
FORMAT: Final = "exogan-jax results 1"
_POINTS = 256  # observed points per chunk
_DIGEST = 16  # bytes


class Store(NamedTuple):
    """An open store."""

    path: Path
    group: Any  # zarr.Group
    layout: Layout
    n_kept: int  # samples per row
    slot: int  # rows a slot

    @property
    def n_points(self) -> int:
        """Observed points that there is room for."""
        return int(self.group["observed_depth"].shape[1])

    @property
    def lengths(self) -> dict[str, int]:
        """Of the fields' dimensions."""
        return sizes(self.layout, self.n_kept, self.n_points)


def _zarr() -> Any:
    import zarr

    return zarr


def create_store(path: Path, layout: Layout, *, n_kept: int, slot: int = SLOT) -> Store:
    """Makes an empty store, all at once.

    Args:
      path: where nothing is.
      layout: of the problem.
      n_kept: samples per row.
      slot: rows per chunk.

    Raises:
      OSError: the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    about = {"format": FORMAT, "n_kept": n_kept, "slot": slot, "layout": layout.to_json()}
    about["samples"] = (
        f"at most {n_kept} a spectrum: equally weighted ones, resampled where there were more; "
        "quantiles, evidence and effective sample sizes are those of all"
    )
    try:
        group = _zarr().open_group(temporary, mode="w", zarr_format=3, attributes=about)
        _make_arrays(group, layout, n_kept, slot)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return open_store(path)


def _make_arrays(group: Any, layout: Layout, n_kept: int, slot: int) -> None:
    """The arrays of a new store, of no rows, and its coordinates."""
    from zarr.codecs import BloscCodec, ZstdCodec

    lengths = sizes(layout, n_kept, 0)
    checked = ZstdCodec(level=3, checksum=True)
    for name, field in FIELDS.items():
        rest = tuple(lengths[dim] for dim in field.dims)
        plain = field.dtype == "str" or not field.dims
        shuffled = () if plain else (BloscCodec(cname="zstd", clevel=5, shuffle="shuffle"),)
        group.create_array(
            name,
            shape=(0, *rest),
            chunks=(slot, *(_POINTS if dim == "point" else lengths[dim] for dim in field.dims)),
            dtype=str if field.dtype == "str" else field.dtype,
            fill_value=fill_value(field.dtype),
            dimension_names=("spectrum", *field.dims),
            compressors=[*shuffled, checked],
            attributes={"long_name": field.about},
        )
    parameters = layout.parameters
    coordinates: dict[str, tuple[str, Any, str]] = {
        "parameter": ("parameter", np.array(parameters.names, object), ""),
        "unit": ("parameter", np.array(parameters.units, object), "of the parameters"),
        "quantile": ("quantile", np.array(QUANTILES), "probability"),
        "band": ("band", np.array(BANDS), "probability"),
        "wavelength_um": ("wavelength", np.asarray(layout.wavelength_um), "um"),
    }
    for name, (dim, values, unit) in coordinates.items():
        array = group.create_array(
            name,
            shape=values.shape,
            dtype=str if values.dtype == object else values.dtype,
            dimension_names=(dim,),
            attributes={"units": unit} if unit else {},
        )
        array[:] = values
    done = group.create_group("checks").create_array(
        "done",
        shape=(0, _DIGEST),
        chunks=(1, _DIGEST),
        dtype="u1",
        dimension_names=("slot", "byte"),
        fill_value=0,
        compressors=None,
    )
    done.attrs["long_name"] = "BLAKE2b of the files of each slot"


def open_store(path: Path, mode: str = "r+") -> Store:
    """Opens a store.

    Args:
      path: the folder `results.zarr`.
      mode: "r" or "r+".

    Raises:
      FileNotFoundError: there is none.
      ValueError: it is not one that this program wrote.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such store of results")
    try:
        group = _zarr().open_group(path, mode=mode, use_consolidated=False)
        about = dict(group.attrs)
        if about.get("format") != FORMAT:
            raise ValueError(f"its format is {about.get('format')!r}, not {FORMAT!r}")
        layout = Layout.from_json(about["layout"])
        store = Store(path, group, layout, int(about["n_kept"]), int(about["slot"]))
        missing = [name for name in FIELDS if name not in group]
        if missing:
            raise ValueError(f"it has no {missing[0]}")
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not results that exogan_jax wrote ({error})") from error
    return store


def clean(store: Store) -> None:
    """Removes what a killed process had half written."""
    for folder, _, files in os.walk(store.path):
        for name in files:
            if name.endswith((".partial", ".tmp")):
                Path(folder, name).unlink(missing_ok=True)


def reserve(store: Store, n_rows: int, n_points: int) -> None:
    """Makes room for rows, and for observed points; what is there stays.

    Raises:
      OSError: the folder cannot be written.
    """
    points = max(store.n_points, n_points)
    lengths = {**store.lengths, "point": points}
    for name, field in FIELDS.items():
        shape = (n_rows, *(lengths[dim] for dim in field.dims))
        if store.group[name].shape != shape:
            store.group[name].resize(shape)
    slots = -(-n_rows // store.slot)
    done = store.group["checks/done"]
    if done.shape[0] < slots:
        done.resize((slots, _DIGEST))
    consolidate(store)


def consolidate(store: Store) -> None:
    """Repeats all arrays' metadata in the group's, where xarray looks first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Zarr v3 does not specify it yet
        _zarr().consolidate_metadata(store.path)
    path = store.path / "zarr.json"
    text = path.read_text(encoding="utf-8")
    ordered = json.dumps(json.loads(text), indent=2, sort_keys=True)  # whatever the folder's order
    with replacing(path) as temporary:
        temporary.write_text(ordered, encoding="utf-8")


def note_run(store: Store, run: str, made_with: Mapping[str, Any]) -> None:
    """Adds what rows are made with to the attribute `runs`."""
    runs = dict(store.group.attrs.get("runs", {}))
    if run not in runs:
        store.group.attrs["runs"] = dict(sorted({**runs, run: dict(made_with)}.items()))


def _files(store: Store, slot: int) -> list[Path]:
    """The files of a slot that are there, in the order of their names."""
    found: list[Path] = []
    for name, field in FIELDS.items():
        own = store.path / name / "c" / str(slot)
        found += own.rglob("*") if field.dims else [own]
    return sorted(path for path in found if path.is_file())


def _digest(store: Store, slot: int) -> np.ndarray:
    """Of the names, lengths and bytes of a slot's files; never all 0."""
    total = hashlib.blake2b(digest_size=_DIGEST)
    for path in _files(store, slot):
        content = path.read_bytes()
        total.update(f"{path.relative_to(store.path).as_posix()} {len(content)}\n".encode())
        total.update(content)
    return np.frombuffer(total.digest(), np.uint8)


def write_slot(store: Store, slot: int, rows: Rows) -> None:
    """Writes the rows of a slot, in place of what was there; it counts once all is written.

    Args:
      store: with room for them (`reserve`).
      slot: its number.
      rows: at most as many as a slot has.

    Raises:
      OSError: the disk is full, or cannot be written.
    """
    forget_slot(store, slot)
    for path in _files(store, slot):
        path.unlink()
    begin = slot * store.slot
    n = len(rows["name"])
    for name, field in FIELDS.items():
        array = store.group[name]
        array[corner(slice(begin, begin + n), rows[name].shape[1:])] = rows[name].astype(
            numpy_dtype(field.dtype)
        )
    store.group["checks/done"][slot] = _digest(store, slot)


def forget_slot(store: Store, slot: int) -> None:
    """A slot no longer counts."""
    store.group["checks/done"][slot] = 0


def rows_done(store: Store, *, verify: bool = True) -> list[int]:
    """The number of rows of each slot; 0 where what is there is not whole.

    Args:
      store: open.
      verify: read all of it; else a slot that was finished is taken to be as it was written.
    """
    marks = np.asarray(store.group["checks/done"][:])
    counts = []
    for slot, mark in enumerate(marks):
        whole = mark.any() and (not verify or np.array_equal(mark, _digest(store, slot)))
        names = _column(store, "name", slot) if whole else np.array([])
        counts.append(int(np.sum(names != "")))
    return counts


def _column(store: Store, name: str, slot: int) -> np.ndarray:
    begin = slot * store.slot
    values = np.asarray(store.group[name][begin : begin + store.slot])
    return values.astype(numpy_dtype(FIELDS[name].dtype))


def read_slot(store: Store, slot: int, n: int, names: Iterable[str] = FIELDS) -> Rows:
    """Fields of the first n rows of a slot.

    Raises:
      ValueError: a chunk is damaged.
    """
    try:
        return {name: _column(store, name, slot)[:n] for name in names}
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"{store.path}: slot {slot} is damaged ({error}); the same `exogan retrieve` again "
            "makes it anew"
        ) from error
