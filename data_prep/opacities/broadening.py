"""Widths of lines in hydrogen and helium, from ExoMol's broadening files as exojax ships them.

A row of such a file is a code, the Lorentz half width at 1 bar and 296 K [cm^-1 / bar], the
exponent of (296 K / T), and the lower state's J; where the code is `a1` the upper state's J as well
(Barton et al. 2017, JQSRT 187, 453; Tennyson et al. 2016, J. Mol. Spectrosc. 327, 73, table 11).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from exogan_jax.atmosphere import HE_H2_RATIO

REFERENCE_T = 296.0
PASCAL_PER_BAR = 1e5


class Widths(NamedTuple):
    """Half widths by rotational state, each field (rows,); upper is -1 where it does not matter."""

    lower: np.ndarray
    upper: np.ndarray
    width: np.ndarray  # cm^-1 / bar at 296 K
    exponent: np.ndarray


def parse(text: str) -> Widths:
    """Reads a broadening file.

    Raises:
      ValueError: a code other than a0 or a1.
    """
    rows = []
    for line in text.splitlines():
        if not line.strip():
            continue
        code, width, exponent, *states = line.split()
        if code not in ("a0", "a1") or len(states) != 1 + (code == "a1"):
            raise ValueError(f"not a row of a broadening file of kind a0 or a1: {line!r}")
        lower, upper = int(states[0]), int(states[1]) if code == "a1" else -1
        rows.append((lower, upper, float(width), float(exponent)))
    lower, upper, width, exponent = np.array(rows).T
    return Widths(lower.astype(int), upper.astype(int), width, exponent)


def of_lines(table: Widths, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Width and exponent of each line: its own row, or its lower J's mean, or the last J's.

    Args:
      table: of one perturber.
      lower, upper: (lines,) J of the two states.

    Returns:
      (lines,) half width [cm^-1 / bar] and exponent.
    """
    last = int(table.lower.max())
    j = np.clip(lower, 0, last)
    values = []
    for column in (table.width, table.exponent):
        mean = np.array([column[table.lower == i].mean() for i in range(last + 1)])
        out = mean[j]
        for dj in (-1, 0, 1):
            own = np.full(last + 1, np.nan)
            rows = (table.upper >= 0) & (table.upper - table.lower == dj)
            own[table.lower[rows]] = column[rows]
            found = (upper - lower == dj) & (lower == j) & np.isfinite(own[j])
            out = np.where(found, own[j], out)
        values.append(out)
    return values[0], values[1]


def mixed(
    hydrogen: tuple[np.ndarray, np.ndarray],
    helium: tuple[np.ndarray, np.ndarray],
    temperature: float,
    pressure_pa: float,
) -> np.ndarray:
    """Half widths [cm^-1] in the planets' mixture of H2 and He, (lines,).

    Args:
      hydrogen, helium: widths [cm^-1 / bar] and exponents, as `of_lines` gives them.
      temperature: K.
      pressure_pa: Pa.
    """
    share = 1 / (1 + HE_H2_RATIO)
    ratio, bar = REFERENCE_T / temperature, pressure_pa / PASCAL_PER_BAR
    (h2, n_h2), (he, n_he) = hydrogen, helium
    return bar * (share * h2 * ratio**n_h2 + (1 - share) * he * ratio**n_he)
