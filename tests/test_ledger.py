"""Rows of a run on their way to the store: whatever ends a run, the next one makes it whole."""

import hashlib
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from fake_results import OTHER, make_observation, make_retrieval

from exogan_jax.files import ledger as ledgers
from exogan_jax.files.ledger import Ledger, OtherProblem, save_chunk
from exogan_jax.files.results import find_results, open_results, read_rows
from exogan_jax.files.rows import Task, depth_quantiles
from exogan_jax.files.store import STORE
from exogan_jax.layout import PUBLISHED
from exogan_jax.retrieval.weighted import weighted_quantile

MADE_WITH = {"r": {"seed": 3}}


@pytest.fixture(autouse=True)
def small_slots(monkeypatch):
    """Slots of four rows."""
    monkeypatch.setattr(ledgers, "SLOT", 4)


def task(name, settings="s", n_points=12, problem=""):
    about = {"path": f"{name}.dat", "star_radius": 0.8, "priors": "", "input_sha256": "i"}
    observation = None if problem else make_observation(n_points)
    return Task(name, settings, "r", about, observation, {}, None, problem)


def tasks(n, **kwargs):
    return [task(f"planet {i}", **kwargs) for i in range(n)]


def answers(chunk):
    """Answers that depend on all of a chunk, so that another composition is another store."""
    seed = zlib.crc32(" ".join(t.name + t.settings for t in chunk).encode())
    return list(make_retrieval(*(t.name for t in chunk), seed=seed, n_samples=20, layout=OTHER))


def begin(folder, chunk=2):
    folder.mkdir(exist_ok=True)
    return Ledger(folder, OTHER, n_kept=16, chunk=chunk)


def finish(folder, todo, chunk=2, after=lambda: None):
    """A run, from where the folder is; returns the names that it computed."""
    ledger = begin(folder, chunk)
    computed = []
    for part in ledger.plan([t for t in todo if not ledger.is_done(t)], MADE_WITH):
        pairs = [(t, None if t.problem else a) for t, a in zip(part, answers(part), strict=True)]
        path = save_chunk(folder, pairs, 16)
        computed += [t.name for t in part]
        ledger.add(path)
        after()
    ledger.close()
    return computed


