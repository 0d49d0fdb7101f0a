"""The studies that make what is quoted: their spectra, their scores, and the quotes themselves."""

import dataclasses
import json
import re

import numpy as np
import pytest
from fake_results import TRUTH, make_retrieval

from exogan_jax.physics.forward import simulate
from experiments.evaluate import physics_of
from experiments.reproduce import __main__ as command
from experiments.reproduce import observed, studies, worlds
from experiments.reproduce.committed import RESULTS, ROOT, quotes, read_results, write_results
from experiments.reproduce.scores import r2, rounded, score


@pytest.fixture(scope="module")
def physics():
    return physics_of("published")[1]


def test_scores_are_those_of_a_normal_distribution():
    """Medians that are off by 0, 0.5, 1.5 and 3 sigma, the last beyond both intervals."""
    made = make_retrieval("a", "b", "c", "d", n_samples=4000)
    rng = np.random.default_rng(0)
    spread = np.array([0.3, 0.5, 1.0, 0.4, 0.1, 0.01, 60.0])
    off = np.array([0, 0.5, 1.5, 3.0])
    noise = rng.normal(size=(1, 4000, 7))
    samples = TRUTH + spread * (noise + off[:, None, None])
    made = dataclasses.replace(
        made, samples=samples, weights=np.full((4, 4000), 1 / 4000), flags=("poor_fit", "", "", "")
    )
    truth = np.tile(TRUTH, (4, 1))
    found = score(made, truth, {"log10_co": np.array([True, True, False, False])})
    assert found["n"] == 4 and found["flagged"] == 0.25
    assert found["reduced_chi2"] == rounded(np.median(made.reduced_chi2))
    for i, numbers in enumerate(found["parameters"].values()):
        np.testing.assert_allclose(numbers["mean_absolute_error"], 1.25 * spread[i], rtol=0.05)
        np.testing.assert_allclose(numbers["sigma"], 0.9945 * spread[i], rtol=0.05)
        assert numbers["within_1_sigma"] == 0.5 and numbers["within_2_sigma"] == 0.75
        assert numbers["inside_68"] == 0.5 and numbers["inside_95"] == 0.75
        assert numbers["r2"] is None  # the truths are all the same
    co = found["parameters"]["log10_co"]
    assert co["detectable"] == 0.5
    np.testing.assert_allclose(co["error_there"], 0.25, rtol=0.2)
    assert "detectable" not in found["parameters"]["log10_h2o"]


def test_r2_is_1_for_what_is_right_and_0_for_the_mean():
    truth = np.array([1.0, 2.0, 4.0])
    assert r2(truth, truth) == 1 and r2(np.full(3, truth.mean()), truth) == 0
    assert r2(truth[::-1], truth) < 0


def test_worlds_are_what_they_say(physics):
    wavelength = np.asarray(physics.wavelength_um)
    n = 3
    cases = {name: dict(getattr(worlds, name)(physics, n)) for name in
             ("accuracy", "noise", "wfc3", "prism", "clouds", "gases", "temperatures")}  # fmt: skip
    (clear,) = cases["accuracy"].values()
    base = np.stack([o.depth for o in clear.observations])
    expected = simulate(physics, np.asarray(clear.truth, np.float32))
    np.testing.assert_allclose(base, expected, rtol=1e-5)
    assert len(cases["noise"]) == 11
    for case, spectra in cases["noise"].items():
        off = np.stack([o.depth for o in spectra.observations]) - base
        np.testing.assert_allclose(off.std(), 1e-6 * float(case.split()[0]), rtol=0.05)
        sigma = max(float(case.split()[0]), 1.0) * 1e-6
        np.testing.assert_allclose([o.sigma[0] for o in spectra.observations], sigma)
    for name, (low, high) in (("wfc3", worlds.WFC3_UM), ("prism", worlds.PRISM_UM)):
        for spectra in cases[name].values():
            inside = (wavelength >= low) & (wavelength <= high)
            np.testing.assert_array_equal(spectra.observations[0].wavelength_um, wavelength[inside])
    deep = np.stack([o.depth for o in cases["clouds"]["1000 mbar"].observations])
    high = np.stack([o.depth for o in cases["clouds"]["1 mbar"].observations])
    assert np.ptp(high, axis=1).max() < np.ptp(base, axis=1).min()  # muted
    assert (high >= deep - 1e-9).all()
    (banded,) = cases["gases"].values()
    band = np.stack([o.depth for o in banded.observations]) - base
    np.testing.assert_allclose(band.max(axis=1), worlds.BAND_SIGMA, rtol=0.02)
    peak = wavelength[band.argmax(axis=1)]
    assert ((peak > 0.99) & (peak < 5.1)).all()
    for case, spectra in cases["temperatures"].items():
        low, high = map(float, re.findall(r"\d+", case))
        hot = spectra.truth[:, physics.parameters.roles.index("temperature")]
        assert ((hot >= low) & (hot <= high)).all() and (high < 1000 or low > 2000)


def test_a_study_retrieves_each_case_in_each_way(monkeypatch, physics):
    asked = []

    def retrieve(observations, model, **options):
        asked.append((len(observations), options.get("likelihood"), options.get("exact", True)))
        names = [str(i) for i in range(len(observations))]
        return make_retrieval(*names, layout=model.layout)

    monkeypatch.setattr(studies, "retrieve", retrieve)
    study = studies.STUDIES["wfc3"]._replace(n={"paper": 2, "fast": 3, "exact": 2})
    said = []
    found = study.run(False, said.append)
    assert list(found) == ["0 ppm", "50 ppm"] and len(said) == 6
    assert asked == [(2, "paper", True)] * 2 + [(3, None, False)] * 2 + [(2, None, True)] * 2
    assert found["0 ppm"]["fast"]["n"] == 3
    json.dumps(found, allow_nan=False)


def test_names_are_checked_before_anything_runs(capsys):
    with pytest.raises(SystemExit):
        command.main(["accuracy", "nonesuch"])
    assert "no study 'nonesuch'" in capsys.readouterr().err


def test_planets_are_read_as_they_are_published(shared):
    folder = shared / "data" / "observed"
    for planet in observed.PLANETS.values():
        found = observed.observation_of(planet, folder)
        wavelength = np.asarray(found.wavelength_um)
        assert wavelength.size > 20 and np.isfinite(np.asarray(found.depth)).all()
        low, high = planet.range_um
        assert wavelength.min() >= low and wavelength.max() <= high


def test_results_are_read_as_they_were_written(tmp_path):
    write_results(tmp_path, "a", {"x": 1.5, "y": None})
    assert read_results(tmp_path) == {"a": {"x": 1.5, "y": None}}


def test_what_is_quoted_is_what_was_measured():
    """Every number of the README's table, and those of the documentation's sentences."""
    results = read_results(RESULTS)
    found = quotes(results)
    assert len({quote.page for quote in found}) >= 3
    for page, words in found:
        text = " ".join((ROOT / page).read_text().split())
        assert " ".join(words.split()) in text, f"{page} does not say: {words}"
