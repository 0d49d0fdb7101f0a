"""The R = 100 bins and their k-distributions.

A bin's k-distribution is its cross-sections in ascending order: transmission
does not ask where in the bin a line sits. Each bin keeps `len(G_WEIGHT)` values, the geometric
means of the sorted samples over consecutive intervals of cumulative probability g.

Why geometric: along a slant path through an exponential atmosphere the effective altitude is
H (ln sigma + constant) once the path is opaque, so the mean of ln sigma is what a transit depth
keeps. Measured on finely sampled CO and H2O bins, against any grey background, four geometric
means are within 0.03 scale heights (rms); four arithmetic means are 0.4 off, because the last one
is set by the cores of a few lines.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from data_prep.grid import WAVELENGTH_UM

#: Widths of the g intervals, from the weakest to the strongest absorption; they sum to 1.
#: Narrow at the top, where line cores make the cross-section rise by orders of magnitude.
G_WEIGHT: np.ndarray = np.array([0.4, 0.3, 0.2, 0.1])
G_WEIGHT.setflags(write=False)

TEMPERATURE: np.ndarray = np.arange(500.0, 2501.0, 100.0)
TEMPERATURE.setflags(write=False)
#: Nodes of the "planets" table [K]; between the nodes cross-sections go linearly.
PHYSICAL_TEMPERATURE: np.ndarray = np.concatenate(
    [np.arange(300.0, 2001.0, 100.0), np.arange(2200.0, 3001.0, 200.0)]
)
PHYSICAL_TEMPERATURE.setflags(write=False)
PRESSURE: np.ndarray = 10.0 ** np.arange(-2, 7)
PRESSURE.setflags(write=False)

#: log10 of the smallest cross-section kept [m^2]; it stands for "no absorption".
LOG10_FLOOR = -40.0


def bin_edges_um() -> np.ndarray:
    """Edges of the 515 bins [um], descending, shape (516,): geometric midpoints of the grid."""
    inner = np.sqrt(WAVELENGTH_UM[:-1] * WAVELENGTH_UM[1:])
    first = WAVELENGTH_UM[0] ** 2 / inner[0]
    last = WAVELENGTH_UM[-1] ** 2 / inner[-1]
    return np.concatenate([[first], inner, [last]])


def interval_means(samples: np.ndarray, weight: np.ndarray = G_WEIGHT) -> np.ndarray:
    """Geometric mean of the sorted samples over each g interval.

    Args:
      samples: (n, ...) equally likely values >= 0, in any order; raised to the floor.
      weight: (g,) widths of the intervals, summing to 1.

    Returns:
      (g, ...), rising along the first axis. A sample that straddles two intervals counts in each
      with its share, so the weighted mean of log over g equals that of the samples.
    """
    ordered = np.log(np.maximum(np.sort(samples, axis=0), 10.0**LOG10_FLOOR))
    n = ordered.shape[0]
    total = np.concatenate([np.zeros_like(ordered[:1]), np.cumsum(ordered, axis=0)]) / n
    position = np.concatenate([[0.0], np.cumsum(weight)]) * n
    below = np.minimum(np.floor(position).astype(int), n - 1)
    columns = (-1,) + (1,) * (ordered.ndim - 1)
    part = (position - below).reshape(columns)
    integral = total[below] + part * (total[below + 1] - total[below])
    return np.exp(np.diff(integral, axis=0) / weight.reshape(columns))


def k_distribution(wavelength_um: np.ndarray, cross_section: np.ndarray) -> np.ndarray:
    """k-distribution of every grid bin that the samples reach.

    Args:
      wavelength_um: (n,) sample positions [um], any order, spread evenly inside each bin.
      cross_section: (n, ...) [m^2].

    Returns:
      (g, 515, ...) in m^2, descending wavelength; NaN where a bin has fewer than 4 samples.
    """
    edges = bin_edges_um()[::-1]
    order = np.argsort(wavelength_um)
    bound = np.searchsorted(wavelength_um[order], edges)
    out = np.full((len(G_WEIGHT), len(WAVELENGTH_UM), *cross_section.shape[1:]), np.nan)
    for k, (a, b) in enumerate(pairwise(bound)):
        if b - a >= len(G_WEIGHT):
            out[:, len(WAVELENGTH_UM) - 1 - k] = interval_means(cross_section[order[a:b]])
    return out
