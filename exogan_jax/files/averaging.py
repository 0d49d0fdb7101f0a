"""Spectra finer than the model's grid, averaged to it before anything is compared.

The model knows its depths in bins of its own (R = 100). Pixels that are finer would be compared
with a straight line between two of its points, thousands of times over; so those that share a bin
of the model are averaged, each instrument's by themselves, with the inverse of their variances.
Coarser bins, photometry and lone points stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from exogan_jax.files.spectra import Spectrum

_FINE = 0.5  # a point is fine if it takes up at most this share of the model's bin


class Averages(NamedTuple):
    """Averaged points, beside those that stay as they are, by rising wavelength."""

    wavelength_um: Float[np.ndarray, " m"]  # middle of what the averaged points cover
    half_width_um: Float[np.ndarray, " m"]
    depth: Float[np.ndarray, " m"]
    sigma: Float[np.ndarray, " m"]
    group: np.ndarray  # (n,) for each point given, the index of the point here that it went into


def _edges(model_wavelength_um: np.ndarray) -> np.ndarray:
    """Bounds (m + 1,) of the model's bins, halfway in ln(wavelength), ascending."""
    x = np.log(np.sort(np.asarray(model_wavelength_um, np.float64)))
    middle = (x[1:] + x[:-1]) / 2
    return np.exp(np.concatenate([[2 * x[0] - middle[0]], middle, [2 * x[-1] - middle[-1]]]))


def _own_half_width(
    wavelength: np.ndarray, half_width: np.ndarray, label: np.ndarray
) -> np.ndarray:
    """Half widths; where none is given, half of the smaller distance to a neighbour of the same
    instrument (infinite if there is no other).
    """
    out = half_width.copy()
    for name in np.unique(label):
        mine = np.flatnonzero(label == name)
        places, back = np.unique(wavelength[mine], return_inverse=True)
        gaps = np.concatenate([[np.inf], np.diff(places), [np.inf]])
        nearest = np.minimum(gaps[:-1], gaps[1:])[back] / 2
        out[mine] = np.where(half_width[mine] > 0, half_width[mine], nearest)
    return out


def average(
    wavelength_um: Float[np.ndarray, " n"],
    half_width_um: Float[np.ndarray, " n"],
    depth: Float[np.ndarray, " n"],
    sigma: Float[np.ndarray, " n"],
    instrument: np.ndarray | None,
    model_wavelength_um: Float[np.ndarray, " k"],
) -> Averages:
    """Averages the points that are finer than the model's bins.

    depth = sum(d / s^2) / sum(1 / s^2), sigma = sum(1 / s^2)^(-1/2), over the fine points of one
    instrument whose centres lie in one bin of the model.

    Args:
      wavelength_um, half_width_um: bins in um; a half width of 0 means that none is known.
      depth, sigma: in any unit, sigma > 0.
      instrument: (n,) names, or None for a single one.
      model_wavelength_um: the model's bin centres, ascending or descending.

    Returns:
      `Averages`; what is not averaged keeps its numbers.
    """
    wavelength, half = np.asarray(wavelength_um, float), np.asarray(half_width_um, float)
    depth, sigma = np.asarray(depth, float), np.asarray(sigma, float)
    n = len(wavelength)
    label = np.zeros(n, int)
    if instrument is not None:
        label = np.unique(instrument, return_inverse=True)[1].reshape(n)
    edges = _edges(model_wavelength_um)
    place = np.clip(np.searchsorted(edges, wavelength, side="right") - 1, 0, len(edges) - 2)
    own = _own_half_width(wavelength, half, label)
    fine = 2 * own <= _FINE * np.diff(edges)[place] * (1 + 1e-9)
    fine &= (wavelength >= edges[0]) & (wavelength <= edges[-1])
    # Fine points get the number of their instrument's bin, the others one of their own.
    alone = (label.max(initial=0) + 1) * len(edges) + np.arange(n)
    key = np.where(fine, label * len(edges) + place, alone)
    _, group, count = np.unique(key, return_inverse=True, return_counts=True)
    group = group.reshape(n)
    m = len(count)
    weight = sigma**-2.0
    total = np.bincount(group, weight, m)
    low, high = np.full(m, np.inf), np.full(m, -np.inf)
    reach = np.where(fine, own, half)
    np.minimum.at(low, group, wavelength - reach)
    np.maximum.at(high, group, wavelength + reach)
    lone = count == 1
    first = np.zeros(m, int)
    first[group[::-1]] = np.arange(n)[::-1]
    centre = np.where(lone, wavelength[first], (low + high) / 2)
    order = np.argsort(centre, kind="stable")
    back = np.empty(m, int)
    back[order] = np.arange(m)
    return Averages(
        centre[order],
        np.where(lone, half[first], (high - low) / 2)[order],
        np.where(lone, depth[first], np.bincount(group, weight * depth, m) / total)[order],
        np.where(lone, sigma[first], total**-0.5)[order],
        back[group],
    )


def averaged_spectrum(spectrum: Spectrum, model_wavelength_um: Float[np.ndarray, " k"]) -> Spectrum:
    """The spectrum with its fine points averaged and a note that says from how many to how many;
    itself if it has none.
    """
    observation = spectrum.observation
    fields = [
        np.asarray(getattr(observation, name), np.float64)
        for name in ("wavelength_um", "half_width_um", "depth", "sigma")
    ]
    result = average(
        fields[0], fields[1], fields[2], fields[3], spectrum.instrument, model_wavelength_um
    )
    n, m = len(fields[0]), len(result.depth)
    if m == n:
        return spectrum
    first = np.zeros(m, int)
    first[result.group[::-1]] = np.arange(n)[::-1]
    changes: dict[str, Any] = {name: getattr(result, name) for name in Averages._fields[:4]}
    instrument = None if spectrum.instrument is None else spectrum.instrument[first]
    if instrument is not None:
        changes["instrument"] = tuple(map(str, instrument))
    sides = None
    if spectrum.two_sided is not None:
        weight = fields[3] ** -2.0
        total = np.bincount(result.group, weight, m)
        sides = np.stack(
            [
                np.sqrt(np.bincount(result.group, (weight * side) ** 2, m)) / total
                for side in spectrum.two_sided
            ]
        )
    within = ""
    if instrument is not None and spectrum.instrument is not None:
        names, counts = np.unique(spectrum.instrument, return_counts=True)
        each = [
            f"{name or '(none)'} {count} to {np.sum(instrument == name)}"
            for name, count in zip(names[:8], counts[:8], strict=True)
        ]
        more = ", ..." if len(names) > 8 else ""
        within = f" and each instrument ({', '.join(each)}{more})"
    note = (
        f"{spectrum.path}: averaged from {n} to {m} points, by inverse variance within each of the "
        f"model's bins{within}"
    )
    return spectrum._replace(
        observation=observation._replace(**changes),
        two_sided=sides,
        notes=(*spectrum.notes, note),
    )
