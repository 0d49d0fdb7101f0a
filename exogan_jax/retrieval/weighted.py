"""From weighted samples to numbers: quantiles, effective sample size, equally weighted ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

QUANTILES = (0.16, 0.5, 0.84)


def weighted_quantile(
    samples: Float[np.ndarray, "n d"],
    weights: Float[np.ndarray, " n"],
    q: tuple[float, ...] = QUANTILES,
) -> Float[np.ndarray, "q d"]:
    """Quantiles of each column of weighted samples.

    The quantile function is flat at each sample over its weight, with a ramp from sample to sample
    that is as wide as the smaller of their weights: equal weights give the usual sample quantiles
    (Hazen's plotting positions), and samples of no weight have no effect.

    Args:
      samples: (n, d).
      weights: (n,) non-negative, not all zero; need not sum to 1.
      q: probabilities in [0, 1].

    Returns:
      (len(q), d).

    Raises:
      ValueError: weights negative, not finite, or all zero.
    """
    samples = np.asarray(samples, np.float64)
    weights = np.asarray(weights, np.float64)
    if not np.all(np.isfinite(weights)) or np.any(weights < 0) or weights.sum() <= 0:
        raise ValueError("weights must be finite, non-negative and not all zero")
    out = np.empty((len(q), samples.shape[1]))
    for column in range(samples.shape[1]):
        order = np.argsort(samples[:, column], kind="stable")
        order = order[weights[order] > 0]
        values, w = samples[order, column], weights[order] / weights.sum()
        if len(values) == 1:
            out[:, column] = values[0]
            continue
        edges, ramps = np.cumsum(w)[:-1], np.minimum(w[:-1], w[1:]) / 2
        positions = np.stack([edges - ramps, edges + ramps], axis=1).ravel()
        out[:, column] = np.interp(
            q, positions, np.stack([values[:-1], values[1:]], axis=1).ravel()
        )
    return out


def effective_sample_size(weights: Float[np.ndarray, "... n"]) -> Float[np.ndarray, "..."]:
    """Kish's effective sample size (sum w)^2 / sum w^2, between 1 and n."""
    weights = np.asarray(weights, np.float64)
    return weights.sum(axis=-1) ** 2 / np.square(weights).sum(axis=-1)


def coverage(
    samples: Float[np.ndarray, "m n d"],
    weights: Float[np.ndarray, "m n"],
    truth: Float[np.ndarray, "m d"],
    level: float = 0.68,
) -> Float[np.ndarray, " d"]:
    """Share of spectra whose true value lies in the central credible interval of `level`.

    Args:
      samples: (m, n, d) samples of m posteriors.
      weights: (m, n).
      truth: (m, d).
      level: probability content of the interval.

    Returns:
      (d,), near `level` for calibrated posteriors.
    """
    tail = (1 - level) / 2
    bounds = np.stack(
        [weighted_quantile(s, w, (tail, 1 - tail)) for s, w in zip(samples, weights, strict=True)]
    )
    inside = (truth >= bounds[:, 0]) & (truth <= bounds[:, 1])
    return inside.mean(axis=0)


def systematic(
    weights: Float[np.ndarray, " n"], size: int, seed: int | np.random.Generator
) -> np.ndarray:
    """Indices of equally weighted samples by systematic resampling: sample i occurs size * w_i
    times, rounded up or down.

    Args:
      weights: (n,) summing to 1.
      size: number of indices.
      seed: of the only random number, or where it comes from.
    """
    begin = np.random.default_rng(seed).uniform()
    edges = np.cumsum(np.asarray(weights, np.float64))
    found = np.searchsorted(edges / edges[-1], (begin + np.arange(size)) / size, side="right")
    return np.minimum(found, len(edges) - 1)
