"""The radius that data leave to a planet of these other parameters, and samples that take it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import test_straight  # by name: its classes are not collected again
from test_straight import NARROW, WIDE

from exogan_jax.api import retrieve
from exogan_jax.retrieval.asked_scale import radius_left
from exogan_jax.retrieval.straight import places
from experiments.calibrate import INSTRUMENTS, observed
from experiments.evaluate import physics_of

PAIR = pytest.mark.parametrize("drawing", [WIDE, NARROW], ids=["planets", "published"])
SIGMA = 5e-6


def seen(drawing, factor=1.0):
    """A target, and a planet of the same levels, but `factor` times the radius; its true radius."""
    _, theta, levels, depths = test_straight.TestAskedScale.planets(drawing)
    target = test_straight.TestAskedScale.target(depths, SIGMA)
    _, radius = places(drawing)
    other = theta.at[radius].multiply(factor)
    scaled = drawing.layout.parameters.to_anchor(other)
    return target, drawing.depths(levels, scaled), float(theta[radius]), levels


@PAIR
def test_a_planet_of_the_same_levels_gets_its_radius_back(drawing):
    """Exactly: with the radius, the scale height is as much larger."""
    for factor in (0.97, 1.0, 1.04):
        target, depths, true, _ = seen(drawing, factor)
        found = jax.jit(radius_left, static_argnums=3)(jnp.zeros(()), depths, target, drawing)
        np.testing.assert_allclose(found, true, rtol=2e-5)


@PAIR
def test_draws_are_as_wide_as_the_errors_make_them(drawing):
    """Of the data, and of the generator: what is common to points, and each one's own."""
    target, depths, true, levels = seen(drawing)
    n = levels.size
    root = np.sqrt(target.weight)
    mode = np.linspace(0.02, 0.05, n)[None]
    along = mode * root[None]
    size = np.linalg.norm(along)
    target = target._replace(
        own=jnp.full(n, 0.2),
        along=jnp.asarray(along / size, jnp.float32),
        strength=jnp.asarray([size**2], jnp.float32),
    )
    units = jnp.linspace(-2, 2, 3)
    low, middle, high = jax.vmap(lambda u: radius_left(u, depths, target, drawing))(units)
    stated = float(low - high) / 4 / true
    np.testing.assert_allclose(middle, true, rtol=1e-4)
    assert stated > 0

    def off(key):
        keys = jax.random.split(key, 3)
        noise = jax.random.normal(keys[0], (n,)) / jnp.sqrt(target.weight)
        error = mode[0] * jax.random.normal(keys[1]) + 0.2 * jax.random.normal(keys[2], (n,))
        drawn = drawing.depths(levels + error, depths.anchor)
        noisy = target._replace(depth=target.depth + noise)
        return radius_left(jnp.zeros(()), drawn, noisy, drawing) / true - 1

    many = np.asarray(jax.jit(jax.vmap(off))(jax.random.split(jax.random.key(0), 2000)))
    np.testing.assert_allclose(stated, many.std(), rtol=0.06)
    of_data = target._replace(own=jnp.zeros(n), strength=jnp.zeros(1))
    less = [radius_left(u, depths, of_data, drawing) for u in units[::2]]
    assert float(less[0] - less[1]) / 4 / true < 0.9 * stated  # the generator's counts


def test_the_encoders_own_samples_have_the_radius_that_fits():
    model, physics = physics_of("planets")
    index = model.layout.parameters.roles.index("radius")
    seen, theta = observed(INSTRUMENTS["wide"], physics, 6, 3)
    ask = {"physics": physics, "exact": False, "chain": False}
    found = retrieve(seen, model, **ask)
    assert all("not_weighted" in flags for flags in found.flags)
    for one, observation in zip(found, seen, strict=True):
        grid = np.asarray(model.layout.wavelength_um)[::-1]
        depth = np.array([np.interp(observation.wavelength_um, grid, d[::-1]) for d in one.depth])
        mean = depth.mean(axis=1) / observation.depth.mean()
        # Samples differ in the shape of their spectra, not in how large the planet looks.
        assert np.median(np.abs(mean - 1)) < 2e-3
    # A radius that the user knows stays, right or wrong, as do the bounds that the user sets.
    fixed = 0.9 * float(theta[0, index])
    known = retrieve(seen[0], model, **ask, priors={"radius": fixed})[0]
    np.testing.assert_allclose(known.samples[:, index], fixed, rtol=1e-5)
    assert np.median(known.depth.mean(axis=1)) < 0.95 * np.median(found[0].depth.mean(axis=1))
    median = float(np.median(found[0].samples[:, index]))
    within = retrieve(seen[0], model, **ask, priors={"radius": f"{median}..2.2"})[0]
    assert within.samples[:, index].min() >= median * (1 - 1e-5)
    assert np.mean(np.isclose(within.samples[:, index], median, rtol=1e-5)) < 0.05
