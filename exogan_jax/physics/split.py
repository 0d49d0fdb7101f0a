"""Which spectra are for training and which for tests, decided by their parameters alone."""

from __future__ import annotations

import hashlib

import numpy as np
from jaxtyping import ArrayLike, Float

from exogan_jax.parameters import Parameters

#: The opacity table is calibrated on published spectra below this, and judged on the rest.
CALIBRATED_BELOW = 0.7
#: Splits of datasets, and the fraction below which a parameter set is in each.
SPLITS = {"train": 0.9, "validation": 0.95, "test": 1.0}


def split_fraction(
    theta: Float[ArrayLike, "n d"], parameters: Parameters
) -> Float[np.ndarray, " n"]:
    """A number in [0, 1) for each parameter set, as good as random and the same everywhere.

    See `SPLITS` and `CALIBRATED_BELOW`.

    Args:
      theta: (n, d) in the parameters' units; rounded to 1e-4 of the bounds' distance, so that
        float32 and float64 agree on the published grid's levels.
      parameters: the problem's.
    """
    levels = np.rint(parameters.to_unit(np.asarray(theta, np.float64)) * 1e4).astype("<i8")
    digests = [hashlib.sha256(row.tobytes()).digest()[:8] for row in levels]
    return np.array([int.from_bytes(d, "big") / 2**64 for d in digests])


def split_rows(theta: Float[ArrayLike, "n d"], parameters: Parameters) -> dict[str, np.ndarray]:
    """The rows of each of `SPLITS`, ascending."""
    number = np.searchsorted(list(SPLITS.values()), split_fraction(theta, parameters), side="right")
    return {name: np.flatnonzero(number == i) for i, name in enumerate(SPLITS)}
