"""Catalogues on Beam: the same store as one process, whatever becomes of the bundles."""

import pytest
from astropy.table import QTable
from commands import MANY, contents, write_spectra
from fake_results import make_retrieval

from exogan_jax import batches, cli, distributed
from exogan_jax.files import folders
from exogan_jax.retrieval.result import concatenate

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
TWO_WORKERS = ["--direct_running_mode=multi_threading", "--direct_num_workers=2"]


@pytest.fixture
def counted(monkeypatch, fake):
    """A retrieval that costs nothing; the names of each chunk that it was asked for."""
    asked = []

    def retrieve(observations, model, *, names, priors, settings, chunk, on_result):
        asked.append(tuple(names))
        seed = sum(map(ord, "".join(names)))
        on_result(made := make_retrieval(*names, seed=seed, layout=model.layout))
        return concatenate([made])

    monkeypatch.setattr("exogan_jax.api.retrieve", retrieve)
    monkeypatch.setattr(distributed, "_ready", [])
    return asked


@pytest.fixture
def spectra(tmp_path):
    return write_spectra(tmp_path / "spectra", MANY)


def retrieve(spectra, out, *options):
    return cli.main(["retrieve", str(spectra), "--out", str(out), "--chunk", "4", *options])


def on_beam(spectra, out, runner, *options):
    return retrieve(spectra, out, "--runner", runner, *(f"--runner-option={o}" for o in options))


@pytest.mark.parametrize("options", [[], TWO_WORKERS, ["--direct_runner_bundle_repeat=2"]])
def test_the_store_is_that_of_one_process(tmp_path, counted, spectra, options):
    assert retrieve(spectra, tmp_path / "one") == 0
    once = sorted(counted)
    counted.clear()
    assert on_beam(spectra, tmp_path / "beam", "DirectRunner", *options) == 0
    repeats = 3 if options and "repeat" in options[0] else 1
    assert sorted(counted) == sorted(once * repeats)
    assert contents(tmp_path / "beam") == contents(tmp_path / "one")
    counted.clear()
    assert on_beam(spectra, tmp_path / "beam", "DirectRunner") == 0 and counted == []


def test_a_bundle_that_fails_half_way_is_tried_again(tmp_path, counted, spectra, monkeypatch):
    assert retrieve(spectra, tmp_path / "one") == 0
    once = len(counted)
    counted.clear()
    real, failed = batches.save_chunk, []

    def save(folder, pairs, n_kept):
        path = real(folder, pairs, n_kept)
        if len(failed) < 3 and path not in failed:  # its rows are there, nobody is told
            failed.append(path)
            raise OSError("the worker was lost")
        return path

    monkeypatch.setattr(batches, "save_chunk", save)
    assert on_beam(spectra, tmp_path / "beam", "BundleBasedDirectRunner") == 0
    assert len(failed) == 3 and len(counted) > once
    assert contents(tmp_path / "beam") == contents(tmp_path / "one")


def test_a_runner_that_fails_keeps_what_was_done(tmp_path, capsys, counted, spectra, monkeypatch):
    assert retrieve(spectra, tmp_path / "one") == 0
    real, saved = batches.save_chunk, []

    def save(folder, pairs, n_kept):
        if len(saved) == 2:
            raise OSError("the cluster is gone")
        saved.append(real(folder, pairs, n_kept))
        return saved[-1]

    with monkeypatch.context() as patch:
        patch.setattr(batches, "save_chunk", save)
        assert on_beam(spectra, tmp_path / "beam", "DirectRunner") == 2
    err = capsys.readouterr().err
    assert "the cluster is gone" in err and "the same command again goes on" in err
    counted.clear()
    assert retrieve(spectra, tmp_path / "beam") == 0  # in one process
    assert sum(map(len, counted)) == MANY - 8
    assert contents(tmp_path / "beam") == contents(tmp_path / "one")


def test_few_spectra_have_their_files(tmp_path, counted, no_figures):
    few = write_spectra(tmp_path / "few", 3)
    assert folders.FEW > 3
    assert on_beam(few, tmp_path / "out", "DirectRunner") == 0
    assert (tmp_path / "out" / "planet_001" / "posterior.nc").exists()
    assert len(QTable.read(tmp_path / "out" / "summary.ecsv")) == 3


def test_no_such_runner(tmp_path, capsys, counted, spectra):
    assert on_beam(spectra, tmp_path / "out", "Runner9") == 2
    assert "--runner Runner9" in capsys.readouterr().err
    assert counted == []
