"""Answers again by a corrected generator, of linear models: the posterior is known."""

import jax
import numpy as np
import pytest
from test_fitting import exact, latents, observe
from test_renew import OFF, N, depth_of, problem  # noqa: F401
from test_renewed import log_evidence, summary
from tiny_model import LAYOUT

from exogan_jax.retrieval import confirm, redrawn, renewed
from exogan_jax.retrieval.redrawn import Case
from exogan_jax.retrieval.residuals import log_normalisation, missed
from exogan_jax.retrieval.sampling import WIDE

KEY = jax.random.key(0)


@pytest.fixture(autouse=True)
def forward(monkeypatch):
    """A forward model that is far off: weights leave few samples."""

    def true_depths(physics, theta, bins, at_once):
        return depth_of(latents(theta) + 4 * OFF)[:, bins.point]

    for module in (renewed, confirm):
        monkeypatch.setattr(module, "true_depths", true_depths)
    monkeypatch.setattr(
        confirm, "true_spectrum", lambda physics, theta: depth_of(latents(theta[None]) + 4 * OFF)[0]
    )


@pytest.fixture
def case(problem):  # noqa: F811
    bins = problem.bins
    wide = summary(bins, WIDE, N, None, seed=2)
    fast = confirm.generators(
        summary(bins, 1.0, N, wide, seed=1), bins, problem.prior, LAYOUT.parameters
    )
    weighted = confirm.exact(fast, bins, None)
    assert weighted.size < N / 20
    return Case(fast, weighted, problem, N)


def corrected(bins, left, seed):
    """A summary by a generator that is off by a share of what it was off by."""
    own = summary(bins, 1.0, N, None, seed)
    z = np.float64(own.place) - (1 - left) * 4 * OFF
    theta = LAYOUT.parameters.from_unit(0.5 * (z + 1)).astype(np.float32)
    known = depth_of(z + (1 - left) * 4 * OFF)[:, bins.point]
    return own._replace(place=z, theta=theta, energy=missed(known, bins).energy)


def drawn_by(monkeypatch, lefts):
    """The corrections that are asked for, and the draws by them; how much each leaves."""
    asked = []

    def correct(target, theta, depth, true, model):
        asked.append((theta, true))
        return target._replace(pixels=None) if lefts else target

    def summaries(keys, model, targets, settings, side):
        left = lefts[min(len(asked), len(lefts)) - 1]
        assert len(keys) == len(targets) == 1 and side == 3
        return [corrected(BINS[0], left, seed=10 + len(asked))]

    monkeypatch.setattr(redrawn, "correct", correct)
    monkeypatch.setattr(redrawn, "summaries", summaries)
    return asked


BINS = []


@pytest.fixture(autouse=True)
def bins(problem):  # noqa: F811
    BINS[:] = [problem.bins]
    return problem.bins


def test_a_right_correction_leaves_the_posterior_and_its_evidence(monkeypatch, case, bins):
    asked = drawn_by(monkeypatch, [0.05])
    (found,) = redrawn.redrawn([KEY], [case], 3)
    assert found.computed == 3 * N and len(asked) == 1
    # Of the first answer's samples and of the wide ones it was told.
    np.testing.assert_array_equal(asked[0][0][:N], case.fast.samples)
    assert len(asked[0][0]) == 2 * N and asked[0][0][N:].std() > asked[0][0][:N].std()
    assert found.exact.size > 0.5 * N and found.problem.target is not case.problem.target
    mean, covariance = exact(observe(0))
    spread = np.sqrt(np.diag(covariance))
    z = latents(found.exact.samples)
    error = spread / np.sqrt(found.exact.size)
    assert np.all(np.abs(found.exact.weights @ z - (mean - 4 * OFF)) < 4 * error)
    expected = log_evidence(bins) + log_normalisation(bins)
    assert abs(found.exact.log_evidence - expected) < 4 * found.exact.log_evidence_error


def test_corrections_go_on_until_there_are_enough_and_know_of_all_before(monkeypatch, case):
    asked = drawn_by(monkeypatch, [0.8, 0.05, 0.0])
    (found,) = redrawn.redrawn([KEY], [case], 3)
    assert [len(theta) for theta, _ in asked] == [2 * N, 3 * N]
    assert found.computed == 4 * N and found.exact.size > 0.5 * N


def test_the_best_of_all_is_kept_and_all_spectra_count(monkeypatch, case):
    asked = drawn_by(monkeypatch, [0.5, 0.9, 0.9])
    (found,) = redrawn.redrawn([KEY], [case], 3)
    assert len(asked) == 3 and found.computed == 5 * N
    again = confirm.generators(
        corrected(BINS[0], 0.5, seed=11), BINS[0], case.problem.prior, LAYOUT.parameters
    )
    np.testing.assert_array_equal(found.fast.samples, again.samples)
    assert found.exact.size > case.exact.size


def test_what_cannot_be_corrected_stays(monkeypatch, case):
    drawn_by(monkeypatch, [])
    (found,) = redrawn.redrawn([KEY], [case], 3)
    assert found.fast is case.fast and found.exact is case.exact and found.computed == 2 * N
    assert redrawn.redrawn([], [], 3) == []


@pytest.mark.parametrize(("effective", "times"), [(300.0, 1), (float(N), 3)])
def test_draws_that_are_worth_little_need_no_better_correction(monkeypatch, case, effective, times):
    """A third of the new samples is left: too few of many, and all that will do of few."""
    asked = drawn_by(monkeypatch, [0.2])
    made = redrawn.generators
    monkeypatch.setattr(redrawn, "generators", lambda *a: made(*a)._replace(size=effective))
    (found,) = redrawn.redrawn([KEY], [case], 3)
    assert 0.2 < found.exact.size / effective < 0.5 and len(asked) == times
