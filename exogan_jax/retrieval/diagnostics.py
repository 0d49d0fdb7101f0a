"""Numbers beside an answer: does the model make such data, what did the forward model change?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import gammaincc

_BINS = 10  # of a divergence, each with a tenth of the second distribution


def predictive_p(
    chi2: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"], n_bins: int
) -> float:
    """Posterior predictive p-value of the chi-square (Gelman, Meng & Stern 1996, Stat. Sinica 6,
    733): how often data simulated from a sample fit it worse than the observed data do. About 0.5
    where all is well, near 0 where the model does not fit, near 1 where errors are overstated.

    Args:
      chi2: (n,) of the data at each sample, by their own errors.
      weights: (n,) summing to 1.
      n_bins: number of bins; NaN is returned for 0.
    """
    if n_bins == 0:
        return float("nan")
    return float(weights @ gammaincc(n_bins / 2, np.minimum(chi2, 1e30) / 2))


class Tenths(NamedTuple):
    """Distributions as shares of bins."""

    edges: Float[np.ndarray, "d 9"]  # between bins that hold a tenth each
    shares: Float[np.ndarray, "d 10"]  # which they do but for the size of a sample


def tenths(theta: Float[np.ndarray, "m d"], weight: Float[np.ndarray, " m"]) -> Tenths:
    """The bins of each column of weighted samples."""
    edges, last = [], len(theta) - 1
    for x in theta.T:
        order = np.argsort(x)
        share = np.cumsum(weight[order]) / weight.sum()
        at = np.minimum(np.searchsorted(share, np.arange(1, _BINS) / _BINS), last)
        edges.append(x[order][at])
    return Tenths(np.array(edges), _shares(theta, weight, np.array(edges)))


def _shares(
    theta: Float[np.ndarray, "n d"],
    weight: Float[np.ndarray, " n"],
    edges: Float[np.ndarray, "d 9"],
) -> Float[np.ndarray, "d 10"]:
    counted = (
        np.bincount(np.searchsorted(ends, x), weights=weight, minlength=_BINS)
        for x, ends in zip(theta.T, edges, strict=True)
    )
    return np.array([x / weight.sum() for x in counted])


def divergence_from(
    ours: Float[np.ndarray, "n d"], our_weight: Float[np.ndarray, " n"], known: Tenths
) -> Float[np.ndarray, " d"]:
    """`divergences` from distributions of which the bins are known."""
    p, q = _shares(ours, our_weight, known.edges), known.shares
    m = 0.5 * (p + q)
    terms = [x * np.log(np.where(x > 0, x, 1) / np.where(m > 0, m, 1)) for x in (p, q)]
    total: Float[np.ndarray, " d"] = 0.5 * np.sum(terms, axis=(0, 2))
    return total


def divergences(
    ours: Float[np.ndarray, "n d"],
    our_weight: Float[np.ndarray, " n"],
    theirs: Float[np.ndarray, "m d"],
    their_weight: Float[np.ndarray, " m"],
) -> Float[np.ndarray, " d"]:
    """Jensen-Shannon divergence [nat] of each column, in bins that hold a tenth of the second
    distribution each. Equal distributions known by n samples differ by about 1/n.
    """
    return divergence_from(ours, our_weight, tenths(theirs, their_weight))
