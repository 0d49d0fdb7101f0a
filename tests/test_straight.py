"""Coordinates of the ensemble: there and back, and the volume between."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax.gan.altitude import Drawing
from exogan_jax.layout import PUBLISHED
from exogan_jax.retrieval.correction import no_correction
from exogan_jax.retrieval.levels import LevelTarget
from exogan_jax.retrieval.straight import bend, seen_level, straighten
from experiments.configs.planets import LAYOUT, PARAMETERS

MASSES = (18.01, 43.99, 28.01, 16.03, 22.99, 39.1)
LEVEL = jnp.asarray(9.0)
WIDE = Drawing(LAYOUT, MASSES)
NARROW = Drawing(PUBLISHED, MASSES[:4], "fixed")  # of linear mass and radius


def latents(drawing, n=6):
    d = len(drawing.layout.parameters)
    return jax.random.uniform(jax.random.key(0), (n, d), minval=-0.9, maxval=0.9)


@pytest.mark.parametrize("drawing", [WIDE, NARROW], ids=["planets", "published"])
class TestBothProblems:
    def test_there_and_back(self, drawing):
        z = latents(drawing)
        x = jax.jit(jax.vmap(lambda z: straighten(z, drawing, LEVEL)))(z)
        assert float(jnp.abs(x).max()) <= 1
        back, _ = jax.vmap(lambda x: bend(x, drawing, LEVEL))(x)
        np.testing.assert_allclose(back, z, atol=2e-5)
        alone, _ = bend(x[2], drawing, LEVEL)
        np.testing.assert_allclose(alone, back[2], atol=1e-6)

    def test_volume_is_that_of_the_jacobian(self, drawing):
        z = latents(drawing)
        x = jax.vmap(lambda z: straighten(z, drawing, LEVEL))(z)
        jacobian = jax.vmap(jax.jacfwd(lambda x: bend(x, drawing, LEVEL)[0]))(x)
        expected = np.linalg.slogdet(np.asarray(jacobian, np.float64))[1]
        _, volume = jax.vmap(lambda x: bend(x, drawing, LEVEL))(x)
        difference = np.asarray(volume) - expected
        np.testing.assert_allclose(difference, difference[0], atol=2e-3)
        assert np.ptp(expected) > 0.05  # else a constant would do


def test_scale_height_and_apparent_radius_are_what_moves_alone():
    mass, radius, temperature = (
        PARAMETERS.index_of_role(r) for r in ("mass", "radius", "temperature")
    )
    x = straighten(latents(WIDE)[0], WIDE, LEVEL)
    warmer, _ = bend(x.at[temperature].add(0.1), WIDE, LEVEL)
    before, after = WIDE.theta(bend(x, WIDE, LEVEL)[0]), WIDE.theta(warmer)
    np.testing.assert_allclose(WIDE.scale(after).height, WIDE.scale(before).height, rtol=1e-4)
    np.testing.assert_allclose(after[radius], before[radius], rtol=1e-5)
    ratio = after[temperature] / before[temperature]
    np.testing.assert_allclose(after[mass] / before[mass], ratio, rtol=1e-4)


def test_seen_level_is_the_mean_over_what_is_seen():
    anchor = latents(WIDE)[0]
    levels = jnp.asarray([4.0, 6.0, 11.0, 20.0])
    depths = WIDE.depths(levels, anchor)
    operator = jnp.asarray([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [0.0, 0.0]])  # the last only pads
    n = jnp.zeros(2)
    nothing = no_correction(len(WIDE.layout.parameters), 4)
    target = LevelTarget(jnp.arange(4), operator, n, n, jnp.zeros(()), jnp.zeros(4), nothing)
    np.testing.assert_allclose(seen_level(depths, target, WIDE), 7.0, rtol=1e-4)
