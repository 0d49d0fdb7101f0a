"""Data of every size and sharpness: the default answer is finite, or says what is wrong with it."""

import numpy as np
import pytest

from exogan_jax import Observation, load_model, load_opacities, retrieve
from exogan_jax.physics.observation import binning_operator
from exogan_jax.physics.problem import problem_model

pytestmark = [pytest.mark.optax, pytest.mark.slow]
#: log10 of H2O, CO2, CO, CH4, Na, K; M_J, R_J, K; log10 of the cloud top in Pa and of the haze.
PLANET = np.array([-3.0, -5.0, -4.0, -7.0, -6.0, -7.0, 0.4, 1.2, 1100.0, 4.0, 0.0])


def bins(n, low=0.6, high=5.3):
    edges = np.geomspace(low, high, n + 1)
    return (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2


def gaps():
    parts = [bins(30, 0.6, 0.9), bins(40, 1.1, 1.7), bins(30, 3.0, 3.4), bins(20, 10.0, 12.0)]
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))


def with_points():
    """A spectrograph and four instruments of one bin each."""
    photometry = np.array([0.9, 2.2, 3.6, 4.5]), np.array([0.1, 0.2, 0.37, 0.5])
    return tuple(np.concatenate(each) for each in zip(bins(40, 1.1, 1.7), photometry, strict=True))


def twice():
    centre, half = bins(50)
    return np.repeat(centre, 2), np.repeat(half, 2)


DATA = {
    "3 bins": bins(3),
    "1 bin": bins(1, 1.1, 1.7),
    "44 bins": bins(44, 1.1, 1.7),
    "219 bins": bins(219),
    "5000 bins": bins(5000),
    "gaps": gaps(),
    "instruments of one point": with_points(),
    "each wavelength twice": twice(),
}


@pytest.fixture(scope="module")
def world():
    model = load_model()
    return model, problem_model(load_opacities(), model.layout)


@pytest.mark.parametrize("sigma", [1e-6, 30e-6, 1e-3, 1e-2])
@pytest.mark.parametrize("kind", DATA)
def test_answers_are_finite_or_flagged(world, kind, sigma):
    model, physics = world
    centre, half = DATA[kind]
    operator = binning_operator(centre, half, np.asarray(physics.wavelength_um, np.float64))
    depth = operator @ np.asarray(physics(PLANET), np.float64)
    noise = np.random.default_rng(1).normal(size=centre.size)
    # No file has depths below 0.
    observation = Observation(
        centre, half, np.maximum(depth + sigma * noise, 1e-6), np.full(centre.size, sigma)
    )
    found = retrieve(observation, model, physics=physics, seed=3)[0]
    samples = found.samples
    assert np.isfinite(samples).all() and np.isfinite(found.weights).all()
    assert np.isfinite(found.depth).all() and abs(found.weights.sum() - 1) < 1e-5
    lower, upper = model.layout.parameters.lower, model.layout.parameters.upper
    assert np.all((samples >= lower * (1 - 1e-6) - 1e-6) & (samples <= upper * (1 + 1e-6) + 1e-6))
    low, _, high = found.quantiles()
    told = np.isfinite(found.log_evidence) and np.isfinite(found.log_evidence_error)
    assert (told and np.all(high > low) and found.effective_sample_size >= 50) or found.flags
    # Errors are the data's own: what they cannot tell stays the prior's.
    if sigma == 1e-2:
        assert "uninformative" in found.flags or "featureless" in found.flags
    elif sigma < 1e-3 and centre.size > 40:
        # Bins finer than the grid, all with errors of 1 ppm, know the depth to 0.01 ppm.
        inside = (low - 4 * (high - low) <= PLANET) & (high + 4 * (high - low) >= PLANET)
        assert inside.mean() > 0.7 or found.flags
