"""Runs of many spectra on the command line, with a retrieval that costs nothing."""

import numpy as np
import pytest
from astropy.table import QTable, Table
from commands import MANY, call, child, contents, ended, errors, run, write_spectra
from fake_results import make_observation
from filelock import FileLock

from exogan_jax import cli
from exogan_jax.files import posteriors, summary
from exogan_jax.files.results import find_results, open_results
from exogan_jax.files.store import STORE


@pytest.fixture
def spectra(tmp_path):
    return write_spectra(tmp_path / "spectra", MANY)


def test_many_spectra_go_to_the_store_alone(tmp_path, capsys, fake, spectra):
    out = tmp_path / "out"
    status, _, err = run(capsys, spectra, "--out", out, "--seed", 5)
    assert status == 0 and errors(err) == []
    found = {p.name for p in out.iterdir() if not p.name.startswith(".")}
    assert found == {"results.zarr", "summary.ecsv", "reading.txt"}
    said = (out / "reading.txt").read_text().splitlines()
    assert sum(line.startswith("read: ") for line in said) == MANY
    assert f"{MANY} spectra read" in err and len(err.splitlines()) < 10
    table = QTable.read(out / "summary.ecsv")
    names = [f"planet_{i:03}" for i in range(MANY)]
    assert list(table["name"]) == names and set(table["status"]) == {"ok"}
    data = open_results(out)
    ordered = data.sel(spectrum=names)
    medians = ordered.quantiles.sel(quantile=0.5, parameter="temperature")
    np.testing.assert_array_equal(medians, table["temperature_q50"].value)
    # Those of as many points are computed together.
    assert [int(n) for n in np.isfinite(data.observed_depth).sum("point")] == [12] * 12 + [32] * 11
    (made_with,) = data.attrs["runs"].values()
    assert made_with["seed"] == 5 and made_with["model"] == "planets"
    assert len(made_with["weights_sha256"]) == 64 and {"jax_version", "device"} <= set(made_with)
    calls = len(fake.calls)
    status, _, err = run(capsys, spectra, "--out", out, "--seed", 5)
    assert status == 0 and f"{MANY} of {MANY} spectra are done" in err and len(fake.calls) == calls


def here(capsys, *arguments) -> tuple[int, str]:
    """A command that retrieves nothing, in this process: its exit status, and what it said."""
    capsys.readouterr()
    status, *said = call(capsys, *arguments)
    return status, "".join(said)


def test_single_spectra_are_exported_and_drawn(tmp_path, capsys, spectra):
    out = tmp_path / "out"
    ended(child("retrieve", spectra, "--out", out))
    status, text = ended(child("export", "planet_003", "planet_01?", "--out", out, "--netcdf"))
    assert status == 0 and len(text.splitlines()) == 11, text
    posterior, attrs = posteriors.read_posterior(out / "planet_003" / "posterior.nc")
    row = open_results(out).sel(spectrum="planet_003")
    np.testing.assert_array_equal(posterior.samples, row.samples[:64])
    np.testing.assert_allclose(posterior.quantiles(), row.quantiles, rtol=1e-5)
    assert attrs["star_radius"] == 0.9 and attrs["seed"] == 0 and len(attrs["input_sha256"]) == 64
    assert posterior.depth.shape == (64, 515) and posterior.depth.dtype == np.float32
    table = QTable.read(out / "planet_003" / "fit.ecsv")
    written = Table.read(spectra / "planet_003.dat", format="ascii.no_header")
    np.testing.assert_allclose(table["depth"], written["col2"], rtol=1e-6)
    assert not (out / "planet_004").exists()
    status, text = ended(child("plot", out, "planet_003"))
    drawn = {p.name for p in (out / "planet_003").glob("*.png")}
    assert status == 0 and drawn == {"aspa.png", "spectrum.png", "corner.png", "histograms.png"}
    status, text = here(capsys, "export", "nonesuch", "--out", out)
    assert status == 2 and f"no spectrum 'nonesuch' among the {MANY}" in text
    status, text = here(capsys, "plot", tmp_path, "a")
    assert status == 2 and "no results.zarr in it" in text


