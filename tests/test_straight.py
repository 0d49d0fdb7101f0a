"""Coordinates of the ensemble: there and back, and the volume between."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax.gan.altitude import Drawing
from exogan_jax.layout import PUBLISHED
from exogan_jax.retrieval.asked_scale import asked, asked_radius, rest
from exogan_jax.retrieval.correction import no_correction
from exogan_jax.retrieval.instruments import nothing_free
from exogan_jax.retrieval.levels import LevelTarget
from exogan_jax.retrieval.likelihood import UNIT
from exogan_jax.retrieval.straight import bend, of_scaled, places, put, scaled, straighten
from experiments.configs.planets import LAYOUT, PARAMETERS

MASSES = (18.01, 43.99, 28.01, 16.03, 22.99, 39.1)
WIDE = Drawing(LAYOUT, MASSES)
NARROW = Drawing(PUBLISHED, MASSES[:4], "fixed")  # of linear mass and radius


def latents(drawing, n=6):
    d = len(drawing.layout.parameters)
    return jax.random.uniform(jax.random.key(0), (n, d), minval=-0.9, maxval=0.9)


@pytest.mark.parametrize("drawing", [WIDE, NARROW], ids=["planets", "published"])
class TestBothProblems:
    def test_there_and_back(self, drawing):
        z = latents(drawing)
        x = jax.jit(jax.vmap(lambda z: straighten(z, drawing)))(z)
        assert float(jnp.abs(x).max()) <= 1
        back, _ = jax.vmap(lambda x: bend(x, drawing))(x)
        np.testing.assert_allclose(back, z, atol=2e-5)
        alone, _ = bend(x[2], drawing)
        np.testing.assert_allclose(alone, back[2], atol=1e-6)

    def test_volume_is_that_of_the_jacobian(self, drawing):
        z = latents(drawing)
        x = jax.vmap(lambda z: straighten(z, drawing))(z)
        jacobian = jax.vmap(jax.jacfwd(lambda x: bend(x, drawing)[0]))(x)
        expected = np.linalg.slogdet(np.asarray(jacobian, np.float64))[1]
        _, volume = jax.vmap(lambda x: bend(x, drawing))(x)
        np.testing.assert_allclose(volume, expected, atol=2e-3)
        assert np.ptp(expected) > 0.05  # else a constant would do


def test_scale_height_and_radius_are_what_moves_alone():
    mass, radius, temperature = (
        PARAMETERS.index_of_role(r) for r in ("mass", "radius", "temperature")
    )
    x = straighten(latents(WIDE)[0], WIDE)
    warmer, _ = bend(x.at[temperature].add(0.1), WIDE)
    before, after = WIDE.theta(bend(x, WIDE)[0]), WIDE.theta(warmer)
    np.testing.assert_allclose(WIDE.scale(after).height, WIDE.scale(before).height, rtol=1e-4)
    np.testing.assert_allclose(after[radius], before[radius], rtol=1e-5)
    ratio = after[temperature] / before[temperature]
    np.testing.assert_allclose(after[mass] / before[mass], ratio, rtol=1e-4)
    pair = of_scaled((x[mass], x[radius]), WIDE)
    np.testing.assert_allclose(pair, (WIDE.scale(before).height, before[radius]), rtol=1e-4)


class TestAskedScale:
    """A planet's own levels ask for its own scale height and radius."""

    @staticmethod
    def planets(drawing):
        anchor = latents(drawing)[0]
        theta = drawing.theta(anchor)
        levels = 8 + 4 * jnp.sin(jnp.arange(20.0))
        return anchor, theta, levels, drawing.depths(levels, anchor)

    @staticmethod
    def target(depths, sigma):
        n = depths.depth.size
        d = depths.theta.size
        reference = jnp.median(depths.depth)
        return LevelTarget(
            jnp.arange(n),
            jnp.eye(n),
            (depths.depth - reference) / UNIT,
            jnp.full(n, (UNIT / sigma) ** 2),
            reference,
            jnp.zeros(n),
            jnp.zeros((0, n)),
            jnp.zeros(0),
            no_correction(d, n),
            nothing_free(n),
        )

    @pytest.mark.parametrize("drawing", [WIDE, NARROW], ids=["planets", "published"])
    def test_of_any_mass_and_radius(self, drawing):
        anchor, theta, levels, depths = self.planets(drawing)
        target = self.target(depths, 1e-6 * float(depths.depth.mean()) ** 0.5)
        two = jnp.array(places(drawing))
        other = drawing.depths(levels, anchor.at[two].add(jnp.array([0.05, -0.04])))
        height, apparent, level = asked(other, target, drawing)
        share = apparent * rest(height, level)
        assert abs(other.theta[two[1]] / theta[two[1]] - 1) > 0.01
        np.testing.assert_allclose(height, drawing.scale(theta).height, rtol=2e-3)
        np.testing.assert_allclose(share * other.theta[two[1]], theta[two[1]], rtol=2e-3)

    def test_data_that_say_nothing_leave_the_scale_height(self):
        anchor, _, levels, depths = self.planets(WIDE)
        target = self.target(depths, 1.0)
        two = jnp.array(places(WIDE))
        other = WIDE.depths(levels, anchor.at[two].add(jnp.array([0.05, -0.04])))
        height = asked(other, target, WIDE).height
        np.testing.assert_allclose(height, WIDE.scale(other.theta).height, rtol=0.1)

    @pytest.mark.parametrize("drawing", [WIDE, NARROW], ids=["planets", "published"])
    def test_whatever_the_scale_height_the_mean_depth_stays(self, drawing):
        """Along the scale height alone, where the data do not fix it, nothing fits worse."""
        anchor, theta, levels, depths = self.planets(drawing)
        target = self.target(depths, 1.0)
        found = asked(depths, target, drawing)
        apparent = found.apparent * theta[places(drawing)[1]]
        for factor in (0.6, 1.0, 1.5):
            height = factor * found.height
            nearly = apparent * rest(height, found.level)
            planet = drawing.depths(levels, self.put(anchor, drawing, height, nearly))
            share = asked_radius(planet, target, drawing)
            np.testing.assert_allclose(share, 1, atol=2e-3)
            made = drawing.depths(levels, self.put(anchor, drawing, height, share * nearly))
            assert factor == 1 or abs(made.depth.std() / depths.depth.std() - 1) > 0.2
            # With the radius of another level it does not.
            lower = apparent * rest(height, found.level - 3)
            elsewhere = drawing.depths(levels, self.put(anchor, drawing, height, lower))
            # 1/sqrt(depth) is linear in the levels, and known as its depth is.
            weight = depths.depth**3 / (depths.depth**3).sum()
            means = [float((weight / jnp.sqrt(x.depth)).sum()) for x in (depths, made, elsewhere)]
            assert abs(means[1] / means[0] - 1) < 1e-4 and abs(means[2] / means[0] - 1) > 1e-3

    @staticmethod
    def put(anchor, drawing, height, radius):
        pair = scaled(height, radius, drawing)
        return bend(put(anchor, drawing, pair), drawing)[0]

    @pytest.mark.parametrize("drawing", [WIDE, NARROW], ids=["planets", "published"])
    def test_a_radius_that_is_off_is_put_right(self, drawing):
        """To the planet's own levels, at its own scale height in radii."""
        anchor, theta, levels, depths = self.planets(drawing)
        target = self.target(depths, 1e-6)
        height, radius = drawing.scale(theta).height, theta[places(drawing)[1]]
        for factor in (0.9, 1.1):
            other = drawing.depths(levels, self.put(anchor, drawing, height, factor * radius))
            share = jax.jit(asked_radius, static_argnums=2)(other, target, drawing)
            np.testing.assert_allclose(share * factor, 1, rtol=2e-4)

    def test_a_correction_counts(self):
        anchor, _, levels, depths = self.planets(WIDE)
        target = self.target(depths, 1e-6)
        coefficient = np.zeros(target.correction.coefficient.shape, np.float32)
        coefficient[0] = 2.0 * np.cos(np.arange(20.0))
        corrected = target._replace(correction=target.correction._replace(coefficient=coefficient))
        plain, moved = (asked(depths, t, WIDE)[0] for t in (target, corrected))
        # As if the levels had been drawn so.
        by_hand = WIDE.depths(levels + coefficient[0], anchor)
        np.testing.assert_allclose(moved, asked(by_hand, target, WIDE)[0], rtol=5e-3)
        assert abs(moved / plain - 1) > 0.02
