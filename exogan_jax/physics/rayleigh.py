"""Rayleigh scattering cross-sections, as TauREx computes them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

LOSCHMIDT_M3 = 2.6867805e25


def _from_index(
    wavelength_um: Float[np.ndarray, " n"], index_minus_1: np.ndarray, king: float
) -> Float[np.ndarray, " n"]:
    """24 pi^3 K [(n^2 - 1)/(N0 (n^2 + 2))]^2 / lambda^4, in m^2."""
    n2 = (1 + index_minus_1) ** 2
    wavelength_m = wavelength_um * 1e-6
    return 24 * np.pi**3 * king * ((n2 - 1) / (LOSCHMIDT_M3 * (n2 + 2))) ** 2 / wavelength_m**4


def rayleigh_cross_section(
    gas: str, wavelength_um: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Rayleigh cross-section of one gas.

    H2 and He: Dalgarno & Williams 1962 and its like for He; the others from the refractive index
    and King's factor. The published index of CO2 has a pole at 4.135 um, where scattering is long
    negligible: beyond 3 um its cross-section follows lambda^-4.

    Args:
      gas: "h2", "he", "h2o", "co2", "co", "ch4", or another name, which scatters nothing.
      wavelength_um: (n,) um.

    Returns:
      (n,) m^2 per molecule, float64.
    """
    wavelength_um = np.asarray(wavelength_um, np.float64)
    angstrom = wavelength_um * 1e4
    if gas == "h2":
        return 8.14e-17 * angstrom**-4 * (1 + 1.572e6 * angstrom**-2 + 1.981e12 * angstrom**-4)
    if gas == "he":
        return 5.484e-18 * angstrom**-4 * (1 + 2.44e5 * angstrom**-2)
    if gas == "co2":
        short = np.minimum(wavelength_um, 3.0)
        return _co2(short) * (short / wavelength_um) ** 4
    wavenumber = 1e4 / wavelength_um
    w = (1e-4 * wavenumber) ** 2
    if gas == "h2o":
        index = 0.85 * (0.05792105 / (238.0185 - w) + 0.00167917 / (57.362 - w))
        depolarisation = 0.17
        king = (6 + 3 * depolarisation) / (6 - 7 * depolarisation)
        return _from_index(wavelength_um, index, king)
    if gas == "ch4":
        return _from_index(wavelength_um, 1e-8 * (46662 + 4.02e-6 * wavenumber**2), 1.0)
    if gas == "co":
        return _from_index(wavelength_um, 32.7e-5 * (1 + 8.1e-3 * w), 1.016)
    return np.zeros_like(wavelength_um)


def _co2(wavelength_um: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    w = (1.0 / wavelength_um) ** 2
    index = (
        6.991e-2 / (166.175 - w)
        + 1.44720e-3 / (79.609 - w)
        + 6.42941e-5 / (56.3064 - w)
        + 5.21306e-5 / (46.0196 - w)
        + 1.46847e-6 / (0.0584738 - w)
    )
    return _from_index(wavelength_um, index, 1.1364)
