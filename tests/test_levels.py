"""The likelihood of spectra drawn as levels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax.gan.altitude import Depths
from exogan_jax.gan.model import LevelError
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.correction import shift
from exogan_jax.retrieval.encode import carry_back
from exogan_jax.retrieval.instruments import instruments
from exogan_jax.retrieval.levels import (
    level_density,
    level_loss,
    level_residuals,
    level_target,
    robust_level_loss,
    with_free,
)
from exogan_jax.retrieval.likelihood import UNIT
from tests.tiny_model import LAYOUT

GRID = LAYOUT.wavelength_um
D = len(LAYOUT.parameters)
POINTS = np.array([3, 10, 11, 40])
SIGMA = np.array([20e-6, 30e-6, 40e-6, 50e-6])
NONE = np.zeros((0, 60))
OWN = LevelError(NONE, np.linspace(0.01, 0.05, 60))


@pytest.fixture
def observation():
    depth = 0.011 + 1e-4 * np.array([1.0, -0.5, 2.0, 0.3])
    return Observation(GRID[POINTS], np.zeros(4), depth, SIGMA)


def drawn(target, excess=0.0):
    depth = 0.011 + 1e-4 * jnp.sin(target.point)
    slope = 1e-3 * (1 + 0.1 * target.point)
    level, anchor = jnp.cos(target.point), jnp.linspace(-0.5, 0.5, D)
    return Depths(level, depth, slope, jnp.zeros(D), anchor, jnp.asarray(excess))


def test_loss_is_the_gaussians_with_both_errors(observation):
    target = level_target(observation, LAYOUT, OWN)
    spectrum = drawn(target)
    order = np.argsort(np.argsort(POINTS))
    depth = np.asarray(spectrum.depth, np.float64)[order]
    own = np.asarray(spectrum.slope, np.float64)[order] * OWN.level[POINTS]
    variance = SIGMA**2 + own**2
    log_density = -0.5 * (np.square(depth - observation.depth) / variance + np.log(variance)).sum()
    constant = 0.5 * np.log(SIGMA**2).sum()
    np.testing.assert_allclose(level_loss(spectrum, target), -log_density - constant, rtol=1e-4)
    np.testing.assert_allclose(level_density(spectrum, target), log_density + constant, rtol=1e-4)


MODES = 0.04 * np.random.default_rng(3).normal(size=(3, 60))
OFFSET = 70e-6


def dense_loss(spectrum, observation, own, offset_of=None):
    """By the whole covariance, above that of the data's own errors; depths in order."""
    order = np.argsort(POINTS)
    slope = np.asarray(spectrum.slope, np.float64)
    covariance = np.diag(SIGMA[order] ** 2)
    modes = own.modes[:, POINTS[order]] * slope
    covariance += modes.T @ modes + np.diag((slope * own.level[POINTS[order]]) ** 2)
    if offset_of is not None:
        covariance += OFFSET**2 * np.outer(offset_of, offset_of)
    off = np.asarray(spectrum.depth, np.float64) - observation.depth[order]
    volume = np.linalg.slogdet(covariance)[1] - 2 * np.log(SIGMA).sum()
    return 0.5 * (off @ np.linalg.solve(covariance, off) + volume)


@pytest.mark.parametrize("sizes", [(None, None), (9, 12)])
@pytest.mark.parametrize("is_free", [False, True])
def test_what_wavelengths_err_by_together_is_no_ones_own(observation, is_free, sizes):
    order = np.argsort(POINTS)
    ordered = Observation(GRID[POINTS[order]], np.zeros(4), observation.depth[order], SIGMA[order])
    for level, tolerance in ((0.0, 1e-4), (0.01, 2e-2)):
        own = LevelError(MODES, np.full(60, level))
        target = level_target(ordered, LAYOUT, own, *sizes)
        assert target.along.shape == (3, sizes[0] or 4)
        offset_of = None
        if is_free:
            names, usable = ["a", "a", "a", "b"], np.ones(4, bool)
            free = instruments(names, usable, OFFSET / UNIT, False, *sizes[:1])
            target, offset_of = with_free(target, free), np.array([0.0, 0, 0, 1])
        spectrum = drawn(target)._replace(slope=jnp.full(target.point.shape, 1e-3))
        some = jax.tree.map(lambda x: x[:4] if jnp.ndim(x) and len(x) > 4 else x, spectrum)
        expected = dense_loss(some, ordered, own, offset_of)
        found = level_loss(spectrum, target)
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
        residuals = level_residuals(spectrum, target)
        np.testing.assert_allclose(0.5 * jnp.square(residuals).sum(), found, atol=2e-3)
        apart = LevelError(NONE, np.sqrt(np.square(MODES).sum(axis=0) + level**2))
        independent = level_loss(spectrum, level_target(ordered, LAYOUT, apart, *sizes))
        assert abs(independent - expected) > 0.3


