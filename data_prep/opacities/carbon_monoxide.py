"""CO line by line, from spectroscopic constants alone.

Levels: Dunham constants of 12C16O (Guelachvili et al. 1983, J. Mol. Spectrosc. 98, 64), scaled
by reduced mass for 13C16O. Bands v+1 <- v, v+2 <- v and v+3 <- v from the rotationless Einstein
coefficients A10, A20, A30 with the harmonic oscillator's growth with v, and the pure rotational
lines from the dipole moment. Hoenl-London factors of a 1Sigma state.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from data_prep.opacities.bins import PRESSURE, TEMPERATURE, bin_edges_um, k_distribution
from data_prep.opacities.lines import (
    C2,
    PASCAL_PER_ATM,
    SPEED_OF_LIGHT,
    cross_section,
    doppler_sigma,
)

#: Y[i, j] of E = sum Y_ij (v + 1/2)^i (J (J + 1))^j, in cm^-1, for 12C16O.
DUNHAM: np.ndarray = np.array(
    [
        [0.0, 1.931280862, -6.120747566e-06, 5.335386989e-12],
        [2169.813079, -0.01750410135, 9.449843093e-10, -1.512462732e-13],
        [-13.28790587, 5.422101371e-07, -1.430768382e-10, 0.0],
        [0.01041444739, 1.311844382e-08, 0.0, 0.0],
        [6.921598529e-05, 0.0, 0.0, 0.0],
    ]
)
#: Einstein A of the rotationless 1-0, 2-0 and 3-0 bands [1/s].
EINSTEIN_A = {1: 35.7, 2: 1.04, 3: 0.0136}
#: Herman-Wallis factor 1 + c m + d m^2 (m = J'' + 1 in the R branch, -J'' in the P branch) and
#: the growth of A with v'' beyond the harmonic one; dv = 1, 2 agree with HITRAN and HITEMP.
HERMAN_WALLIS = {1: (1.4e-4, 6.0e-6), 2: (5.05e-3, 3.8e-5), 3: (1.01e-2, 1.0e-4)}
ANHARMONIC = {1: -0.0015, 2: 0.025, 3: 0.06}
DIPOLE_DEBYE = 0.1098
#: Natural abundance, mass [u] and sqrt(mu / mu') of each isotopologue.
ISOTOPOLOGUES = ((0.98654, 27.994915, 1.0), (0.01108, 28.998270, 0.977790))
#: Where CO absorbs, down to the floor [cm^-1]; it is zero elsewhere.
RANGES = ((190.0, 420.0), (1300.0, 2450.0), (3150.0, 4500.0), (4800.0, 6700.0))
J_MAX = 150
V_MAX = 8
#: Lines reach this far [cm^-1]; weaker ones [cm / molecule] are left out.
WING_CUTOFF, WEAKEST_LINE = 25.0, 1e-29
#: Sampling: steps of nu / this at low pressure (about half a Doppler width) ...
SAMPLES_PER_WAVENUMBER = 4e5
#: ... and never fewer samples in an R = 100 bin than this.
MIN_SAMPLES_PER_BIN = 400
#: Half width at 1 atm and 296 K is WIDTH_HIGH + WIDTH_LOW exp(-J / 10) [cm^-1], in H2.
WIDTH_HIGH, WIDTH_LOW, WIDTH_EXPONENT = 0.046, 0.027, 0.65


class Lines(NamedTuple):
    """CO lines, each field (lines,)."""

    wavenumber: np.ndarray  # cm^-1
    einstein_a: np.ndarray  # 1/s
    upper_weight: np.ndarray  # 2 J' + 1
    lower_energy: np.ndarray  # cm^-1 above v = 0, J = 0
    lower_j: np.ndarray
    upper_v: np.ndarray
    lower_v: np.ndarray


def energy(v: ArrayLike, j: ArrayLike, rho: float = 1.0) -> np.ndarray:
    """Term value above v = 0, J = 0 [cm^-1]; rho = sqrt(mu / mu') scales Y_ij by rho^(i+2j)."""
    v, j = np.asarray(v, dtype=float), np.asarray(j, dtype=float)
    i, k = np.indices(DUNHAM.shape)
    scaled = DUNHAM * rho ** (i + 2 * k)
    zero = np.polynomial.polynomial.polyval2d(0.5, 0.0, scaled)
    return np.polynomial.polynomial.polyval2d(v + 0.5, j * (j + 1.0), scaled) - zero


def partition_function(temperature: float, rho: float = 1.0) -> float:
    """Direct sum over v <= 14, J <= 200."""
    v, j = np.meshgrid(np.arange(15.0), np.arange(201.0), indexing="ij")
    return float(np.sum((2 * j + 1) * np.exp(-C2 * energy(v, j, rho) / temperature)))


@lru_cache
def line_list(rho: float = 1.0, v_max: int = V_MAX) -> Lines:
    """Every line of the bands dv = 0, 1, 2, 3 with v'' <= v_max and J'' <= J_MAX."""
    parts = []
    for dv in (0, 1, 2, 3):
        for lower_v in range(v_max + 1):
            upper_v = lower_v + dv
            for dj in (-1, 1) if dv else (1,):
                j = np.arange(1.0 if dj < 0 else 0.0, J_MAX + 1.0)
                upper = energy(np.full_like(j, upper_v), j + dj, rho)
                lower = energy(np.full_like(j, lower_v), j, rho)
                wavenumber = upper - lower
                factor = np.maximum(j, j + dj) / (2 * (j + dj) + 1)
                if dv:
                    growth = np.prod([(lower_v + s) / s for s in range(1, dv + 1)])
                    band = float(energy(dv, 0.0, rho))
                    m = j + 1 if dj > 0 else -j
                    c, d = HERMAN_WALLIS[dv]
                    shape = growth * (1 + ANHARMONIC[dv] * lower_v) * (1 + c * m + d * m**2)
                    a = EINSTEIN_A[dv] * shape * (wavenumber / band) ** 3 * factor
                else:
                    a = 3.13618e-7 * wavenumber**3 * DIPOLE_DEBYE**2 * factor
                weight = 2 * (j + dj) + 1
                v_pair = (np.full_like(j, upper_v), np.full_like(j, lower_v))
                parts.append(Lines(wavenumber, a, weight, lower, j, *v_pair))
    lines = Lines(*(np.concatenate(field) for field in zip(*parts, strict=True)))
    keep = np.argsort(lines.wavenumber)
    keep = keep[lines.wavenumber[keep] > 0]
    return Lines(*(field[keep] for field in lines))


def intensity(lines: Lines, temperature: float, rho: float = 1.0) -> np.ndarray:
    """Line intensities [cm / molecule] of one pure isotopologue in thermal equilibrium."""
    c_cm = SPEED_OF_LIGHT * 100.0
    population = np.exp(-C2 * lines.lower_energy / temperature) / partition_function(
        temperature, rho
    )
    emission = -np.expm1(-C2 * lines.wavenumber / temperature)
    rate = lines.upper_weight * lines.einstein_a / (8 * np.pi * c_cm * lines.wavenumber**2)
    return rate * population * emission


def lorentz_width(lower_j: np.ndarray, temperature: float, pressure_pa: float) -> np.ndarray:
    """Half width [cm^-1] of CO lines in an H2 atmosphere."""
    at_296 = WIDTH_HIGH + WIDTH_LOW * np.exp(-lower_j / 10.0)
    return at_296 * (pressure_pa / PASCAL_PER_ATM) * (296.0 / temperature) ** WIDTH_EXPONENT


def segments() -> list[tuple[float, float]]:
    """Wavenumber ranges [cm^-1] that are sampled, each a whole number of bins."""
    edges = 1e4 / bin_edges_um()
    return [
        (float(edges[edges <= low].max(initial=edges[0])), float(edges[edges >= high].min()))
        for low, high in RANGES
    ]


def cross_section_at(
    temperature: float, pressure_pa: float, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Natural CO between two wavenumbers: wavenumber (n,) [cm^-1], cross-section (n,) [m^2]."""
    width = float(lorentz_width(np.array(20.0), temperature, pressure_pa))
    step = max(low / SAMPLES_PER_WAVENUMBER, 0.2 * width)
    step = min(step, low / 100 / MIN_SAMPLES_PER_BIN)
    n = int(np.ceil((high - low) / step))
    total = np.zeros(n)
    for abundance, mass, rho in ISOTOPOLOGUES:
        lines = line_list(rho)
        strength = abundance * intensity(lines, temperature, rho)
        inside = (lines.wavenumber > low - WING_CUTOFF) & (lines.wavenumber < high + WING_CUTOFF)
        keep = inside & (strength > WEAKEST_LINE)
        nu = lines.wavenumber[keep]
        total += cross_section(
            low + 0.5 * step,
            step,
            n,
            nu,
            strength[keep],
            doppler_sigma(nu, temperature, mass),
            lorentz_width(lines.lower_j[keep], temperature, pressure_pa),
            cutoff=WING_CUTOFF,
        )
    return low + step * (0.5 + np.arange(n)), 1e-4 * total


def table(progress: Callable[[int, int], None] = lambda done, total: None) -> np.ndarray:
    """k-distribution of CO, (g, temperature, pressure, 515) in m^2; 0 outside its bands."""
    out = np.zeros((4, len(TEMPERATURE), len(PRESSURE), 515))
    for i, t in enumerate(TEMPERATURE):
        for j, p in enumerate(PRESSURE):
            for low, high in segments():
                nu, sigma = cross_section_at(float(t), float(p), low, high)
                k = k_distribution(1e4 / nu, sigma)
                out[:, i, j] = np.where(np.isnan(k), out[:, i, j], k)
        progress(i + 1, len(TEMPERATURE))
    return out