def test_a_spectrum_that_fails_is_a_row_and_the_others_go_on(tmp_path, capsys, spectra):
    write_spectra(spectra, 1, "broken")
    (spectra / "none.csv").write_text("wavelength,depth\n1,2\n")
    out = tmp_path / "out"
    status, text = ended(child("retrieve", spectra, "--out", out))
    assert status == 2 and "none.csv" in text
    said = "broken_000: failed: FloatingPointError: divided by nothing (--retry tries it again)"
    assert said in text
    table = QTable.read(out / "summary.ecsv")
    bad = table[table["status"] != "ok"]
    assert list(bad["name"]) == ["broken_000", "none"] and len(table) == MANY + 2
    assert "divided by nothing" in bad["status"][0] and "none.csv" in bad["status"][1]
    assert np.isnan(bad["temperature_q50"].value).all()
    assert np.isfinite(table[table["status"] == "ok"]["temperature_q50"].value).all()
    first = contents(out)
    status, _ = ended(child("retrieve", spectra, "--out", out))
    assert status == 2 and contents(out) == first
    ended(child("retrieve", spectra, "--out", out, "--retry"))
    assert find_results(out).rows["broken_000"].revision == 2
    status, text = here(capsys, "export", "broken_000", "--out", out)
    assert status == 2 and "divided by nothing" in text


def test_parts_side_by_side_are_summed_up(tmp_path, capsys, fake, spectra):
    out = tmp_path / "out"
    out.mkdir()
    # Another part at work is no hindrance, the whole is refused.
    (out / "part-0-of-2").mkdir()
    with FileLock(out / "part-0-of-2" / ".lock"):
        assert run(capsys, spectra, "--out", out, "--part", "1/2")[0] == 0
        assert run(capsys, spectra, "--out", out)[0] == 2
        assert run(capsys, spectra, "--out", out, "--part", "0/2")[0] == 2
    assert run(capsys, spectra, "--out", out, "--part", "0/2")[0] == 0
    halves = [QTable.read(out / f"part-{k}-of-2" / "summary.ecsv") for k in (0, 1)]
    assert [len(half) for half in halves] == [MANY - MANY // 2, MANY // 2]
    calls = len(fake.calls)
    status, _, err = run(capsys, spectra, "--out", out)
    assert status == 0 and f"{MANY} of {MANY} spectra are done" in err and len(fake.calls) == calls
    table = QTable.read(out / "summary.ecsv")
    assert list(table["name"]) == [f"planet_{i:03}" for i in range(MANY)]
    np.testing.assert_array_equal(table["temperature_q50"][1::2], halves[1]["temperature_q50"])


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (["--device", "abacus"], "--device: there is no device 'abacus' here; there are cpu:0"),
        (["--device", "cpu:99"], "there is no device 'cpu:99' here"),
    ],
)
def test_devices_that_are_not_there(tmp_path, capsys, fake, spectra, options, cause):
    status, _, err = run(capsys, spectra, "--out", tmp_path / "out", *options)
    assert status == 2 and cause in errors(err)[0] and fake.calls == []


@pytest.mark.parametrize(
    "options",
    [["--chunk", "0"], ["--jobs", "x"], ["--part", "2/2"], ["--part", "1"], ["--keep", "0"]],
)
def test_options_out_of_range(tmp_path, capsys, options):
    with pytest.raises(SystemExit):
        cli.main(["retrieve", "x.dat", "--out", str(tmp_path), *options])
    assert options[0] in capsys.readouterr().err


