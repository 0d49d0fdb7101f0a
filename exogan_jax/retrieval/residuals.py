"""By how much spectra miss an observation, in units of the data's own errors alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.compared import Target, usable_bins
from exogan_jax.retrieval.instruments import (
    Instruments,
    Whitened,
    energy,
    log_constant,
    nothing_free,
    whiten,
)
from exogan_jax.retrieval.levels import LevelTarget
from exogan_jax.retrieval.likelihood import UNIT


class Bins(NamedTuple):
    """The bins of ONE observation that its likelihood compares, in order of wavelength."""

    wavelength_um: Float[np.ndarray, " p"]
    half_width_um: Float[np.ndarray, " p"]
    depth: Float[np.ndarray, " p"]
    sigma: Float[np.ndarray, " p"]
    point: Int[np.ndarray, " k"]  # indices of the grid points that bear on them
    operator: Float[np.ndarray, "k p"]  # takes a model spectrum there to the bins
    free: Instruments  # what is not known of the instruments; offsets in depth
    n_ignored: int  # bins of the observation that are not among them


def compared_bins(observation: Observation, target: Target) -> Bins:
    """The bins of an observation as its target has them.

    Args:
      observation: as checked by `physics.observation.check`.
      target: made of it, padded or not.
    """
    fields = [np.asarray(x, np.float64) for x in observation[:4]]
    n = fields[0].size
    usable = usable_bins(target)[:n]
    order = np.argsort(fields[0], kind="stable")
    order = order[usable[order]]
    operator = np.asarray(target.depth.operator, np.float64)[:, order]
    point = np.asarray(target.depth.point)
    wavelength, half_width, depth, sigma = (x[order] for x in fields)
    free = nothing_free(order.size)
    if isinstance(target.depth, LevelTarget):
        there = target.depth.free
        member, offset = np.asarray(there.member)[:, order], np.asarray(there.offset) * UNIT**2
        free = Instruments(member, offset, np.asarray(there.inflated))
    return Bins(wavelength, half_width, depth, sigma, point, operator, free, n - order.size)


def residuals(spectra: Float[np.ndarray, "*n w"], bins: Bins) -> Float[np.ndarray, "*n p"]:
    """(data - spectrum) / error of each bin, offsets of instruments integrated out.

    Args:
      spectra: (..., w) depths on the model's grid.
      bins: of the observation.
    """
    return binned_residuals(np.asarray(spectra)[..., bins.point].astype(np.float64), bins)


def binned_residuals(points: Float[np.ndarray, "*n k"], bins: Bins) -> Float[np.ndarray, "*n p"]:
    """The same of spectra at the points that bear on the bins (..., k)."""
    residual: np.ndarray = np.asarray(_whitened(points, bins).residual)
    return residual


class Missed(NamedTuple):
    """How badly each of n spectra fits the data; infinite where a spectrum is NaN."""

    chi2: Float[np.ndarray, " n"]  # by the data's own errors, offsets integrated out
    energy: Float[np.ndarray, " n"]  # -log likelihood, up to `log_normalisation`


def missed(points: Float[np.ndarray, "n k"], bins: Bins) -> Missed:
    """Of spectra at the points that bear on the bins."""
    found = _whitened(points, bins)
    values = (
        np.square(found.residual).sum(axis=1),
        energy(found.residual, bins.free) + found.log_volume,
    )
    return Missed(*(np.where(np.isnan(x), np.inf, x) for x in values))


def _whitened(points: Float[np.ndarray, "*n k"], bins: Bins) -> Whitened:
    plain = (bins.depth - points @ bins.operator) / bins.sigma
    return whiten(plain, 1 / bins.sigma, bins.free)


def log_normalisation(bins: Bins) -> float:
    """Log likelihood of a perfect fit, with errors in depth: the normalisation."""
    return log_constant(bins.free) - float(np.log(np.sqrt(2 * np.pi) * bins.sigma).sum())


def flat_chi2(bins: Bins) -> float:
    """Chi-square of the one depth for all wavelengths that fits best; 0 without bins."""
    if not bins.depth.size:
        return 0.0
    data, level = (
        whiten(x / bins.sigma, 1 / bins.sigma, bins.free).residual
        for x in (bins.depth, np.ones_like(bins.depth))
    )
    return float(data @ data - np.square(data @ level) / (level @ level))
