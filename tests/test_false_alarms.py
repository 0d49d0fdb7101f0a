"""Inputs that a model knows and those that it does not, and what counts as a false alarm."""

import io
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from rich.console import Console

from exogan_jax.files.opacities import load_opacities
from exogan_jax.layout import PUBLISHED
from exogan_jax.physics.forward import simulate
from exogan_jax.physics.problem import problem_model
from experiments import false_alarms
from experiments.false_alarms import (
    INSTRUMENTS,
    STRANGE,
    Case,
    Found,
    cases,
    coverage,
    is_wrong,
    judged,
    report,
)
from experiments.kept_rows import kept_rows

PARAMETERS = PUBLISHED.parameters
MASS, TEMPERATURE = PARAMETERS.index("planet_mass"), PARAMETERS.index("temperature")


@pytest.fixture(scope="module")
def physics():
    return problem_model(load_opacities("planets"), PUBLISHED)


@pytest.fixture(scope="module")
def plain(physics):
    return cases("inside", 4, physics, 7)


def test_planets_of_the_world_have_noise_of_their_errors(physics, plain):
    assert [case.instrument for case in plain] == ["prism", "wfc3"] * 2
    depth = np.asarray(jax.jit(simulate)(physics, plain[0].theta[None]))[0]
    order = np.argsort(physics.wavelength_um)
    grid = np.asarray(physics.wavelength_um)[order]
    seen = plain[0].observation
    expected = np.interp(seen.wavelength_um, grid, depth[order])
    z = (seen.depth - expected) / seen.sigma
    assert 0.7 < z.std() < 1.5 and abs(z.mean()) < 0.5
    assert len(z) == 217 and seen.wavelength_um.min() > 0.6 and seen.wavelength_um.max() < 5.3
    assert np.all(plain[0].theta >= PARAMETERS.lower) and plain[0].features > 1e3


@pytest.mark.parametrize("kind", STRANGE)
def test_each_kind_is_strange_in_its_own_way(physics, plain, kind):
    made = cases(kind, 4, physics, 7)  # the planets of `plain` but for what is strange
    for case, other in zip(made, plain, strict=True):
        sigma = INSTRUMENTS[case.instrument].sigma
        change = case.observation.depth - other.observation.depth
        theta = other.theta.copy()
        if kind == "50 K":
            theta[TEMPERATURE] = 50.0
        if kind == "20 M_J":
            theta[MASS] = 20.0
        np.testing.assert_array_equal(case.theta, theta)
        if kind in ("50 K", "20 M_J"):
            assert case.features < 0.1 * other.features
        elif kind == "other gases":
            assert change.max() > 90 * sigma and np.median(change) < 50 * sigma
        elif kind == "stellar slope":
            np.testing.assert_allclose(change[[0, -1]], [500e-6, 0], atol=20 * sigma)
            assert np.all(change[:10].mean() > change[-10:].mean())
        else:
            assert case.features < 1e-12
            spread = case.observation.depth.std() / sigma
            assert spread < 1e-9 if kind == "flat line" else 0.7 < spread < 1.4


def made(features=1e4, **theta) -> Case:
    values = (PARAMETERS.lower + PARAMETERS.upper) / 2
    for name, value in theta.items():
        values[PARAMETERS.index(name)] = value
    return Case("inside", "prism", None, values, features)


def test_a_flag_that_is_true_is_not_wrong():
    for flag in ("poor_fit", "structured_residuals", "generator_off", "featureless"):
        assert is_wrong(flag, made(), PARAMETERS)
    assert not is_wrong("featureless", made(10.0), PARAMETERS)
    assert not is_wrong("uninformative", made(10.0), PARAMETERS)
    assert is_wrong("poor_fit", made(10.0), PARAMETERS)
    assert is_wrong("at_bound:temperature", made(temperature=1900.0), PARAMETERS)
    for near in (1005.0, 1995.0):
        assert not is_wrong("at_bound:temperature", made(temperature=near), PARAMETERS)
        assert is_wrong("at_bound:planet_mass", made(temperature=near), PARAMETERS)


def test_report_counts_kinds_and_what_is_wrong():
    pairs = [
        (made(), ""),
        (made(10.0), "featureless"),
        (made(), "poor_fit,generator_off"),
        (made()._replace(kind="50 K"), "at_bound:temperature"),
    ]
    flags = [flag for _, flag in pairs]
    table = report([case for case, _ in pairs], flags, PARAMETERS)
    console = Console(width=120, file=io.StringIO())
    console.print(table)
    text = "\n".join(" ".join(line.split()) for line in console.file.getvalue().splitlines())
    assert "inside │ 3 │ 2 │ featureless 1, poor_fit 1, generator_off 1" in text
    assert "inside, wrongly │ 3 │ 1 │ poor_fit 1, generator_off 1" in text
    assert "50 K │ 1 │ 1 │ at_bound:temperature 1" in text


def test_coverage_is_that_of_the_ranks_of_the_worlds_planets():
    d = len(PARAMETERS)
    ranks = (0.5, 0.5 + 0.33, 0.5 - 0.35, 0.5 + 0.48)  # within: both, both, 95 %, none
    pairs = [(made(), Found("", [rank] * d, 1e3)) for rank in ranks]
    pairs.append((made()._replace(kind="50 K"), Found("", [0.999] * d, 1e3)))
    table = coverage(*zip(*pairs, strict=True), PARAMETERS)
    console = Console(width=120, file=io.StringIO())
    console.print(table)
    text = console.file.getvalue()
    assert "prism, 4" in text and "wfc3" not in text and text.count("50 / 75") == d


def test_each_instrument_is_retrieved_by_itself_and_once(monkeypatch, physics, plain, tmp_path):
    seen = []

    def retrieve(observations, model, *, names, **rest):
        seen.append([len(o.depth) for o in observations])
        if len(seen) == 2:
            raise KeyboardInterrupt
        below = np.tile(PARAMETERS.lower, (4, 1))
        return [
            SimpleNamespace(
                samples=below,
                weights=np.full(4, 1 / 4),
                flags=f"of {name}",
                effective_sample_size=4.0,
            )
            for name in names
        ]

    monkeypatch.setattr(false_alarms, "retrieve", retrieve)
    path = tmp_path / "new" / "flags.jsonl"

    def known():
        return {row.pop("input"): Found(**row) for row in kept_rows(path, {"n": 4})}

    assert known() == {}
    with pytest.raises(KeyboardInterrupt):
        judged(plain, None, physics, {}, path, 2)
    every = [1.0] * len(PARAMETERS)  # of the samples are below
    assert known() == {i: Found(f"of inside {i}", every, 4.0) for i in (0, 2)}
    found = judged(plain, None, physics, known(), path, 2)
    assert found == [Found(f"of inside {i}", every, 4.0) for i in range(4)]
    assert seen == [[217, 217], [43, 43], [43, 43]]
    assert list(known()) == [0, 2, 1, 3]
    with path.open("a") as file:  # killed while it wrote
        file.write('{"input": 4, "fl')
    assert list(known()) == [0, 2, 1, 3] and path.read_text().endswith("}\n")
    with pytest.raises(SystemExit, match="of other settings"):
        kept_rows(path, {"n": 5})
