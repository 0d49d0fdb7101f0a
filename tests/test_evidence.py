"""Evidences over a prior, of likelihoods whose integrals are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from tiny_model import LAYOUT, D

from exogan_jax.retrieval.evidence import evidence
from exogan_jax.retrieval.latent_prior import (
    latent_at,
    latent_prior,
    log_norm,
    log_weight,
    theta_of,
)
from exogan_jax.retrieval.priors import LogUniform, Normal, Uniform, resolve

PARAMETERS = LAYOUT.parameters


def of(given):
    return latent_prior(resolve(given, PARAMETERS), PARAMETERS, D)


@pytest.mark.parametrize(
    ("given", "mean"),
    [
        ({}, 1.0),
        ({"temperature": Uniform(500, 900)}, 1.0),
        # The integral of the normal over its share of the box: sigma sqrt(2 pi) over 12 sigma.
        ({"temperature": Normal(1500, 50)}, np.sqrt(2 * np.pi) / 12),
        # Cut at its mean by the bound: half of the same over half of the width.
        ({"temperature": Normal(300, 50)}, np.sqrt(2 * np.pi) / 12),
        ({"temperature": LogUniform(500, 2000)}, np.log(4) / 1500),
    ],
)
def test_norms_make_weights_densities(given, mean):
    assert float(log_norm(of(given), PARAMETERS)) == pytest.approx(np.log(mean), abs=2e-3)


def test_the_evidence_of_a_measurement_under_a_prior():
    """Water uniform, the radius uniform, the temperature known before: products of integrals."""
    prior = of({"temperature": Normal(1200, 100)})

    def log_likelihood(theta):
        water, radius, temperature = theta
        return (
            -0.5 * ((water + 4) / 0.3) ** 2
            - 0.5 * ((radius - 0.51) / 0.05) ** 2  # at the wall of the box
            - 0.5 * ((temperature - 1300) / 60) ** 2
        )

    def log_density(place):
        latent = latent_at(prior, place)
        theta = theta_of(latent, PARAMETERS)
        return log_likelihood(theta) + log_weight(prior, latent, PARAMETERS)

    rng = np.random.default_rng(0)
    wall = stats.truncnorm((0.5 - 0.51) / 0.05, (2 - 0.51) / 0.05, 0.51, 0.05)
    spread = 1 / np.hypot(1 / 100, 1 / 60)
    middle = spread**2 * (1200 / 100**2 + 1300 / 60**2)
    n = 1024
    theta = np.column_stack(
        [rng.normal(-4, 0.3, n), wall.rvs(n, random_state=rng), rng.normal(middle, spread, n)]
    )
    latent = 2 * PARAMETERS.to_unit(theta) - 1
    place = jnp.asarray((latent - prior.centre) / prior.half, jnp.float32)
    found = jax.jit(
        lambda key, place: evidence(
            key, place, log_density, prior, PARAMETERS, jnp.asarray(float(n))
        )
    )(jax.random.key(1), place)
    root = np.sqrt(2 * np.pi)
    expected = np.log(0.3 * root / 7) + np.log(0.05 * root * stats.norm.sf(-0.2) / 1.5)
    expected += stats.norm.logpdf(1300, 1200, np.hypot(100, 60)) + np.log(60 * root)
    assert abs(float(found.log_evidence) - expected) < 4 * float(found.error) + 0.01
    assert float(found.error) < 0.1
