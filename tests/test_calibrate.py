"""The calibration of the opacity table on spectra."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from data_prep import grid
from data_prep.opacities import calibrate, fit, netcdf, published_set
from data_prep.pkgz import Entry
from data_prep.write_chunk import write_chunk
from exogan_jax.files.opacities import load_opacities
from exogan_jax.physics.forward import forward_model, simulate
from exogan_jax.physics.rayleigh import LOSCHMIDT_M3, rayleigh_cross_section
from exogan_jax.physics.split import split_fraction

PRESSURE = calibrate.PRESSURE
INDEX = np.arange(300, 306)  # six neighbours near 2.5 um


@pytest.fixture(scope="module")
def table():
    return load_opacities("published")


@pytest.fixture(scope="module")
def theta():
    return np.asarray(grid.PARAMETERS.sample(jax.random.key(3), 60))


def logs_of(table):
    """The embedded table as the fit's unknowns, (515, q)."""
    logs = np.log(np.moveaxis(np.asarray(table.absorption, np.float64)[0], 0, 2))
    cia = np.asarray(table.cia, np.float64)[0]
    mixture = np.log(cia[0] + fit.HE_H2_RATIO * cia[1])
    return np.concatenate([logs.reshape(-1, grid.N_WAVELENGTH), mixture[None]]).T


def layers_of(theta, table):
    return fit.geometry(jnp.asarray(theta), table.log10_pressure, table.molar_mass)


def test_depth_is_that_of_the_forward_model(table, theta):
    depth = simulate(forward_model(table, grid.PARAMETERS), jnp.asarray(theta))[:, INDEX]
    bins_ = fit.Bins(depth.T, table.rayleigh.T[INDEX])
    x = jnp.asarray(logs_of(table)[INDEX], jnp.float32)
    residual = fit.residuals(x, bins_, layers_of(theta, table), table.g_weight)
    assert residual.shape == (6, 60)
    assert float(jnp.abs(residual).max()) < 0.05  # ppm


def test_jacobian_is_that_of_automatic_differentiation(table, theta):
    layers = layers_of(theta[:4], table)
    x = jnp.asarray(logs_of(table)[INDEX[0]], jnp.float32)
    rayleigh = table.rayleigh[:, INDEX[0]]
    depth, jacobian = fit.depth_and_jacobian(x, rayleigh, layers, table.g_weight)
    expected = jax.jacrev(lambda x: fit.depth_and_jacobian(x, rayleigh, layers, table.g_weight)[0])(
        x
    )
    assert depth.shape == (4,)
    np.testing.assert_allclose(jacobian, expected, rtol=2e-3, atol=1e-9)


