"""CO for real planets: its lines as `carbon_monoxide` has them, in H2 and He, natural isotopes.

Widths are ExoMol's for CO in H2 and in He, by the lower state's J (`broadening`): 0.069 cm^-1 / bar
at J = 25 in H2, where the curve of `carbon_monoxide.lorentz_width` has 0.048. Between the lines,
which is most of a band at low pressure, absorption is as strong as the lines are wide.

13C, 18O and 17O are scaled from 12C16O by the reduced mass: Dunham's constants Y_ij by
rho^(i + 2j), with rho = sqrt(mu / mu') (Dunham 1932, Phys. Rev. 41, 721), and the Einstein
coefficient of a band v + n <- v by rho^(3 + n): its wavenumber cubed times the square of a matrix
element of the nth power of the amplitude, hbar / (2 mu omega).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from data_prep.grid import N_WAVELENGTH
from data_prep.opacities import broadening
from data_prep.opacities.bins import PRESSURE, bin_edges_um, k_distribution
from data_prep.opacities.carbon_monoxide import (
    WING_CUTOFF,
    Lines,
    intensity,
    line_list,
)
from data_prep.opacities.lines import cross_section, doppler_sigma

#: Masses [u] of 12C, 13C and 16O, 18O, 17O (Wang et al. 2021, Chinese Phys. C 45, 030003).
CARBON = (12.0, 13.00335484)
OXYGEN = (15.99491462, 17.99915961, 16.99913176)
#: (abundance, carbon's mass, oxygen's mass) of the four most abundant, as HITRAN has them
#: (Gordon et al. 2022, JQSRT 277, 107949).
ISOTOPOLOGUES = (
    (0.986544, CARBON[0], OXYGEN[0]),
    (0.0110836, CARBON[1], OXYGEN[0]),
    (0.00197822, CARBON[0], OXYGEN[1]),
    (0.000367867, CARBON[0], OXYGEN[2]),
)
#: Higher states than `carbon_monoxide.V_MAX`: at 3000 K, v = 8 holds 5e-4 of v = 0.
V_MAX = 12
#: Sampling: steps of nu / this at low pressure, and never fewer samples in a bin than this. The
#: lines are narrower than a step, but a bin has many samples, evenly spread.
SAMPLES_PER_WAVENUMBER, MIN_SAMPLES_PER_BIN = 1.5e5, 400
WEAKEST_LINE = 1e-30  # cm / molecule
#: Where CO absorbs [cm^-1]: bands dv = 0, 1, 2, 3 with their hot lines and wings.
RANGES = ((190.0, 700.0), (1200.0, 2500.0), (3000.0, 4600.0), (4700.0, 6800.0))


class Broadening(NamedTuple):
    """Widths of CO's lines in the two gases."""

    hydrogen: broadening.Widths
    helium: broadening.Widths


def mass_ratio(carbon: float, oxygen: float) -> float:
    """Rho = sqrt(mu / mu') of an isotopologue with these masses [u]."""

    def reduced(a: float, b: float) -> float:
        return a * b / (a + b)

    return float(np.sqrt(reduced(CARBON[0], OXYGEN[0]) / reduced(carbon, oxygen)))


def strength(lines: Lines, temperature: float, rho: float) -> np.ndarray:
    """Intensities [cm / molecule] of one pure isotopologue, whose lines these are."""
    scale = rho ** (3 + lines.upper_v - lines.lower_v)
    scale = np.where(lines.upper_v > lines.lower_v, scale, 1.0)  # rotation: the dipole is the same
    return scale * intensity(lines, temperature, rho)


def segments() -> list[tuple[float, float]]:
    """Wavenumber ranges [cm^-1] that are sampled, each a whole number of bins."""
    edges = 1e4 / bin_edges_um()
    return [
        (float(edges[edges <= low].max(initial=edges[0])), float(edges[edges >= high].min()))
        for low, high in RANGES
    ]


def cross_section_at(
    widths: Broadening, temperature: float, pressure_pa: float, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Natural CO between two wavenumbers: wavenumber (n,) [cm^-1], cross-section (n,) [m^2]."""

    def half_width(lower_j: np.ndarray) -> np.ndarray:
        columns = [broadening.of_lines(table, lower_j, lower_j) for table in widths]
        return broadening.mixed(columns[0], columns[1], temperature, pressure_pa)

    typical = float(half_width(np.array([20]))[0])
    step = max(low / SAMPLES_PER_WAVENUMBER, 0.2 * typical)
    step = min(step, low / 100 / MIN_SAMPLES_PER_BIN)
    n = int(np.ceil((high - low) / step))
    total = np.zeros(n)
    for abundance, carbon, oxygen in ISOTOPOLOGUES:
        rho = mass_ratio(carbon, oxygen)
        lines = line_list(rho, V_MAX)
        weighted = abundance * strength(lines, temperature, rho)
        inside = (lines.wavenumber > low - WING_CUTOFF) & (lines.wavenumber < high + WING_CUTOFF)
        keep = inside & (weighted > WEAKEST_LINE)
        if not keep.any():
            continue
        nu = lines.wavenumber[keep]
        total += cross_section(
            low + 0.5 * step,
            step,
            n,
            nu,
            weighted[keep],
            doppler_sigma(nu, temperature, carbon + oxygen),
            half_width(lines.lower_j[keep].astype(int)),
            cutoff=WING_CUTOFF,
        )
    return low + step * (0.5 + np.arange(n)), 1e-4 * total


def table(
    widths: Broadening,
    temperature: np.ndarray,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """k-distribution of CO, (g, temperature, pressure, 515) in m^2; 0 outside its bands."""
    out = np.zeros((4, len(temperature), len(PRESSURE), N_WAVELENGTH))
    for i, t in enumerate(temperature):
        for j, p in enumerate(PRESSURE):
            for low, high in segments():
                nu, sigma = cross_section_at(widths, float(t), float(p), low, high)
                k = k_distribution(1e4 / nu, sigma)
                out[:, i, j] = np.where(np.isnan(k), out[:, i, j], k)
        progress(i + 1, len(temperature))
    return out
