"""Draws of the prior, the radius integrated over: of depths that are linear in it and in one more
parameter, the posterior is normal and known.
"""

import numpy as np
import pytest

from exogan_jax.layout import PUBLISHED
from exogan_jax.physics.observation import Observation
from experiments import prior_draws as module
from experiments.kept_rows import read_rows
from experiments.prior_draws import prior_draws

PARAMETERS = PUBLISHED.parameters
RADIUS, OTHER = PARAMETERS.roles.index("radius"), PARAMETERS.roles.index("temperature")
N, SIGMA, MIDDLE = 12, 20.0, 15_000.0  # ppm
SHAPE = np.linspace(-1, 1, N)
TRUTH = 0.6, 0.4  # of radius and temperature, in their ranges


def spectra(theta):
    """Above the middle: no number for planets of less than a tenth of the mass' range."""
    unit = np.asarray(PARAMETERS.to_unit(np.asarray(theta, np.float64)))
    made = 900 * (unit[:, RADIUS, None] - TRUTH[0]) + 80 * SHAPE * (unit[:, OTHER, None] - TRUTH[1])
    return np.where(unit[:, PARAMETERS.roles.index("mass"), None] < 0.1, np.nan, made)


def seen():
    ppm = MIDDLE + np.where(np.arange(N) % 2, 12.0, -12.0)
    return Observation(np.arange(1.0, N + 1), np.zeros(N), 1e-6 * ppm, np.full(N, 1e-6 * SIGMA))


@pytest.fixture(scope="module")
def found():
    return prior_draws(seen(), PARAMETERS, spectra, 0, 20_000)


def known():
    """Mean and covariance in units of the two ranges, and the log evidence."""
    design = np.stack([np.full(N, 900.0), 80 * SHAPE], axis=1)
    covariance = np.linalg.inv(design.T @ design) * SIGMA**2
    data = np.where(np.arange(N) % 2, 12.0, -12.0)
    off = covariance @ design.T @ data / SIGMA**2
    chi2 = np.square((data - design @ off) / SIGMA).sum()
    log = -0.5 * chi2 - N * np.log(np.sqrt(2 * np.pi) * 1e-6 * SIGMA)
    volume = 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    return np.array(TRUTH) + off, covariance, log + volume + np.log(0.9)


def test_they_are_the_posterior_and_its_evidence(found):
    mean, covariance, log_evidence = known()
    assert found.calls == 20_224 and found.effective > 4_000
    assert found.error < 0.02 and abs(found.log_evidence - log_evidence) < 4 * found.error
    unit = np.asarray(PARAMETERS.to_unit(found.theta))[:, [RADIUS, OTHER]]
    spread = np.sqrt(np.diag(covariance))
    off = (found.weight @ unit - mean) / spread
    assert np.all(np.abs(off) < 4 / np.sqrt(found.effective) + 0.01)
    centred = unit - found.weight @ unit
    np.testing.assert_allclose(np.sqrt(found.weight @ np.square(centred)) / spread, 1, atol=0.05)
    assert (
        np.asarray(PARAMETERS.to_unit(found.theta))[:, PARAMETERS.roles.index("mass")].min() > 0.1
    )


def test_the_same_seed_the_same_draws(found):
    again = prior_draws(seen(), PARAMETERS, spectra, 0, 20_000)
    np.testing.assert_array_equal(again.theta, found.theta)
    assert again.log_evidence == found.log_evidence


def test_depths_that_no_radius_makes_are_refused():
    with pytest.raises(ValueError, match="none of 256 draws fits"):
        prior_draws(seen(), PARAMETERS, lambda theta: spectra(theta) + 5_000, 0, 256)


def test_draws_that_are_worth_little_are_refused():
    with pytest.raises(ValueError, match="256 draws are worth"):
        prior_draws(seen(), PARAMETERS, spectra, 0, 256)


def test_what_is_found_is_kept(monkeypatch, tmp_path, capsys):
    parts = {"observed": 0, "answered": 0}

    def made_above(physics, observation):
        parts["observed"] += 1
        return spectra

    def answered(observation, model, physics, seed, row):
        parts["answered"] += 1
        one = {"divergence": [0.001, 0.004], "log_evidence": 90.0, "error": 0.01}
        return row | {
            "exact": one,
            "fast": one,
            "seconds": row["seconds"] | {"exact": 1, "fast": 1},
        }

    physics = type("P", (), {})()
    model = type("M", (), {"layout": PUBLISHED, "name": "published"})()
    monkeypatch.setattr(module, "physics_of", lambda name: (model, physics))
    monkeypatch.setattr(module, "planets", lambda *args: 4 * [("wfc3", seen())])
    monkeypatch.setattr(module, "made_above", made_above)
    monkeypatch.setattr(module, "answered", answered)
    path = tmp_path / "rows.jsonl"
    options = ["--out", str(path), "--n", "4", "--draws", "2000", "--model", "published"]
    module.main(options)
    module.main(options)
    assert parts == {"observed": 1, "answered": 1}
    _, rows = read_rows(path)
    assert rows[0]["number"] == 2 and len(rows[0]["reference"]["edges"]) == len(PARAMETERS)
    assert abs(rows[0]["reference"]["log_evidence"] - known()[2]) < 0.3
    out = capsys.readouterr().out
    assert out.count("2,048 draws") == 2 and "0.0025" in out
    with pytest.raises(SystemExit):
        module.main([*options, "--number", "5"])
    options[1], options[-3] = str(tmp_path / "few.jsonl"), "200"
    with pytest.raises(SystemExit):
        module.main(options)
    assert not (tmp_path / "few.jsonl").exists() or not read_rows(tmp_path / "few.jsonl")[1]
    assert "compare_sampling" in capsys.readouterr().err
