"""The command line with a retrieval that costs nothing: what it writes, says and returns."""

import dataclasses
import io
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import QTable
from commands import FIGURES, errors, run, three_spectra
from fake_results import OTHER, TRUTH, make_retrieval
from fake_retrieve import ANCHORED, THE_MODEL
from rich.console import Console
from test_spectra import BAD_PARS, BAD_TABLES, GOOD

from exogan_jax import __version__, cli
from exogan_jax.files import posteriors, report, weights
from exogan_jax.files.spectra import read_spectrum
from exogan_jax.layout import PUBLISHED
from exogan_jax.retrieval.flags import explain
from exogan_jax.retrieval.settings import Settings


@pytest.fixture
def spectra(tmp_path):
    return three_spectra(tmp_path)


def test_one_spectrum_with_all_its_files(tmp_path, capsys, fake, spectra):
    out = tmp_path / "new" / "out"
    options = ["--seed", 3, "--starts", 8, "--steps", 5, "--likelihood", "gaussian"]
    status, text, err = run(capsys, spectra[0], "--out", out, *options)
    assert status == 0 and errors(err) == [], err
    names, used = fake.calls[0]
    assert names == ["planet_a"]
    assert used == Settings(seed=3, n_starts=8, n_steps=5).for_model(has_encoder=False)
    folder = out / "planet_a"
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        [*FIGURES, "fit.ecsv", "posterior.nc"]
    )
    attrs = posteriors.read_attrs(folder / "posterior.nc")
    assert attrs["seed"] == 3 and attrs["model"] == weights.DEFAULT_MODEL == "planets"
    assert attrs["star_radius"] == 1 and attrs["encoder"] == 0 and attrs["n_steps"] == 5
    assert set(vars(used)) <= set(attrs)
    assert attrs["input_sha256"] == read_spectrum(spectra[0]).sha256
    assert attrs["exogan_jax_version"] == __version__
    table = QTable.read(out / "summary.ecsv")
    assert list(table["name"]) == ["planet_a"]
    # The table on the screen: one row per parameter, with the truth.
    rows = [line.split() for line in text.splitlines()]
    rows = {row[0]: row[1:] for row in rows if row and row[0] in PUBLISHED.parameters.names}
    assert tuple(rows) == PUBLISHED.parameters.names
    assert tuple(row[-2] for row in rows.values()) == PUBLISHED.parameters.units
    truth = [float(row[-1]) for row in rows.values()]
    np.testing.assert_allclose(truth, TRUTH, rtol=0.01)
    assert len(text.splitlines()) <= 24


def test_options_that_do_not_go_together_are_an_error(tmp_path, capsys, fake, spectra):
    out = tmp_path / "out"
    for options in (["--no-chain"], ["--offsets", 100, "--likelihood", "paper"]):
        status, _, err = run(capsys, spectra[0], "--out", out, *options)
        assert status == 2 and len(errors(err)) == 1 and fake.calls == []
        assert not (out / "summary.ecsv").exists()
    status, _, _ = run(capsys, spectra[0], "--out", out, "--fast", "--no-chain", "--no-plots")
    used = fake.calls[0][1]
    assert status == 0 and not used.chain and not used.exact and used.n_samples == 512


@pytest.mark.parametrize("spread", [0.01, 1.0, 30.0])
def test_the_table_fits_80_columns(spread):
    """Whatever the errors, all seven are shown, and every number has a decimal to spare of them."""
    made = make_retrieval("a_planet_with_a_long_name", "b", n_samples=64)
    samples = TRUTH + spread * (made.samples - TRUTH)
    wide = dataclasses.replace(made, samples=samples.astype(np.float32))
    console = Console(width=80, height=25, file=io.StringIO())
    report.print_report(wide, [None, None], console)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) == 3
    assert " ".join(lines[0].split()) == "spectrum H2O CO2 CO CH4 M [M_J] R [R_J] T [K] chi2"
    assert all(line.count("±") == 7 and "…" not in line[9:] for line in lines[1:])


