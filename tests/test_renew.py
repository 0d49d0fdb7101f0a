"""Rounds that move samples to the forward model's posterior, of linear models: both are known."""

import jax
import numpy as np
import pytest
from test_fitting import SIGMA, exact, latents, observe
from tiny_model import HIGH, LAYOUT, LOW, D, linear_map, linear_model

from exogan_jax.retrieval import renew
from exogan_jax.retrieval.compared import LIKELIHOODS
from exogan_jax.retrieval.exact import worth
from exogan_jax.retrieval.latent_prior import latent_prior
from exogan_jax.retrieval.marginals import marginals
from exogan_jax.retrieval.residuals import compared_bins, missed
from exogan_jax.retrieval.settings import Settings

N = 1024
NONE = (None,) * D
#: What the generator errs by: as if all latents were a little larger, and what no latent does.
OFF = np.array([0.05, -0.04, 0.04])


def depth_of(z: np.ndarray) -> np.ndarray:
    return LOW + (HIGH - LOW) * (0.5 + z @ linear_map().T)


@pytest.fixture(scope="module")
def problem():
    model, observation = linear_model(), observe(0)
    prior = latent_prior(NONE, LAYOUT.parameters, D)
    target = LIKELIHOODS["gaussian"].target(observation, model, prior)
    bins = compared_bins(observation, target)
    settings = Settings(n_samples=N).for_model(False)
    ends = marginals(NONE, LAYOUT.parameters)
    return renew.Problem(model, target, bins, ends, None, settings)


@pytest.fixture
def forward(monkeypatch):
    """A forward model that is off."""

    def true_depths(physics, theta, bins, at_once):
        return depth_of(latents(theta) + OFF)[:, bins.point]

    monkeypatch.setattr(renew, "true_depths", true_depths)
    return true_depths


def generators(problem, forward, power=1.0) -> renew.Samples:
    """Samples of the generator's own posterior, its likelihood to a power."""
    mean, covariance = exact(observe(0))
    z = np.random.default_rng(1).multivariate_normal(mean, covariance / power, N)
    theta = LAYOUT.parameters.from_unit(0.5 * (z + 1)).astype(np.float32)
    true = forward(None, theta, problem.bins, len(theta))
    energies = (missed(x, problem.bins).energy for x in (depth_of(z)[:, problem.bins.point], true))
    own, forwards = energies
    place, depth = z.astype(np.float32), depth_of(z).astype(np.float32)
    return renew.Samples(place, theta, depth, true, power * own, forwards, np.arange(N))


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_rounds_lead_to_the_posterior_of_the_power(problem, forward, power):
    samples = generators(problem, forward)
    for number in range(16):
        samples, share = renew.move(jax.random.key(number), samples, problem, power)
        assert 0.2 < share <= 1
    mean, covariance = exact(observe(0))
    spread = np.sqrt(np.diag(covariance))
    assert np.abs(OFF / spread).max() > 0.7
    z = latents(samples.theta)
    size = worth(z, samples.family)
    assert size > N / 3
    error = spread / np.sqrt(size)
    assert np.all(np.abs(z.mean(axis=0) - (mean - power * OFF)) < 4 * error)
    scale = np.sqrt(np.outer(spread**2, spread**2) * 2 / size)
    assert np.all(np.abs(np.cov(z, rowvar=False) - covariance) < 4 * scale)
    assert np.unique(samples.family).size == N  # nobody is lost


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_rounds_between_a_power_of_the_generators_and_the_forward_model(problem, forward, power):
    begun = 0.4
    samples = generators(problem, forward, begun)
    for number in range(16):
        key = jax.random.key(number)
        samples, share = renew.move(key, samples, problem._replace(begun=begun), power)
        assert 0.2 < share <= 1
    mean, covariance = exact(observe(0))
    # Normal densities to powers: of one covariance, about two means.
    weight = (1 - power) * begun + power
    spread = np.sqrt(np.diag(covariance) / weight)
    z = latents(samples.theta)
    size = worth(z, samples.family)
    assert size > N / 3
    error = spread / np.sqrt(size)
    assert np.all(np.abs(z.mean(axis=0) - (mean - power / weight * OFF)) < 4 * error)
    np.testing.assert_allclose(z.std(axis=0), spread, rtol=4 / np.sqrt(2 * size))


def test_what_moves_has_no_part_in_its_moves(problem, forward, monkeypatch):
    """The generator is corrected by the half that rests."""
    seen = []

    def correct(target, theta, depth, true, model):
        seen.append(theta)
        return target

    monkeypatch.setattr(renew, "correct", correct)
    samples = generators(problem, forward)
    moved, _ = renew.move(jax.random.key(3), samples, problem, 1.0)
    np.testing.assert_array_equal(seen[0], samples.theta[N // 2 :])
    np.testing.assert_array_equal(seen[1], moved.theta[: N // 2])  # they moved first
    assert len(seen) == 2 and np.any(seen[1] != samples.theta[: N // 2])


def test_what_is_known_of_each_sample_stays_with_it(problem, forward):
    samples, _ = renew.move(jax.random.key(3), generators(problem, forward), problem, 0.5)
    z = latents(samples.theta)
    np.testing.assert_allclose(samples.place, z, atol=1e-4)
    np.testing.assert_allclose(samples.depth, depth_of(z), rtol=1e-5)
    np.testing.assert_allclose(samples.true, depth_of(z + OFF)[:, problem.bins.point], rtol=1e-5)
    energy = missed(samples.true, problem.bins).energy
    np.testing.assert_allclose(samples.true_energy, energy, rtol=1e-4)
    chi2 = np.square((observe(0).depth - depth_of(z)) / SIGMA).sum(axis=1)
    slope = np.polyfit(chi2 / 2, samples.energy, 1)[0]
    assert slope == pytest.approx(1, abs=0.03)


def test_planets_that_do_not_exist_are_refused(problem, monkeypatch, forward):
    samples = generators(problem, forward)

    def nothing(physics, theta, bins, at_once):
        return np.full((len(theta), bins.point.size), np.nan)

    monkeypatch.setattr(renew, "true_depths", nothing)
    same, share = renew.move(jax.random.key(3), samples, problem, 1.0)
    assert share == 0
    np.testing.assert_array_equal(np.sort(same.theta, axis=0), np.sort(samples.theta, axis=0))
