"""Answers beside nested sampling: what is compared, and that nothing is done twice."""

import io
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from exogan_jax.files.opacities import load_opacities
from exogan_jax.layout import PUBLISHED
from exogan_jax.physics.observation import binning_operator
from exogan_jax.physics.problem import problem_model
from experiments import compare_sampling
from experiments.calibrate import INSTRUMENTS
from experiments.compare_sampling import compared, planets, referred, report, summary
from experiments.kept_rows import read_rows
from experiments.nested import Reference, log_likelihood


@pytest.fixture(scope="module")
def physics():
    return problem_model(load_opacities("published"), PUBLISHED)


@pytest.fixture(scope="module")
def made(physics):
    return planets(physics, 5, 3)


def test_instruments_come_in_turn_each_with_planets_of_its_own(made):
    assert [name for name, _ in made] == [*INSTRUMENTS, "wide"]
    depth = [observation.depth for _, observation in made]
    assert depth[0].size == depth[4].size and np.abs(depth[0] - depth[4]).max() > 1e-3
    assert depth[3].size > 2 and made[3][1].half_width_um[-1] > 0.4  # photometry


def test_the_likelihood_is_the_datas(physics, made):
    _, observation = made[1]
    share = np.repeat([[0.4], [0.5], [0.6]], 7, axis=1)
    theta = np.array(PUBLISHED.parameters.from_unit(jnp.asarray(share)))
    operator = binning_operator(
        observation.wavelength_um,
        observation.half_width_um,
        np.asarray(physics.wavelength_um, np.float64),
    )
    seen = np.stack([operator @ np.asarray(physics(one), np.float64) for one in theta])
    z = (seen - observation.depth) / observation.sigma
    expected = -0.5 * (z**2 + np.log(2 * np.pi * observation.sigma**2)).sum(axis=1)
    np.testing.assert_allclose(log_likelihood(physics, observation)(theta), expected, rtol=1e-4)


def reference(seed, shift=0.0, n=20_000):
    theta = np.random.default_rng(seed).normal((shift, 0.0), size=(n, 2))
    return Reference(theta, np.full(n, 1 / n), 10.0 + shift, np.nan, float(n), 50_000)


def answer(seed, shift=0.0):
    known = reference(seed, shift)
    return SimpleNamespace(
        samples=known.theta,
        weights=known.weight,
        log_evidence=known.log_evidence,
        log_evidence_error=0.1,
        effective_sample_size=known.effective,
        flags="",
    )


def test_what_differs_is_told():
    row = referred(reference(3), reference(4))
    row |= compared({"exact": answer(1), "fast": answer(2, 0.5)}, row["reference"])
    assert max(row["exact"]["divergence"]) < 1e-3 > max(row["again"]["divergence"])
    # Of unit normals half a sigma apart, in the tenths of one: 0.030.
    assert row["fast"]["divergence"][0] == pytest.approx(0.03, abs=0.003)
    assert row["fast"]["divergence"][1] < 1e-3
    row |= {"instrument": "wfc3", "seconds": {"exact": 2.0, "fast": 0.5, "reference": 300.0}}
    off = row | {"exact": row["exact"] | {"log_evidence": 10.4}}
    few = off | {"reference": row["reference"] | {"effective": 50}}  # whose own error is 0.14
    assert "within 3 of their errors: 1 of 1" in summary([few])
    said = summary([row, off])
    assert "within 3 of their errors: 1 of 2" in said and "fast: median 0.01" in said
    console = Console(width=160, file=io.StringIO())
    console.print(report([row, off]))
    text = console.file.getvalue()
    assert text.count("2 / 0 / 300") == 2 and "10.40 +- 0.10" in text


@pytest.fixture
def done(monkeypatch, physics):
    """The first depth of each observation that nested sampling is run for."""
    done = []

    def found(observation, model, physics, args):
        done.append(observation.depth[0])
        if len(done) == 3:
            raise KeyboardInterrupt
        return referred(reference(3), None) | {"seconds": {"reference": 1.0}}

    monkeypatch.setattr(compare_sampling, "reference", found)
    monkeypatch.setattr(compare_sampling, "retrieve", lambda *args, **options: [answer(1)])
    monkeypatch.setattr(
        compare_sampling, "physics_of", lambda name: (SimpleNamespace(name="published"), physics)
    )
    return done


def test_what_is_there_is_not_done_again(done, tmp_path, capsys):
    options = ["--model", "published", "--n", "4", "--out", str(tmp_path / "rows.jsonl")]
    with pytest.raises(KeyboardInterrupt):
        compare_sampling.main(options)
    compare_sampling.main(options)
    assert len(done) == 5 and done[2] == done[3] != done[4]
    assert "4 of 4" in capsys.readouterr().out
    for other in ("--live", "--n"):  # so many planets are drawn together
        with pytest.raises(SystemExit, match="of other settings"):
            compare_sampling.main([*options, other, "10"])


def test_observations_of_one_instrument_can_be_first(done, tmp_path, physics, capsys):
    options = ["--model", "published", "--n", "5", "--out", str(tmp_path / "rows.jsonl")]
    compare_sampling.main([*options, "--instrument", "wfc3", "--instrument", "prism"])
    assert "2 of 2" in capsys.readouterr().out
    with pytest.raises(KeyboardInterrupt):
        compare_sampling.main(options)
    compare_sampling.main(options)
    assert "5 of 5" in capsys.readouterr().out
    expected = [one.depth[0] for _, one in planets(physics, 5, compare_sampling.TEST_SEED)]
    assert done == [expected[i] for i in (1, 2, 0, 0, 3, 4)]


def test_answers_are_made_anew_beside_what_nested_sampling_found(done, tmp_path, monkeypatch):
    path = tmp_path / "rows.jsonl"
    options = ["--model", "published", "--n", "2", "--out", str(path)]
    compare_sampling.main(options)
    monkeypatch.setattr(compare_sampling, "retrieve", lambda *args, **options: [answer(2, 0.5)])
    compare_sampling.main([*options, "--anew"])
    assert len(done) == 2
    _, rows = read_rows(path)
    before, after = rows[:2], rows[2:]
    assert [row["number"] for row in after] == [0, 1]
    for old, new in zip(before, after, strict=True):
        assert old["reference"] == new["reference"] and new["seconds"]["reference"] == 1.0
        assert max(old["exact"]["divergence"]) < 1e-3 and new["exact"]["divergence"][0] > 0.02
