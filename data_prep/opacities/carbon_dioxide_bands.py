"""Bands of CO2 with the hot bands on top of them, for each isotopologue: simple, but all of them.

Band origins and strengths: HITRAN (Rothman et al. 2013, JQSRT 130, 4), rounded. Hot bands of a mode
with v quanta are stronger as a harmonic oscillator's, and shifted as the first of them are. That
gives positions to a few cm^-1, strengths to 20 %: for ratios (`carbon_dioxide_isotopes`), not for
cross-sections.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from data_prep.opacities.lines import C2

#: Strength of nu1 of pure 16O12C18O [cm / molecule], by which it absorbs because it is not
#: symmetric: 1.77e-4 of nu3's, from the harmonic force field of CO2 (stretching 16.02, interaction
#: 1.26 mdyn / Angstrom) and a dipole that follows the difference of the two bonds. Fermi's
#: resonance shares it out to two bands.
NU1_18O = 1.7e-20
#: Mean wavenumbers of the three modes [cm^-1], for the energies of the lower states.
MODES = ((1337.0, 667.4, 2349.1), (1318.0, 648.5, 2283.5), (1312.0, 662.4, 2332.1))
MASS = (43.98983, 44.99318, 45.99408)
#: Those two have even J only in states without bending quanta: their oxygens are bosons.
SYMMETRIC = (True, True, False)
ROTATION = (0.39022, 0.39024, 0.36819)
#: Change of the rotational constant with v1, v2, v3 [cm^-1].
ALPHA = (-0.0012, 0.0007, -0.0031)
J_MAX = 180
ENERGY_MAX = 8000.0
WEAKEST_LINE = 1e-26  # of the pure isotopologue [cm / molecule]


class System(NamedTuple):
    """Bands that share one change of quanta."""

    #: Origins of each isotopologue [cm^-1]; 0 where it has no such band.
    origins: tuple[tuple[float, float, float], ...]
    strengths: tuple[float, ...]  # of the pure gas, from the ground state [cm / molecule]
    change: tuple[int, int, int]  # of v1, v2, v3
    shifts: tuple[tuple[float, float, float], ...]  # of the origin by v1, v2, v3 of the lower state
    perpendicular: bool = False
    bent_only: bool = False  # where Fermi's resonance opens them: v2 > 0 below


SYSTEMS = (
    System(((667.4, 648.5, 662.4),), (8.0e-18,), (0, 1, 0), ((-4.0, 1.0, -12.4),), True),
    System(
        ((618.0, 617.4, 597.1), (720.8, 721.6, 703.5)),
        (1.3e-18, 1.3e-18),  # a sixth of the band above
        (0, 1, 0),
        ((-4.0, 1.0, -12.4),) * 2,
        True,
        True,
    ),
    System(((2349.1, 2283.5, 2332.1),), (9.6e-17,), (0, 0, 1), ((-22.0, -12.4, -25.0),)),
    System(
        ((961.0, 913.4, 966.3), (1063.7, 1017.7, 1072.7)),
        (2.0e-20, 2.0e-20),
        (-1, 0, 1),
        ((0.0, -12.4, -20.0),) * 2,
    ),
    System(
        ((1932.5, 1896.5, 1901.7), (2076.9, 2037.1, 2049.3)),
        (5.0e-22, 8.0e-21),
        (1, 1, 0),
        ((-8.0, 16.0, -32.0),) * 2,
        True,
    ),
    System(
        ((3612.8, 3527.7, 3571.1), (3714.8, 3632.9, 3675.1)),
        (1.04e-18, 1.5e-18),
        (1, 0, 1),
        ((-35.0, -32.0, -45.0), (-35.0, 8.0, -45.0)),
    ),
    System(
        ((4853.6, 4748.1, 4791.3), (4977.8, 4887.4, 4904.9), (5099.7, 4991.4, 5042.6)),
        (7.8e-21, 3.5e-20, 1.1e-20),
        (2, 0, 1),
        ((-45.0, -40.0, -60.0), (-45.0, -15.0, -60.0), (-45.0, 10.0, -60.0)),
    ),
    System(
        ((6227.9, 6119.6, 6127.8), (6347.9, 6242.0, 6254.6)),
        (4.6e-22, 4.6e-22),
        (3, 0, 1),
        ((-60.0, -40.0, -80.0), (-60.0, 0.0, -80.0)),
    ),
    System(((6972.6, 6780.2, 6922.2),), (1.5e-21,), (0, 0, 3), ((-65.0, -37.0, -75.0),)),
    System(
        ((0.0, 0.0, 1259.4), (0.0, 0.0, 1365.8)),
        (NU1_18O / 2, NU1_18O / 2),
        (1, 0, 0),
        ((-3.0, -5.0, -20.0),) * 2,
    ),
    System(
        ((0.0, 0.0, 2500.8), (0.0, 0.0, 2614.2), (0.0, 0.0, 2757.2)),
        (2.0e-21, 5.0e-21, 7.0e-22),
        (2, 0, 0),
        ((-6.0, -10.0, -40.0),) * 3,
    ),
)


def growth(change: tuple[int, int, int], v: tuple[int, int, int]) -> float:
    """Strength of a harmonic hot band relative to that without quanta below; v2 counts double."""
    out = 1.0
    for mode, (quanta, step) in enumerate(zip(v, change, strict=True)):
        degeneracy = 1 if mode != 1 else 2
        for i in range(step):
            out *= (quanta + i + degeneracy) / (i + degeneracy)
        if step < 0:
            out *= quanta
    return out


def states(isotopologue: int, temperature: float) -> list[tuple[tuple[int, int, int], float]]:
    """Vibrational states (v1, v2, v3) and their populations, degeneracies included."""
    w1, w2, w3 = MODES[isotopologue]
    found = []
    for v1 in range(7):
        for v2 in range(14):
            for v3 in range(4):
                energy = v1 * w1 + v2 * w2 + v3 * w3
                if energy < ENERGY_MAX:
                    found.append(((v1, v2, v3), (v2 + 1) * np.exp(-C2 * energy / temperature)))
    total = sum(weight for _, weight in found)
    return [(v, float(weight / total)) for v, weight in found]


def line_list(isotopologue: int, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Wavenumbers [cm^-1] and intensities [cm / molecule] of the pure isotopologue's bands."""
    nus, strengths = [], []
    for v, population in states(isotopologue, temperature):
        even = SYMMETRIC[isotopologue] and v[1] == 0
        j = np.arange(0.0, J_MAX, 2.0 if even else 1.0)
        b = ROTATION[isotopologue] + sum(a * n for a, n in zip(ALPHA, v, strict=True))
        energy = b * j * (j + 1)
        boltzmann = np.exp(-C2 * energy / temperature)
        level = population * boltzmann / np.sum((2 * j + 1) * boltzmann)
        for system in SYSTEMS:
            scale = growth(system.change, v) * (v[1] > 0 or not system.bent_only)
            above = b + sum(a * n for a, n in zip(ALPHA, system.change, strict=True))
            branches = (
                ((1, 0.5), (0, 1.0), (-1, 0.5)) if system.perpendicular else ((1, 1), (-1, 1))
            )
            columns = (system.origins, system.strengths, system.shifts)
            for origins, strength, shift in zip(*columns, strict=True):
                if not origins[isotopologue] or scale * population * strength < WEAKEST_LINE:
                    continue
                centre = origins[isotopologue] + sum(s * n for s, n in zip(shift, v, strict=True))
                for dj, share in branches:
                    factor = (2 * j + 1) / 2 if dj == 0 else np.maximum(j, j + dj)
                    nus.append(centre + above * (j + dj) * (j + dj + 1) - energy)
                    strengths.append(scale * strength * share * factor * level)
    nu, intensity = np.concatenate(nus), np.concatenate(strengths)
    intensity = intensity * -np.expm1(-C2 * np.maximum(nu, 1.0) / temperature)
    keep = np.flatnonzero((intensity > WEAKEST_LINE) & (nu > 0))
    keep = keep[np.argsort(nu[keep])]
    return nu[keep], intensity[keep]
