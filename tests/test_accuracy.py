"""Shipped weights on simulated spectra of a fixed seed: right, and as sure as they should be."""

import jax
import numpy as np
import pytest

from exogan_jax import Observation, load_model, load_opacities, retrieve, simulate
from exogan_jax.physics.problem import problem_model

pytestmark = pytest.mark.optax
N, SIGMA = 5, 6e-5


@pytest.fixture(
    scope="module", params=["planets", pytest.param("published", marks=pytest.mark.slow)]
)
def retrieved(request):
    model = load_model(request.param)
    physics = problem_model(load_opacities(request.param), model.layout)
    theta = physics.sample(jax.random.key(11), N)
    depth = np.asarray(jax.jit(simulate)(physics, theta))
    grid = model.layout.wavelength_um
    seen = (grid > 0.6) & (grid < 5.3)
    noise = SIGMA * np.random.default_rng(12).normal(size=(N, seen.sum()))
    zero = np.zeros(seen.sum())
    observations = [
        Observation(grid[seen], zero, d[seen] + e, zero + SIGMA)
        for d, e in zip(depth, noise, strict=True)
    ]
    found = retrieve(observations, model, n_starts=16, n_draws=8192, n_samples=1024, chunk=1)
    return np.asarray(theta), depth[:, seen], found, seen


def test_truths_lie_where_the_posteriors_say(retrieved):
    theta, _, found, _ = retrieved
    low, middle, high = np.moveaxis(found.quantiles(), 1, 0)
    z = (theta - middle) / np.maximum((high - low) / 2, 1e-12)
    # 55 scores of calibrated posteriors: rms about 1, none above 4.5.
    assert 0.6 < np.sqrt(np.mean(np.clip(z, -4, 4) ** 2)) < 1.5
    assert np.mean(np.abs(z) < 1) > 0.5 and np.abs(z).max() < 6
    inside = np.mean((theta >= low) & (theta <= high), axis=0)
    assert np.all(inside >= 2 / N)


def test_fits_are_as_good_as_the_errors_allow(retrieved):
    *_, found, _ = retrieved
    # 212 degrees of freedom: a spread of 0.1; the generator's own error adds to it.
    assert np.all((found.reduced_chi2 > 0.4) & (found.reduced_chi2 < 1.5))
    assert np.median(found.effective_sample_size) > 50
    assert not any("poor_fit" in flags for flags in found.flags)


def test_what_the_data_fix_is_found(retrieved):
    _, depth, found, seen = retrieved
    # What the planet looks like without noise, to a fifth of it: 218 points fix a dozen numbers.
    off = np.einsum("on,onw->ow", found.weights, found.depth[:, :, seen]) - depth
    assert np.median(np.abs(off)) < SIGMA / 5
    assert np.median(np.sqrt(np.mean(off**2, axis=1))) < SIGMA / 2.5
