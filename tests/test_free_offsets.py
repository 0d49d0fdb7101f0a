"""Planets whose two detectors disagree: what is observed, counted and kept of them."""

import io
import json
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from rich.console import Console

from exogan_jax.files.opacities import load_opacities
from exogan_jax.layout import PUBLISHED
from exogan_jax.physics.forward import simulate
from exogan_jax.physics.problem import problem_model
from experiments import free_offsets
from experiments.free_offsets import SIGMA, observed, report, score

PARAMETERS = PUBLISHED.parameters
D = len(PARAMETERS)


@pytest.fixture(scope="module")
def physics():
    return problem_model(load_opacities("planets"), PUBLISHED)


def test_the_redder_detectors_depths_are_too_large(physics):
    offset = 150e-6
    observations, theta = observed(3, physics, 7, offset)
    grid = np.asarray(physics.wavelength_um, np.float64)
    order = np.argsort(grid)
    depth = np.asarray(jax.jit(simulate)(physics, theta), np.float64)
    for one, true in zip(observations, depth, strict=True):
        change = one.depth - np.interp(one.wavelength_um, grid[order], true[order])
        redder = np.array(one.instrument) == "NRS2"
        assert one.wavelength_um[redder].min() > 3.8 > one.wavelength_um[~redder].max() + 0.05
        assert abs((change - offset * redder).mean()) < 4 * SIGMA / len(change) ** 0.5
        assert 0.6 < (change - offset * redder).std() / SIGMA < 1.5


def test_what_is_found_counts_in_its_errors():
    assert score([0.0, 170e-6], [0.0, 10e-6], 150e-6) == pytest.approx(2)
    assert score([20e-6, 160e-6], [6e-6, 8e-6], 150e-6) == pytest.approx(-1)


def test_truths_are_counted_apart():
    rows = [{"offsets": "free", "rank": [x] * D} for x in (0.5, 0.9, 0.99)]
    rows.append({"offsets": "none", "rank": [0.999] * D})
    console = Console(width=160, file=io.StringIO())
    console.print(report(rows, PARAMETERS))
    text = console.file.getvalue()
    assert text.count("1 | 2") == D and text.count("0 | 0") == D


def test_a_run_goes_on_where_it_stopped(monkeypatch, physics, tmp_path, capsys):
    asked = []

    def retrieve(observations, model, *, names, settings, physics):
        asked.append((names, settings.offset_sigma))
        if len(asked) == 2:
            raise KeyboardInterrupt
        below = np.tile(PARAMETERS.lower, (4, 1))
        return [SimpleNamespace(samples=below, weights=np.full(4, 1 / 4)) for _ in names]

    found = {"offset": np.array([0.0, 140e-6]), "offset_error": np.array([0.0, 10e-6])}
    monkeypatch.setattr(free_offsets, "physics_of", lambda name: (None, physics))
    monkeypatch.setattr(free_offsets, "retrieve", retrieve)
    monkeypatch.setattr(free_offsets, "instrument_table", lambda *args: found)
    path = tmp_path / "new" / "offsets.jsonl"
    command = ["--out", str(path), "--n", "6"]
    with pytest.raises(KeyboardInterrupt):
        free_offsets.main([*command, "--free"])
    free_offsets.main([*command, "--free"])
    assert [names for names, _ in asked] == [["0", "1", "2", "3"], ["4", "5"], ["4", "5"]]
    assert {sigma for _, sigma in asked} == {300e-6}
    free_offsets.main(command)
    assert asked[3:] == [(["0", "1", "2", "3"], 0.0), (["4", "5"], 0.0)]
    rows = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert [(row["offsets"], row["planet"]) for row in rows] == [
        (kind, i) for kind in ("free", "none") for i in range(6)
    ]
    assert all(row["rank"] == [1.0] * D for row in rows)
    assert all(row["score"] == pytest.approx(-1) for row in rows[:6])
    assert "-1.00 +- 0.00" in capsys.readouterr().out.replace("\n", " ")
    with pytest.raises(SystemExit, match="of other settings"):
        free_offsets.main([*command, "--seed", "1"])
