"""Rows of several Zarr arrays as one array for xarray, read when they are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from xarray.backends import BackendArray
from xarray.core.indexing import IndexingSupport, explicit_indexing_adapter

from exogan_jax.files.rows import corner


class JoinedRows(BackendArray):
    """Some rows of arrays that lie one below another."""

    def __init__(self, arrays: Sequence[Any], rows: np.ndarray, fill: Any) -> None:
        """Joins arrays.

        Args:
          arrays: Zarr arrays of as many dimensions; lengths other than the first may differ.
          rows: (n, 2): for each row the array that it is in, and its place there.
          fill: what stands where an array is shorter than another.
        """
        self.arrays, self.rows, self.fill = list(arrays), rows, fill
        rest = [array.shape[1:] for array in arrays]
        self.shape = (len(rows), *(max(sizes) for sizes in zip(*rest, strict=True)))
        self.dtype = np.dtype(object) if isinstance(fill, str) else arrays[0].dtype

    def __getitem__(self, key: Any) -> Any:
        return explicit_indexing_adapter(key, self.shape, IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        """Whole rows, of which the rest of the key is then taken."""
        wanted = self.rows[key[0]]
        one = wanted.ndim == 1
        wanted = np.atleast_2d(wanted)
        out = np.full((len(wanted), *self.shape[1:]), self.fill, self.dtype)
        for number in np.unique(wanted[:, 0]):
            to = np.flatnonzero(wanted[:, 0] == number)
            array = self.arrays[number]
            places, back = np.unique(wanted[to, 1], return_inverse=True)
            values = np.asarray(array.oindex[places])[back]
            out[corner(to, array.shape[1:])] = values
        if one:
            out, rest = out[0], key[1:]
        else:
            rest = (slice(None), *key[1:])
        for axis, part in enumerate(rest):  # outer indexing, an axis at a time
            if isinstance(part, np.ndarray):
                out = np.take(out, part, axis=axis)
        plain = tuple(slice(None) if isinstance(part, np.ndarray) else part for part in rest)
        return out[plain] if plain else out
