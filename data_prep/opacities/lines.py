"""Line by line: cross-sections of a list of lines on a uniform wavenumber grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import wofz

SPEED_OF_LIGHT = 299792458.0
BOLTZMANN = 1.380649e-23
ATOMIC_MASS = 1.66053906892e-27
#: Second radiation constant h c / k [cm K].
C2 = 1.438776877
PASCAL_PER_ATM = 101325.0

_CHUNK = 512

#: (which lines, grid indices (lines, reach)) -> cross-section there
Profile = Callable[[slice, np.ndarray], np.ndarray]


def voigt(offset: np.ndarray, sigma: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """Voigt profile of unit area [cm]; offset, Gaussian sigma and Lorentz half width in cm^-1."""
    scale = 1.0 / (sigma * np.sqrt(2.0))
    return wofz((offset + 1j * gamma) * scale).real * scale / np.sqrt(np.pi)


def doppler_sigma(wavenumber: np.ndarray, temperature: float, mass: float) -> np.ndarray:
    """Gaussian sigma [cm^-1] of thermal motion; mass in u."""
    speed = np.sqrt(BOLTZMANN * temperature / (mass * ATOMIC_MASS))
    return wavenumber * speed / SPEED_OF_LIGHT


def _add(total: np.ndarray, count: int, centre: np.ndarray, profile: Profile) -> None:
    """Add profile(lines, index) on the 2 count + 1 points about each centre, in place."""
    reach = np.arange(-count, count + 1)
    for a in range(0, len(centre), _CHUNK):
        index = centre[a : a + _CHUNK, None] + reach[None, :]
        value = profile(slice(a, a + _CHUNK), index)
        low, high = max(index.min(), 0), min(index.max() + 1, len(total))
        if low >= high:
            continue
        inside = (index >= low) & (index < high)
        total[low:high] += np.bincount(
            index[inside] - low, weights=value[inside], minlength=high - low
        )


def cross_section(
    start: float,
    step: float,
    n: int,
    position: np.ndarray,
    strength: np.ndarray,
    sigma: np.ndarray,
    gamma: np.ndarray,
    *,
    cutoff: float,
) -> np.ndarray:
    """Cross-section [cm^2] at wavenumbers start + step * arange(n) [cm^-1].

    The wings vary slowly, so they are summed on a coarse grid and interpolated. There each line
    is a Lorentz profile whose top, inside `near`, is a parabola that meets it smoothly; the fine
    grid adds the Voigt profile less that parabola, so the sum is the Voigt profile inside.

    Args:
      start: first wavenumber of the grid [cm^-1].
      step: spacing of the grid [cm^-1].
      n: number of grid points.
      position: (lines,) in ascending order [cm^-1].
      strength: (lines,) in cm / molecule.
      sigma: (lines,) Gaussian sigma [cm^-1].
      gamma: (lines,) Lorentz half width [cm^-1].
      cutoff: lines reach this far from their centre [cm^-1].
    """
    near = max(60.0 * step, 3.0 * float(gamma.max()), 30.0 * float(sigma.max()))
    coarse_step = near / 10.0
    margin = cutoff + near
    coarse_n = int(np.ceil((n * step + 2 * margin) / coarse_step)) + 2
    coarse_start = start - margin
    top = strength * gamma / np.pi

    def wing(lines, index):
        offset2 = (coarse_start + index * coarse_step - position[lines, None]) ** 2
        lorentz = 1.0 / (np.maximum(offset2, near**2) + gamma[lines, None] ** 2)
        parabola = lorentz**2 * np.maximum(near**2 - offset2, 0.0)
        return (offset2 <= cutoff**2) * top[lines, None] * (lorentz + parabola)

    def core(lines, index):
        offset = start + index * step - position[lines, None]
        profile = voigt(offset, sigma[lines, None], gamma[lines, None])
        lorentz = 1.0 / (near**2 + gamma[lines, None] ** 2)
        parabola = lorentz + lorentz**2 * (near**2 - offset**2)
        difference = strength[lines, None] * profile - top[lines, None] * parabola
        return (np.abs(offset) <= near) * difference

    coarse = np.zeros(coarse_n)
    centre = np.rint((position - coarse_start) / coarse_step).astype(int)
    _add(coarse, int(np.ceil(cutoff / coarse_step)), centre, wing)
    fine = np.zeros(n)
    centre = np.rint((position - start) / step).astype(int)
    _add(fine, int(np.ceil(near / step)), centre, core)
    grid = start + step * np.arange(n)
    coarse_grid = coarse_start + coarse_step * np.arange(coarse_n)
    return np.maximum(fine + np.interp(grid, coarse_grid, coarse), 0.0)
