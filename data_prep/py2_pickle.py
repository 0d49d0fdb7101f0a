"""A stack machine for the few instructions that Python 2 pickles of spectra consist of.

A pickle is a program, and the usual unpickler runs it. This machine knows dicts, strings, numbers
and NumPy arrays of numbers; anything else is refused before its argument is even read.
"""

from __future__ import annotations

import gzip
import pickletools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

#: Longest single string: an array of this many bytes is no spectrum.
_MAX_STRING = 1_000_000
_MAX_LINE = 4096
_MAX_STACK = 100_000
_MAX_MEMO = 2_000_000
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
        if not isinstance(state, tuple) or len(state) < 2 or text(state[1]) not in ("<", ">", "|"):
            raise ChunkError("a malformed dtype")
        self.order = text(state[1])


class Array:
    """An array that is being built."""

    def __init__(self) -> None:
        self.value: np.ndarray | None = None

    def build(self, state: Any) -> None:
        """Takes the state that Python 2 pickles for an array."""
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


def text(value: Any) -> str:
    """A name, from either kind of string."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str):
        return value
    raise ChunkError(f"a {type(value).__name__} where a name was expected")


def _is_name(value: Any) -> bool:
    return isinstance(value, (_Global, _DType)) or (
        isinstance(value, (bytes, str)) and len(value) < 256
    )


class Limited:
    """A binary stream that gives no more than `limit` bytes, and no long strings or lines."""

    def __init__(self, stream: gzip.GzipFile, limit: int) -> None:
        self.stream, self.left, self.limit = stream, limit, limit

    def _spend(self, data: bytes) -> bytes:
        self.left -= len(data)
        if self.left < 0:
            raise ChunkError(f"more than {self.limit} bytes when decompressed (max_bytes)")
        return data

    def read(self, n: int) -> bytes:
        """Up to n bytes."""
        if not 0 <= n <= _MAX_STRING:
            raise ChunkError(f"a string of {n} bytes")
        return self._spend(self.stream.read(n))

    def readline(self) -> bytes:
        """One line."""
        line = self._spend(self.stream.readline(_MAX_LINE))
        if len(line) == _MAX_LINE:
            raise ChunkError(f"a line of more than {_MAX_LINE} bytes")
        return line


def _call(function: Any, arguments: Any) -> Any:
    """What the few functions known make of their arguments."""
    if not isinstance(function, _Global) or not isinstance(arguments, tuple):
        raise ChunkError("a call of something that is not known")
    if function.name == "reconstruct" and arguments and arguments[0] == _Global("ndarray"):
        return Array()  # its shape and contents come with the state
    if function.name == "dtype" and arguments:
        return _DType(text(arguments[0]))
    if function.name == "scalar" and len(arguments) == 2 and isinstance(arguments[1], bytes):
        dtype, raw = arguments
        if isinstance(dtype, _DType):
            value = _numbers(dtype, raw)
            if value.size == 1:
                return float(value[0])
    raise ChunkError(f"a malformed call of numpy's {function.name}")


class Machine:
    """The stack machine. `run` yields the entries of the outermost dict as they are set."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.root: dict[Any, Any] | None = None

    def _pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise ChunkError("a malformed pickle (nothing on the stack)")
        return self.stack.pop()

    def _pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while self.stack:
            item = self.stack.pop()
            if item is _MARK:
                return items[::-1]
            items.append(item)
        raise ChunkError("a malformed pickle (no mark on the stack)")

    def _set_items(self, items: list[Any]) -> Iterator[tuple[Any, Any]]:
        if len(items) % 2 or not self.stack or not isinstance(self.stack[-1], dict):
            raise ChunkError("a malformed dict")
        target = self.stack[-1]
        pairs = list(zip(items[::2], items[1::2], strict=True))
        if target is self.root:
            yield from pairs
            # The entries will not be asked for again: forget them, but keep names and dtypes.
            self.memo = {i: x for i, x in self.memo.items() if x is self.root or _is_name(x)}
            return
        for key, value in pairs:
            target[text(key)] = value

    def run(self, stream: Limited) -> Iterator[tuple[Any, Any]]:
        """Runs the instructions; yields key and value of what the outermost dict is given."""
        stack = self.stack
        while True:
            argument: Any = None
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
            elif opcode.arg:
                argument = opcode.arg.reader(stream)
            if name in _PUSH:
                stack.append(argument)
            elif name in _STRINGS:
                # Python 2's str is bytes; pickletools decodes it as latin-1, which loses nothing.
                stack.append(argument.encode("latin-1"))
            elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
                self.memo[argument] = self._top()
            elif name in ("BINGET", "LONG_BINGET", "GET"):
                if argument not in self.memo:
                    raise ChunkError("a malformed pickle (nothing was stored under a number)")
                stack.append(self.memo[argument])
            elif name == "MARK":
                stack.append(_MARK)
            elif name in ("EMPTY_DICT", "DICT"):
                items = self._pop_to_mark() if name == "DICT" else []
                stack.append({})
                if self.root is None:
                    self.root = stack[-1]
                yield from self._set_items(items)
            elif name == "SETITEMS":
                yield from self._set_items(self._pop_to_mark())
            elif name == "SETITEM":
                value = self._pop()
                yield from self._set_items([self._pop(), value])
            elif name in _TUPLES:
                stack.append(tuple([self._pop() for _ in range(_TUPLES[name])][::-1]))
            elif name == "TUPLE":
                stack.append(tuple(self._pop_to_mark()))
            elif name == "NONE":
                stack.append(None)
            elif name in ("NEWTRUE", "NEWFALSE"):
                stack.append(name == "NEWTRUE")
            elif name == "GLOBAL":
                if argument not in _GLOBALS:
                    raise ChunkError(f"it asks for {argument!r}, which no chunk needs: refused")
                stack.append(_Global(_GLOBALS[argument]))
            elif name == "REDUCE":
                arguments = self._pop()
                stack.append(_call(self._pop(), arguments))
            elif name == "BUILD":
                state = self._pop()
                if not isinstance(self._top(), (Array, _DType)):
                    raise ChunkError("a malformed pickle (a state for nothing)")
                self._top().build(state)
            elif name == "STOP":
                if self.root is None or len(stack) != 1 or stack[0] is not self.root:
                    raise ChunkError("not a dict of spectra")
                return
            if len(stack) > _MAX_STACK or len(self.memo) > _MAX_MEMO:
                raise ChunkError("a malformed pickle (too deep)")

    def _top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise ChunkError("a malformed pickle (nothing on the stack)")
        return self.stack[-1]


_PUSH = frozenset(
    ["BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "BINFLOAT", "FLOAT", "BINUNICODE"]
)
_STRINGS = frozenset(["SHORT_BINSTRING", "BINSTRING"])
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_KNOWN = frozenset(_PUSH | _STRINGS | _TUPLES.keys()) | frozenset(
    """BINPUT LONG_BINPUT PUT BINGET LONG_BINGET GET MARK EMPTY_DICT DICT SETITEM SETITEMS TUPLE
    NONE NEWTRUE NEWFALSE GLOBAL REDUCE BUILD STOP PROTO""".split()  # noqa: SIM905  (shorter to read)
)
