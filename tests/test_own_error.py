"""The error of generated levels, as the likelihood takes it."""

import numpy as np
import pytest

from experiments.training import own_error

N, W = 6000, 60


@pytest.fixture
def errors():
    """Of 6,000 spectra: two smooth modes, and each point's own; a few are far off."""
    rng = np.random.default_rng(5)
    x = np.linspace(0, 1, W)
    modes = np.stack([0.02 * np.ones(W), 0.01 * np.sin(2 * np.pi * x)])
    own = 0.004 + 0.002 * x
    level = rng.normal(size=(N, 2)) @ modes + own * rng.normal(size=(N, W))
    level[:50] *= 30
    return level, modes.T @ modes + np.diag(own**2), own


def test_common_errors_are_told_from_a_points_own(errors, monkeypatch):
    level, covariance, own = errors
    monkeypatch.setattr(own_error, "level_differences", lambda *_: (level, level, level))
    monkeypatch.setattr(own_error, "_N_MODES", 2)
    found = own_error.level_error(None, None, None)
    assert found.modes.shape == (2, W)
    modes, rest = (np.asarray(x, np.float64) for x in found)
    np.testing.assert_allclose(rest, own, rtol=0.15)
    whole = modes.T @ modes + np.diag(rest**2)
    np.testing.assert_allclose(whole, covariance, atol=0.1 * covariance.max())
    # The largest first.
    assert np.square(modes[0]).sum() > 2 * np.square(modes[1]).sum()


def test_no_point_is_known_better_than_its_modes_allow(errors, monkeypatch):
    level, *_ = errors
    monkeypatch.setattr(own_error, "level_differences", lambda *_: (level, level, level))
    monkeypatch.setattr(own_error, "_N_MODES", W)
    found = own_error.level_error(None, None, None)
    assert np.all(np.asarray(found.level) > 0)
