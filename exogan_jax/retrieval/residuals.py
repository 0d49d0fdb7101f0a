"""By how much spectra miss an observation, in units of the data's own errors alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.compared import Target, usable_bins


class Bins(NamedTuple):
    """The bins of ONE observation that its likelihood compares, in order of wavelength."""

    wavelength_um: Float[np.ndarray, " p"]
    half_width_um: Float[np.ndarray, " p"]
    depth: Float[np.ndarray, " p"]
    sigma: Float[np.ndarray, " p"]
    point: Int[np.ndarray, " k"]  # indices of the grid points that bear on them
    operator: Float[np.ndarray, "k p"]  # takes a model spectrum there to the bins
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
    return Bins(wavelength, half_width, depth, sigma, point, operator, n - order.size)


def residuals(spectra: Float[np.ndarray, "*n w"], bins: Bins) -> Float[np.ndarray, "*n p"]:
    """(data - spectrum) / error of each bin.

    Args:
      spectra: (..., w) depths on the model's grid.
      bins: of the observation.
    """
    return binned_residuals(np.asarray(spectra, np.float64)[..., bins.point], bins)


def binned_residuals(points: Float[np.ndarray, "*n k"], bins: Bins) -> Float[np.ndarray, "*n p"]:
    """The same of spectra at the points that bear on the bins (..., k)."""
    return (bins.depth - points @ bins.operator) / bins.sigma


def log_normalisation(bins: Bins) -> float:
    """Log of the likelihood of data that a spectrum meets, their errors in depth."""
    return -float(np.log(np.sqrt(2 * np.pi) * bins.sigma).sum())


def flat_chi2(bins: Bins) -> float:
    """Chi-square of the one depth for all wavelengths that fits best; 0 without bins."""
    if not bins.depth.size:
        return 0.0
    weight = 1 / np.square(bins.sigma)
    mean = weight @ bins.depth / weight.sum()
    return float(weight @ np.square(bins.depth - mean))