def contents(folder):
    """Path -> digest of all files."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def names(folder):
    return sorted(find_results(folder).rows)


def test_all_is_read_back_lazily(tmp_path):
    todo = [*tasks(6), task("bad", problem="no such file"), task("long", n_points=300)]
    finish(tmp_path, todo)
    made = {
        t.name: a
        for part in (todo[:2], todo[2:4])
        for t, a in zip(part, answers(part), strict=True)
    }
    data = open_results(tmp_path)
    assert data.sizes["spectrum"] == 8 and data.sizes["draw"] == 16
    assert not any(
        v._in_memory for v in data.variables.values() if v.dims[:1] == ("spectrum",) and v.ndim > 1
    )
    one, answer = data.sel(spectrum="planet 3"), made["planet 3"]
    np.testing.assert_array_equal(one.samples, answer.equal_samples(16, zlib.crc32(b"planet 3")))
    np.testing.assert_array_equal(one.quantiles, answer.quantiles())
    assert float(one.effective_sample_size) == answer.effective_sample_size
    assert float(one.weight.sum()) == pytest.approx(1) and str(one.status.values) == "ok"
    np.testing.assert_array_equal(one.observed_depth[:12], make_observation().depth)
    assert np.isnan(one.observed_depth[12:]).all()
    assert np.isfinite(data.sel(spectrum="long").observed_sigma).sum() == 300
    bad = data.sel(spectrum="bad")
    assert str(bad.status.values) == "no such file" and np.isnan(bad.quantiles).all()
    assert data.attrs["runs"] == {"r": {"seed": 3}} and "resampled" in data.attrs["samples"]
    picked = data.samples.isel(spectrum=[5, 1], draw=slice(2, 9, 3), parameter=[4, 0])
    whole = data.samples.load()
    np.testing.assert_array_equal(picked, whole.values[[5, 1]][:, 2:9:3][:, :, [4, 0]])
    # Any Zarr reader sees the same rows.
    plain = xr.open_zarr(tmp_path / STORE, chunks=None)
    np.testing.assert_array_equal(plain.samples, whole)
    assert list(plain["name"].values) == list(data.spectrum.values)


def test_quantiles_of_spectra_are_those_of_the_weighted_samples():
    made = make_retrieval("a", n_samples=2000, layout=OTHER)[0]
    found = depth_quantiles(made.depth, made.weights)
    for k, q in enumerate((0.025, 0.16, 0.5, 0.84, 0.975)):
        near = (max(q - 0.01, 0.001), min(q + 0.01, 0.999))
        low, high = weighted_quantile(made.depth, made.weights, near)
        assert np.all((found[k] >= low - 1e-9) & (found[k] <= high + 1e-9))
    equal = np.full(2000, 1 / 2000)
    exact = weighted_quantile(made.depth, equal, (0.025, 0.16, 0.5, 0.84, 0.975))
    np.testing.assert_allclose(depth_quantiles(made.depth, equal), exact, rtol=1e-6)


class Killed(BaseException):
    """Ends a run at once."""


class Countdown:
    """Kills at the k-th of the writes of files."""

    def __init__(self, monkeypatch, left):
        self.left = left
        for owner, name in (
            (os, "replace"),
            (Path, "replace"),
            (Path, "unlink"),
            (Path, "write_text"),
        ):
            monkeypatch.setattr(owner, name, self.counting(getattr(owner, name)))

    def counting(self, real):
        def wrapped(*args, **kwargs):
            self.left -= 1
            if self.left < 0:
                raise Killed
            return real(*args, **kwargs)

        return wrapped


@pytest.mark.parametrize("before", [0, 3], ids=["new", "appended"])
def test_killed_at_any_write_the_store_is_the_same(tmp_path, before):
    """One run after another is killed a little later than the last, until one comes to its end."""
    whole = tmp_path / "whole"
    finish(whole, tasks(before))
    finish(whole, tasks(11))
    wanted = contents(whole)
    assert len(names(whole)) == 11
    kills = 0
    for step in (7, 23):
        folder = tmp_path / f"killed_{step}"
        finish(folder, tasks(before))
        for left in range(1, 100_000, step):
            with pytest.MonkeyPatch.context() as patch:
                Countdown(patch, left)
                try:
                    finish(folder, tasks(11))
                    break
                except Killed:
                    kills += 1
        assert contents(folder) == wanted
    assert kills > 10


def test_nothing_is_done_twice(tmp_path):
    assert len(finish(tmp_path, tasks(6))) == 6
    first = contents(tmp_path)
    assert finish(tmp_path, tasks(6)) == [] and contents(tmp_path) == first
    assert finish(tmp_path, tasks(9)) == ["planet 6", "planet 7", "planet 8"]
    assert names(tmp_path) == [f"planet {i}" for i in range(9)]
    plain = xr.open_zarr(tmp_path / STORE, chunks=None)
    assert list(plain["name"].values) == [f"planet {i}" for i in range(9)]  # no gap
    assert finish(tmp_path, tasks(2)) == [] and len(names(tmp_path)) == 9


def test_another_input_takes_the_place_of_the_row(tmp_path):
    finish(tmp_path, tasks(5))
    other = [task("planet 2", "t"), *tasks(5)[3:]]
    assert finish(tmp_path, other) == ["planet 2"]
    results = find_results(tmp_path)
    assert len(results.rows) == 5 and results.rows["planet 2"].settings == "t"
    assert results.rows["planet 2"].revision == 2
    # Back to what it was: computed again, for the row that counts is another.
    assert finish(tmp_path, tasks(5)) == ["planet 2"]
    assert find_results(tmp_path).rows["planet 2"].revision == 3
    assert finish(tmp_path, tasks(5)) == []


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove"])
@pytest.mark.parametrize("field", ["samples", "name", "reduced_chi2"])
def test_a_damaged_chunk_is_found_and_made_anew(tmp_path, damage, field):
    finish(tmp_path, tasks(10))
    wanted = contents(tmp_path)
    slot = tmp_path / STORE / field / "c" / "1"
    path = next(slot.rglob("*/0"), slot) if slot.is_dir() else slot
    content = path.read_bytes()
    if damage == "truncate":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        path.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    else:
        path.unlink()
    assert finish(tmp_path, tasks(10)) == [f"planet {i}" for i in range(4, 8)]
    assert contents(tmp_path) == wanted


def test_a_damaged_file_of_waiting_rows_is_made_anew(tmp_path):
    whole, folder = tmp_path / "whole", tmp_path / "folder"
    finish(whole, tasks(8))

    def stop():
        raise Killed

    with pytest.raises(Killed):
        finish(folder, tasks(8), after=stop)
    (path,) = (folder / ".pending").glob("*.npz")
    path.write_bytes(path.read_bytes()[:-100])
    assert len(finish(folder, tasks(8))) == 8
    assert contents(folder) == contents(whole)


def test_a_full_disk_keeps_what_is_there(tmp_path, monkeypatch):
    whole, folder = tmp_path / "whole", tmp_path / "folder"
    finish(whole, tasks(10))
    finish(folder, tasks(4))
    real = os.replace
    room = [12]

    def replace(*args):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(28, "No space left on device")
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(OSError, match="No space left"):
            finish(folder, tasks(10))
    assert set(names(folder)) >= {f"planet {i}" for i in range(4)}
    finish(folder, tasks(10))
    assert contents(folder) == contents(whole)


def test_many_results_of_another_problem_are_not_thrown_away(tmp_path, monkeypatch):
    monkeypatch.setattr(ledgers, "FEW", 5)
    finish(tmp_path, tasks(6))
    with pytest.raises(OtherProblem, match="6 spectra with other parameters or grid: name another"):
        Ledger(tmp_path, PUBLISHED, n_kept=16, chunk=2)
    with pytest.raises(OtherProblem, match="other samples per spectrum"):
        Ledger(tmp_path, OTHER, n_kept=17, chunk=2)
    assert len(names(tmp_path)) == 6
    monkeypatch.setattr(ledgers, "FEW", 6)
    Ledger(tmp_path, PUBLISHED, n_kept=16, chunk=2)
    assert names(tmp_path) == []


def test_parts_are_read_as_one(tmp_path):
    todo = tasks(7)
    for k in (0, 1):
        folder = tmp_path / f"part-{k}-of-2"
        folder.mkdir()
        ledger = Ledger(folder, OTHER, n_kept=16, chunk=2, others=tmp_path)
        for part in ledger.plan(todo[k::2], MADE_WITH):
            pairs = list(zip(part, answers(part), strict=True))
            ledger.add(save_chunk(folder, pairs, 16))
        ledger.close()
    assert finish(tmp_path, todo) == []
    data = open_results(tmp_path)
    assert sorted(data.spectrum.values) == [t.name for t in todo]
    rows = read_rows(find_results(tmp_path), [t.name for t in todo], ["name", "quantiles"])
    assert list(rows["name"]) == [t.name for t in todo]
    for t, quantiles in zip(todo, rows["quantiles"], strict=True):
        np.testing.assert_array_equal(data.quantiles.sel(spectrum=t.name), quantiles)


def test_numbers_that_are_not_finite_are_an_error_in_the_row(tmp_path):
    (one,) = tasks(1)
    (answer,) = answers([one])
    answer.samples[3, 1] = np.nan
    ledger = begin(tmp_path)
    ledger.plan([one], MADE_WITH)
    ledger.add(save_chunk(tmp_path, [(one, answer)], 16))
    assert find_results(tmp_path).rows["planet 0"].status == "failed: samples are not finite"