def test_the_chunk_is_how_many_are_computed_together(tmp_path, capsys, fake, spectra):
    for chunk, wanted in ((5, [5] * 4 + [3]), (100, [MANY])):
        fake.calls.clear()
        status, _, _ = run(capsys, spectra, "--out", tmp_path / str(chunk), "--chunk", chunk)
        assert status == 0 and [len(names) for names, _ in fake.calls] == wanted


def test_too_large_a_chunk_says_so(tmp_path, capsys, fake, spectra, monkeypatch):
    def full(*args, **kwargs):
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes")

    monkeypatch.setattr("exogan_jax.api.retrieve", full)
    status, _, err = run(capsys, spectra, "--out", tmp_path / "out")
    assert status == 2 and "take a smaller --chunk than 8" in errors(err)[0]


def test_very_many_make_a_parquet_table(tmp_path, capsys, fake, spectra, monkeypatch):
    out = tmp_path / "out"
    run(capsys, spectra, "--out", out)
    table = QTable.read(out / "summary.ecsv")
    monkeypatch.setattr(summary, "MOST", MANY - 1)
    assert run(capsys, spectra, "--out", out)[0] == 0
    assert not (out / "summary.ecsv").exists()
    again = QTable.read(out / "summary.parquet")
    assert again.colnames == table.colnames and len(again) == MANY
    np.testing.assert_array_equal(again["temperature_q50"], table["temperature_q50"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    status, _, err = run(capsys, spectra, "--out", tmp_path / "new")
    assert status == 2 and "pip install 'exogan-jax[parquet]'" in errors(err)[0]


def test_folders_and_patterns(tmp_path, capsys, fake, spectra):
    (spectra / "notes.md").write_text("no spectrum")
    (spectra / ".hidden.dat").write_text("x")
    status, _, _ = run(capsys, spectra / "planet_00*", "--out", tmp_path / "a", "--no-plots")
    assert status == 0 and len(QTable.read(tmp_path / "a" / "summary.ecsv")) == 10
    status, _, _ = run(capsys, spectra, spectra / "*.dat", "--out", tmp_path / "b")
    assert status == 0 and len(QTable.read(tmp_path / "b" / "summary.ecsv")) == MANY
    status, _, err = run(capsys, spectra / "*.fits", "--out", tmp_path / "c")
    assert status == 2 and "no file's name is like this pattern" in errors(err)[0]


def test_a_catalogue_keeps_40_kb_a_spectrum(tmp_path):
    """Of the default model's size, samples and spectra as rough as real ones."""
    from fake_results import make_retrieval

    from exogan_jax.files.headers import model_layout
    from exogan_jax.files.ledger import Ledger, save_chunk
    from exogan_jax.files.rows import Task

    layout, n = model_layout(), 64
    todo = [
        Task(
            f"planet {i}",
            "s" * 16,
            "r" * 16,
            {"input_sha256": f"{i:064}"},
            make_observation(200),
            {},
            None,
        )
        for i in range(n)
    ]
    ledger = Ledger(tmp_path, layout, n_kept=512, chunk=8)
    (first, *_) = chunks = ledger.plan(todo, {})
    assert len(first) == 8
    rng = np.random.default_rng(0)
    low, high = layout.parameters.lower, layout.parameters.upper
    for chunk in chunks:
        pairs = []
        for task in chunk:
            made = make_retrieval(task.name, n_samples=2048)[0]
            samples = low + (high - low) * rng.uniform(size=(2048, len(low)))
            depth = 0.01 + 1e-4 * rng.normal(size=(2048, layout.n_wavelength)).astype(np.float32)
            fields = {**vars(made), "layout": layout, "depth": depth}
            pairs.append((task, type(made)(**{**fields, "samples": samples.astype(np.float32)})))
        ledger.add(save_chunk(tmp_path, pairs, 512))
    ledger.close()
    files = [p for p in (tmp_path / STORE).rglob("*") if p.is_file()]
    on_disk = sum(-(-p.stat().st_size // 4096) * 4096 for p in files)
    assert on_disk / n < 40_000, on_disk / n
