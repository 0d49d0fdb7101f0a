"""When not to trust a result: flags of ONE observation. What they mean: `flags.MEANINGS`.

The limits are set so that a planet within the model is seldom flagged by chance: all flags together
in at most 5 % of such spectra.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float

from exogan_jax.parameters import Parameters
from exogan_jax.retrieval.flags import AT_BOUND
from exogan_jax.retrieval.marginals import Marginals, shares
from exogan_jax.retrieval.residuals import Bins, flat_chi2
from exogan_jax.retrieval.weighted import weighted_quantile

#: A chi-square is flagged where chance exceeds it in 1 of 10,000 spectra (a normal deviate of
#: 3.72), and where it is larger than errors that are 10 % too small would make it.
_DEVIATE, _LEAST_REDUCED = 3.72, 1.2
#: Windows of residuals: |z| above sqrt(2 ln n + this): 3.8 of 44 bins, 4.2 of 219. Of 4,000 series
#: of white noise each, less a cubic as a fit would take it out, 0.2, 1.0 and 1.4 % had one, for
#: n = 44, 219 and 400.
_STRUCTURE = 6.5
#: A parameter's distance x from a bound, as a share of the prior's range; q is its 95 % quantile.
#: At a bound: q < 0.4 (the data say something), 30 % of the samples at x < 0.02, and 20 % at
#: x < q/10, where 10 % are of a flat marginal, 16 % of half a normal, 26 % of an exponential.
#: Simulated normal likelihoods of widths of 0.003 to 0.2, 128 independent samples: of truths that
#: are uniform within the range 0.05 to 1.4 % are flagged, of those 3 sigma beyond a bound 80 %
#: (where the width is 0.2, 34 %), of those 5 sigma beyond 84 to 88 %.
_CONSTRAINED, _NEXT, _SHARE_NEXT, _TENTH, _SHARE_TENTH = 0.4, 0.02, 0.3, 0.1, 0.2
_ROUNDING = 1e-6  # of a share in float32
#: Roles whose end is no limit of the model: beyond it the spectrum stays as it is there. Of gases,
#: the lower one.
_OPEN_LOW, _OPEN_HIGH = ("haze_strength", "cloud_fraction"), ("cloud_top", "cloud_fraction")
#: Chi-square by which the best spectrum must beat one depth: eight parameters that are fitted to
#: noise gain less in 99 % of the spectra.
_FEATURES = 20.0
#: A spread below this fraction of the prior's is informative; with 100 independent samples it
#: scatters by 0.05.
_NARROWER = 0.8
#: Bins narrower than 0.7 of the grid's spacing are finer; 10 % of them are many.
_FINER, _MANY = 0.7, 0.1
#: rms of generator - forward model in the data's errors: at 1 it adds as much as the noise.
_OFF = 1.0
#: Fewer independent samples are flagged: 50 know the ends of an interval to a fifth of its half. Of
#: few samples, as of starts, this share.
_FEW, _FEW_SHARE = 50.0, 0.05


def judge(
    samples: Float[np.ndarray, "n d"],
    weights: Float[np.ndarray, " n"],
    effective: float,
    residuals: Float[np.ndarray, " p"],
    off: Float[np.ndarray, " p"] | None,
    bins: Bins,
    *,
    prior: Marginals,
    parameters: Parameters,
    grid_um: Float[np.ndarray, " w"],
    not_exact: bool = False,
    not_weighted: bool = False,
) -> str:
    """The flags of ONE result.

    Args:
      samples: (n, d) of the posterior, within the prior's ends, in the parameters' units.
      weights: (n,) summing to 1.
      effective: number of independent samples that they are worth.
      residuals: (p,) of the best spectrum, in the data's own errors, in order of wavelength.
      off: (p,) its difference from the forward model's in the same units; None: not known.
      bins: of the observation.
      prior: of each parameter.
      parameters: the model's.
      grid_um: (w,) the model's wavelengths.
      not_exact: whether exact weights were requested and left hardly any sample.
      not_weighted: whether the samples are the encoder's own.

    Returns:
      Flags of `flags.MEANINGS`, comma-separated; "" if there are no flags.
    """
    share = shares(samples, prior, parameters)
    narrowed = narrowing(share, weights, prior)
    free = prior.spread > 0
    chi2 = float(np.square(residuals).sum())
    found = {
        "no_usable_points": residuals.size == 0,
        "outside_model": bins.n_ignored > 0,
        "finer_than_grid": is_finer(bins, grid_um),
    }
    found |= {
        f"{AT_BOUND}:{name}": bool(at_bound)
        for name, at_bound in zip(
            parameters.names, at_bounds(share, weights, prior, parameters), strict=True
        )
    }
    # MacKay's effective number of parameters: a fit absorbs no more of the noise.
    determined = float((1 - np.square(np.minimum(narrowed[free], 1))).sum())
    found |= {
        "poor_fit": is_poor(chi2, max(residuals.size - determined, 1.0)),
        "structured_residuals": is_structured(residuals),
        "generator_off": off is not None and off.size > 0 and _rms(off) > _OFF,
        "featureless": is_featureless(flat_chi2(bins), chi2, residuals.size),
        "uninformative": bool(free.any()) and bool((narrowed[free] > _NARROWER).all()),
        "few_effective_samples": effective < min(_FEW, _FEW_SHARE * len(weights)),
        "not_exact": not_exact,
        "not_weighted": not_weighted,
    }
    return ",".join(flag for flag, applies in found.items() if applies)


def narrowing(
    share: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"], prior: Marginals
) -> Float[np.ndarray, " d"]:
    """Spread of each parameter over its prior's, 1 where it is fixed.

    Args:
      share: (n, d) samples, see `marginals.shares`.
      weights: (n,) summing to 1.
      prior: of each parameter.
    """
    variance = weights @ np.square(share - weights @ share)
    free = prior.spread > 0
    return np.where(free, np.sqrt(variance) / np.where(free, prior.spread, 1.0), 1.0)


def at_bounds(
    share: Float[np.ndarray, "n d"],
    weights: Float[np.ndarray, " n"],
    prior: Marginals,
    parameters: Parameters,
) -> Bool[np.ndarray, " d"]:
    """Which parameters pile up at an end of their prior that is a limit, and not where nothing
    more can be detected. Arguments as those of `narrowing`.
    """
    low, high = prior.ends_low.copy(), prior.ends_high.copy()
    for i, parameter in enumerate(parameters):
        at_lower = prior.low[i] <= parameter.lower  # the model's own; a user's is always a limit
        at_upper = prior.high[i] >= parameter.upper
        low[i] &= not (at_lower and (parameter.gas is not None or parameter.role in _OPEN_LOW))
        high[i] &= not (at_upper and parameter.role in _OPEN_HIGH)
    return (low & _piles_up(share, weights)) | (high & _piles_up(1 - share, weights))


def _piles_up(
    distance: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"]
) -> Bool[np.ndarray, " d"]:
    """Which columns of distances from a bound, as shares of the range, are densest at 0."""
    far = weighted_quantile(distance, weights, (0.95,))[0]
    next_to = weights @ (distance < _NEXT)
    nearest = weights @ (distance < _TENTH * far + _ROUNDING)
    return (far < _CONSTRAINED) & (next_to > _SHARE_NEXT) & (nearest > _SHARE_TENTH)


def is_poor(chi2: float, freedom: float) -> bool:
    """Whether a chi-square is larger than noise makes it.

    Args:
      chi2: of all bins.
      freedom: bins less fitted parameters, above 0.
    """
    spread = 2 / (9 * freedom)  # Wilson & Hilferty: the cube root is normal
    deviate = (math.cbrt(chi2 / freedom) - (1 - spread)) / math.sqrt(spread)
    return deviate > _DEVIATE and chi2 / freedom > _LEAST_REDUCED


def is_featureless(flat: float, chi2: float, n_bins: int) -> bool:
    """Whether one depth for all wavelengths fits, and as well as the best spectrum.

    Args:
      flat: its chi-square.
      chi2: the best spectrum's.
      n_bins: number of bins of both.
    """
    return n_bins > 0 and flat - chi2 < _FEATURES and not is_poor(flat, max(n_bins - 1, 1))


def structure(residuals: Float[np.ndarray, " p"]) -> float:
    """Largest |z| of a mean over neighbouring residuals: windows of 2, 4, 8, ... up to half of
    them; 0 where there are fewer than 4.
    """
    total = np.concatenate([[0.0], np.cumsum(residuals)])
    largest, width = 0.0, 2
    while 2 * width <= residuals.size:
        sums = np.abs(total[width:] - total[:-width])
        largest = max(largest, float(sums.max()) / math.sqrt(width))
        width *= 2
    return largest


def is_structured(residuals: Float[np.ndarray, " p"]) -> bool:
    """Whether neighbouring residuals agree by more than chance."""
    return structure(residuals) > math.sqrt(2 * math.log(max(residuals.size, 1)) + _STRUCTURE)


def is_finer(bins: Bins, grid_um: Float[np.ndarray, " w"]) -> bool:
    """Whether many bins are narrower than the grid's own; a width of 0 means the grid's."""
    grid = np.sort(np.asarray(grid_um, np.float64))
    spacing = np.interp(bins.wavelength_um, grid, np.gradient(grid))
    width = 2 * bins.half_width_um
    finer = (width > 0) & (width < _FINER * spacing)
    return bool(finer.size) and bool(finer.mean() > _MANY)


def _rms(values: Float[np.ndarray, " p"]) -> float:
    return float(np.sqrt(np.square(values).mean()))
