"""Spectra as records of fixed length: each is the serialised `tf.train.Example` of a depth and a
theta, as TFDS writes and reads it, but packed and unpacked by the thousand with NumPy.

An Example is a map from names to lists of floats. Protocol buffers leave the order of a map open;
here it is alphabetic, so that equal spectra are equal bytes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float


class Spectra(NamedTuple):
    """Spectra and their parameters, float32; a batch has leading axes."""

    depth: Float[np.ndarray | Array, "... w"]  # star of 1 R_sun, on the layout's wavelengths
    theta: Float[np.ndarray | Array, "... d"]  # in the units of the layout's parameters


@dataclasses.dataclass(frozen=True)
class RecordFormat:
    """Records of spectra of w = `n_wavelength` points and d = `n_parameters` parameters."""

    n_wavelength: int
    n_parameters: int

    @property
    def features(self) -> dict[str, int]:
        """Features of a record and their lengths, float32, in the order of the bytes."""
        return {"depth": self.n_wavelength, "theta": self.n_parameters}

    @property
    def n_bytes(self) -> int:
        """Length of a record."""
        return len(self._template)

    @cached_property
    def _slots(self) -> dict[str, slice]:
        """Where the numbers of each feature stand in a record."""
        entries = {name: _entry(name, bytes(4 * n)) for name, n in self.features.items()}
        end = self.n_bytes - sum(map(len, entries.values()))
        slots = {}
        for name, entry in entries.items():
            end += len(entry)
            slots[name] = slice(end - 4 * self.features[name], end)
        return slots

    @cached_property
    def _template(self) -> np.ndarray:
        """The bytes of a record of zeros."""
        entries = (_entry(name, bytes(4 * n)) for name, n in self.features.items())
        return np.frombuffer(_field(1, b"".join(entries)), np.uint8)

    @cached_property
    def _frame(self) -> np.ndarray:
        """Which bytes are the same in all records."""
        frame = np.ones(self.n_bytes, bool)
        for slot in self._slots.values():
            frame[slot] = False
        return frame

    def pack(self, spectra: Spectra) -> list[bytes]:
        """One record per spectrum.

        Args:
          spectra: depth (n, w) and theta (n, d).

        Raises:
          ValueError: other shapes.
        """
        n = np.shape(spectra.depth)[0]
        records = np.tile(self._template, (n, 1))
        for name, values in spectra._asdict().items():
            shape = n, self.features[name]
            if np.shape(values) != shape:
                raise ValueError(f"{name} must be {shape}, got {np.shape(values)}")
            records[:, self._slots[name]] = np.ascontiguousarray(values, "<f4").view(np.uint8)
        return [record.tobytes() for record in records]

    def unpack(self, records: Sequence[bytes]) -> Spectra:
        """The spectra of records: depth (n, w) and theta (n, d).

        Raises:
          ValueError: a record is not of this format; says which.
        """
        for i, record in enumerate(records):
            if len(record) != self.n_bytes:
                raise ValueError(f"record {i} has {len(record)} bytes, expected {self.n_bytes}")
        rows = np.frombuffer(b"".join(records), np.uint8).reshape(-1, self.n_bytes)
        wrong = np.any(rows[:, self._frame] != self._template[self._frame], axis=1)
        if np.any(wrong):
            raise ValueError(f"record {np.argmax(wrong)} does not hold {', '.join(self.features)}")
        return Spectra(
            *(
                np.ascontiguousarray(rows[:, self._slots[name]]).view("<f4")
                for name in Spectra._fields
            )
        )


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
