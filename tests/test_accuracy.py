"""Shipped weights on simulated spectra of a fixed seed: right, and as sure as they should be."""

import jax
import numpy as np
import pytest

from exogan_jax import Observation, forward_model, load_model, load_opacities, retrieve, simulate

pytestmark = pytest.mark.optax
N, SIGMA = 12, 6e-5


@pytest.fixture(
    scope="module", params=["physical", pytest.param("published", marks=pytest.mark.slow)]
)
def retrieved(request):
    model = load_model(request.param)
    layout = model.layout
    theta = layout.parameters.sample(jax.random.key(11), N)
    depth = np.asarray(
        jax.jit(simulate)(forward_model(load_opacities(request.param), layout.parameters), theta)
    )
    seen = (layout.wavelength_um > 0.6) & (layout.wavelength_um < 5.3)
    noise = SIGMA * np.random.default_rng(12).normal(size=(N, seen.sum()))
    wavelength, zero = layout.wavelength_um[seen], np.zeros(seen.sum())
    observations = [
        Observation(wavelength, zero, d[seen] + e, zero + SIGMA)
        for d, e in zip(depth, noise, strict=True)
    ]
    return np.asarray(theta), retrieve(observations, model, n_starts=16, chunk=6)


def test_truths_lie_where_the_posteriors_say(retrieved):
    theta, found = retrieved
    low, middle, high = np.moveaxis(found.quantiles(), 1, 0)
    z = (theta - middle) / np.maximum((high - low) / 2, 1e-12)
    # 84 scores of calibrated posteriors: rms about 1, three in a hundred thousand above 4.5.
    assert 0.6 < np.sqrt(np.mean(np.clip(z, -4, 4) ** 2)) < 1.5
    assert np.mean(np.abs(z) < 1) > 0.5 and np.abs(z).max() < 6
    inside = np.mean((theta >= low) & (theta <= high), axis=0)
    assert np.all(inside >= 3 / N)


def test_fits_are_as_good_as_the_errors_allow(retrieved):
    _, found = retrieved
    # 212 degrees of freedom: a spread of 0.1; the generator's own error adds to it.
    assert np.all((found.reduced_chi2 > 0.4) & (found.reduced_chi2 < 1.5))
    assert np.median(found.effective_sample_size) > 100
    assert not any("poor_fit" in flags for flags in found.flags)


def test_what_the_data_fix_is_found(retrieved):
    theta, found = retrieved
    error = np.abs(found.quantiles()[:, 1] - theta)
    parameters = found.parameters
    radius = parameters.index_of_role("radius")
    assert np.all(error[:, radius] < 0.02)
    water = parameters.index_of_role("h2o")
    plenty = theta[:, water] > -4
    assert plenty.sum() >= 3 and np.median(error[plenty, water]) < 0.3
