"""Spectra as records of fixed length: each is the serialised `tf.train.Example` of a depth and a
theta, as TFDS writes and reads it, but packed and unpacked by the thousand with NumPy.

An Example is a map from names to lists of floats. Protocol buffers leave the order of a map open;
here it is alphabetic, so that equal spectra are equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from exogan_jax import grid

#: Features of a record and their lengths, float32, in the order of the bytes.
FEATURES = {"depth": grid.N_WAVELENGTH, "theta": grid.N_PARAMETERS}


class Spectra(NamedTuple):
    """Spectra and their parameters, float32; a batch has leading axes."""

    depth: Float[np.ndarray | Array, "... 515"]  # star of 1 R_sun, on `grid.WAVELENGTH_UM`
    theta: Float[np.ndarray | Array, "... 7"]  # in the units of `grid.PARAMETERS`


def _field(number: int, payload: bytes) -> bytes:
    """A length-delimited field of a protocol buffer."""
    length, n = b"", len(payload)
    while n > 0x7F:
        length, n = length + bytes([n & 0x7F | 0x80]), n >> 7
    return bytes([number << 3 | 2]) + length + bytes([n]) + payload


def _entry(name: str, floats: bytes) -> bytes:
    """An entry of Features.feature: the name, and a Feature that is a packed FloatList."""
    feature = _field(2, _field(1, floats))
    return _field(1, _field(1, name.encode()) + _field(2, feature))


def _layout() -> tuple[np.ndarray, dict[str, slice]]:
    """The bytes of a record of zeros, and where the numbers of each feature stand."""
    entries = {name: _entry(name, bytes(4 * n)) for name, n in FEATURES.items()}
    record = _field(1, b"".join(entries.values()))
    end = len(record) - sum(map(len, entries.values()))
    slots = {}
    for name, entry in entries.items():
        end += len(entry)
        slots[name] = slice(end - 4 * FEATURES[name], end)
    return np.frombuffer(record, np.uint8), slots


_TEMPLATE, _SLOTS = _layout()
_FRAME = np.ones(len(_TEMPLATE), bool)
for _slot in _SLOTS.values():
    _FRAME[_slot] = False

RECORD_BYTES = len(_TEMPLATE)


def pack(spectra: Spectra) -> list[bytes]:
    """One record per spectrum.

    Args:
      spectra: depth (n, 515) and theta (n, 7).
    """
    n = np.shape(spectra.depth)[0]
    records = np.tile(_TEMPLATE, (n, 1))
    for name, values in spectra._asdict().items():
        records[:, _SLOTS[name]] = np.ascontiguousarray(values, "<f4").view(np.uint8)
    return [record.tobytes() for record in records]


def unpack(records: Sequence[bytes]) -> Spectra:
    """The spectra of records: depth (n, 515) and theta (n, 7).

    Raises:
      ValueError: a record is not of this layout; says which.
    """
    for i, record in enumerate(records):
        if len(record) != RECORD_BYTES:
            raise ValueError(f"record {i} has {len(record)} bytes, expected {RECORD_BYTES}")
    rows = np.frombuffer(b"".join(records), np.uint8).reshape(-1, RECORD_BYTES)
    wrong = np.any(rows[:, _FRAME] != _TEMPLATE[_FRAME], axis=1)
    if np.any(wrong):
        raise ValueError(f"record {np.argmax(wrong)} does not hold {', '.join(FEATURES)}")
    return Spectra(
        *(np.ascontiguousarray(rows[:, _SLOTS[name]]).view("<f4") for name in Spectra._fields)
    )
