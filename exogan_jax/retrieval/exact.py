"""From the generator's samples to those of the exact posterior, and the evidence.

The generator proposes, the forward model disposes: each sample is weighted by the ratio of the
exact likelihood to the one that it was drawn from (importance sampling). The evidence is that of
the density that was sampled times the mean of those ratios.

Nothing here knows networks or planets.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


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
