"""Collision-induced absorption of H2-H2 and H2-He from the Borysow tables pyratbay ships."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator

from data_prep.grid import WAVELENGTH_UM
from data_prep.opacities.bins import LOG10_FLOOR, TEMPERATURE

PAIRS = ("H2-H2", "H2-He")
#: Beyond a table's bluest point, log alpha goes on with the slope of this last stretch [cm^-1].
SLOPE_RANGE = 1000.0


class CIATable(NamedTuple):
    """Binary absorption coefficients."""

    temperature: np.ndarray  # (t,) K, rising
    wavenumber: np.ndarray  # (n,) cm^-1, rising
    alpha: np.ndarray  # (n, t) cm^-1 amagat^-2


def parse(text: str) -> CIATable:
    """Read the format: `@TEMPERATURES` and a line of T, `@DATA` and rows of wavenumber, alpha."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    temperature = np.array(lines[lines.index("@TEMPERATURES") + 1].split(), dtype=float)
    rows = lines[lines.index("@DATA") + 1 :]
    values = np.array([row.split() for row in rows], dtype=float)
    return CIATable(temperature, values[:, 0], values[:, 1:])


def log_alpha(table: CIATable, wavenumber: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    """log10 alpha, (temperature, wavenumber): monotone cubic in log T, linear in wavenumber.

    The H2-H2 table has no node between 1000 and 2000 K. The same gap made in the H2-He table is
    bridged to 1.5 % by the cubic, to 5 % by a straight line in log T.

    Bluer than the table it goes on linearly; redder, alpha falls as the wavenumber squared, the
    limit of a translational band.
    """
    logs = np.log10(table.alpha)
    at_t = PchipInterpolator(np.log(table.temperature), logs, axis=1)(np.log(temperature)).T
    last = table.wavenumber[-1]
    out = np.stack([np.interp(wavenumber, table.wavenumber, row) for row in at_t])
    tail = table.wavenumber > last - SLOPE_RANGE
    slope = np.polyfit(table.wavenumber[tail], at_t[:, tail].T, 1)[0]
    out += np.minimum(slope, 0.0)[:, None] * np.maximum(wavenumber - last, 0.0)[None, :]
    first = table.wavenumber[0]
    return out + 2 * np.log10(np.minimum(wavenumber / first, 1.0))[None, :]


def hydrogen_helium(hot: CIATable, cool: CIATable) -> CIATable:
    """The quantum mechanical H2-He table (1000 K and up), continued to lower temperatures.

    The two tables differ at 1000 K, so below it the cool one gives only the ratio to its own
    value at 1000 K; outside its range the ratio of its nearest end is kept.
    """
    low = cool.temperature < 1000.0
    ratio = cool.alpha[:, low] / cool.alpha[:, np.isclose(cool.temperature, 1000.0)]
    at_hot = np.stack([np.interp(hot.wavenumber, cool.wavenumber, column) for column in ratio.T])
    extended = hot.alpha[:, :1] * at_hot.T
    return CIATable(
        np.concatenate([cool.temperature[low], hot.temperature]),
        hot.wavenumber,
        np.concatenate([extended, hot.alpha], axis=1),
    )


def table(h2_h2: CIATable, h2_he: CIATable) -> np.ndarray:
    """log10 alpha in m^-1 amagat^-2 on the grid, (pair, temperature, 515)."""
    wavenumber = 1e4 / WAVELENGTH_UM
    logs = np.stack([log_alpha(t, wavenumber, TEMPERATURE) for t in (h2_h2, h2_he)])
    return np.maximum(logs + 2.0, LOG10_FLOOR)
