"""Tables of the documentation that are made of results."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from exogan_jax.files.headers import model_layout
from experiments.ranks import Asked, Ranks, write_ranks

PATH = Path(__file__).resolve().parents[1] / "docs" / "tables.py"


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("documentation_tables", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_kept_ranks_are_a_row_for_each_instrument_and_answer(tables, tmp_path, monkeypatch):
    names = model_layout("planets").parameters.names
    rank = np.full((20, len(names)), 0.5)
    rank[:2, 0] = 0.001  # outside of both intervals
    rank[2:6, 1] = 0.9  # outside of the 68 % interval
    folder = tmp_path / "calibration"
    folder.mkdir()
    even = (np.arange(20) + 0.5) / 20
    worse = np.append(np.full(17, 0.4), [0.7, np.nan, np.nan])
    for answer, credibility, likelihood in (
        ("exact", even, worse),
        ("fast", np.full(20, 0.99), np.full(20, np.nan)),
    ):
        asked = Asked("planets", "hst_spitzer", answer, 500, 7)
        write_ranks(folder / asked.file, Ranks(rank, credibility, likelihood))
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    head, _, exact, fast = tables.calibration().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (head, exact, fast)]
    assert cells[0][3:-3] == [f"`{name}`" for name in names]
    assert cells[1][:5] == ["hst_spitzer", "exact", "20", "90% / 90%", "80% / 100%"]
    assert cells[1][-3:] == ["97% / 99.1%", "0", "0.42 +- 0.07"]
    assert cells[2][1] == "fast" and int(cells[2][-2]) > 15 and cells[2][-1] == "-"


def test_answers_beside_nested_sampling_come_in_their_order(tables, tmp_path, monkeypatch):
    rows = [
        {
            "number": number,
            "instrument": "wfc3",
            "exact": {"divergence": [0.001, 0.004, 0.002], "log_evidence": 9.876, "error": 0.02},
            "fast": {"divergence": [0.01, 0.04, 0.02], "log_evidence": 9.0, "error": 0.02},
            "reference": {"log_evidence": 9.881, "effective": 5000, "calls": 99900},
            "seconds": {"exact": 10.0, "fast": 1.0, "reference": 711.6},
        }
        for number in (2, 0)
    ]
    lines = [json.dumps(row) for row in ({"n": 20}, *rows)]
    (tmp_path / "sampling.jsonl").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    head, _, first, last = tables.sampling(tables.SAMPLING, "nested").splitlines()
    assert "| nested | samples of calls |" in head
    cells = [cell.strip() for cell in first.strip("|").split("|")]
    assert cells[:3] == ["1, wfc3", "0.0020 / 0.0040", "0.0200 / 0.0400"]
    assert cells[3:] == ["9.88 +- 0.02", "9.88", "5,000 of 99,900", "712"]
    assert last.startswith("| 3, wfc3 |")


def test_bars_in_a_cell_are_no_columns(tables):
    assert tables.markdown(["a"], [["b|c"]]) == "| a |\n| --- |\n| b\\|c |\n"
