"""Calibration of answers that are right, and of some that are too sure."""

import dataclasses

import numpy as np
import pytest
from fake_results import make_retrieval

from exogan_jax.layout import PUBLISHED
from experiments import calibrate

PARAMETERS = PUBLISHED.parameters
D = len(PARAMETERS)
N, M = 400, 600


def answers(width):
    """Posteriors of normal data and a normal prior, `width` times as wide as they should be."""
    rng = np.random.default_rng(0)
    made = make_retrieval("a")[0]
    truth = 0.5 + 0.1 * rng.normal(size=(N, D))
    seen = truth + 0.05 * rng.normal(size=truth.shape)
    for i in range(N):
        mean, sigma = 0.5 + 0.8 * (seen[i] - 0.5), 0.1 * 0.05 / np.hypot(0.1, 0.05)
        unit = mean + sigma * width * rng.normal(size=(M, D))
        samples = np.asarray(PARAMETERS.from_unit(unit), np.float64)
        weights = np.full(M, 1 / M)
        posterior = dataclasses.replace(made, samples=samples, weights=weights)
        yield posterior, np.asarray(PARAMETERS.from_unit(truth[i]), np.float64)


def judged(width):
    found = [
        calibrate.ranked(one, theta, PARAMETERS, i) for i, (one, theta) in enumerate(answers(width))
    ]
    return np.array([x.rank for x in found]), np.array([x.credibility for x in found])


def test_right_answers_are_calibrated_and_narrow_ones_are_not():
    levels = calibrate._LEVELS
    rank, credibility = judged(1.0)
    assert np.all(np.abs(calibrate.inside(rank, 0.68) - 0.68) < 4 * np.sqrt(0.68 * 0.32 / N))
    assert np.all(np.abs(calibrate.inside(rank, 0.95) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / N))
    assert np.abs(calibrate.tarp(credibility) - levels).max() < 0.09
    narrow, sure = judged(0.4)
    assert np.all(calibrate.inside(narrow, 0.68) < 0.5)
    assert np.abs(calibrate.tarp(sure) - levels).max() > 0.1


def test_weights_and_ties_count():
    made = make_retrieval("a", n_samples=4)[0]
    samples = np.repeat([[0.1], [0.4], [0.4], [0.9]], D, axis=1)
    samples = np.asarray(PARAMETERS.from_unit(samples), np.float64)
    one = dataclasses.replace(made, samples=samples, weights=np.array([0.4, 0.1, 0.2, 0.3]))
    ranks = [calibrate.ranked(one, samples[1], PARAMETERS, seed).rank[0] for seed in range(200)]
    assert min(ranks) >= 0.4 and max(ranks) <= 0.7
    assert np.mean(ranks) == pytest.approx(0.55, abs=0.03)


def test_instruments_have_bins_and_photometry():
    for channels in calibrate.INSTRUMENTS.values():
        for channel in channels:
            centre, half, sigma = channel.bins()
            assert np.all(np.diff(centre) > 0) and np.all(sigma == channel.sigma)
            assert centre[0] - half[0] >= 0.99 * channel.low_um
            assert centre[-1] + half[-1] <= 1.01 * channel.high_um
    assert len(calibrate.INSTRUMENTS["hst_spitzer"][2].bins()[0]) == 1


def test_it_goes_on_where_it_was(tmp_path, monkeypatch):
    done, asked = [], []

    def fake(observations, model, names, **options):
        done.extend(names)
        asked.append({k: v for k, v in options.items() if k in ("exact", "chain")})
        return make_retrieval(*names)

    class Model:
        layout = PUBLISHED

    theta = np.asarray(PARAMETERS.from_unit(np.full((20, D), 0.4)), np.float64)
    monkeypatch.setattr(calibrate, "retrieve", fake)
    monkeypatch.setattr(calibrate, "observed", lambda *_: ([None] * 20, theta))
    arguments = (tmp_path / "r.npz", "prism", Model(), None)
    first, _ = calibrate.ranks(*arguments, 8, 0, "exact")
    assert first.shape == (8, D) and done == [str(i) for i in range(8)]
    rank, credibility = calibrate.ranks(*arguments, 20, 0, "encoder")
    np.testing.assert_array_equal(rank[:8], first)
    assert rank.shape == (20, D) and credibility.shape == (20,)
    assert done == [str(i) for i in range(20)]
    assert asked == [{}] + 2 * [{"exact": False, "chain": False}]
    calibrate.draw(tmp_path, {"prism": rank}, {"prism": credibility})
    assert (tmp_path / "ranks.png").stat().st_size > 5000
