"""Na and K: strengths of NIST, profiles by formula."""

import numpy as np
import pytest

from data_prep.grid import WAVELENGTH_UM
from data_prep.opacities import alkali


@pytest.mark.parametrize(
    ("atom", "strengths"), [(alkali.SODIUM, (0.320, 0.641)), (alkali.POTASSIUM, (0.333, 0.670))]
)
def test_oscillator_strengths_are_nists(atom, strengths):
    found = [alkali.oscillator_strength(*line) for line in atom.lines]
    np.testing.assert_allclose(found, strengths, rtol=5e-3)


@pytest.mark.parametrize("atom", [alkali.SODIUM, alkali.POTASSIUM])
def test_doublets_integrate_to_their_strengths(atom):
    nu = np.arange(12000.0, 18000.0, 0.005)
    sigma = alkali.cross_section(atom, nu, 1000.0, 1e4)
    f = sum(alkali.oscillator_strength(*line) for line in atom.lines)
    # pi e^2 / (m c^2) f = 8.853e-13 cm f, in cm^2 cm^-1.
    assert 1e4 * sigma.sum() * 0.005 == pytest.approx(8.853e-13 * f, rel=0.02)


@pytest.mark.parametrize("atom", [alkali.SODIUM, alkali.POTASSIUM])
@pytest.mark.parametrize("temperature", [1500.0, 2000.0])
def test_wings_are_near_a_plain_lorentz_profile(atom, temperature):
    centre = np.mean([line[0] for line in atom.lines])
    nu = 1e4 / (1e4 / centre + np.array([-0.05, -0.03, -0.01, 0.01, 0.03, 0.05]))
    gamma = atom.width * (temperature / 2000.0) ** -0.7 * 1e5 / 101325
    lorentz = sum(
        8.853e-13 * alkali.oscillator_strength(*line) * gamma / np.pi / (nu - line[0]) ** 2
        for line in atom.lines
    )
    found = 1e4 * alkali.cross_section(atom, nu, temperature, 1e5)
    assert np.all(np.abs(np.log10(found / lorentz)) < 0.4)


def test_wings_fall_as_statistics_and_energy_say():
    at = np.array([400.0, 1600.0])
    cold, hot = (alkali.profile(at, 0.02, 0.1, 0.0, 40.0, t) for t in (500.0, 2000.0))
    for values, t in ((cold, 500.0), (hot, 2000.0)):
        assert values[1] / values[0] == pytest.approx(4**-1.5 * np.exp(-1.438777 * 1200 / t))
    joint = alkali.profile(np.array([39.999, 40.001]), 0.02, 0.1, 1e-4, 40.0, 500.0)
    assert joint[0] == pytest.approx(joint[1], rel=1e-3)
    natural = alkali.profile(np.array([5000.0]), 0.02, 0.0, 1e-4, 40.0, 300.0)
    assert natural[0] == pytest.approx(1e-4 / np.pi / 5000.0**2, rel=1e-2)


def test_alkali_table_peaks_at_the_doublet():
    k = alkali.table(alkali.SODIUM, np.array([1000.0]))
    assert np.isfinite(k).all()
    peak = WAVELENGTH_UM[np.argmax(k[3, 0, 7])]
    assert abs(peak / 0.5893 - 1) < 0.01
    assert np.all(np.diff(k[0, 0, :, np.argmin(np.abs(WAVELENGTH_UM - 0.65))]) > 0)  # with p
