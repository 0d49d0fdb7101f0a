"""Levels: the closed forms they stand on, and the networks that draw them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax.atmosphere import LARGEST_EXTENT, excess, scale_of
from exogan_jax.files.opacities import load_opacities
from exogan_jax.gan.altitude import Drawing
from exogan_jax.gan.nets import networks
from exogan_jax.physics.problem import problem_model
from experiments.configs.planets import LAYOUT, PARAMETERS

MASSES = (18.01, 43.99, 28.01, 16.03, 22.99, 39.1)
JUPITER = [-30.0] * 6 + [1.0, 1.0, 1000.0, 7.0, -2.0]  # without gases
DRAWING = Drawing(LAYOUT, MASSES)
OPTIONS = {"molar_mass": MASSES, "width": 16, "depth": 1, "n_components": 5}


@pytest.fixture(scope="module")
def physics():
    return problem_model(load_opacities("planets"), LAYOUT)


def test_scale_of_jupiter_at_1000_k():
    scale = scale_of(jnp.asarray(JUPITER), PARAMETERS, MASSES)
    # (2.01588 + 0.17647 x 4.002602) / 1.17647 u; G M_J / R_J^2; TauREx 2's Jupiter and Sun.
    mean_mass = 2.313873
    gravity = 6.6743e-11 * 1.898e27 / 6.9911e7**2
    height = 1.380649e-23 * 1000 / (mean_mass * 1.66053906892e-27 * gravity) / 6.9911e7
    np.testing.assert_allclose(scale.gravity, gravity, rtol=1e-6)
    np.testing.assert_allclose(scale.height, height, rtol=1e-5)
    np.testing.assert_allclose(scale.disc, (6.9911e7 / 6.955e8) ** 2, rtol=1e-6)
    assert float(excess(scale)) == 0


def test_slopes_of_the_scale_are_numbers_and_its_differences():
    """Some parameters are logarithms, others are not: a power of 1000 K is no number."""
    theta = jnp.asarray(JUPITER)
    slope = jax.grad(lambda theta: jnp.log(scale_of(theta, PARAMETERS, MASSES).height))(theta)
    roles = PARAMETERS.roles
    by_hand = {"mass": -1 / theta[6], "radius": 1 / theta[7], "temperature": 1e-3}
    for i, role in enumerate(roles):
        if role in by_hand:
            np.testing.assert_allclose(slope[i], by_hand[role], rtol=1e-4)
    assert np.isfinite(slope).all()
    both = jax.vmap(lambda theta: scale_of(theta, PARAMETERS, MASSES).height)(
        jnp.stack([theta, theta.at[0].set(-1.0)])
    )
    alone = jax.jit(lambda theta: scale_of(theta, PARAMETERS, MASSES).height)(theta)
    np.testing.assert_allclose(both[0], alone, rtol=1e-6)
    # A tenth of it water: the mean mass, by hand.
    water = 0.1 * 18.01 + 0.9 * 2.313873
    np.testing.assert_allclose(both[1] / both[0], 2.313873 / water, rtol=1e-3)


@pytest.mark.parametrize(
    ("mass", "radius", "temperature"), [(0.05, 1.3, 1000.0), (0.02, 2.2, 3000.0)]
)
def test_light_hot_planets_do_not_exist(physics, mass, radius, temperature):
    theta = jnp.asarray([*JUPITER[:6], mass, radius, temperature, *JUPITER[9:]])
    scale = scale_of(theta, PARAMETERS, MASSES)
    expected = np.log(float(scale.height) * np.log(1e11) / LARGEST_EXTENT)
    np.testing.assert_allclose(excess(scale), expected, rtol=1e-4)
    assert not physics.exists(theta)
    with pytest.raises(ValueError, match="does not hold its atmosphere"):
        physics(theta)
    traced = jax.jit(lambda theta: physics(theta))(theta)
    assert np.isfinite(traced).all() and (np.asarray(traced) > 0).all()


def test_more_gas_than_all_does_not_exist(physics):
    theta = jnp.asarray([-0.523, -0.523, -0.523, -0.523, *JUPITER[4:]])
    scale = scale_of(theta, PARAMETERS, MASSES)
    np.testing.assert_allclose(excess(scale), 4 * 10**-0.523 - 1, rtol=1e-5)
    assert float(excess(scale, "fixed")) == 0
    assert not physics.exists(theta)


def test_sampled_planets_all_exist_and_nothing_else_is_lost(physics):
    theta = jax.jit(lambda key: physics.sample(key, 4000))(jax.random.key(0))
    assert bool(jax.vmap(physics.exists)(theta).all())
    plain = PARAMETERS.sample(jax.random.key(0), 4000)
    there = np.asarray(jax.vmap(physics.exists)(plain))
    assert 0.7 < there.mean() < 0.9
    np.testing.assert_allclose(np.asarray(theta)[there], np.asarray(plain)[there], rtol=1e-5)


def test_a_spectrum_comes_back_from_its_levels(physics):
    theta = physics.sample(jax.random.key(1), 6)
    depth = jax.vmap(physics)(theta)
    values = jax.vmap(LAYOUT.pack)(depth, theta)
    drawn = jax.jit(jax.vmap(DRAWING.draw))(values)
    levels = np.asarray(drawn[:, : LAYOUT.n_wavelength])
    assert levels.min() > 0 and levels.max() < np.log(1e11)
    found, again = jax.vmap(lambda x: LAYOUT.unpack(DRAWING.values(x)))(drawn)
    np.testing.assert_allclose(found, depth, rtol=2e-6)
    np.testing.assert_allclose(again, theta, rtol=2e-5, atol=2e-5)


def test_a_level_is_the_logarithm_of_pressure():
    # An opaque cloud at 1e3 Pa ends ln(1e6 / 1e3) above the bottom, gravity falling as it should.
    n = 4000
    height, level = 0.02, np.log(1e3)
    altitude, step = 0.0, level / n
    for _ in range(n):
        altitude += height * (1 + altitude) ** 2 * step
    mass = height_to_mass(height)
    anchor = PARAMETERS.to_anchor(np.array([*JUPITER[:6], mass, *JUPITER[7:]]))
    depths = DRAWING.depths(jnp.full(3, level), jnp.asarray(anchor, jnp.float32))
    disc = (6.9911e7 / 6.955e8) ** 2
    np.testing.assert_allclose(depths.depth, disc * (1 + altitude) ** 2, rtol=2e-3)


def height_to_mass(height):
    scale = scale_of(jnp.asarray(JUPITER), PARAMETERS, MASSES)
    return float(scale.height) / height


def test_slope_is_the_derivative():
    anchor = jnp.asarray([-1.0] * 6 + [0.2, 0.1, -0.3, 1.0, -1.0])
    level = jnp.asarray([3.0, 9.0, 15.0])
    by_level = jax.jacfwd(lambda x: DRAWING.depths(x, anchor).depth)(level)
    slope = DRAWING.depths(level, anchor).slope
    np.testing.assert_allclose(jnp.diag(slope), by_level, rtol=1e-5, atol=1e-12)


@pytest.fixture(scope="module")
def net():
    nets = networks("altitude", LAYOUT, **OPTIONS)
    variables = nets.generator.init(jax.random.key(0), jnp.zeros((1, 11)))
    held = variables["batch_stats"]["whitening"]
    shape = held["basis"].shape
    filled = {
        "mean": jnp.linspace(5.0, 12.0, shape[1]),
        "basis": jax.random.normal(jax.random.key(1), shape),
    }
    return nets, variables | {"batch_stats": {"whitening": filled}}


def test_parameters_of_a_drawing_are_the_latents(net):
    nets, variables = net
    z = jax.random.uniform(jax.random.key(2), (8, 11), minval=-1.0)
    drawn = nets.generator.apply(variables, z)
    assert drawn.shape == (8, *nets.shape)
    theta = jax.vmap(lambda x: nets.values(x).theta)(drawn)
    np.testing.assert_allclose(theta, PARAMETERS.from_anchor(z), rtol=1e-5, atol=1e-5)
    theta = np.asarray(theta)
    assert (theta >= PARAMETERS.lower - 1e-5).all() and (theta <= PARAMETERS.upper + 1e-3).all()


def test_some_points_are_those_of_all(net):
    nets, variables = net
    points = jnp.asarray([3, 77, 400, 0, 0])
    z = jax.random.uniform(jax.random.key(3), (1, 11), minval=-0.5, maxval=0.5)
    drawn = nets.generator.apply(variables, z)[0]
    whole = nets.some(drawn, jnp.arange(422))
    for part in (nets.some(drawn, points), nets.at_points(variables, points)(z)):
        np.testing.assert_allclose(part.depth, whole.depth[points], rtol=1e-5)
        np.testing.assert_allclose(part.slope, whole.slope[points], rtol=1e-5)
        np.testing.assert_allclose(part.theta, whole.theta, rtol=1e-6)
    depth, _ = LAYOUT.unpack(nets.values(drawn))
    np.testing.assert_allclose(depth, whole.depth, rtol=1e-5)


def test_jit_and_vmap_agree_with_finite_gradients(net):
    nets, variables = net
    points = jnp.arange(0, 422, 7)
    draw = nets.at_points(variables, points)
    z = jax.random.uniform(jax.random.key(4), (5, 11), minval=-0.9, maxval=0.9)
    one_by_one = jnp.stack([draw(x[None]).depth for x in z])
    together = jax.jit(jax.vmap(lambda x: draw(x[None]).depth))(z)
    np.testing.assert_allclose(together, one_by_one, rtol=1e-5)
    gradient = jax.grad(lambda x: draw(x[None]).depth.sum())(z[0])
    assert np.isfinite(gradient).all()
