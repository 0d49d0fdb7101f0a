"""Weighted draws of a posterior that is known, and what they need."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_quick import exact, latents, near, observe, target_of  # noqa: F401  (fixture)
from tiny_model import LAYOUT, D, random_model

from exogan_jax.retrieval.compared import LIKELIHOODS
from experiments import brute_force
from experiments.brute_force import weighted_draws


def test_they_are_the_posterior_and_its_evidence(near, monkeypatch):  # noqa: F811
    monkeypatch.setattr(brute_force, "_BATCH", 2048)
    observation = observe(0)
    density = jax.jit(
        jax.vmap(LIKELIHOODS["gaussian"].log_density(near, target_of(near, observation)))
    )
    asked = []

    def log_likelihood(theta):
        asked.append(len(theta))
        return np.asarray(density(jnp.asarray(latents(theta), jnp.float32)), np.float64)

    found = weighted_draws(jax.random.key(0), near, observation, log_likelihood, 20_000)
    assert found.calls == 20_480 and len(asked) == 10 and sum(asked) <= found.calls
    assert 500 < found.effective < 20_480 and abs(found.weight.sum() - 1) < 1e-9
    assert np.all(
        (found.theta >= LAYOUT.parameters.lower) & (found.theta <= LAYOUT.parameters.upper)
    )
    mean, covariance = exact(observation)
    best = float(density(jnp.asarray(mean[None], jnp.float32))[0])
    expected = best + 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1] - D * np.log(2.0)
    assert found.error < 0.05 and abs(found.log_evidence - expected) < 4 * found.error + 0.02
    z, spread = latents(found.theta), np.sqrt(np.diag(covariance))
    off = (found.weight @ z - mean) / spread
    assert np.all(np.abs(off) < 4 / np.sqrt(found.effective))
    again = weighted_draws(jax.random.key(0), near, observation, log_likelihood, 20_000)
    np.testing.assert_array_equal(found.theta, again.theta)


def test_a_model_without_proposals_is_refused():
    with pytest.raises(ValueError, match="proposes nothing"):
        weighted_draws(jax.random.key(0), random_model(), observe(0), lambda theta: theta, 10)
