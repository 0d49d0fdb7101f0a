"""Write spectra as the published chunks hold them, to test and to time what reads those.

python -m data_prep.write_chunk --out chunck_0.pkgz [--n 100000] [--seed 0]

The spectra are simulated; the bytes are those that Python 2.7's cPickle writes with protocol 2.
"""

from __future__ import annotations

import argparse
import gzip
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from data_prep import grid
from data_prep.pkgz import Entry
from exogan_jax.files.opacities import load_opacities
from exogan_jax.physics.forward import forward_model, simulate

_BATCH = 1000  # entries that cPickle sets at a time


class Pickler:
    """Writes what cPickle would: everything but numbers is numbered, and named when it recurs."""

    def __init__(self) -> None:
        self.numbers: dict[bytes, int] = {}
        self.n = 0

    def put(self, body: bytes, name: bytes | None = None) -> bytes:
        """`body` with the instruction that numbers it, or, if `name` has been, a reference."""
        if name is not None and name in self.numbers:
            return self._numbered(b"h", b"j", self.numbers[name])
        if name is not None:
            self.numbers[name] = self.n
        self.n += 1
        return body + self._numbered(b"q", b"r", self.n - 1)

    @staticmethod
    def _numbered(short: bytes, long: bytes, n: int) -> bytes:
        return short + bytes([n]) if n < 256 else long + struct.pack("<I", n)

    def name(self, value: bytes) -> bytes:
        """A str that recurs."""
        return self.put(string(value), value)

    def array(self, values: np.ndarray) -> bytes:
        """A one-dimensional float64 array."""
        kind = self.put(b"cnumpy\ndtype\n", b"dtype")
        if b"<f8" in self.numbers:
            dtype = self.put(b"", b"<f8")
        else:
            made = self.put(self.put(kind + self.name(b"f8") + b"K\x00K\x01\x87") + b"R", b"<f8")
            state = b"(K\x03" + self.name(b"<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t"
            dtype = made + self.put(state) + b"b"
        function = self.put(b"cnumpy.core.multiarray\n_reconstruct\n", b"reconstruct")
        cls = self.put(b"cnumpy\nndarray\n", b"ndarray")
        arguments = self.put(cls + self.put(b"K\x00\x85") + self.name(b"b") + b"\x87")
        shape = self.put(b"M" + struct.pack("<H", len(values)) + b"\x85")
        raw = self.put(string(np.ascontiguousarray(values, "<f8").tobytes()))
        state = self.put(b"(K\x01" + shape + dtype + b"\x89" + raw + b"t")
        return self.put(function + arguments + b"R") + state + b"b"

    def entry(self, key: str, depth: np.ndarray, theta: np.ndarray) -> bytes:
        """One key with its value."""
        h2o, co2, co, ch4 = 10.0 ** theta[:4]
        # The order in which Python 2 happens to hold them is not theta's.
        param = {
            b"planet_mass": theta[4] * grid.JUPITER_MASS_KG,
            b"temperature_profile": theta[6],
            b"ch4_mixratio": ch4,
            b"planet_radius": theta[5] * grid.JUPITER_RADIUS_M,
            b"h2o_mixratio": h2o,
            b"co2_mixratio": co2,
            b"co_mixratio": co,
        }
        first = self.put(string(key.encode()))
        value = self.put(b"}") + b"(" + self.name(b"param") + self.put(b"}") + b"("
        value += b"".join(self.name(k) + number(v) for k, v in param.items()) + b"u"
        value += self.name(b"data") + self.put(b"}") + self.name(b"spectrum")
        return first + value + self.array(depth) + b"su"


def string(value: bytes) -> bytes:
    """A Python 2 str."""
    if len(value) < 256:
        return b"U" + bytes([len(value)]) + value
    return b"T" + struct.pack("<i", len(value)) + value


def number(value: float) -> bytes:
    """A float."""
    return b"G" + struct.pack(">d", value)


def pickle_of(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The pickle of a dict of spectra, piece by piece."""
    pickler = Pickler()
    yield b"\x80\x02" + pickler.put(b"}")
    pending: list[bytes] = []
    for key, depth, theta in entries:
        pending.append(pickler.entry(key, depth, theta))
        if len(pending) == _BATCH:
            yield b"(" + b"".join(pending) + b"u"
            pending.clear()
    if pending:
        yield b"(" + b"".join(pending) + b"u"
    yield b"."


def write_chunk(path: Path, entries: Iterable[Entry]) -> None:
    """Writes a chunk."""
    with gzip.open(path, "wb", compresslevel=3) as file:
        for piece in pickle_of(entries):
            file.write(piece)


def simulated(n: int, seed: int, block: int = 2000) -> Iterator[Entry]:
    """Spectra of the published problem over its prior."""
    model, run = forward_model(load_opacities("published"), grid.PARAMETERS), jax.jit(simulate)
    for start in range(0, n, block):
        key = jax.random.fold_in(jax.random.key(seed), start)
        theta = np.asarray(grid.PARAMETERS.sample(key, block), np.float64)
        depth = np.asarray(run(model, jnp.asarray(theta, jnp.float32)), np.float64)
        for i in range(min(block, n - start)):
            yield Entry(str(start + i), depth[i], theta[i])
        print(f"{min(start + block, n)}/{n} spectra", file=sys.stderr)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    write_chunk(args.out, simulated(args.n, args.seed))
    print(f"{args.out}: {args.n} spectra, {args.out.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
