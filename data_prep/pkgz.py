"""Chunks of the published training set (`chunck_*.pkgz`): gzip-compressed Python 2 pickles.

A pickle is a program, and the usual unpickler runs it. This reader interprets it instead, with a
stack of its own: dicts, strings, numbers and NumPy arrays of numbers are known, anything else is
refused before it does anything. It streams: spectra come out while the file is read, memory does
not grow with it, and a limit on the decompressed size stops bombs.
"""

from __future__ import annotations

import gzip
import os
import pickletools
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from exogan_jax import grid

#: A published chunk holds 100,000 spectra of 515 float64, 0.45 GB decompressed.
MAX_BYTES = 2_000_000_000
#: Longest single string: an array of this many bytes is no spectrum.
_MAX_STRING = 1_000_000
_MAX_LINE = 4096
_MAX_STACK = 100_000
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
_DTYPES = ("f4", "f8", "i4", "i8")
_GLOBALS = {
    "numpy.core.multiarray _reconstruct": "reconstruct",
    "numpy._core.multiarray _reconstruct": "reconstruct",
    "numpy.core.multiarray scalar": "scalar",
    "numpy._core.multiarray scalar": "scalar",
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
}


class ChunkError(Exception):
    """A chunk that cannot be read: truncated, corrupted, hostile, or not a chunk. Says where."""


class Entry(NamedTuple):
    """One published spectrum."""

    key: str
    depth: Float[np.ndarray, "515"]  # float64, on `grid.WAVELENGTH_UM`
    theta: Float[np.ndarray, "7"]  # float64, in the units of `grid.PARAMETERS`


class _Mark:
    pass


_MARK = _Mark()


class _Global(NamedTuple):
    name: str


