"""What is said of the answers to spectra whose truths are known."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from exogan_jax.retrieval.result import Retrieval
from exogan_jax.retrieval.weighted import coverage


def rounded(value: float) -> float | None:
    """To four digits; None for what is no number, which JSON does not know."""
    return float(f"{value:.4g}") if np.isfinite(value) else None


def r2(found: Float[np.ndarray, " n"], truth: Float[np.ndarray, " n"]) -> float:
    """Coefficient of determination: 1 for what is right, 0 for what always says the mean."""
    spread = np.square(truth - truth.mean()).sum()
    return float(1 - np.square(found - truth).sum() / spread) if spread > 0 else np.nan


def score(
    result: Retrieval,
    truth: Float[np.ndarray, "n d"],
    shows: dict[str, Bool[np.ndarray, " n"]] | None = None,
) -> dict[str, Any]:
    """Numbers of each parameter, and of the fits.

    An answer is within k sigma where its median is off by at most k times half the width of its own
    68 % interval.

    Args:
      result: the answers.
      truth: (n, d); NaN where the answer's problem does not know what is true.
      shows: by the parameters' names, the spectra in which a gas is detectable.
    """
    low, middle, high = result.quantiles((0.16, 0.5, 0.84)).swapaxes(0, 1)
    off = np.abs(middle - truth)
    sigma = 0.5 * (high - low)
    levels = {k: coverage(result.samples, result.weights, truth, k) for k in (0.68, 0.95)}
    each: dict[str, Any] = {}
    for i, name in enumerate(result.parameters.names):
        each[name] = {
            "mean_absolute_error": rounded(off[:, i].mean()),
            "r2": rounded(r2(middle[:, i], truth[:, i])),
            "within_1_sigma": rounded((off[:, i] <= sigma[:, i]).mean()),
            "within_2_sigma": rounded((off[:, i] <= 2 * sigma[:, i]).mean()),
            "inside_68": rounded(levels[0.68][i]),
            "inside_95": rounded(levels[0.95][i]),
            "sigma": rounded(float(np.median(sigma[:, i]))),
        }
        if shows is not None and name in shows:
            shown = shows[name]
            where = float(off[shown, i].mean()) if shown.any() else np.nan
            each[name] |= {"detectable": rounded(shown.mean()), "error_there": rounded(where)}
    return {
        "n": len(truth),
        "parameters": each,
        "flagged": rounded(float(np.mean([flags != "" for flags in result.flags]))),
        "reduced_chi2": rounded(float(np.median(result.reduced_chi2))),
        "effective_sample_size": rounded(float(np.median(result.effective_sample_size))),
    }
