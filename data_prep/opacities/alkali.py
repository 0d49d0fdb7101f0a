"""Na and K: their resonance doublets, with the wings that collisions with H2 make.

Inside `Atom.detuning` of a line's centre the profile is Voigt's. Beyond, the profile is that of
Burrows, Marley & Sharp (2000, ApJ 531, 438, section 3) in the form of Iro, Bezard & Guillot (2005,
A&A 436, 719): statistical theory's |d|^(-3/2) for a van der Waals potential, cut off by
exp(-h c |d| / k T) because a collision must pay for the energy that a photon lacks, with d the
distance from the centre. It begins where Voigt's ends. We take this profile because it is published
with closed formulas for both atoms and any temperature; the quantum mechanical ones (Allard et al.
2016, A&A 589, A21; 2019, A&A 628, A120) are tables. Within 0.1 um of the doublets it stays within a
factor 2 of a plain Lorentz profile above 1500 K; cooler, its wings fall faster, as theirs do.

What radiation damps is no collision: the natural width adds a Lorentz wing everywhere.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from data_prep.grid import N_WAVELENGTH
from data_prep.opacities.bins import PRESSURE, bin_edges_um, k_distribution
from data_prep.opacities.lines import C2, PASCAL_PER_ATM, SPEED_OF_LIGHT, doppler_sigma, voigt

#: Integral of the cross-section of an oscillator of strength f = 1: pi r_e, with the classical
#: electron radius (CODATA 2018), times 1 cm of wavenumber [cm].
OSCILLATOR = np.pi * 2.8179403262e-13
#: Samples in a bin that a line's core is near, and in any other.
SAMPLES_NEAR, SAMPLES_FAR = 4000, 16
NEAR = 400.0  # cm^-1


class Atom(NamedTuple):
    """One alkali atom; lines as (wavenumber [cm^-1], Einstein A [1/s], upper weight 2 J + 1)."""

    mass: float  # u
    lines: tuple[tuple[float, float, int], ...]
    width: float  # half width at 2000 K [cm^-1 / atm], times (T / 2000 K)^-0.7
    detuning: float  # where the wing begins at 500 K [cm^-1], times (T / 500 K)^0.6


#: NIST Atomic Spectra Database (Kramida et al.): D1 and D2, f = 0.320 and 0.641 of Na, 0.333 and
#: 0.670 of K. Widths and detunings: Burrows et al. 2000 after Nefedov et al. 1999 (see above).
SODIUM = Atom(22.98976928, ((16956.17025, 6.14e7, 2), (16973.36619, 6.16e7, 4)), 0.071, 30.0)
POTASSIUM = Atom(39.0983, ((12985.1852, 3.75e7, 2), (13042.8960, 3.80e7, 4)), 0.14, 20.0)
#: 2 J + 1 of the ground state, 2S1/2.
GROUND_WEIGHT = 2


def oscillator_strength(wavenumber: float, einstein_a: float, upper_weight: int) -> float:
    """Absorption f of a line out of the ground state, from A = 8 pi^2 r_e c nu^2 (g / g') f."""
    rate = 8 * np.pi * OSCILLATOR * SPEED_OF_LIGHT * 100.0 * wavenumber**2
    return einstein_a / rate * upper_weight / GROUND_WEIGHT


def ground_share(atom: Atom, temperature: float) -> float:
    """Share of the atoms that are in the ground state, of it and the two upper ones."""
    upper = sum(g * np.exp(-C2 * nu / temperature) for nu, _, g in atom.lines)
    return float(GROUND_WEIGHT / (GROUND_WEIGHT + upper))


def profile(
    distance: np.ndarray, sigma: float, collisional: float, natural: float, edge: float, t: float
) -> np.ndarray:
    """Line profile [cm] at a distance from the centre [cm^-1], any shape.

    Args:
      distance: cm^-1.
      sigma: Gaussian sigma of thermal motion [cm^-1].
      collisional, natural: Lorentz half widths [cm^-1].
      edge: where the wing begins [cm^-1].
      t: K.
    """
    d = np.abs(distance)
    inside = d < edge
    out = np.empty_like(d)
    out[inside] = voigt(d[inside], np.array(sigma), np.array(collisional + natural))
    far = d[~inside]
    lorentz = natural / (np.pi * far**2)
    start = voigt(np.array(edge), np.array(sigma), np.array(collisional + natural))
    start = start - natural / (np.pi * edge**2)
    out[~inside] = lorentz + start * (edge / far) ** 1.5 * np.exp(-C2 * (far - edge) / t)
    return out


def cross_section(
    atom: Atom, wavenumber: np.ndarray, temperature: float, pressure_pa: float
) -> np.ndarray:
    """Cross-section [m^2 / atom] at any wavenumbers [cm^-1] above 0."""
    collisional = atom.width * (pressure_pa / PASCAL_PER_ATM) * (temperature / 2000.0) ** -0.7
    edge = atom.detuning * (temperature / 500.0) ** 0.6
    total = np.zeros_like(wavenumber)
    for nu, a, weight in atom.lines:
        sigma = float(doppler_sigma(np.array(nu), temperature, atom.mass))
        natural = a / (4 * np.pi * SPEED_OF_LIGHT * 100.0)
        f = oscillator_strength(nu, a, weight)
        shape = profile(wavenumber - nu, sigma, collisional, natural, edge, temperature)
        total += OSCILLATOR * f * shape
    emission = -np.expm1(-C2 * wavenumber / temperature)
    return 1e-4 * ground_share(atom, temperature) * emission * total


def samples(atom: Atom) -> np.ndarray:
    """Wavenumbers [cm^-1] that sample every bin evenly, finely where a line's core is near."""
    parts = []
    for low, high in pairwise(1e4 / bin_edges_um()):
        near = any(low - NEAR < nu < high + NEAR for nu, _, _ in atom.lines)
        n = SAMPLES_NEAR if near else SAMPLES_FAR
        parts.append(low + (high - low) * (np.arange(n) + 0.5) / n)
    return np.concatenate(parts)


def table(atom: Atom, temperature: np.ndarray) -> np.ndarray:
    """k-distribution (g, temperature, pressure, 515) in m^2."""
    nu = samples(atom)
    out = np.zeros((4, len(temperature), len(PRESSURE), N_WAVELENGTH))
    for i, t in enumerate(temperature):
        for j, p in enumerate(PRESSURE):
            out[:, i, j] = k_distribution(1e4 / nu, cross_section(atom, nu, float(t), float(p)))
    return out
