"""Chunks of the published training set (`chunck_*.pkgz`): gzip-compressed Python 2 pickles.

They are interpreted by `py2_pickle`, never run. The reader streams: spectra come out while the file
is read, memory does not grow with it, and a limit on the decompressed size stops bombs.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from data_prep import grid
from data_prep.py2_pickle import Array, ChunkError, Limited, Machine, text

__all__ = ["MAX_BYTES", "ChunkError", "Entry", "read_chunk"]

#: A published chunk holds 100,000 spectra of 515 float64, 0.45 GB decompressed.
MAX_BYTES = 2_000_000_000
#: What stands in an entry's `param`, in the order of theta, and what it is divided by.
_PARAMETERS = {
    "h2o_mixratio": None,
    "co2_mixratio": None,
    "co_mixratio": None,
    "ch4_mixratio": None,
    "planet_mass": grid.JUPITER_MASS_KG,
    "planet_radius": grid.JUPITER_RADIUS_M,
    "temperature_profile": 1.0,
}


class Entry(NamedTuple):
    """One published spectrum."""

    key: str
    depth: Float[np.ndarray, "515"]  # float64, on `grid.WAVELENGTH_UM`
    theta: Float[np.ndarray, "7"]  # float64, in the units of `grid.PARAMETERS`


def _number(value: Any, what: str) -> float:
    if isinstance(value, Array) and value.value is not None and value.value.size:
        if np.any(value.value != value.value[0]):  # a temperature profile: isothermal or refused
            raise ChunkError(f"{what} is not constant")
        value = float(value.value[0])
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ChunkError(f"{what} is not a number")
    return float(value)


def _entry(key: Any, value: Any) -> Entry:
    """An entry of the outermost dict, checked."""
    name = str(key) if isinstance(key, int) else text(key)
    name = name[:80]
    if not isinstance(value, dict) or not {"param", "data"} <= value.keys():
        raise ChunkError(f"spectrum {name!r} has no 'param' and 'data'")
    param, data = value["param"], value["data"]
    if not isinstance(param, dict) or not isinstance(data, dict):
        raise ChunkError(f"spectrum {name!r} has no 'param' and 'data'")
    theta = np.empty(grid.N_PARAMETERS)
    for i, (field, unit) in enumerate(_PARAMETERS.items()):
        if field not in param:
            raise ChunkError(f"spectrum {name!r} has no {field!r}")
        number = _number(param[field], f"{field!r} of spectrum {name!r}")
        if not (np.isfinite(number) and number > 0):
            raise ChunkError(f"{field!r} of spectrum {name!r} is {number:g}")
        theta[i] = np.log10(number) if unit is None else number / unit
    spectrum = data.get("spectrum")
    depth = spectrum.value if isinstance(spectrum, Array) else None
    if depth is None or depth.shape != (grid.N_WAVELENGTH,):
        raise ChunkError(f"spectrum {name!r} is not an array of {grid.N_WAVELENGTH} numbers")
    if not np.all(np.isfinite(depth)):
        raise ChunkError(f"spectrum {name!r} holds values that are not finite")
    return Entry(name, depth, theta)


def read_chunk(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> Iterator[Entry]:
    """Reads the spectra of a published chunk, one after the other.

    Args:
      path: a `.pkgz` file: gzip around a Python 2 pickle of a dict, key -> {"param": {...}, "data":
        {"spectrum": array of 515}}. Nothing in it is run.
      max_bytes: most bytes it may hold when decompressed.

    Yields:
      `Entry(key, depth, theta)`, in the file's order. Parameters are taken by name.

    Raises:
      ChunkError: the file is truncated, corrupted, hostile, or not a chunk; names it, says what is
        wrong and how many spectra were good.
      FileNotFoundError: no such file.
    """
    path = Path(path)
    done = 0
    try:
        with gzip.open(path, "rb") as stream:
            for key, value in Machine().run(Limited(stream, max_bytes)):
                entry = _entry(key, value)
                done += 1
                yield entry
        if not done:
            raise ChunkError("it holds no spectra")
    except FileNotFoundError:
        raise
    except ChunkError as error:
        raise ChunkError(f"{path}: {error} (after {done} good spectra)") from None
    except (
        OSError,
        EOFError,
        zlib.error,
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        OverflowError,
        UnicodeError,
        RecursionError,
    ) as error:
        problem = str(error) or type(error).__name__
        raise ChunkError(
            f"{path}: truncated or corrupted: {problem} (after {done} good spectra)"
        ) from None
