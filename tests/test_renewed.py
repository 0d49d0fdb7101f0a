"""The exact answer by rounds, of linear models: its posterior and its evidence are known."""

import jax
import numpy as np
import pytest
from test_fitting import exact, latents, observe
from test_renew import OFF, N, depth_of, problem  # noqa: F401
from tiny_model import LAYOUT, D

from exogan_jax.retrieval import confirm, renew, renewed
from exogan_jax.retrieval.exact import worth
from exogan_jax.retrieval.fitting import Summary
from exogan_jax.retrieval.importance import Integral
from exogan_jax.retrieval.residuals import log_normalisation, missed
from exogan_jax.retrieval.sampling import WIDE


@pytest.fixture(autouse=True)
def forward(monkeypatch):
    """A forward model that is off."""

    def true_depths(physics, theta, bins, at_once):
        return depth_of(latents(theta) + OFF)[:, bins.point]

    def true_spectrum(physics, theta):
        return depth_of(latents(theta[None]) + OFF)[0]

    for module in (renew, renewed, confirm):
        monkeypatch.setattr(module, "true_depths", true_depths)
    monkeypatch.setattr(confirm, "true_spectrum", true_spectrum)


def log_evidence(bins, power=1.0):
    """Of the generator's likelihood to a power, but for its normalisation: a normal integral over a
    box whose density is 1/2 a dimension.
    """
    mean, covariance = exact(observe(0))
    least = missed(depth_of(mean[None])[:, bins.point], bins).energy[0]
    root = 0.5 * np.linalg.slogdet(2 * np.pi * covariance / power)[1]
    return -power * least + root - D * np.log(2)


def summary(bins, power, effective, wide, seed):
    mean, covariance = exact(observe(0))
    z = np.random.default_rng(seed).multivariate_normal(mean, covariance / power, N)
    theta = LAYOUT.parameters.from_unit(0.5 * (z + 1)).astype(np.float32)
    depth = depth_of(z)
    energy = missed(depth[:, bins.point], bins).energy
    return Summary(
        place=z.astype(np.float32),
        theta=theta,
        depth=depth.astype(np.float32),
        energy=energy.astype(np.float32),
        weight=np.full(N, 1 / N),
        family=np.arange(N),
        effective=effective,
        acceptance=np.nan,
        evidence=Integral(log_evidence(bins, power), 0.06, effective),
        image=None,
        start_theta=theta[0],
        start_depth=depth[0],
        wide=wide,
    )


@pytest.mark.parametrize("effective", [N, 3.0, None])
def test_rounds_lead_to_the_posterior_and_its_evidence(problem, effective):  # noqa: F811
    """From the wide samples, and without them or where they are worth too little."""
    bins = problem.bins
    wide = None if effective is None else summary(bins, WIDE, effective, None, seed=2)
    fast = confirm.generators(
        summary(bins, 1.0, N, wide, seed=1), bins, problem.prior, LAYOUT.parameters
    )
    weighted = confirm.exact(fast, bins, None)._replace(size=0.0)  # far from right
    answer = renewed.renewed(jax.random.key(0), fast, weighted, problem, N)
    mean, covariance = exact(observe(0))
    spread = np.sqrt(np.diag(covariance))
    assert np.abs(OFF / spread).max() > 0.7
    z = latents(answer.samples)
    size = worth(z, answer.found.family)
    assert N / 3 < size <= N and answer.size == pytest.approx(size, rel=0.2)
    error = spread / np.sqrt(size)
    assert np.all(np.abs(z.mean(axis=0) - (mean - OFF)) < 4 * error)
    np.testing.assert_allclose(z.std(axis=0), spread, rtol=4 / np.sqrt(2 * size))
    # The forward model's evidence is the generator's: it is off by a shift alone.
    expected = log_evidence(bins) + log_normalisation(bins)
    assert 0.06 < answer.log_evidence_error < 0.2  # that of what it began with is a part
    assert abs(answer.log_evidence - expected) < 4 * answer.log_evidence_error
    assert 0 < answer.efficiency < 1


@pytest.mark.parametrize(("share", "power"), [(0.3, 1.0), (0.05, WIDE)])
def test_rounds_begin_with_what_is_nearly_right(problem, share, power):  # noqa: F811
    bins = problem.bins
    wide = summary(bins, WIDE, N, None, seed=2)
    fast = confirm.generators(
        summary(bins, 1.0, N, wide, seed=1), bins, problem.prior, LAYOUT.parameters
    )
    weighted = confirm.exact(fast, bins, None)._replace(size=share * fast.size)
    begun = renewed._begun(fast, weighted, problem)
    assert begun.power == power
    _, covariance = exact(observe(0))
    spread = np.sqrt(np.diag(covariance) / power)
    np.testing.assert_allclose(latents(begun.samples.theta).std(axis=0), spread, rtol=0.1)
