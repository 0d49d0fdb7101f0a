"""The fit in the observation's own bins."""

import dataclasses

import numpy as np
from astropy import units as u
from astropy.table import QTable
from fake_results import make_retrieval

from exogan_jax.files.fitted import fitted_table, write_fitted
from exogan_jax.physics.observation import Observation

POSTERIOR = make_retrieval("a")[0]
GRID = POSTERIOR.wavelength_um


def lines(slopes):
    """A posterior whose spectra are straight lines of wavelength."""
    n = len(slopes)
    depth = 0.01 + np.outer(slopes, GRID)
    weights = np.full(n, 1 / n)
    return dataclasses.replace(
        POSTERIOR, depth=depth, weights=weights, samples=POSTERIOR.samples[:n]
    )


def test_bins_are_the_observers_and_so_is_the_star(tmp_path):
    wavelength, half = np.array([3.0, 1.5, 200.0]), np.array([0.2, 0.0, 0.1])
    depth, sigma = np.array([0.0132, 0.0115, 0.02]), np.array([1e-4, 2e-4, 1e-4])
    seen = Observation(wavelength, half, depth, sigma, instrument=["a", "b", "b"])
    path = tmp_path / "fit.ecsv"
    write_fitted(path, lines([0.0009, 0.001, 0.0011]), seen, 0.5)
    table = QTable.read(path)
    np.testing.assert_allclose(table["wavelength"].to_value(u.um), wavelength)
    assert list(table["instrument"]) == ["a", "b", "b"]
    # Four times as deep for a star of half the radius.
    np.testing.assert_allclose(table["depth"], 4 * depth)
    np.testing.assert_allclose(table["error"], 4 * sigma)
    np.testing.assert_allclose(table["model_q50"][:2], 4 * (0.01 + 0.001 * wavelength[:2]))
    assert np.all(table["model_q16"][:2] < table["model_q50"][:2])
    assert np.all(table["model_q84"][:2] > table["model_q50"][:2])
    np.testing.assert_allclose(table["best"][:2], 4 * (0.01 + 0.0011 * wavelength[:2]))
    np.testing.assert_allclose(
        table["residual"][:2], (depth - 0.01 - 0.0011 * wavelength)[:2] / sigma[:2], atol=1e-6
    )
    for name in ("model_q50", "best", "residual"):
        assert np.isnan(table[name][2])  # no model there, and the data kept
    assert table.meta["star_radius"] == 0.5


def test_no_instruments_no_column():
    seen = Observation([1.5], [0.0], [0.012], [1e-4])
    assert "instrument" not in fitted_table(lines([0.001]), seen, 1.0).colnames


def test_falling_wavelengths_and_visits_keep_their_rows():
    wavelength = np.array([4.0, 3.0, 3.0, 1.5, 1.5])
    depth = 0.01 + 0.001 * wavelength + np.array([0, 1e-5, -1e-5, 2e-5, -2e-5])
    names = ["a", "b", "c", "b", "c"]  # a has one point
    seen = Observation(wavelength, np.zeros(5), depth, np.full(5, 1e-5), instrument=names)
    table = fitted_table(lines([0.0009, 0.001, 0.0011]), seen, 2.0)
    np.testing.assert_array_equal(table["wavelength"].to_value(u.um), wavelength)
    assert list(table["instrument"]) == names
    np.testing.assert_allclose(table["depth"], depth / 4)
    np.testing.assert_allclose(table["best"], (0.01 + 0.001 * wavelength) / 4, rtol=1e-6)
    np.testing.assert_allclose(table["residual"], [0, 1, -1, 2, -2], atol=1e-3)
