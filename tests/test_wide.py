"""Samples of a power of the likelihood: of a linear model, they and their integral are known."""

from functools import partial

import jax
import numpy as np
import pytest
from scipy.stats import norm
from test_fitting import exact, latents, observe
from test_quick import target_of
from tiny_model import LAYOUT, D, linear_model

from exogan_jax.retrieval.fitting import retrieve_one
from exogan_jax.retrieval.priors import Normal
from exogan_jax.retrieval.sampling import WIDE
from exogan_jax.retrieval.settings import Settings

pytestmark = pytest.mark.optax
TEMPERATURE = LAYOUT.parameters.roles.index("temperature")
_RUN = {"n_starts": 4, "n_steps": 50, "n_burn": 100, "n_draws": 8192}


@pytest.mark.parametrize("share", [None, 1.5])
def test_a_power_of_the_likelihood_under_the_whole_prior(share):
    """Uniform, or with a temperature known before, to some sigma of what the data tell."""
    model = linear_model()
    mean, covariance = exact(observe(0))
    precision = WIDE * np.linalg.inv(covariance)
    priors, inner = None, precision
    if share is not None:
        at = mean[TEMPERATURE] + np.sqrt(covariance[TEMPERATURE, TEMPERATURE])
        spread = share * np.sqrt(covariance[TEMPERATURE, TEMPERATURE])
        half = (3000 - 300) / 2
        priors = {"temperature": Normal(300 + half * (1 + at), half * spread)}
        inner = precision + np.diag((np.arange(D) == TEMPERATURE) / spread**2)
    settings = Settings(**_RUN, n_samples=4096).for_model(False)
    run = jax.jit(partial(retrieve_one, settings=settings))
    found = jax.tree.map(
        np.asarray, run(jax.random.key(1), model, target_of(model, observe(0), priors))
    )
    wide, z = found.wide, latents(found.wide.theta)
    assert wide.wide is None and wide.effective > 500
    middle = mean
    if share is not None:
        middle = mean + np.linalg.solve(inner, (inner - precision) @ (at - mean))
    spreads = np.sqrt(np.diag(np.linalg.inv(inner)))
    error = spreads / np.sqrt(wide.effective)
    assert np.all(np.abs(z.mean(axis=0) - middle) < 4 * error)
    np.testing.assert_allclose(z.std(axis=0), spreads, rtol=4 / np.sqrt(2 * wide.effective))
    # Half of a square and a constant: the likelihood's own energy, not its power's.
    off = z - mean
    least = wide.energy - np.einsum("ni,ij,nj->n", off, np.linalg.inv(covariance), off) / 2
    assert least.std() < 0.1
    root = 0.5 * np.linalg.slogdet(2 * np.pi * np.linalg.inv(precision))[1]
    expected = -WIDE * least.mean() + root - D * np.log(2)
    if share is not None:
        both = np.hypot(spread, np.sqrt(np.linalg.inv(precision)[TEMPERATURE, TEMPERATURE]))
        expected += np.log(2) + norm.logpdf(at, mean[TEMPERATURE], both)
    assert abs(wide.evidence.log - expected) < 4 * wide.evidence.error + 0.01
    assert wide.evidence.error < 0.1


def test_only_exact_answers_need_them():
    model = linear_model()
    settings = Settings(exact=False, **_RUN).for_model(False)
    run = partial(retrieve_one, settings=settings)
    found = jax.eval_shape(run, jax.random.key(1), model, target_of(model, observe(0)))
    assert found.wide is None
