"""The comparison of the planets' table with k-distributions in wide bands, and its outcome."""

import numpy as np
import pytest

from exogan_jax.files.opacities import load_opacities
from experiments import validate_opacities as validate

#: The share of cells that must be within `validate.TOLERANCE`.
SHARE = {"h2o": 0.97, "co2": 0.85, "co": 0.95, "ch4": 0.9}


def test_band_mean_of_a_step():
    wavelength = 2.0 * 1.01 ** -np.arange(200.0)
    sigma = np.where(wavelength > 1.5, 1e-20, 1e-24)[None]
    edges = np.array([[1.6, 1.8], [1.0, 1.2], [1.4, 1.6]])
    found = validate.band_means(edges, wavelength, sigma, np.ones(1))
    np.testing.assert_allclose(found[:2], np.log([1e-20, 1e-24 + 1e-26]))
    red = (1e4 / 1.5 - 1e4 / 1.6) / (1e4 / 1.4 - 1e4 / 1.6)  # share of the wavenumbers
    expected = red * np.log(1e-20) + (1 - red) * np.log(1.01e-24)
    np.testing.assert_allclose(found[2], expected, rtol=1e-2)  # a bin straddles the step


def test_means_of_g_are_weighted():
    wavelength = 2.0 * 1.01 ** -np.arange(50.0)
    sigma = np.stack([np.full(50, 1e-24), np.full(50, 1e-20)])
    found = validate.band_means(np.array([[1.5, 1.7]]), wavelength, sigma, np.array([0.75, 0.25]))
    np.testing.assert_allclose(found, 0.75 * np.log(1.01e-24) + 0.25 * np.log(1e-20), rtol=1e-6)


def test_nodes_are_interpolated_and_not_left():
    values = np.array([[1.0], [3.0], [9.0]])
    nodes = np.array([0.0, 1.0, 2.0])
    found = validate.at_nodes(nodes, values, np.array([0.5, 2.0]))
    np.testing.assert_allclose(found, [[2.0], [9.0]])
    with pytest.raises(ValueError, match="is not within"):
        validate.at_nodes(nodes, values, np.array([2.5]))


@pytest.mark.parametrize("gas", list(SHARE))
def test_planets_table_agrees_with_the_reference(shared, gas):
    path = shared / "data" / "opacity_checks" / "photochem_clima_kdist_72band.npz"
    found = validate.compare(path, gas, load_opacities("planets"))
    assert found.difference.size > 500
    within = np.abs(found.difference) <= validate.TOLERANCE[gas]
    assert within.mean() >= SHARE[gas]
    absorbs = found.reference > np.log(validate.BACKGROUND_CM2) + validate.ABSORBS
    assert abs(np.median(found.difference[absorbs])) < 0.3