def test_fit_finds_the_opacities_that_made_the_spectra(table, theta):
    start = logs_of(table)[INDEX]
    truth = start.copy()
    truth[:, : truth.shape[1] // 4] += 0.8  # one gas is e^0.8 stronger
    layers = layers_of(theta, table)
    rayleigh = table.rayleigh.T[INDEX]
    zero = fit.Bins(jnp.zeros((6, 60)), rayleigh)
    depth = fit.residuals(jnp.asarray(truth, jnp.float32), zero, layers, table.g_weight) * 1e-6
    sizes = []
    covariance = fit.prior_covariance(np.log10(PRESSURE), 4, 4)
    fit.fit(
        start,
        covariance,
        fit.Bins(depth, rayleigh),
        layers,
        np.asarray(table.g_weight),
        12,
        lambda _, residual: sizes.append(np.sqrt(np.mean(residual**2))),
    )
    before = fit.residuals(
        jnp.asarray(start, jnp.float32), fit.Bins(depth, rayleigh), layers, table.g_weight
    )
    assert np.sqrt(np.mean(np.square(before))) > 10
    assert len(sizes) == 12 and sizes[-1] < 1.0


def test_prior_covariance_is_positive_and_keeps_gases_apart():
    covariance = fit.prior_covariance(np.log10(PRESSURE), 2, 4)
    assert np.all(np.linalg.eigvalsh(covariance) > 0)
    assert np.all(covariance[:32, 32:] == 0)


def test_corrections_fade_outside_without_a_step():
    correction = np.linspace(0.4, 0.6, 100)[:, None]
    out = calibrate.extend(correction, np.arange(200, 300))
    np.testing.assert_array_equal(out[200:300], correction)
    assert np.abs(np.diff(out[:, 0])).max() < 0.03
    assert np.all(out[:175] == 0) and np.all(out[325:] == 0)


def archive(path, **changes):
    w, n = grid.WAVELENGTH_UM[INDEX], 5
    arrays = {
        "wavelength_um": w,
        "transit_depth": np.full((n, len(w)), 0.01),
        "planet_mass_kg": np.full(n, grid.JUPITER_MASS_KG),
        "planet_radius_m": np.full(n, grid.JUPITER_RADIUS_M),
        "temperature_k": np.full(n, 1000.0),
    } | {f"log10_{gas}": np.full(n, -4.0) for gas in grid.GASES}
    arrays |= changes
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


def test_archives_are_read_by_name(tmp_path):
    spectra = published_set.read_archive(archive(tmp_path / "a.npz"))
    np.testing.assert_allclose(spectra.theta[0], [-4, -4, -4, -4, 1, 1, 1000])
    np.testing.assert_array_equal(published_set.grid_index(spectra.wavelength_um), INDEX)


def test_chunks_give_their_shares(tmp_path):
    depth = np.linspace(0.01, 0.02, 515)
    theta = np.array([-3.0, -4.0, -5.0, -6.0, 1.2, 1.1, 1500.0])
    paths = [tmp_path / f"chunck_{i}.pkgz" for i in range(2)]
    for i, path in enumerate(paths):
        write_chunk(path, [Entry(f"{k}", depth + i, theta) for k in range(5)])
    spectra = published_set.read_chunks(paths, 6)
    assert spectra.depth.shape == (6, 515) and spectra.source == "chunck_0.pkgz, chunck_1.pkgz"
    np.testing.assert_array_equal(spectra.depth[:, 0] > 1, [False] * 3 + [True] * 3)
    np.testing.assert_allclose(spectra.theta[4], theta, rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"log10_co": None}, r"bad\.npz: no array named log10_co"),
        ({"transit_depth": np.ones((5, 3))}, "transit_depth has shape"),
        ({"transit_depth": np.full((5, 6), np.nan)}, "not finite"),
        ({"wavelength_um": np.linspace(1, 2, 6)}, "not a wavelength of the ExoGAN grid"),
    ],
)
def test_bad_archives_are_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        published_set.read_archive(archive(tmp_path / "bad.npz", **changes))


def test_published_scattering_differs_little_from_the_default():
    w = np.array([0.44, 0.6, 1.0])
    ratio = published_set.rayleigh(w)[4] / rayleigh_cross_section("h2", w)
    assert np.all((ratio > 1.02) & (ratio < 1.05))
    np.testing.assert_allclose(
        published_set.rayleigh(w)[3], rayleigh_cross_section("ch4", w), rtol=1e-12
    )


def test_split_is_uniform_and_the_same_in_both_precisions():
    parameters = grid.PARAMETERS
    fraction = split_fraction(parameters.sample(jax.random.key(0), 4000), parameters)
    assert abs(fraction.mean() - 0.5) < 0.02 and abs((fraction < 0.7).mean() - 0.7) < 0.03
    low, high = parameters.lower, parameters.upper
    levels = low + (high - low) * np.arange(10)[:, None] / 9
    exact = split_fraction(levels, parameters)
    np.testing.assert_array_equal(exact, split_fraction(levels.astype(np.float32), parameters))
    assert len(np.unique(exact)) == 10 and np.all((exact >= 0) & (exact < 1))


def test_calibrated_tables_are_written_and_read(tmp_path, table, theta):
    built = netcdf.dataset(
        np.full((4, 4, 21, 9, 515), -26.0),
        np.full((2, 21, 515), -9.0),
        ("H2-H2", "H2-He"),
        {"title": "flat"},
    )
    correction = (np.full((4, 4, len(PRESSURE), 515), 0.5), np.full(515, 0.25))
    netcdf.write(
        calibrate.published_table(built, 1400.0, correction, {"title": "flat"}), tmp_path / "p.nc"
    )
    published = load_opacities(tmp_path / "p.nc")
    assert published.background == "fixed" and published.temperature.shape == (1,)
    np.testing.assert_allclose(published.absorption, 10**-25.5 * LOSCHMIDT_M3, rtol=1e-3)
    np.testing.assert_allclose(
        published.rayleigh, published_set.rayleigh(grid.WAVELENGTH_UM) * LOSCHMIDT_M3, rtol=1e-5
    )
