"""Limits of the physics, and TauREx 3 as the reference."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax.atmosphere import ATOMIC_MASS, BOLTZMANN, GRAVITATION, SUN_RADIUS_M
from exogan_jax.physics.hydrostatic import chords
from exogan_jax.physics.opacity import make_table
from exogan_jax.physics.rayleigh import LOSCHMIDT_M3, rayleigh_cross_section
from exogan_jax.physics.transit import MASS_KG, RADIUS_M
from exogan_jax.physics.transit import transit_depth as eager_transit_depth

transit_depth = jax.jit(eager_transit_depth, static_argnames=("rayleigh", "cia", "n_layers"))

THETA = jnp.array([-4.0, -5.0, 1.0, 1.1, 1300.0])
WAVELENGTH = np.geomspace(0.4, 5.0, 40)


def toy_table(cross_section=1e-26, cia=1e-9, n_g=1, wavelength=WAVELENGTH):
    shape = (2, n_g, 3, 4, wavelength.size)
    rng = np.random.default_rng(0)
    return make_table(
        gases=("h2o", "ch4"),
        wavelength_um=wavelength,
        temperature=np.array([500.0, 1500.0, 2500.0]),
        pressure=np.array([1e-1, 1e2, 1e4, 1e6]),
        g_weight=np.full(n_g, 1 / n_g),
        molar_mass=np.array([18.015, 16.043]),
        cross_section=cross_section * rng.uniform(0.2, 2, shape),
        cia_temperature=np.array([500.0, 2500.0]),
        cia=np.full((2, 2, wavelength.size), cia),
    )


def test_without_an_atmosphere_the_planet_is_a_disc():
    depth = transit_depth(THETA, toy_table(0.0), rayleigh=False, cia=False)
    expected = (1.1 * RADIUS_M / SUN_RADIUS_M) ** 2
    np.testing.assert_allclose(depth, expected, rtol=1e-6)


def test_doubling_the_star_quarters_the_depth():
    table = toy_table()
    np.testing.assert_allclose(
        4 * transit_depth(THETA, table, star_radius=2.0), transit_depth(THETA, table), rtol=1e-6
    )


def test_rayleigh_alone_reaches_the_analytic_effective_radius():
    # Lecavelier des Etangs et al. (2008): the radius where the chord's optical depth is 0.56.
    wavelength = np.array([0.4, 0.6, 0.8, 1.0])
    theta = jnp.array([-12.0, -12.0, 2.0, 1.0, 1000.0])  # high gravity: a thin atmosphere
    depth = transit_depth(theta, toy_table(0.0, wavelength=wavelength), cia=False, n_layers=400)
    radius = RADIUS_M
    altitude = np.sqrt(np.asarray(depth, float)) * SUN_RADIUS_M - radius
    hydrogen = 1 / 1.17647
    mass = (2.01588 + 0.17647 * 4.002602) * hydrogen * ATOMIC_MASS
    gravity = GRAVITATION * 2 * MASS_KG / radius**2
    height = BOLTZMANN * 1000.0 / (mass * gravity)
    sigma = hydrogen * (
        rayleigh_cross_section("h2", wavelength)
        + 0.17647 * rayleigh_cross_section("he", wavelength)
    )
    bottom_density = 1e6 / (BOLTZMANN * 1000.0)
    vertical = sigma * bottom_density * np.sqrt(2 * np.pi * radius * height)
    expected = height * (np.log(vertical) + np.euler_gamma)
    # The formula's gravity is constant: the true altitude is higher by altitude^2 / radius.
    np.testing.assert_allclose(altitude, expected + expected**2 / radius, atol=0.03 * height)
    slope = np.polyfit(np.log(wavelength), altitude / height, 1)[0]
    assert -4.5 < slope < -3.9


def test_more_of_a_gas_never_lowers_the_depth_at_fixed_mean_mass():
    table = toy_table()
    # Both gases get the background's mean mass, so only the opacity changes.
    mass = (2.01588 + 0.17647 * 4.002602) / 1.17647
    table = table.__class__(**(vars(table) | {"molar_mass": jnp.full(2, mass)}))
    less = transit_depth(THETA, table, rayleigh=False, cia=False)
    more = transit_depth(THETA.at[0].add(0.5), table, rayleigh=False, cia=False)
    assert bool((more >= less).all()) and bool((more > less).any())


def test_cloud_deck_hides_what_lies_below_and_haze_only_adds():
    table = toy_table()
    clear = transit_depth(THETA, table)
    np.testing.assert_allclose(
        transit_depth(THETA, table, cloud_top_pressure=1e7), clear, rtol=1e-6
    )
    cloudy = transit_depth(THETA, table, cloud_top_pressure=100.0)
    assert bool((cloudy >= clear - 1e-9).all()) and float(cloudy.min()) > float(clear.min())
    opaque = transit_depth(THETA, table, cloud_top_pressure=1e-6)
    assert float(opaque.max() - opaque.min()) < 1e-7
    hazy = transit_depth(THETA, table, haze=jnp.array([100.0, -4.0]))
    assert float(hazy[0] - clear[0]) > float(hazy[-1] - clear[-1]) >= 0
    slope = jax.grad(lambda p: transit_depth(THETA, table, cloud_top_pressure=p).mean())(100.0)
    assert float(slope) < 0


def test_a_cloud_over_a_part_of_the_terminator_mixes_the_two_spectra():
    table = toy_table()
    clear, cloudy, half = (
        transit_depth(THETA, table, cloud_top_pressure=100.0, cloud_fraction=share)
        for share in (0.0, 1.0, 0.5)
    )
    np.testing.assert_allclose(clear, transit_depth(THETA, table), rtol=1e-6)
    np.testing.assert_allclose(half, (clear + cloudy) / 2, rtol=1e-6)
    assert float(cloudy.min()) > float(half.min()) > float(clear.min())


def test_general_temperature_profile_agrees_with_the_isothermal_path():
    table = toy_table()
    isothermal = transit_depth(THETA, table)
    profile = transit_depth(THETA, table, temperature_profile=jnp.full(100, 1300.0))
    np.testing.assert_allclose(profile, isothermal, rtol=2e-6)
    hotter = transit_depth(THETA, table, temperature_profile=jnp.linspace(1300.0, 1500.0, 100))
    assert bool((hotter > isothermal).all())


def test_equal_g_points_are_a_cross_section():
    one = toy_table(n_g=1)
    four = one.__class__(
        **(
            vars(one)
            | {
                "absorption": jnp.repeat(one.absorption, 4, axis=3),
                "g_weight": jnp.full(4, 0.25),
            }
        )
    )
    np.testing.assert_allclose(transit_depth(THETA, four), transit_depth(THETA, one), rtol=1e-6)


def test_gases_come_on_top_of_a_fixed_background():
    # Without mass and opacity of its own, a gas then changes nothing; a filling one dilutes H2.
    filling = dataclasses.replace(toy_table(0.0), molar_mass=jnp.zeros(2))
    filling = dataclasses.replace(filling, rayleigh=filling.rayleigh.at[:2].set(0.0))
    fixed = dataclasses.replace(filling, background="fixed")
    rich = THETA.at[:2].set(-1.0)
    np.testing.assert_allclose(transit_depth(rich, fixed), transit_depth(THETA, fixed), rtol=1e-6)
    assert float(
        jnp.max(jnp.abs(transit_depth(rich, filling) / transit_depth(rich, fixed) - 1))
    ) > (1e-4)


def test_jit_and_vmap_agree():
    table = toy_table()
    theta = jnp.stack([THETA, THETA.at[2].set(0.8), THETA.at[4].set(1900.0)])
    batch = jax.jit(jax.vmap(eager_transit_depth, (0, None)))(theta, table)
    for i in range(3):
        np.testing.assert_allclose(batch[i], eager_transit_depth(theta[i], table), rtol=1e-6)


def test_gradient_equals_finite_differences():
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        table = jax.tree.map(lambda x: x.astype(jnp.float64), toy_table())
        theta = jnp.asarray(np.asarray(THETA, np.float64))
        gradient = jax.jit(jax.jacfwd(eager_transit_depth))(theta, table)
        for i in range(5):
            step = 1e-4 * np.abs(theta[i])
            up = transit_depth(theta.at[i].add(step), table)
            down = transit_depth(theta.at[i].add(-step), table)
            np.testing.assert_allclose(
                gradient[:, i], (up - down) / (2 * step), rtol=2e-3, atol=1e-10
            )


def test_wrong_theta_is_refused():
    with pytest.raises(ValueError, match=r"theta must be \(5,\): log10 of h2o, ch4"):
        transit_depth(jnp.zeros(7), toy_table())


def test_chords_cross_the_whole_shell():
    # The path of the lowest chord through all layers, by Pythagoras.
    geometry = chords(
        jnp.asarray(MASS_KG),
        jnp.asarray(RADIUS_M),
        jnp.full(100, 1200.0),
        jnp.asarray(2.3),
    )
    thickness = np.asarray(geometry.thickness, np.float64)
    altitude = np.cumsum(thickness) - thickness
    inner = RADIUS_M + thickness[0] / 2
    outer = inner + altitude[-1] + thickness[-1] / 2
    expected = 2 * np.sqrt(outer**2 - inner**2)
    np.testing.assert_allclose(float(geometry.path[0].sum()), expected, rtol=1e-5)
    np.testing.assert_allclose(
        np.asarray(geometry.density),
        np.asarray(geometry.pressure) / (BOLTZMANN * 1200.0 * LOSCHMIDT_M3),
        rtol=1e-5,
    )
