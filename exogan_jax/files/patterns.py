"""What a column of numbers looks like: touching bins, a flag, widths, a rising order."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def touching(
    wavelength: Float[np.ndarray, " n"],
    half_width: Float[np.ndarray, " n"],
    tolerance: float = 0.1,
) -> float:
    """The share of neighbouring bins that touch, to a share `tolerance` of their distance; 0 for
    less than four bins, which may touch by chance.
    """
    order = np.argsort(wavelength, kind="stable")
    w, h = wavelength[order], half_width[order]
    distance = np.diff(w)
    apart = distance > 0
    if apart.sum() < 3:
        return 0.0
    reach = (h[:-1] + h[1:])[apart]
    return float(np.mean(np.abs(distance[apart] - reach) <= tolerance * distance[apart]))


def is_flag(values: np.ndarray) -> bool:
    """Whether a column holds only 0 and 1, and some of the latter."""
    known = values[np.isfinite(values)]
    return bool(known.size > 2 and np.isin(known, (0, 1)).all() and known.any())


def looks_like_width(wavelength: np.ndarray, values: np.ndarray) -> bool:
    """Whether a column that should be depths is the bins' width."""
    if len(values) < 4:
        return False
    ratio = values / wavelength
    same = np.ptp(values) == 0 or np.ptp(ratio) <= 1e-3 * abs(np.mean(ratio))
    # Depths may be near the bins' distance by chance, but not follow it.
    shares = (touching(wavelength, half, 0.003) for half in (values, values / 2))
    return bool(same or max(shares) >= 0.8)


def ordered(values: np.ndarray, share: float = 0.6) -> bool:
    """Whether at least four values rise or fall, but for some steps."""
    steps = np.sign(np.diff(values))
    return len(steps) > 2 and abs(float(steps.sum())) >= share * len(steps)
