"""The reader of published chunks: Python 2's bytes, and what must not get through."""

import gzip
import pickle
import random
import resource
import struct
import sys
import tracemalloc

import numpy as np
import pytest

from data_prep.pkgz import ChunkError, Entry, read_chunk
from data_prep.write_chunk import Pickler, number, pickle_of, string, write_chunk

THETA = np.array([-3.0, -4.5, -8.0, -1.0, 1.2, 1.1, 1500.0])


def entries(n):
    rng = np.random.default_rng(0)
    return [Entry(f"k{i}", rng.uniform(0.006, 0.03, 515), THETA + 1e-3 * i) for i in range(n)]


DTYPE = (
    b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)


def array(values):
    """As the old NumPy pickled it, nothing numbered."""
    raw = np.ascontiguousarray(values, "<f8").tobytes()
    head = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    shape = b"M" + struct.pack("<H", len(values)) + b"\x85"
    return head + b"(K\x01" + shape + DTYPE + b"\x89" + string(raw) + b"tb"


def entry(key, depth, theta):
    return Pickler().entry(key, depth, theta)


def write(path, body):
    with gzip.open(path, "wb") as file:
        file.write(body)
    return path


def test_spectra_come_back_as_they_were_written(tmp_path):
    written = entries(2300)  # more than two of cPickle's batches
    write_chunk(tmp_path / "chunck_1.pkgz", written)
    read = list(read_chunk(tmp_path / "chunck_1.pkgz"))
    assert [x.key for x in read] == [x.key for x in written]
    for a, b in zip(read, written, strict=True):
        np.testing.assert_array_equal(a.depth, b.depth)
        np.testing.assert_allclose(a.theta, b.theta, rtol=1e-12)


def test_the_writer_writes_what_python_reads():
    # CPython's own unpickler agrees about the writer's bytes (they are ours, so it may run).
    body = b"".join(pickle_of(entries(3)))
    value = pickle.loads(body, encoding="latin-1")
    assert list(value) == ["k0", "k1", "k2"]
    np.testing.assert_array_equal(value["k2"]["data"]["spectrum"], entries(3)[2].depth)
    np.testing.assert_allclose(value["k1"]["param"]["co_mixratio"], 10 ** (-8.0 + 1e-3))


def test_scalars_and_profiles_are_numbers(tmp_path):
    scalar = b"cnumpy.core.multiarray\nscalar\n" + DTYPE + string(struct.pack("<d", 1500.0))
    profile = array(np.full(100, 1500.0))
    varying = array(np.linspace(1000.0, 1500.0, 100))
    body = b"}(" + entry("k", np.full(515, 0.0123), THETA) + b"u."
    for value in (scalar + b"\x86R", profile):
        path = write(tmp_path / "c.pkgz", body.replace(number(1500.0), value))
        (only,) = read_chunk(path)
        np.testing.assert_allclose(only.theta, THETA, rtol=1e-12)
    with pytest.raises(ChunkError, match="is not constant"):
        list(read_chunk(write(tmp_path / "c.pkgz", body.replace(number(1500.0), varying))))