def test_flags_are_explained_on_the_screen():
    made = dataclasses.replace(make_retrieval("a", n_samples=64), flags=("poor_fit,at_bound:mass",))
    console = Console(width=80, height=25, file=io.StringIO())
    report.print_report(made, [None], console)
    text = console.file.getvalue()
    words = " ".join(text.split())
    assert f"! poor_fit: {explain('poor_fit')}" in words
    assert f"! at_bound:mass: {explain('at_bound')}" in words
    assert len(text.splitlines()) <= 25


def test_what_has_no_room_is_said_to_be_in_the_table():
    made = make_retrieval("a", "b", n_samples=64)
    console = Console(width=50, height=25, file=io.StringIO())
    report.print_report(made, [None, None], console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 50
    assert re.search(r"\d more parameters in summary.ecsv", text) and "chi2" in text


def test_many_spectra_fit_one_screen(tmp_path, capsys, fake, no_figures):
    files = []
    for i in range(24):
        files.append(tmp_path / f"a_planet_with_a_long_name_{i}.dat")
        files[-1].write_text(GOOD)
    status, text, _ = run(capsys, *files, "--out", tmp_path / "out", "--no-plots")
    assert status == 0
    lines = [x for x in text.splitlines() if "Results are in" not in x]  # as long as a path is
    assert len(lines) <= 25 and max(map(len, lines)) <= 80
    assert re.search(r"\.\.\. and \d+ more", text)
    assert len(QTable.read(tmp_path / "out" / "summary.ecsv")) == 24


def test_another_problem_is_reported_and_drawn(tmp_path, capsys, fake, spectra):
    fake.model = SimpleNamespace(encoder=None, layout=OTHER, networks=ANCHORED)
    out = tmp_path / "out"
    status, text, err = run(capsys, spectra[0], "--out", out)
    assert status == 0 and errors(err) == [] and "not retrieved: CH4, CO, CO2, H2O" in err
    rows = [line.split() for line in text.splitlines()]
    rows = {row[0]: row[1:] for row in rows if row and row[0] in OTHER.parameters.names}
    assert tuple(rows) == OTHER.parameters.names
    assert rows["radius"][-2] == "R_E" and float(rows["radius"][-1]) == pytest.approx(13.2, abs=0.1)
    assert sorted(p.name for p in (out / "planet_a").iterdir()) == sorted(
        [*FIGURES, "fit.ecsv", "posterior.nc"]
    )
    status, text, _ = run(capsys, *spectra, "--out", out, "--no-plots")
    heading = " ".join(text.splitlines()[0].split())
    assert heading == "spectrum NH3 M [M_E] R [R_E] T [K] log10_cloud chi2"
    assert "radius_q50" in QTable.read(out / "summary.ecsv").colnames
    # The published problem's results are not these: another model's layout is computed anew.
    fake.model = THE_MODEL
    run(capsys, *spectra, "--out", out, "--no-plots")
    assert [len(names) for names, _ in fake.calls] == [1, 2, 3]


def test_points_off_the_models_grid_are_left_out(tmp_path, capsys, fake, no_figures):
    path = tmp_path / "wide.dat"
    path.write_text("0.5 0.0145 1e-4\n" + GOOD)
    _, _, err = run(capsys, path, "--out", tmp_path / "published")
    assert "left out" not in err
    fake.model = SimpleNamespace(encoder=None, layout=OTHER, networks=ANCHORED)
    _, _, err = run(capsys, path, "--out", tmp_path / "other")
    assert "left out 1 point outside 0.79-8.5 um" in err


@pytest.mark.parametrize("case", [*BAD_TABLES, *BAD_PARS])
def test_bad_input_is_one_line_and_status_2(tmp_path, capsys, fake, case):
    path = tmp_path / "bad.dat"
    text = BAD_TABLES.get(case, (GOOD,))[0]
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if case in BAD_PARS and case not in BAD_TABLES:
        path.with_suffix(".par").write_text(BAD_PARS[case][0])
    status, _, err = run(capsys, path, "--out", tmp_path / "out")
    assert status == 2 and fake.calls == []
    assert len(errors(err)) == 1 and str(path.with_suffix("")) in errors(err)[0]
    assert err.splitlines() == errors(err)
    assert not (tmp_path / "out").exists()


def test_unusable_out(tmp_path, capsys, fake, spectra, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "planet_a").write_text("")
    for out in (file, file / "below", folder, "/proc/none"):
        status, _, err = run(capsys, spectra[0], "--out", out)
        assert status == 2 and len(errors(err)) == 1 and str(out) in errors(err)[0]
    assert fake.calls == []

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("exogan_jax.cli_outcome.write_summary", full)
    status, _, err = run(capsys, spectra[0], "--out", tmp_path / "full")
    assert status == 2 and "No space left" in errors(err)[0] and len(errors(err)) == 1


def test_unknown_model(tmp_path, capsys, spectra):
    status, _, err = run(capsys, spectra[0], "--out", tmp_path / "o", "--model", "nonesuch")
    assert status == 2 and len(errors(err)) == 1 and "nonesuch" in errors(err)[0]
    (tmp_path / "weights").write_bytes(b"not weights")
    status, _, err = run(
        capsys, spectra[0], "--out", tmp_path / "o", "--model", tmp_path / "weights"
    )
    assert status == 2 and len(errors(err)) == 1


def test_paper_likelihood_needs_full_sections(tmp_path, capsys, fake, spectra):
    arguments = ("--out", tmp_path / "o", "--likelihood", "paper")
    status, _, err = run(capsys, spectra[0], *arguments)
    assert status == 2 and spectra[0] in errors(err)[0] and fake.calls == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["retrieve"],
        ["retrieve", "--out", "o"],
        ["retrieve", "x.dat"],
        ["retrieve", "x.dat", "--out", "o", "--starts", "0"],
        ["retrieve", "x.dat", "--out", "o", "--seed", "-1"],
        ["retrieve", "x.dat", "--out", "o", "--seed", "a"],
        ["retrieve", "x.dat", "--out", "o", "--likelihood", "other"],
        ["retrieve", "x.dat", "--out", "o", "--sede", "1"],
        ["retrieve", "x.dat", "--out", "o", "--prior", "0.28+-0.03"],
        ["retrieve", "x.dat", "--out", "o", "--prior", "mass=heavy"],
        ["retrieve", "x.dat", "--out", "o", "--over"],
        ["train"],
    ],
)
def test_bad_options(arguments, capsys):
    with pytest.raises(SystemExit) as info:
        cli.main(arguments)
    assert info.value.code == 2
    assert "error:" in capsys.readouterr().err.splitlines()[-1]


