"""From the generator's samples to those of the exact posterior, and the evidence.

The generator proposes, the forward model disposes: each sample is weighted by the ratio of the
exact likelihood to the one that it was drawn from (importance sampling). The evidence is that of
the density that was sampled times the mean of those ratios. Where the ratios are too unlike each
other, by a power of them at a time (sequential Monte Carlo; Del Moral, Doucet & Jasra 2006, J. R.
Stat. Soc. B 68, 411).

Nothing here knows networks or planets.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from exogan_jax.retrieval.weighted import systematic


class Reweighed(NamedTuple):
    """Samples of one density as those of another one."""

    weight: Float[np.ndarray, " n"]  # summing to 1
    efficiency: float  # effective share of the samples, by the spread of the ratios alone
    log_ratio: float  # log of the ratio of the two evidences
    error: float  # its 1-sigma error, for independent samples


def reweigh(weight: Float[np.ndarray, " n"], log_ratio: Float[np.ndarray, " n"]) -> Reweighed:
    """Importance sampling.

    Args:
      weight: of the samples, summing to 1.
      log_ratio: log of the wanted density over the sampled one, at each; -inf where the former is
        zero. Where it is -inf or no number everywhere, nothing is known: the efficiency is 0 and
        the weights stay.
    """
    ratio = np.where(np.isnan(log_ratio), -np.inf, log_ratio)
    top = ratio.max()
    if not np.isfinite(top):
        return Reweighed(weight, 0.0, -np.inf, np.inf)
    scaled = np.exp(ratio - top)
    mean = float(weight @ scaled)
    efficiency = mean**2 / float(weight @ np.square(scaled))
    error = float(np.sqrt((1 / efficiency - 1) / len(weight)))
    return Reweighed(weight * scaled / mean, efficiency, top + float(np.log(mean)), error)


def largest_power(log_ratio: Float[np.ndarray, " n"], most: float, least: float) -> float:
    """The largest power of ratios, up to `most`, that leaves a share `least` of the samples, all of
    equal weight; see `reweigh`. 0 where the ratio is nowhere a number.
    """
    equal = np.full(len(log_ratio), 1 / len(log_ratio))

    def enough(power: float) -> bool:
        return reweigh(equal, powered(log_ratio, power)).efficiency >= least

    if enough(most):
        return most
    low, high = 0.0, most
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if enough(middle) else (low, middle)
    return low


def powered(log_ratio: Float[np.ndarray, " n"], power: float) -> Float[np.ndarray, " n"]:
    """Logarithms of powers of ratios: what has no density has none at any power."""
    some = np.isfinite(log_ratio)
    return np.where(some, power * np.where(some, log_ratio, 0.0), -np.inf)


def drawn(
    rng: np.random.Generator, weight: Float[np.ndarray, " n"], n: int
) -> Int[np.ndarray, " n"]:
    """Which of weighted samples make n of equal weights, in random order."""
    chosen: np.ndarray = rng.permutation(systematic(weight, n, rng))
    return chosen


def worth(values: Float[np.ndarray, "n d"], family: Int[np.ndarray, " n"]) -> float:
    """How many independent samples have means as uncertain as those of these, of the column that is
    worst off: samples of one family depend on each other, families do not.

    Args:
      values: (n, d) of equal weights.
      family: (n,) its number.

    Returns:
      between 1 and n.
    """
    n = len(family)
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    _, number = np.unique(family, return_inverse=True)
    sums = np.zeros((number.max() + 1, values.shape[1]))
    np.add.at(sums, number, centred)
    variance = np.square(centred).sum(axis=0)
    varies = variance > 1e-12 * n
    if not varies.any():
        return 1.0
    of_sums = np.square(sums).sum(axis=0)
    return float(np.clip(n * (variance[varies] / np.maximum(of_sums[varies], 1e-300)).min(), 1, n))
