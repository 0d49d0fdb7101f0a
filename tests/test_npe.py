"""The encoder's network, its normal distributions, and what it sees of an observation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from exogan_jax.gan.model import GeneratorError
from exogan_jax.gan.npe import (
    Encoder,
    Proposal,
    from_normal,
    latent_at,
    negative_log_density,
    shape_of,
    to_normal,
)
from exogan_jax.layout import PUBLISHED
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.encode import carry_back, features, n_features
from exogan_jax.retrieval.likelihood import UNIT, depth_target

ERROR = GeneratorError(np.full(515, 0.01), np.full(14, 1e-5), np.full(14, 2e-5))
N_FEATURES = n_features(515)
RADIUS = (0.118, 0.02)


def target_of(observation, error=ERROR, *sizes):
    return depth_target(observation, PUBLISHED, error, *sizes)


def carried_back(target):
    return carry_back(target, 515)


def some_proposal(d=4, seed=0):
    rng = np.random.default_rng(seed)
    precision = np.tril(rng.normal(size=(d, d)), -1) + np.diag(rng.uniform(1, 5, d))
    return Proposal(*(jnp.asarray(x, jnp.float32) for x in (rng.normal(size=d), precision)))


def test_uniform_latents_are_unit_normal():
    z = jnp.linspace(-0.999, 0.999, 101)
    np.testing.assert_allclose(to_normal(z), norm.ppf((np.asarray(z) + 1) / 2), atol=1e-4)
    np.testing.assert_allclose(from_normal(to_normal(z)), z, atol=1e-6)
    assert bool(jnp.isfinite(to_normal(jnp.array([-1.0, 1.0]))).all())


def test_density_is_that_of_a_multivariate_normal():
    proposal = some_proposal()
    z = jnp.array([[0.3, -0.9, 0.0, 0.99], [-0.5, 0.1, 0.7, 0.2]])
    batch = jax.tree.map(lambda x: jnp.stack([x, x]), proposal)
    covariance = np.linalg.inv(np.asarray(proposal.precision, np.float64))
    expected = -multivariate_normal.logpdf(
        np.asarray(to_normal(z)), np.asarray(proposal.mean), covariance @ covariance.T
    )
    ours = negative_log_density(z, batch) + 2 * np.log(2 * np.pi)
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


def test_positions_are_in_units_of_the_spread():
    proposal = some_proposal()
    position = jnp.array([0.5, -1.0, 0.2, 1.5])
    shape = shape_of(proposal)
    back = proposal.precision @ (to_normal(latent_at(position, shape)) - proposal.mean)
    np.testing.assert_allclose(back, position, atol=1e-3)
    np.testing.assert_allclose(latent_at(jnp.zeros(4), shape), from_normal(proposal.mean))
    many = jax.jit(jax.vmap(latent_at, (0, None)))(jnp.stack([position, 2 * position]), shape)
    np.testing.assert_allclose(many[0], latent_at(position, shape), atol=1e-6)


def test_an_untrained_encoder_says_the_prior():
    network = Encoder(latent_dim=3, width=8, depth=1)
    x = jax.random.normal(jax.random.key(0), (2, N_FEATURES))
    mean, precision, context = network.apply(network.init(jax.random.key(1), x), x)
    assert context is None
    np.testing.assert_array_equal(mean, np.zeros((2, 3)))
    np.testing.assert_array_equal(precision, np.stack([np.eye(3)] * 2))


def observation(n=40, sigma=3e-5, half_width=0.0, seed=0):
    wavelength = PUBLISHED.wavelength_um[300 : 300 + n]
    depth = 0.014 + 1e-4 * np.random.default_rng(seed).normal(size=n)
    return Observation(wavelength, np.full(n, half_width), depth, np.full(n, sigma))


def test_points_on_the_grid_are_carried_back_to_themselves():
    seen = observation()
    evidence = carried_back(target_of(seen))
    back = np.asarray(evidence.depth[300:340]) * UNIT + float(evidence.reference)
    np.testing.assert_allclose(back, seen.depth, atol=1e-8)
    hidden = np.delete(np.arange(515), np.arange(300, 340))
    assert not np.any(np.asarray(evidence.information)[hidden])
    # The error counts, and the generator's with it.
    information = np.asarray(evidence.information[300:340])
    assert np.all(information < (UNIT / 3e-5) ** 2) and np.all(information > 1)


def test_order_and_padding_do_not_matter():
    seen = observation(half_width=0.01)
    turned = Observation(*(x[::-1] for x in seen[:4]))
    wanted = features(carried_back(target_of(seen)), RADIUS)
    assert wanted.shape == (N_FEATURES,)
    for other in (target_of(turned), target_of(seen, ERROR, 64, 100)):
        np.testing.assert_allclose(features(carried_back(other), RADIUS), wanted, atol=2e-3)


def test_the_mean_radius_is_in_units_of_its_spread():
    seen = observation()
    back = carried_back(target_of(seen))
    mean = np.sqrt(np.mean(seen.depth))
    for radius in ((0.118, 0.02), (0.03, 0.01)):
        size = features(back, radius)[3 * 515]
        np.testing.assert_allclose(size, (mean - radius[0]) / radius[1], rtol=1e-2)


def test_two_equal_measurements_are_one_of_twice_the_information():
    once = observation(sigma=1e-4)
    twice = Observation(*(np.concatenate([x, x]) for x in once[:4]))
    better = once._replace(sigma=once.sigma / np.sqrt(2))
    no_error = ERROR._replace(pixel=np.zeros(515))
    a, b = (carried_back(target_of(x, no_error)) for x in (twice, better))
    np.testing.assert_allclose(a.information, b.information, rtol=1e-5)
    np.testing.assert_allclose(a.depth, b.depth, atol=1e-5)


@pytest.mark.parametrize("sigma", [1e-9, 1.0])
def test_features_are_finite_for_extreme_errors(sigma):
    back = carried_back(target_of(observation(1, sigma=sigma)))
    found = jax.jit(features, static_argnums=1)(back, RADIUS)
    assert bool(jnp.isfinite(found).all())