def test_version_and_help(capsys):
    for option, text in (("--version", f"exogan {__version__}\n"), ("--help", "retrieve")):
        with pytest.raises(SystemExit) as info:
            cli.main([option])
        assert info.value.code == 0 and text in capsys.readouterr().out


def test_mistakes_are_reported_without_loading_the_networks(tmp_path):
    code = """
import sys
from exogan_jax.cli import main
status = main(sys.argv[1:])
heavy = {"flax", "optax", "matplotlib", "xarray", "corner"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else status)
"""
    start = time.monotonic()
    command = [sys.executable, "-c", code, "retrieve", "absent.dat", "--out", str(tmp_path / "o")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr == "exogan: error: absent.dat: no such file; check the path\n"
    assert done.returncode == 2
    assert time.monotonic() - start < 30  # under 1.5 s when nothing else runs


def test_bundled_example(tmp_path, capsys, fake, no_figures):
    status, text, _ = run(capsys, "--example", "--out", tmp_path / "out")
    assert status == 0 and "example" in text
    assert np.isfinite(
        posteriors.read_posterior(tmp_path / "out/example/posterior.nc")[0].samples
    ).all()


def test_models_lists_what_ships(capsys):
    assert cli.main(["models"]) == 0
    out = capsys.readouterr().out
    assert "planets*" in out and "published " in out and "published*" not in out
    assert "retrieves log10_h2o, " in out


def test_help_names_no_problem(capsys):
    with pytest.raises(SystemExit):
        cli.main(["retrieve", "--help"])
    text = capsys.readouterr().out.lower()
    assert not any(gas in text for gas in PUBLISHED.parameters.gases if len(gas) > 2)
