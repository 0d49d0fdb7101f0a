"""Records of TFDS datasets (`tf.train.Example`), read without TensorFlow.

An Example is a message Features, a map from names to lists of bytes, floats (float32) or integers.
The encoding is that of protocol buffers (https://protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # kinds of fields


def examples_of(record: bytes) -> dict[str, np.ndarray | list[bytes]]:
    """The lists of an Example by name: float32, int64, or bytes.

    Raises:
      ValueError: it is no Example.
    """
    found: dict[str, np.ndarray | list[bytes]] = {}
    for features in _messages(record, 1):
        for entry in _messages(features, 1):
            (name,), (feature,) = _messages(entry, 1), _messages(entry, 2)
            found[name.decode()] = _values(feature)
    return found


def _values(feature: bytes) -> np.ndarray | list[bytes]:
    for number, _, payload in _fields(feature):
        assert isinstance(payload, bytes)
        if number == 1:
            return list(_messages(payload, 1))
        if number == 2:
            parts = [_packed(part) for _, _, part in _fields(payload)]
            return np.frombuffer(b"".join(parts), "<f4")
        if number == 3:
            whole: list[int] = []
            for _, _, part in _fields(payload):
                whole += [part] if isinstance(part, int) else _varints(part)
            return np.array(whole, np.uint64).astype(np.int64)  # two's complement
    return []


def _packed(part: bytes | int) -> bytes:
    return struct.pack("<I", part) if isinstance(part, int) else part


def _messages(message: bytes, wanted: int) -> list[bytes]:
    """Contents of the fields of a number."""
    return [
        part for number, _, part in _fields(message) if number == wanted and isinstance(part, bytes)
    ]


def _fields(message: bytes) -> Iterator[tuple[int, int, bytes | int]]:
    """Number, kind and content of each field."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, kind, value
            continue
        sizes = {_FIXED64: 8, _FIXED32: 4}
        size, at = _varint(message, at) if kind == _BYTES else (sizes.get(kind, -1), at)
        if size < 0 or at + size > len(message):
            raise ValueError("no tf.train.Example")
        part = message[at : at + size]
        at += size
        yield tag >> 3, kind, part if kind == _BYTES else int.from_bytes(part, "little")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("no tf.train.Example")


def _varints(packed: bytes) -> list[int]:
    values, at = [], 0
    while at < len(packed):
        value, at = _varint(packed, at)
        values.append(value)
    return values
