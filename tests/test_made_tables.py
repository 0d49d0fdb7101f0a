"""Made-up tables of each format are read as they are meant or refused; damaged files are refused in
a line. The slow tests do the same 2,000 times a format.
"""

import re
import resource
import time

import made_tables
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exogan_jax.files.spectra import SpectrumError, read_spectra, read_spectrum

FORMS = ("text", "csv", "headless", "ecsv", "ipac", "mrt", "fits", "hdf5", "netcdf")


@st.composite
def cases(draw, form):
    """A made table, and its file's content."""
    table = draw(made_tables.made(headless=form == "headless"))
    if form == "headless":
        table = table._replace(columns=[("", unit, values) for _, unit, values in table.columns])
    if form in ("text", "csv", "headless"):
        csv = form == "csv" or (form == "headless" and draw(st.booleans()))
        return table, draw(made_tables.text(table, csv)).encode()
    return table, made_tables.binary(table, form)


def check_reading(path, table, content):
    """Whether the content was read; what is read must be what the table means."""
    path.write_bytes(content)
    try:
        (spectrum,) = read_spectra(path)
    except SpectrumError as error:
        message = str(error)
        assert message.startswith(f"{path}: ") and "\n" not in message
        assert not table.clear, message  # with names and units there is no doubt
        return False
    observation, scale = spectrum.observation, spectrum.star_radius**2
    np.testing.assert_allclose(observation.wavelength_um, table.wavelength_um, rtol=1e-6)
    np.testing.assert_allclose(observation.half_width_um, table.half_width_um, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(observation.depth / scale, table.depth, rtol=1e-6)
    np.testing.assert_allclose(observation.sigma / scale, table.sigma, rtol=1e-6)
    found = None if spectrum.instrument is None else list(spectrum.instrument)
    assert found == (None if table.instrument is None else list(table.instrument))
    return True


def many(form, path, count):
    """Checks that many tables; returns how many were read."""
    read = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(form))
    def run(case):
        read.append(check_reading(path, *case))

    run()
    return np.mean(read)


# The share that is read, at least: the rest has no units, or an order that no code writes.
READ = {"headless": 0.1}


@pytest.mark.parametrize("form", FORMS)
def test_made_tables(tmp_path, form):
    assert many(form, tmp_path / "made.dat", 30) > READ.get(form, 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_2000_made_tables(tmp_path, form):
    assert many(form, tmp_path / "made.dat", 2000) > READ.get(form, 0.5)


def good(form):
    """The content of a file that is read."""
    rng = np.random.default_rng(1)
    w, depth = np.linspace(1, 2, 12), 0.014 + 2e-4 * rng.normal(size=12)
    columns = [
        ("wavelength", "um", w),
        ("depth", "%", 100 * depth),
        ("error", "%", np.full(12, 0.005)),
        ("instrument", "", np.array(["a", "b"] * 6)),
    ]
    if form in ("text", "csv"):
        delimiter = " " if form == "text" else ","
        lines = [delimiter.join(f"{name}[{unit}]" for name, unit, _ in columns)]
        values = zip(*(values for _, _, values in columns), strict=True)
        lines += [delimiter.join(made_tables.number(x, "repr") for x in row) for row in values]
        return "\n".join(lines).encode()
    table = made_tables.Made(columns, w, 0 * w, depth, 0 * w, None, True)
    return made_tables.binary(table, form)


def damaged(content, kind, rng):
    """The content cut, overwritten, in another encoding, replaced, or repeated."""
    length = len(content)
    if kind == "cut":
        return content[: rng.integers(0, length)]
    if kind == "hole":
        a, b = sorted(rng.integers(0, length, 2))
        return content[:a] + content[b:]
    if kind == "bytes":
        out = bytearray(content)
        for place in rng.integers(0, length, rng.integers(1, 30)):
            out[place] = rng.integers(0, 256)
        return bytes(out)
    if kind == "utf-16":
        return content.decode("latin-1").encode("utf-16")
    if kind == "noise":
        return rng.bytes(int(rng.integers(1, 5000)))
    if kind == "words":
        word = [b"x", b"", b"0 0", b"-", b"nan", b"1e999"][rng.integers(0, 6)]
        return content.replace(b"0", word, int(rng.integers(1, 6)))
    return content[: rng.integers(1, 40)] * int(rng.integers(1, 2000))


DAMAGE = ("cut", "hole", "bytes", "utf-16", "noise", "words", "repeated")


@pytest.mark.parametrize("form", [form for form in FORMS if form != "headless"])
def test_damaged_files_are_refused_in_a_line(tmp_path, form):
    rng, content, path = np.random.default_rng(0), good(form), tmp_path / "damaged.dat"
    path.write_bytes(content)
    assert len(read_spectrum(path).observation.depth) == 12
    refused = 0
    for i in range(98):
        path.write_bytes(damaged(content, DAMAGE[i % 7], rng))
        try:
            read_spectrum(path)
        except SpectrumError as error:
            message = str(error)
            refused += 1
            assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < 500
            assert "Traceback" not in message and not re.search(r"\bNone\b", message)
    assert refused > 50


def test_folders_and_empty_files(tmp_path):
    folder = tmp_path / "thousand"
    folder.mkdir()
    for i in range(1000):
        (folder / f"{i}.dat").write_bytes(b"")
    with pytest.raises(SpectrumError, match="is a folder; name the files in it"):
        read_spectrum(folder)
    with pytest.raises(SpectrumError, match="the file is empty"):
        read_spectrum(folder / "0.dat")
    (folder / "0.dat").write_bytes(b"1.1 0.0145 1e-4\n" * 2**23)
    with pytest.raises(SpectrumError, match="longer than 64 MiB"):
        read_spectrum(folder / "0.dat")


@pytest.mark.slow
def test_ten_thousand_files_in_a_minute(tmp_path):
    rng, n = np.random.default_rng(0), 10_000
    w = np.linspace(0.8, 5, 60)
    for i in range(n):
        depth = 0.014 + 1e-4 * rng.normal(size=60)
        rows = [f"{a:.5f},{b:.7f},5e-5" for a, b in zip(w, depth, strict=True)]
        (tmp_path / f"{i}.dat").write_text("\n".join(["wl (um),depth,error", *rows][i % 2 :]))
    start, peaks = time.monotonic(), []
    for i in range(n):
        assert len(read_spectrum(tmp_path / f"{i}.dat").observation.depth) == 60
        if i % 5000 == 4999:
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert time.monotonic() - start < 120  # 25 s when nothing else runs
    assert peaks[1] - peaks[0] < 20 * 1024  # KiB
