"""What each parameter says that it is, against `transit_depth` called by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_transit import toy_table

from exogan_jax.parameters import UNITS, Parameter, Parameters
from exogan_jax.physics import forward
from exogan_jax.physics.forward import simulate
from exogan_jax.physics.transit import transit_depth as eager_transit_depth

transit_depth = jax.jit(eager_transit_depth)
_call = jax.jit(lambda model, theta: model(theta))


def forward_model(*arguments, **options):
    """Calls are compiled: one by one, operations take seconds."""
    return Compiled(forward.forward_model(*arguments, **options))


class Compiled:
    def __init__(self, model):
        self.model = model

    def __call__(self, theta):
        return _call(self.model, theta)

    def __getattr__(self, name):
        return getattr(self.model, name)


ALL = Parameters(
    [
        Parameter("temperature", "temperature", "K", "T", 500.0, 2500.0),
        Parameter("ch4", "ch4", "1", "CH4", 1e-8, 0.1, "log10"),
        Parameter("mass", "mass", "M_E", "M", 10.0, 1000.0, "log10"),
        Parameter("radius", "radius", "R_E", "R", 2.0, 20.0),
        Parameter("log10_h2o", "gas", "dex", "H2O", -8.0, -1.0),
        Parameter("cloud", "cloud_top", "bar", "P", 1e-6, 10.0, "log10"),
        Parameter("cover", "cloud_fraction", "1", "f", 0.0, 1.0),
        Parameter("haze", "haze_strength", "dex", "haze", 0.0, 4.0),
        Parameter("slope", "haze_slope", "1", "slope", -8.0, 0.0),
    ]
)
THETA = jnp.array([1300.0, 1e-5, 318.0, 12.0, -4.0, 1e-3, 0.7, 2.0, -3.0])


def some(*roles: str) -> Parameters:
    return Parameters([p for p in ALL if p.role in roles])


def test_every_role_reaches_the_forward_model():
    table = toy_table()
    ours = forward_model(table, ALL)(THETA)
    mass = 318.0 * UNITS["M_E"] / UNITS["M_J"]
    radius = 12.0 * UNITS["R_E"] / UNITS["R_J"]
    theta = jnp.array([-4.0, -5.0, mass, radius, 1300.0])
    by_hand = transit_depth(
        theta,
        table,
        cloud_top_pressure=100.0,
        cloud_fraction=0.7,
        haze=jnp.array([100.0, -3.0]),
    )
    np.testing.assert_allclose(ours, by_hand, rtol=2e-6)
    for i in range(len(ALL)):
        moved = forward_model(table, ALL)(THETA.at[i].multiply(1.1))
        assert float(jnp.abs(moved - ours).max()) > 1e-8, ALL[i].name


def test_gases_of_the_table_that_are_no_parameters_are_left_out():
    table = toy_table()
    planet = ("temperature", "mass", "radius")
    dry = forward_model(table, some(*planet, "ch4"))(THETA[:4])
    both = forward_model(table, some(*planet, "ch4", "h2o"))
    np.testing.assert_allclose(both(jnp.append(THETA[:4], -30.0)), dry, rtol=1e-6)
    assert both.table.gases == ("ch4", "h2o")
    with pytest.raises(ValueError, match="no 'so2'; it has h2o, ch4"):
        forward_model(table, Parameters([*ALL, Parameter("s", "so2", "dex", "s", -8, -1)]))


def test_a_haze_without_a_slope_scatters_as_rayleigh_does():
    table = toy_table()
    roles = ("temperature", "ch4", "mass", "radius", "haze_strength")
    fixed = forward_model(table, some(*roles))(jnp.append(THETA[:4], 2.0))
    free = forward_model(table, some(*roles, "haze_slope"))
    np.testing.assert_allclose(
        free(jnp.append(THETA[:4], jnp.array([2.0, -4.0]))), fixed, rtol=1e-6
    )


def test_some_wavelengths_are_those_of_the_whole():
    table = toy_table()
    whole = forward_model(table, ALL)
    points = np.array([3, 7, 20])
    part = forward_model(table, ALL, points=points)
    np.testing.assert_allclose(part(THETA), whole(THETA)[points], rtol=1e-6)
    np.testing.assert_allclose(part.wavelength_um, table.wavelength_um[points])
    np.testing.assert_allclose(
        _call(whole.at_points(slice(5, 9)), THETA), whole(THETA)[5:9], rtol=1e-6
    )


def test_jit_vmap_chunks_and_gradients_agree():
    model = forward.forward_model(toy_table(), ALL, n_layers=30)
    theta = jnp.stack([THETA, THETA.at[0].set(900.0), THETA.at[6].set(0.1)])
    batch = jax.jit(lambda m, x: jax.vmap(m)(x))(model, theta)
    np.testing.assert_allclose(batch[1], _call(model, theta[1]), rtol=2e-6)
    np.testing.assert_allclose(
        jax.jit(simulate, static_argnames="chunk")(model, theta, chunk=2), batch, rtol=2e-6
    )
    gradient = jax.jit(lambda m, x: jax.jacfwd(m)(x))(model, THETA)
    step = 1e-2 * jnp.abs(THETA)
    for i in (0, 2, 3, 4):
        moved = [_call(model, THETA.at[i].add(sign * step[i])) for sign in (1, -1)]
        expected = np.asarray(moved[0] - moved[1]) / (2 * step[i])
        np.testing.assert_allclose(
            gradient[:, i], expected, rtol=0.05, atol=1e-3 * abs(expected).max()
        )
    assert dataclasses.replace(model).options == (("n_layers", 30),)


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        (("temperature", "radius", "ch4"), "no parameter is the mass"),
        (("temperature", "mass", "radius", "cloud_fraction"), "but none the cloud_top"),
        (("temperature", "mass", "radius", "haze_slope"), "but none the haze_strength"),
    ],
)
def test_incomplete_problems_are_refused(roles, message):
    with pytest.raises(ValueError, match=message):
        forward_model(toy_table(), some(*roles))