def test_what_does_not_exist_has_no_density_and_a_way_back(observation):
    target = level_target(observation, LAYOUT, OWN)
    there, not_there = drawn(target), drawn(target, 0.1)
    assert level_density(not_there, target) == -np.inf
    for loss in (level_loss, robust_level_loss):
        assert loss(not_there, target) > loss(there, target) + 50


def test_robust_loss_has_the_same_minimum_and_a_slower_growth(observation):
    target = level_target(observation, LAYOUT, LevelError(NONE, np.zeros(60)))
    depth = jnp.asarray(observation.depth[np.argsort(POINTS)], jnp.float32)
    exact = Depths(jnp.zeros(4), depth, jnp.zeros(4), jnp.zeros(D), jnp.zeros(D), 0.0)
    far = exact._replace(depth=exact.depth + 0.01)
    assert robust_level_loss(exact, target) < 1e-4 and level_loss(exact, target) < 1e-4
    chi = 0.01 / SIGMA
    np.testing.assert_allclose(robust_level_loss(far, target), (chi - 1).sum(), rtol=1e-2)
    np.testing.assert_allclose(level_loss(far, target), 0.5 * (chi**2).sum(), rtol=1e-3)


def test_what_is_corrected_is_compared(observation):
    target = level_target(observation, LAYOUT, OWN)
    spectrum = drawn(target)
    rng = np.random.default_rng(1)
    correction = target.correction._replace(
        whiten=0.3 * np.eye(target.correction.centre.size, dtype=np.float32),
        coefficient=rng.normal(0, 0.03, target.correction.coefficient.shape).astype(np.float32),
    )
    moved = shift(correction, spectrum.anchor, spectrum.level)
    assert np.std(moved) > 0.01
    by_hand = spectrum._replace(depth=spectrum.depth + spectrum.slope * moved)
    for loss in (level_loss, robust_level_loss):
        found = loss(spectrum, target._replace(correction=correction))
        np.testing.assert_allclose(found, loss(by_hand, target), rtol=1e-4)
        assert abs(found - loss(spectrum, target)) > 0.01


def test_padding_and_bins_off_the_grid_count_nothing(observation):
    plain = level_target(observation, LAYOUT, OWN)
    padded = level_target(observation, LAYOUT, OWN, 9, 12)
    assert padded.depth.shape == (9,) and padded.point.shape == (12,)
    losses = [level_loss(drawn(target), target) for target in (plain, padded)]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    far = Observation(
        np.array([*GRID[POINTS], 30.0]),
        np.zeros(5),
        *(np.append(x, x[0]) for x in (observation.depth, observation.sigma)),
    )
    target = level_target(far, LAYOUT, OWN)
    assert float(target.weight[-1]) == 0
    np.testing.assert_allclose(level_loss(drawn(target), target), losses[0], rtol=1e-5)


def test_the_encoder_sees_depths_and_errors(observation):
    target = level_target(observation, LAYOUT, OWN, 9, 12)
    back = carry_back(target, 60)
    seen = np.asarray(back.information) > 0
    np.testing.assert_array_equal(np.flatnonzero(seen), np.sort(POINTS))
    depth = np.asarray(back.depth)[POINTS] * UNIT + float(back.reference)
    np.testing.assert_allclose(depth, observation.depth, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(back.information)[POINTS], (UNIT / SIGMA) ** 2, rtol=1e-5)


def test_jit_and_vmap_agree(observation):
    target = level_target(observation, LAYOUT, OWN)
    spectrum = drawn(target)
    many = jax.tree.map(lambda x: jnp.stack([x, x * 1.001]), spectrum)
    together = jax.jit(jax.vmap(lambda x: level_loss(x, target)))(many)
    one = [level_loss(jax.tree.map(lambda x, i=i: x[i], many), target) for i in range(2)]
    np.testing.assert_allclose(together, one, rtol=1e-4)