HOSTILE = {
    "os.system": b"cos\nsystem\n(S'touch hacked'\ntR.",
    "builtins.eval": b"c__builtin__\neval\n(S'1'\ntR.",
    "nested": b"}(" + string(b"k") + b"c__builtin__\ngetattr\n(c__builtin__\nfile\nS'x'\ntRu.",
    "instance": b"(S'touch hacked'\nios\nsystem\n.",
    "object": b"(cos\nsystem\nS'touch hacked'\no.",
    "new object": b"cos\nsystem\n)\x81.",
    "extension": b"\x82\x01.",
    "persistent": b"P1\n.",
    "stack global": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0ctouch hacked\x85R.",
    "numpy load": b"cnumpy\nload\n(S'x'\ntR.",
    "subclass": b"cnumpy.core.multiarray\n_reconstruct\n(cos\nsystem\nK\x00\x85U\x01bt R.",
    "10 GB array": b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
    b"\x8a\x08" + struct.pack("<q", 10**10) + b"\x85U\x01b\x87R.",
    "10 GB shape": array(np.zeros(515)).replace(
        b"M" + struct.pack("<H", 515), b"\x8a\x08" + struct.pack("<q", 10**10)
    )
    + b".",
    "2 GB string": b"T\xff\xff\xff\x7fabc.",
    "negative string": b"T\xff\xff\xff\xffabc.",
    "huge memo": b"}r\xff\xff\xff\xff.",
    "object array": array(np.zeros(515)).replace(b"U\x02f8", b"U\x02O8") + b".",
    "billion laughs": b"(" + b"".join(b"q%c(h%ch%ct" % (i, i, i) for i in range(1, 90)) + b".",
    "no dict": b"K\x01.",
    "two values": b"}}.",
    "only a mark": b"(.",
    "unmarked": b"}u.",
    "text": b"(dS'k'\nI1\ns.",
    "long": b"\x8b\xff\xff\xff\x7f.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "hostile.pkgz", HOSTILE[name])
    tracemalloc.start()
    with pytest.raises(ChunkError, match=r"hostile\.pkgz: "):
        list(read_chunk(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
    assert not (tmp_path / "hacked").exists()


def test_bombs_stop_at_the_limit(tmp_path):
    path = write(tmp_path / "bomb.pkgz", b"\x80\x02}" + b"(u" * 3_000_000 + b".")
    assert path.stat().st_size < 50_000
    with pytest.raises(ChunkError, match=r"more than 100000 bytes when decompressed"):
        list(read_chunk(path, max_bytes=100_000))


def test_truncation_keeps_the_good_spectra_and_says_where(tmp_path):
    path = tmp_path / "cut.pkgz"
    write_chunk(path, entries(1500))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(0.9 * len(whole))])
    good = []
    with pytest.raises(ChunkError, match=r"cut\.pkgz: truncated .*after 1000 good spectra"):
        good.extend(iter_into(good, read_chunk(path)))
    assert len(good) == 1000
    path.write_bytes(b"not gzip at all")
    with pytest.raises(ChunkError, match="after 0 good spectra"):
        list(read_chunk(path))
    with pytest.raises(FileNotFoundError):
        list(read_chunk(tmp_path / "none.pkgz"))


def iter_into(target, source):
    for item in source:
        target.append(item)
    return []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (string(b"planet_mass"), string(b"planet_moss"), "has no 'planet_mass'"),
        (string(b"spectrum"), string(b"spektrum"), "not an array of 515"),
        (string(b"param"), string(b"parum"), "no 'param' and 'data'"),
        (number(1500.0), number(-1.0), "'temperature_profile' of spectrum 'k' is -1"),
        (number(1500.0), b"N", "is not a number"),
        (number(1500.0), number(np.nan), "is nan"),
        (struct.pack("<d", 0.0123), struct.pack("<d", np.inf), "not finite"),
    ],
)
def test_incomplete_spectra_are_named(tmp_path, old, new, message):
    body = b"}(" + entry("k", np.full(515, 0.0123), THETA) + b"u."
    assert old in body
    with pytest.raises(ChunkError, match=message):
        list(read_chunk(write(tmp_path / "c.pkgz", body.replace(old, new))))


def fuzz(folder, n, seed):
    """Mutates a small chunk n times; returns how many were refused."""
    source = random.Random(seed)
    body = bytearray(b"".join(pickle_of(entries(2))))
    head = len(body) - 2 * 4300  # most mutations hit instructions, not numbers
    path = folder / "fuzz.pkgz"
    refused = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(n):
        mutant = bytearray(body)
        for _ in range(source.randint(1, 6)):
            at = source.randrange(len(mutant)) if source.random() < 0.3 else source.randrange(head)
            what = source.random()
            if what < 0.6:
                mutant[at] = source.randrange(256)
            elif what < 0.8:
                del mutant[at : at + source.randint(1, 40)]
            else:
                mutant[at:at] = source.randbytes(source.randint(1, 8))
        packed = bytearray(gzip.compress(bytes(mutant), 0))
        if source.random() < 0.2:  # and the compressed file itself
            packed[source.randrange(len(packed))] = source.randrange(256)
            del packed[len(packed) - source.randrange(20) :]
        path.write_bytes(packed)
        try:
            list(read_chunk(path, max_bytes=1_000_000))
        except ChunkError:
            refused += 1
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
    assert grown < 100_000_000
    return refused


def test_mutated_chunks_raise_only_chunk_errors(tmp_path):
    assert fuzz(tmp_path, 2000, 1) > 1000


@pytest.mark.slow
def test_a_hundred_thousand_mutated_chunks(tmp_path):
    assert fuzz(tmp_path, 100_000, 2) > 50_000
