"""`exogan inspect`: what it shows, draws and returns; the line that `exogan retrieve` prints."""

import numpy as np
import pytest
from commands import call

from exogan_jax.files.inspect import line_of, report, text_plot
from exogan_jax.files.spectra import read_spectrum

W = np.linspace(1, 2.9, 20)
DEPTH = 0.014 + 2e-4 * np.sin(6 * W)


@pytest.fixture
def path(tmp_path):
    names = ["NRS1"] * 12 + ["NRS2"] * 8
    rows = [f"{a:.4f},0.05,{1e6 * b:.1f},50,{c}" for a, b, c in zip(W, DEPTH, names, strict=True)]
    path = tmp_path / "planet.csv"
    path.write_text("\n".join(["wl (um),half_width (um),depth (ppm),err (ppm),detector", *rows]))
    return path


def run(capsys, *arguments):
    return call(capsys, "inspect", *arguments)


def test_the_line(path):
    assert line_of(read_spectrum(path)) == (
        f"{path}: CSV, 20 points, 1-2.9 um, median depth 14014 ppm, error 50 ppm, S/N 280, "
        "NRS1, NRS2"
    )


def test_the_report(path, capsys):
    status, out, err = run(capsys, path)
    assert status == 0 and err == ""
    lines = [line.split() for line in out.splitlines()]
    assert ["wl", "(um)", "wavelength", "um"] in lines
    assert ["half_width", "(um)", "half_width", "um"] in lines
    assert ["err", "(ppm)", "error", "ppm"] in lines
    assert ["detector", "instrument"] in lines
    assert "points of NRS1: 12, NRS2: 8" in out and "median half width 0.05 um" in out
    assert "note: no planet.par beside it" in out
    assert max(map(len, out.splitlines())) < 200


def test_the_plot_shows_the_spectrum(path):
    lines = text_plot(read_spectrum(path), width=60, height=12)
    assert len(lines) == 14 and max(map(len, lines)) <= 75
    body = [line.partition("|")[2] for line in lines[:12]]
    top = int(lines[0].split()[0])
    low = int(lines[11].split()[0])
    place = {}
    for i in range(60):
        marks = [row for row in range(12) if len(body[row]) > i and body[row][i] == "*"]
        assert len(marks) <= 1
        if marks:
            place[i] = top - (marks[0] + 0.5) * (top - low) / 12
    assert len(place) == 20
    step = (top - low) / 12
    np.testing.assert_allclose(list(place.values()), 1e6 * DEPTH, atol=step)


def test_a_single_flat_point(tmp_path):
    path = tmp_path / "one.dat"
    path.write_text("1.1 0.0145 1e-4\n")
    assert "1 point, 1.1-1.1 um" in report(read_spectrum(path))


def test_png_and_errors(path, tmp_path, capsys):
    png = tmp_path / "out.png"
    bad = tmp_path / "bad.csv"
    bad.write_text("1,x,2\n")
    status, out, err = run(capsys, bad, path, "--png", png)
    assert status == 2 and png.read_bytes().startswith(b"\x89PNG") and "20 points" in out
    assert err.startswith(f"exogan: error: {bad}: line 1: ") and len(err.splitlines()) == 1
    status, _, err = run(capsys, path, "--png", tmp_path / "none" / "x.png")
    assert status == 2 and "--png: cannot write" in err


def test_damaged_files_are_a_line_each_and_the_rest_is_done(path, tmp_path, capsys):
    from test_made_tables import DAMAGE, good

    rng, files = np.random.default_rng(1), []
    for form in ("text", "csv", "ecsv", "ipac", "fits", "hdf5"):
        for kind in DAMAGE[:5]:
            file = tmp_path / f"{form}_{kind}.dat"
            content = good(form)
            if kind == "cut":
                content = content[: len(content) // 3 + 7]
            elif kind == "hole":
                content = content[:30] + content[70:]
            else:
                content = rng.bytes(99) + content
            file.write_bytes(content)
            files.append(file)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    files += [tmp_path / "empty", tmp_path / "folder", tmp_path / "absent"]
    status, out, err = run(capsys, *files, path)
    lines = err.splitlines()
    assert status == 2 and "20 points" in out
    assert all(line.startswith("exogan: error: ") for line in lines)
    named = [next(f for f in files if str(f) in line) for line in lines]
    assert len(named) == len(set(named)) > len(files) - 8


def test_choices_and_several_spectra(tmp_path, capsys):
    path = tmp_path / "two.csv"
    rows = [f"{a},{b},5e-5,{b + 1e-4},5e-5" for a, b in zip(W, DEPTH, strict=True)]
    path.write_text("\n".join(["wl,depth A,err A,depth B,err B", *rows]))
    status, out, _ = run(capsys, path)
    assert status == 0 and out.count("20 points") == 2
    status, out, _ = run(capsys, path, "--select", "B", "--star-radius", "0.5")
    assert status == 0 and out.count("median depth 14114 ppm") == 1 and "star 0.5 R_sun" in out
    choices = ["--columns", "wavelength,-,-,depth,error", "--units", "um,-,-,fraction,fraction"]
    status, out, _ = run(capsys, path, *choices)
    assert status == 0 and "median depth 14114 ppm" in out
    status, _, err = run(capsys, path, "--columns", "wavelength,depth")
    assert status == 2 and "lacks a depth or an error" in err


def test_fine_pixels_are_announced(tmp_path, capsys):
    w = np.exp(np.linspace(0, 0.5, 2000))
    rows = [f"{a:.6f} {0.014 + 1e-5 * np.sin(i):.8f} 1e-4" for i, a in enumerate(w)]
    path = tmp_path / "pixels.dat"
    path.write_text("\n".join(rows))
    _, out, _ = run(capsys, path)
    assert "2000 points" in out and "averaged from 2000 to 5" in out


def test_what_a_model_makes_of_it(tmp_path, capsys):
    path = tmp_path / "blue.dat"
    path.write_text("0.31 0.0145 1e-4\n1.1 0.0145 1e-4\n")
    _, out, err = run(capsys, path, "--model", "published")
    assert "cannot use" not in out and err == ""  # its levels reach there; pixels would not
    path.write_text("1.1 0.002 1e-5\n")
    assert "far from the training set's" in run(capsys, path, "--model", "published")[1]
    assert "far from the training set's" not in run(capsys, path)[1]
    status, _, err = run(capsys, path, "--model", "nonesuch")
    assert status == 2 and err.startswith("exogan: error: --model: nonesuch")
