"""Calibration of answers that are right, and of some that are too sure."""

import dataclasses

import numpy as np
import pytest
from fake_results import make_retrieval

from exogan_jax.files.opacities import load_opacities
from exogan_jax.layout import PUBLISHED
from exogan_jax.physics.problem import problem_model
from experiments import calibrate, ranks

PARAMETERS = PUBLISHED.parameters
D = len(PARAMETERS)
N, M = 400, 600


def answers(width):
    """Posteriors of normal data and a normal prior, `width` times as wide as they should be, the
    truths, and how badly these fit.
    """
    rng = np.random.default_rng(0)
    made = make_retrieval("a")[0]
    truth = 0.5 + 0.1 * rng.normal(size=(N, D))
    seen = truth + 0.05 * rng.normal(size=truth.shape)
    for i in range(N):
        mean, sigma = 0.5 + 0.8 * (seen[i] - 0.5), 0.1 * 0.05 / np.hypot(0.1, 0.05)
        unit = mean + sigma * width * rng.normal(size=(M, D))
        samples = np.asarray(PARAMETERS.from_unit(unit), np.float64)
        weights = np.full(M, 1 / M)
        loss, misfit = (np.square((x - seen[i]) / 0.05).sum(axis=-1) / 2 for x in (unit, truth[i]))
        posterior = dataclasses.replace(
            made, samples=samples, weights=weights, loss=loss, efficiency=0.5
        )
        yield posterior, np.asarray(PARAMETERS.from_unit(truth[i]), np.float64), misfit


def judged(width):
    found = [
        (*calibrate.ranked(one, theta, PARAMETERS, i), calibrate.fits_worse(one, misfit))
        for i, (one, theta, misfit) in enumerate(answers(width))
    ]
    return ranks.Ranks(*map(np.array, zip(*found, strict=True)))


def test_right_answers_are_calibrated_and_narrow_ones_are_not():
    rank, credibility, likelihood = judged(1.0)
    for share, level in zip(ranks.inside(rank), (0.68, 0.95), strict=True):
        assert np.all(np.abs(share - level) < 4 * np.sqrt(level * (1 - level) / N))
    assert np.abs(ranks.tarp(credibility) - ranks.LEVELS).max() < 0.09
    assert ranks.outside_band(credibility) <= 6  # of 21, which go together
    mean, error = ranks.mean_likelihood(likelihood)
    assert abs(mean - 0.5) < 4 * error and error == pytest.approx(1 / np.sqrt(12 * N))
    narrow, sure, better = judged(0.4)
    assert ranks.mean_likelihood(better)[0] < 0.2
    assert np.all(ranks.inside(narrow)[0] < 0.5)
    assert np.abs(ranks.tarp(sure) - ranks.LEVELS).max() > 0.1
    assert ranks.outside_band(sure) > 12


def test_weights_and_ties_count():
    made = make_retrieval("a", n_samples=4)[0]
    samples = np.repeat([[0.1], [0.4], [0.4], [0.9]], D, axis=1)
    samples = np.asarray(PARAMETERS.from_unit(samples), np.float64)
    one = dataclasses.replace(made, samples=samples, weights=np.array([0.4, 0.1, 0.2, 0.3]))
    found = [calibrate.ranked(one, samples[1], PARAMETERS, seed)[0][0] for seed in range(200)]
    assert min(found) >= 0.4 and max(found) <= 0.7
    assert np.mean(found) == pytest.approx(0.55, abs=0.03)


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
    monkeypatch.setattr(calibrate, "misfits", lambda *_: np.zeros(20))
    monkeypatch.setattr(calibrate, "retrieve", fake)
    monkeypatch.setattr(calibrate, "observed", lambda *_: ([None] * 20, theta))
    exact = ranks.Asked("my-own", "hst_spitzer", "exact", 20, 7)
    first = calibrate.ranks(tmp_path, exact, Model(), None, 8)
    assert first.rank.shape == (8, D) and done == [str(i) for i in range(8)]
    again = calibrate.ranks(tmp_path, exact, Model(), None)
    np.testing.assert_array_equal(again.rank[:8], first.rank)
    assert again.rank.shape == (20, D) and again.credibility.shape == (20,)
    assert np.all(np.isnan(again.likelihood)) and again.likelihood.shape == (20,)  # none is exact
    assert done == [str(i) for i in range(20)]
    calibrate.ranks(tmp_path, exact._replace(answer="encoder"), Model(), None, 1)
    assert asked == 3 * [{}] + [{"exact": False, "chain": False}]
    assert calibrate.ranks(tmp_path, exact, Model(), None, 5).rank.shape == (5, D)
    kept = ranks.kept_ranks(tmp_path)
    assert {k.answer: len(v.rank) for k, v in kept.items()} == {"exact": 20, "encoder": 1}
    assert kept[exact].rank.shape == (20, D)
    ranks.draw(tmp_path, {"prism": again})
    assert (tmp_path / "ranks.png").stat().st_size > 5000


def test_rows_tell_what_ranks_say():
    rank = np.full((10, D), 0.5)
    rank[:2, 0] = 0.99  # outside of the 68 and the 95 % interval
    rank[2:5, 1] = 0.9  # outside of the 68 % interval
    about = ranks.Asked("m", "wide", "fast", 10, 0)
    likelihood = np.append(np.full(8, np.nan), [0.1, 0.3])
    given = ranks.Ranks(rank, np.linspace(0, 1, 10), likelihood)
    found = calibrate.rows(about, given, PARAMETERS)
    assert [row[:2] for row in found] == (D + 3) * [("wide", "fast")]
    assert found[-1][3:5] == (pytest.approx(0.2), pytest.approx(24**-0.5))
    assert found[0][2:] == (PARAMETERS.names[0], 0.8, 0.8, 10)
    assert found[1][2:] == (PARAMETERS.names[1], 0.7, 1.0, 10)
    assert found[D][2] == "all together" and found[D][3] == pytest.approx(1 - 0.5 / D)
    assert 0 < found[D + 1][3] <= 0.11


def test_a_truth_fits_as_its_noise_says():
    physics = problem_model(load_opacities("planets"), PUBLISHED)
    observations, theta = calibrate.observed(calibrate.INSTRUMENTS["wide"], physics, 40, 3)
    chi2 = 2 * calibrate.misfits(observations, theta, physics)
    n = len(observations[0].depth)
    assert abs(chi2.mean() - n) < 4 * np.sqrt(2 * n / 40)
    other = calibrate.misfits(observations, theta[::-1], physics)
    assert np.median(other) > 10 * n


def test_files_without_likelihoods_are_read(tmp_path):
    path = tmp_path / "m-prism-exact-9-1.npz"
    np.savez(path, rank=np.full((3, D), 0.5), credibility=np.full(3, 0.5))
    found = ranks.read_ranks(path, D)
    assert np.isnan(found.likelihood).all() and np.isnan(ranks.mean_likelihood(found.likelihood)[0])
    more = found.joined(found._replace(likelihood=np.full(3, 0.25)))
    assert more.rank.shape == (6, D) and ranks.mean_likelihood(more.likelihood)[0] == 0.25
