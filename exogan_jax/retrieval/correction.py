"""The generator's error near ONE posterior, as the forward model's spectra of some samples tell it.

A network errs by what its last layer makes of its features, and the levels that it draws are as
many combinations of these: within a posterior, its errors are nearly linear in the parameters and
in the levels that are drawn. Of two PRISM planets (30 ppm, hot and light; 2,600 and 3,700 samples),
errors of 0.015 and 0.019 scale heights leave 0.00045 and 0.00004 so, 0.0006 and 0.0010 as
quadratic functions of the parameters.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

#: Principal components of the levels: more change little (48: 0.00006 on the second planet).
_COMPONENTS = 64
_ROUNDING = 1e-5  # levels: smaller differences are those of float32
#: Added to the mean squares of the terms: samples may not fix all of them.
_RIDGE = 1e-5
_FLAT = 1e-9  # variance of a parameter that does not vary, of [-1, 1]
#: The errors go no further than those so many standard deviations of the parameters a root of
#: their number away; levels have far tails.
_FURTHEST = 2.0


class Correction(NamedTuple):
    """A linear function of d parameters and the levels at k points; all 0 where nothing is
    corrected.
    """

    centre: Float[Array | np.ndarray, " d+k"]  # of parameters, scaled to [-1, 1], and levels
    whiten: Float[Array | np.ndarray, "m d+k"]  # takes what is off the centre to unit variances
    coefficient: Float[Array | np.ndarray, "1+m k"]  # in levels; the first is a constant


def no_correction(d: int, k: int) -> Correction:
    """Nothing, of d parameters at k points."""
    m = d + min(k, _COMPONENTS)
    zeros = (np.zeros(shape, np.float32) for shape in (d + k, (m, d + k), (1 + m, k)))
    return Correction(*zeros)


def shift(
    correction: Correction, anchor: Float[Array, " d"], level: Float[Array, " k"]
) -> Float[Array, " k"]:
    """Correction of the levels (k,) of ONE drawing; its parameters are scaled to [-1, 1]."""
    off = jnp.concatenate([anchor, level]) - correction.centre
    z = _limited(jnp.asarray(correction.whiten) @ off, anchor.size)
    coefficient = jnp.asarray(correction.coefficient)
    return coefficient[0] + z @ coefficient[1:]


def _limited(z: Float[Any, "*b m"], d: int) -> Float[Any, "*b m"]:
    """The same, its first d no further off than they may be; NumPy arrays in double precision."""
    xp: Any = np if isinstance(z, np.ndarray) else jnp
    # The root has no slope at 0.
    size = xp.sqrt(xp.square(z[..., :d]).sum(axis=-1, keepdims=True) + 1e-12)
    return z * xp.minimum(1.0, _FURTHEST * d**0.5 / size)


def fit_correction(
    anchor: Float[np.ndarray, "n d"],
    level: Float[np.ndarray, "n k"],
    off: Float[np.ndarray, "n k"],
) -> tuple[Correction, Float[np.ndarray, " k"]] | None:
    """The linear function of a sample's errors.

    Args:
      anchor: (n, d) parameters scaled to [-1, 1].
      level: (n, k) as drawn.
      off: (n, k) true minus drawn levels; rows with NaN are left out, as those that repeat others.

    Returns:
      the function, and the rms residual (k,) of one half of the samples about a fit to the other
      half; None where there are fewer samples than twice its terms.
    """
    known = np.flatnonzero(np.isfinite(off).all(axis=1) & np.isfinite(level).all(axis=1))
    known = known[np.sort(np.unique(anchor[known], axis=0, return_index=True)[1])]
    n, d = len(known), anchor.shape[1]
    m = d + min(level.shape[1], _COMPONENTS)
    if n < 2 * (1 + m):
        return None
    both = np.concatenate([anchor[known], level[known]], axis=1).astype(np.float64)
    centre, off = both.mean(axis=0), off[known].astype(np.float64)
    whiten = _whitening(both - centre, d)
    terms = np.concatenate([np.ones((n, 1)), _limited((both - centre) @ whiten.T, d)], axis=1)
    square = np.zeros(off.shape[1])
    for fitted, tested in ((slice(0, n, 2), slice(1, n, 2)), (slice(1, n, 2), slice(0, n, 2))):
        found = _least_squares(terms[fitted], off[fitted])
        square += np.square(off[tested] - terms[tested] @ found).sum(axis=0)
    rms = np.sqrt(square / n)
    fields = (centre, whiten, _least_squares(terms, off))
    return Correction(*(x.astype(np.float32) for x in fields)), rms.astype(np.float32)


def _whitening(off: Float[np.ndarray, "n d+k"], d: int) -> Float[np.ndarray, "m d+k"]:
    """Of parameters and of levels, each among themselves."""
    n, parameters, levels = len(off), off[:, :d], off[:, d:]
    covariance = parameters.T @ parameters / n + _FLAT * np.eye(d)
    of_parameters = np.linalg.inv(np.linalg.cholesky(covariance))
    variance, axes = np.linalg.eigh(levels.T @ levels / n)
    largest = slice(None, -1 - min(_COMPONENTS, len(variance)), -1)
    size = np.sqrt(np.maximum(variance[largest], 0) + _ROUNDING**2)
    of_levels = (axes[:, largest] / size).T
    whiten = np.zeros((d + len(of_levels), off.shape[1]))
    whiten[:d, :d], whiten[d:, d:] = of_parameters, of_levels
    return whiten


def _least_squares(
    terms: Float[np.ndarray, "n term"], off: Float[np.ndarray, "n k"]
) -> Float[np.ndarray, "term k"]:
    squares = terms.T @ terms
    squares += _RIDGE * len(terms) * np.eye(len(squares))
    return np.linalg.solve(squares, terms.T @ off)
