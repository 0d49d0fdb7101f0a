"""Numbers beside an answer: does the model make such data, what did the forward model change?"""

from __future__ import annotations

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


def divergences(
    ours: Float[np.ndarray, "n d"],
    our_weight: Float[np.ndarray, " n"],
    theirs: Float[np.ndarray, "m d"],
    their_weight: Float[np.ndarray, " m"],
) -> Float[np.ndarray, " d"]:
    """Jensen-Shannon divergence [nat] of each column, in bins that hold a tenth of the second
    distribution each. Equal distributions known by n samples differ by about 1/n.
    """
    out = []
    for a, b in zip(ours.T, theirs.T, strict=True):
        order = np.argsort(b)
        share = np.cumsum(their_weight[order]) / their_weight.sum()
        last = len(order) - 1
        at = np.minimum(np.searchsorted(share, np.arange(1, _BINS) / _BINS), last)
        edges = b[order][at]
        p, q = (
            np.bincount(np.searchsorted(edges, x), weights=w, minlength=_BINS) / w.sum()
            for x, w in ((a, our_weight), (b, their_weight))
        )
        m = 0.5 * (p + q)
        terms = [x * np.log(np.where(x > 0, x, 1) / np.where(m > 0, m, 1)) for x in (p, q)]
        out.append(0.5 * float(np.sum(terms)))
    return np.array(out)