class _DType:
    """A dtype that is being built."""

    def __init__(self, code: str) -> None:
        if code not in _DTYPES:
            raise ChunkError(f"an array of type {code!r}, where numbers were expected")
        self.code = code
        self.order = "<"

    def build(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or _text(state[1]) not in ("<", ">", "|"):
            raise ChunkError("a malformed dtype")
        self.order = _text(state[1])


class _Array:
    """An array that is being built."""

    def __init__(self) -> None:
        self.value: np.ndarray | None = None

    def build(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise ChunkError("a malformed array")
        _, shape, dtype, _, raw = state
        if not (
            isinstance(shape, tuple)
            and len(shape) <= 1
            and all(isinstance(n, int) and n >= 0 for n in shape)
            and isinstance(dtype, _DType)
            and isinstance(raw, bytes)
        ):
            raise ChunkError("a malformed array")
        self.value = _numbers(dtype, raw)
        if self.value.size != (shape[0] if shape else 1):
            raise ChunkError(f"an array of shape {shape} with {self.value.size} numbers")


def _numbers(dtype: _DType, raw: bytes) -> np.ndarray:
    size = int(dtype.code[1])
    if len(raw) % size:
        raise ChunkError("an array whose bytes are not whole numbers")
    return np.frombuffer(raw, dtype.order.replace("|", "<") + dtype.code).astype(np.float64)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str):
        return value
    raise ChunkError(f"a {type(value).__name__} where a name was expected")


class _Limited:
    """A binary stream that gives no more than `limit` bytes, and no long strings or lines."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self.stream, self.left, self.limit = stream, limit, limit

    def _spend(self, data: bytes) -> bytes:
        self.left -= len(data)
        if self.left < 0:
            raise ChunkError(f"more than {self.limit} bytes when decompressed (max_bytes)")
        return data

    def read(self, n: int) -> bytes:
        if not 0 <= n <= _MAX_STRING:
            raise ChunkError(f"a string of {n} bytes")
        return self._spend(self.stream.read(n))

    def readline(self) -> bytes:
        line = self._spend(self.stream.readline(_MAX_LINE))
        if len(line) == _MAX_LINE:
            raise ChunkError(f"a line of more than {_MAX_LINE} bytes")
        return line


def _call(function: Any, arguments: Any) -> Any:
    """What the few functions known make of their arguments."""
    if not isinstance(function, _Global) or not isinstance(arguments, tuple):
        raise ChunkError("a call of something that is not known")
    if function.name == "reconstruct" and arguments and arguments[0] == _Global("ndarray"):
        return _Array()  # its shape and contents come with the state
    if function.name == "dtype" and arguments:
        return _DType(_text(arguments[0]))
    if function.name == "scalar" and len(arguments) == 2 and isinstance(arguments[1], bytes):
        dtype, raw = arguments
        if isinstance(dtype, _DType):
            value = _numbers(dtype, raw)
            if value.size == 1:
                return float(value[0])
    raise ChunkError(f"a malformed call of numpy's {function.name}")


class _Machine:
    """The stack machine. `run` yields the entries of the outermost dict as they are set."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.root: dict[Any, Any] | None = None

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise ChunkError("a malformed pickle (nothing on the stack)")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while self.stack:
            item = self.stack.pop()
            if item is _MARK:
                return items[::-1]
            items.append(item)
        raise ChunkError("a malformed pickle (no mark on the stack)")

    def set_items(self, items: list[Any]) -> Iterator[tuple[Any, Any]]:
        if len(items) % 2 or not self.stack or not isinstance(self.stack[-1], dict):
            raise ChunkError("a malformed dict")
        target = self.stack[-1]
        pairs = list(zip(items[::2], items[1::2], strict=True))
        if target is self.root:
            yield from pairs
            # The entries will not be asked for again: forget them, but keep names and dtypes.
            self.memo = {
                i: x
                for i, x in self.memo.items()
                if x is self.root or isinstance(x, (bytes, str, _Global, _DType))
            }
            return
        for key, value in pairs:
            target[_text(key)] = value

    def run(self, stream: _Limited) -> Iterator[tuple[Any, Any]]:
        stack = self.stack
        while True:
            code = stream.read(1)
            if not code:
                raise ChunkError("truncated or corrupted: it ends without an end mark")
            opcode = pickletools.code2op.get(code.decode("latin-1"))  # type: ignore[attr-defined]
            name = opcode.name if opcode else repr(code)
            if name not in _KNOWN:  # before its argument is even read
                raise ChunkError(f"it holds the instruction {name}, which no chunk needs: refused")
            if name == "GLOBAL":  # pickletools' own reader would undo escapes
                lines = stream.readline(), stream.readline()
                argument = " ".join(x.rstrip(b"\n").decode("latin-1") for x in lines)
            else:
                argument = opcode.arg.reader(stream) if opcode.arg else None
            if name in _PUSH:
                stack.append(argument)
            elif name in _STRINGS:
                # Python 2's str is bytes; pickletools decodes it as latin-1, which loses nothing.
                stack.append(argument.encode("latin-1"))
            elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
                self.memo[argument] = self.top()
            elif name in ("BINGET", "LONG_BINGET", "GET"):
                if argument not in self.memo:
                    raise ChunkError("a malformed pickle (nothing was stored under a number)")
                stack.append(self.memo[argument])
            elif name == "MARK":
                stack.append(_MARK)
            elif name in ("EMPTY_DICT", "DICT"):
                items = self.pop_to_mark() if name == "DICT" else []
                stack.append({})
                if self.root is None:
                    self.root = stack[-1]
                yield from self.set_items(items)
            elif name == "SETITEMS":
                yield from self.set_items(self.pop_to_mark())
            elif name == "SETITEM":
                value = self.pop()
                yield from self.set_items([self.pop(), value])
            elif name in _TUPLES:
                stack.append(tuple([self.pop() for _ in range(_TUPLES[name])][::-1]))
            elif name == "TUPLE":
                stack.append(tuple(self.pop_to_mark()))
            elif name == "NONE":
                stack.append(None)
            elif name in ("NEWTRUE", "NEWFALSE"):
                stack.append(name == "NEWTRUE")
            elif name == "GLOBAL":
                if argument not in _GLOBALS:
                    raise ChunkError(f"it asks for {argument!r}, which no chunk needs: refused")
                stack.append(_Global(_GLOBALS[argument]))
            elif name == "REDUCE":
                arguments = self.pop()
                stack.append(_call(self.pop(), arguments))
            elif name == "BUILD":
                state = self.pop()
                if not isinstance(self.top(), (_Array, _DType)):
                    raise ChunkError("a malformed pickle (a state for nothing)")
                self.top().build(state)
            elif name == "STOP":
                if self.root is None or len(stack) != 1 or stack[0] is not self.root:
                    raise ChunkError("not a dict of spectra")
                return
            if len(stack) > _MAX_STACK or len(self.memo) > _MAX_STACK:
                raise ChunkError("a malformed pickle (too deep)")

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise ChunkError("a malformed pickle (nothing on the stack)")
        return self.stack[-1]


_PUSH = frozenset(
    ["BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "BINFLOAT", "FLOAT", "BINUNICODE"]
)
_STRINGS = frozenset(["SHORT_BINSTRING", "BINSTRING"])
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_KNOWN = frozenset(
    [*_PUSH, *_STRINGS, *_TUPLES, "BINPUT", "LONG_BINPUT", "PUT", "BINGET", "LONG_BINGET", "GET"]
    + ["MARK", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS", "TUPLE", "NONE", "NEWTRUE", "NEWFALSE"]
    + ["GLOBAL", "REDUCE", "BUILD", "STOP", "PROTO"]
)


def _number(value: Any, what: str) -> float:
    if isinstance(value, _Array) and value.value is not None and value.value.size:
        if np.any(value.value != value.value[0]):  # a temperature profile: isothermal or refused
            raise ChunkError(f"{what} is not constant")
        value = float(value.value[0])
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ChunkError(f"{what} is not a number")
    return float(value)


def _entry(key: Any, value: Any) -> Entry:
    """An entry of the outermost dict, checked."""
    name = str(key) if isinstance(key, int) else _text(key)
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
    depth = spectrum.value if isinstance(spectrum, _Array) else None
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
            for key, value in _Machine().run(_Limited(stream, max_bytes)):
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
