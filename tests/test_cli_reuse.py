"""What a run of the command line keeps, and a second one takes from it."""

import os

import numpy as np
import pytest
from astropy.table import QTable
from commands import FIGURES, errors, run, three_spectra
from fake_results import TRUTH, make_observation
from test_spectra import GOOD

from exogan_jax.files.spectra import write_spectrum


@pytest.fixture
def spectra(tmp_path):
    return three_spectra(tmp_path)


def test_good_spectra_are_retrieved_beside_bad_ones(tmp_path, capsys, fake, spectra, no_figures):
    bad = tmp_path / "bad.dat"
    bad.write_text("1.1 x 1e-4\n")
    absent = tmp_path / "absent.dat"
    empty = tmp_path / "empty"
    empty.mkdir()
    files = [bad, spectra[0], absent, spectra[1], empty]
    status, _, err = run(capsys, *files, "--out", tmp_path / "out")
    assert status == 2
    found = errors(err)
    wanted = [empty, bad, absent]
    assert [str(f) in e for f, e in zip(wanted, found, strict=True)] == [True] * 3
    table = QTable.read(tmp_path / "out" / "summary.ecsv")
    assert list(table["name"]) == ["bad", "planet_a", "absent", "planet_b"]
    assert [str(bad) in table["status"][0], str(absent) in table["status"][2]] == [True, True]
    assert list(table["status"][[1, 3]]) == ["ok", "ok"]
    assert list(np.isnan(table["temperature_q50"].value)) == [True, False, True, False]
    # They are not tried again, and the others are there.
    _, _, err = run(capsys, *files, "--out", tmp_path / "out")
    assert len(fake.calls) == 1 and "4 of 4 spectra are done already" in err


def test_second_run_reuses_what_fits(tmp_path, capsys, fake, spectra, no_figures):
    out = tmp_path / "out"
    run(capsys, *spectra[:2], "--out", out)
    status, text, err = run(capsys, *spectra, "--out", out)
    assert status == 0 and "2 of 3 spectra are done already" in err
    assert [names for names, _ in fake.calls] == [["planet_a", "planet_b"], ["planet_c"]]
    assert len(QTable.read(out / "summary.ecsv")) == 3 and "planet_c" in text
    run(capsys, *spectra, "--out", out)
    assert len(fake.calls) == 2
    run(capsys, *spectra, "--out", out, "--overwrite")
    assert len(fake.calls) == 3 and len(fake.calls[-1][0]) == 3


@pytest.mark.parametrize(
    "change", ["--seed=1", "--starts=2", "--steps=2", "input", "star", "damage", "--model"]
)
def test_any_change_is_computed_again(tmp_path, capsys, fake, spectra, no_figures, change):
    out, path = tmp_path / "out", tmp_path / "planet_a.dat"
    run(capsys, path, "--out", out)
    options = [change] if change.startswith("--s") else []
    if change == "input":
        path.write_text(path.read_text().replace("1.1", "1.11", 1))
    elif change == "star":
        write_spectrum(path, make_observation(), star_radius=0.5)
    elif change == "damage":
        (out / "planet_a" / "posterior.nc").write_bytes(b"half")
    elif change == "--model":
        (tmp_path / "weights").write_bytes(b"x")
        options = ["--model", tmp_path / "weights"]
    status, _, _ = run(capsys, path, "--out", out, *options)
    assert status == 0 and len(fake.calls) == 2


def test_interrupted_run_goes_on(tmp_path, capsys, fake, spectra, no_figures):
    fake.fail_after = 2
    status, _, err = run(capsys, *spectra, "--out", tmp_path / "out")
    assert status == 130 and "interrupted" in errors(err)[0]
    fake.fail_after = None
    status, _, err = run(capsys, *spectra, "--out", tmp_path / "out")
    assert status == 0 and fake.calls[-1][0] == ["planet_c"]


def test_same_stems_get_distinct_names(tmp_path, capsys, fake, no_figures):
    files = []
    for folder in ("x", "y", "z"):
        (tmp_path / folder).mkdir()
        files.append(tmp_path / folder / ("A.dat" if folder == "z" else "a.dat"))
        files[-1].write_text(GOOD)
    dots = tmp_path / "...dat"
    dots.write_text(GOOD)
    status, _, err = run(capsys, *files, dots, "--out", tmp_path / "out")
    assert status == 0 and fake.calls[0][0] == ["a", "a_2", "A_3", "spectrum"]
    assert f"{files[1]}: its results go to a_2/" in err
    assert (tmp_path / "out" / "spectrum" / "posterior.nc").exists()


def test_a_file_name_that_is_no_text(tmp_path, capsys, fake, no_figures):
    path = tmp_path / os.fsdecode(b"caf\xe9.dat")
    path.write_text(GOOD)
    status, _, err = run(capsys, path, "--out", tmp_path / "out")
    assert status == 0 and fake.calls[0][0] == ["caf?"] and "its results go to caf?/" in err


def test_figures_that_fail_keep_the_results(tmp_path, capsys, fake, spectra, monkeypatch):
    def fail(directory, posterior, observation, truth):
        if directory.name == "planet_b":
            raise RuntimeError("no\nfonts")

    monkeypatch.setattr("exogan_jax.files.plots.save_figures", fail)
    status, text, err = run(capsys, *spectra, "--out", tmp_path / "out")
    assert status == 1 and len(QTable.read(tmp_path / "out" / "summary.ecsv")) == 3
    message = "exogan: error: planet_b: figures not drawn (RuntimeError: no fonts)"
    assert errors(err) == [message] and "planet_b" in text


def test_figures_are_drawn_again_only_when_stale(tmp_path, capsys, fake, spectra, monkeypatch):
    drawn = []

    def draw(directory, posterior, observation, truth):
        np.testing.assert_allclose(truth, TRUTH, rtol=1e-6)
        drawn.append(directory.name)
        for name in FIGURES:
            (directory / name).write_bytes(b"")

    monkeypatch.setattr("exogan_jax.files.plots.save_figures", draw)
    out = tmp_path / "out"
    run(capsys, spectra[0], "--out", out)
    run(capsys, spectra[0], "--out", out)
    assert drawn == ["planet_a"]
    run(capsys, spectra[0], "--out", out, "--overwrite", "--no-plots")
    assert sorted(p.name for p in (out / "planet_a").iterdir()) == ["fit.ecsv", "posterior.nc"]


def test_what_was_read_is_said_and_another_reading_is_computed_again(
    tmp_path, capsys, fake, no_figures
):
    path, out = tmp_path / "s.dat", tmp_path / "out"
    rows = [f"{1 + i / 10:.1f} 0.0{145 + i} 0.0{146 + i} 1e-4" for i in range(8)]
    path.write_text("\n".join(["# wl a b err", *rows]))
    choices = ["--columns", "wavelength,depth,-,error", "--star-radius", "1.1"]
    status, _, err = run(capsys, path, "--out", out, *choices)
    assert status == 0 and f"exogan: read: {path}: text, 8 points, 1-1.7 um" in err
    assert "1 R_sun" not in err
    run(capsys, path, "--out", out, *choices)
    assert len(fake.calls) == 1
    run(capsys, path, "--out", out, "--columns", "wavelength,-,depth,error")
    assert len(fake.calls) == 2
