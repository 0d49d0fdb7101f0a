"""Opacity tables: interpolation, what the embedded ones hold, and ill-formed ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax import forward_model, simulate
from exogan_jax.files.opacities import EMBEDDED, load_opacities
from exogan_jax.layout import PUBLISHED
from exogan_jax.parameters import UNITS
from exogan_jax.physics.interpolate import at_temperature, bracket, interpolation_weights
from exogan_jax.physics.opacity import make_table
from exogan_jax.physics.rayleigh import rayleigh_cross_section
from exogan_jax.physics.split import split_fraction
from exogan_jax.physics.transit import transit_depth

PARAMETERS, WAVELENGTH = PUBLISHED.parameters, PUBLISHED.wavelength_um
NODES = jnp.array([1.0, 2.0, 4.0])


@pytest.fixture(scope="module", params=EMBEDDED)
def table(request):
    return load_opacities(request.param)


def for_gases(theta, table, log10_others=-9.0):
    """Theta of the four gases published, with the table's other gases between them and the rest."""
    n = len(table.gases) - len(PARAMETERS.gases)
    others = jnp.full((*theta.shape[:-1], n), log10_others, theta.dtype)
    return jnp.concatenate([theta[..., :4], others, theta[..., 4:]], axis=-1)


def test_interpolation_is_linear_and_clamped():
    values = jnp.array([0.5, 1.0, 1.5, 3.0, 4.0, 9.0])
    weights = interpolation_weights(NODES, values)
    expected = np.interp(values, NODES, np.array([10.0, 20.0, 50.0]))
    np.testing.assert_allclose(weights @ jnp.array([10.0, 20.0, 50.0]), expected, rtol=1e-6)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-6)
    stacked = jax.vmap(lambda v: at_temperature(NODES, jnp.array([10.0, 20.0, 50.0]), v))(values)
    np.testing.assert_allclose(stacked, expected, rtol=1e-6)


def test_a_single_node_is_constant():
    index, fraction = bracket(jnp.array([3.0]), jnp.array([1.0, 5.0]))
    assert np.all(np.asarray(index) == 0) and np.all(np.asarray(fraction) == 0)


def test_embedded_table_is_possible(table):
    assert table.gases[:4] == PARAMETERS.gases
    np.testing.assert_allclose(table.wavelength_um, WAVELENGTH, rtol=1e-6)
    np.testing.assert_allclose(table.g_weight.sum(), 1.0, rtol=1e-5)
    for leaf in jax.tree.leaves(table):
        assert bool(jnp.isfinite(leaf).all())
    for opacity in (table.absorption, table.rayleigh, table.cia):
        assert float(opacity.min()) >= 0
    if table.background == "filling":
        assert table.temperature[0] <= 1000 and table.temperature[-1] >= 2000
        # Neighbouring temperatures, 100 or 200 K apart, differ by what Boltzmann factors explain.
        # Less than 1e-7 m^-1 amagat^-1 shows nowhere, whatever the planet.
        hot = np.maximum(np.asarray(table.absorption)[np.asarray(table.temperature) >= 1000], 1e-7)
        step = np.abs(np.diff(np.log10(hot), axis=0)).max(axis=(0, 1, 3, 4))
        # The far wings of CO's bands grow fast; windows of CO2 with all isotopes change theirs.
        largest = {"co": 2.0} | ({"co2": 1.0} if "na" in table.gases else {})
        assert np.all(step < [largest.get(gas, 0.8) for gas in table.gases])
    else:
        assert table.temperature.shape == table.cia_temperature.shape == (1,)


def test_embedded_table_knows_each_gas_by_its_bands(table):
    # Removing a gas from a rich atmosphere opens its own band.
    bands = {"h2o": 2.7, "co2": 4.3, "co": 4.67, "ch4": 3.3, "na": 0.589, "k": 0.768}
    base = for_gases(jnp.array([-8.0, -8.0, -8.0, -8.0, 1.0, 1.0, 1400.0]), table)
    depth_of = jax.jit(transit_depth)
    clear = depth_of(base, table)
    for i, gas in enumerate(table.gases):
        change = depth_of(base.at[i].set(-3.5), table) - clear
        near = np.argmin(np.abs(WAVELENGTH - bands[gas]))
        assert float(change[near - 3 : near + 4].max()) > 1e-4
        assert float(change[near]) > 2 * float(jnp.median(jnp.abs(change[440:])))


def test_gradients_are_finite_over_the_whole_prior(table):
    corners = (
        np.array(np.meshgrid(*zip(PARAMETERS.lower, PARAMETERS.upper, strict=True)))
        .reshape(7, -1)
        .T
    )
    theta = jnp.concatenate(
        [jnp.asarray(corners[::4], jnp.float32), PARAMETERS.sample(jax.random.key(1), 16)]
    )
    theta = for_gases(theta, table, -4.0)
    gradient = jax.jit(
        lambda x: jax.lax.map(
            jax.grad(lambda one: transit_depth(one, table).sum()), x, batch_size=8
        )
    )(theta)
    assert bool(jnp.isfinite(gradient).all())


