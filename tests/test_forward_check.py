"""The forward model's spectra of samples."""

from types import SimpleNamespace

import numpy as np
import pytest

from exogan_jax.files.opacities import load_opacities
from exogan_jax.layout import PUBLISHED
from exogan_jax.parameters import Parameter, Parameters
from exogan_jax.physics.forward import forward_model
from exogan_jax.retrieval.forward_check import true_depths, true_spectrum

POINTS = np.array([200, 30, 31])


@pytest.fixture(scope="module")
def physics():
    """The published one, but for lighter planets, of which some have no atmosphere."""
    others = [p for p in PUBLISHED.parameters if p.role != "mass"]
    mass = Parameter("mass", "mass", "M_J", "M", 0.01, 2.0)
    return forward_model(load_opacities("published"), Parameters([*others, mass]))


@pytest.mark.parametrize("at_once", [1, 2, 3, 4])
def test_spectra_are_those_of_each_planet_however_many_are_side_by_side(physics, at_once):
    low, high = np.array(physics.parameters.lower), np.array(physics.parameters.upper)
    theta = low + (high - low) * np.random.default_rng(0).uniform(0.2, 0.8, (3, low.size))
    theta[1, -1] = 0.01  # not bound
    found = true_depths(physics, theta, SimpleNamespace(point=POINTS), at_once)
    assert found.shape == (3, 3) and found.dtype == np.float64
    assert np.isnan(found[1]).all()
    for i in (0, 2):
        np.testing.assert_allclose(found[i], true_spectrum(physics, theta[i])[POINTS], rtol=2e-6)
    assert np.ptp(found[[0, 2]], axis=0).min() > 1e-4