def test_no_step_where_the_calibration_ends(table):
    theta = jnp.array([-4.0, -4.0, -4.0, -4.0, 1.0, 1.2, 1400.0])
    theta = for_gases(theta, table)
    depth = np.asarray(jax.jit(transit_depth)(theta, table), np.float64) * 1e6
    index = np.arange(len(WAVELENGTH))
    for edge in (0.44, 15.98):
        at = int(np.argmin(np.abs(WAVELENGTH - edge)))
        near = np.abs(index - at) <= 12
        side = (index > at)[near]
        x = (index[near] - at) / 12.0
        # A straight line with a jump at the edge: the jump is within the scatter.
        design = np.stack([np.ones_like(x), x, side], axis=1)
        fit, *_ = np.linalg.lstsq(design, depth[near], rcond=None)
        scatter = np.std(depth[near] - design @ fit)
        assert abs(fit[2]) < max(3 * scatter, 10.0)


def test_published_spectra_that_were_not_fitted_are_reproduced(shared):
    file = np.load(shared / "data" / "exogan_osf_sample.npz", allow_pickle=False)
    theta = np.column_stack(
        [file[name] for name in PARAMETERS.names[:4]]
        + [file["planet_mass_kg"] / UNITS["M_J"]]
        + [file["planet_radius_m"] / UNITS["R_J"], file["temperature_k"]]
    )
    rows = np.flatnonzero(split_fraction(theta, PARAMETERS) >= 0.7)
    at = np.argmin(np.abs(file["wavelength_um"][:, None] - WAVELENGTH[None]), axis=1)
    forward = forward_model(load_opacities("published"), PARAMETERS)
    model = jax.jit(simulate)(forward, jnp.asarray(theta[rows], jnp.float32))
    size = np.abs(np.asarray(model)[:, at] - file["transit_depth"][rows]) * 1e6
    assert len(rows) > 200
    assert np.median(size) < 0.5 and np.percentile(size, 95) < 3 and np.sqrt(np.mean(size**2)) < 3


def test_planets_table_is_wide_and_has_alkalis():
    table = load_opacities("planets")
    assert table.gases == (*PARAMETERS.gases, "na", "k")
    assert table.temperature[0] == 300 and table.temperature[-1] == 3000


def test_default_is_the_table_of_real_planets():
    for ours, theirs in zip(
        jax.tree.leaves(load_opacities()), jax.tree.leaves(load_opacities("planets")), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def arrays():
    return {
        "gases": ("h2o",),
        "wavelength_um": np.array([1.0, 2.0]),
        "temperature": np.array([500.0, 1000.0]),
        "pressure": np.array([1.0, 1e5]),
        "g_weight": np.ones(1),
        "molar_mass": np.array([18.0]),
        "cross_section": np.full((1, 1, 2, 2, 2), 1e-26),
        "cia_temperature": np.array([500.0]),
        "cia": np.zeros((2, 1, 2)),
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cross_section": np.zeros((1, 1, 2, 2, 3))}, "cross_section has shape"),
        ({"cross_section": np.full((1, 1, 2, 2, 2), -1.0)}, "negative or non-finite"),
        ({"cia": np.zeros((1, 1, 2))}, "cia has shape"),
        ({"g_weight": np.array([0.7])}, "sum to 1"),
        ({"temperature": np.array([1000.0, 500.0])}, "ascending"),
        ({"molar_mass": np.ones(3)}, "molar masses"),
        ({"rayleigh": np.ones((1, 2))}, "rayleigh has shape"),
        ({"background": "vacuum"}, "background must be one of"),
    ],
)
def test_ill_formed_tables_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_table(**(arrays() | changes))


def test_files_that_are_no_tables_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.nc"):
        load_opacities(tmp_path / "none.nc")
    text = tmp_path / "text.nc"
    text.write_text("not a table")
    with pytest.raises(ValueError, match=r"text\.nc: not a NetCDF-4 file"):
        load_opacities(text)
    import xarray as xr

    empty = tmp_path / "empty.nc"
    xr.Dataset({"gas": ("gas", np.array(["h2o"]))}).to_netcdf(empty, engine="h5netcdf")
    with pytest.raises(ValueError, match="is missing"):
        load_opacities(empty)


def test_rayleigh_follows_known_values():
    # Bates (1984): H2 5.6e-31 m^2 near 0.35 um, to a few per cent; He about 15 times less.
    h2 = rayleigh_cross_section("h2", np.array([0.35, 5.0, 10.0]))
    np.testing.assert_allclose(h2[0], 6.2e-31, rtol=0.05)
    np.testing.assert_allclose(h2[1] / h2[2], 16.0, rtol=0.01)
    he = rayleigh_cross_section("he", np.array([0.35]))
    assert 10 < h2[0] / he[0] < 25
    for gas in ("h2o", "co2", "co", "ch4"):
        values = rayleigh_cross_section(gas, np.array([0.5, 1.0, 4.1, 4.135, 4.2]))
        assert np.all(values > 0) and np.all(np.diff(values) < 0)
    assert np.all(rayleigh_cross_section("nh3", np.array([1.0])) == 0)
