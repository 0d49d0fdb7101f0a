"""The generator's error near ONE posterior: a polynomial in the parameters.

A generator's error is smooth, and a posterior is narrow: within it, the error of every level is
nearly a quadratic function of the parameters. It is fitted to the forward model's spectra of
some samples; the residual is the measured error of the corrected generator.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

#: Added to the mean squares of the terms: samples that repeat each other do not fix all of them.
_RIDGE = 1e-3
_FLAT = 1e-9  # variance of a parameter that does not vary, of [-1, 1]
#: The polynomial goes no further than so many standard deviations a root of the dimension.
_FURTHEST = 2.0


class Correction(NamedTuple):
    """A quadratic polynomial; all 0 where nothing is corrected."""

    centre: Float[Array | np.ndarray, " d"]  # of the parameters, scaled to [-1, 1]
    whiten: Float[Array | np.ndarray, "d d"]  # takes what is off the centre to unit covariance
    coefficient: Float[Array | np.ndarray, "term k"]  # in levels, at a target's points


def no_correction(d: int, k: int) -> Correction:
    """Nothing, of d parameters at k points."""
    zeros = (np.zeros(shape, np.float32) for shape in (d, (d, d), (_n_terms(d), k)))
    return Correction(*zeros)


def _n_terms(d: int) -> int:
    return 1 + d + d * (d + 1) // 2


def shift(correction: Correction, anchor: Float[Array, " d"]) -> Float[Array, " k"]:
    """Correction of the levels (k,) of ONE drawing; its parameters are scaled to [-1, 1]."""
    u = jnp.asarray(correction.whiten) @ (anchor - correction.centre)
    return _terms(u) @ correction.coefficient


def _terms(u: Float[Any, "*b d"]) -> Float[Any, "*b term"]:
    """1, u and its products, with u limited in length; NumPy arrays in double precision."""
    xp: Any = np if isinstance(u, np.ndarray) else jnp
    d = u.shape[-1]
    # The root has no slope at 0.
    size = xp.sqrt(xp.square(u).sum(axis=-1, keepdims=True) + 1e-12)
    u = u * xp.minimum(1.0, _FURTHEST * d**0.5 / size)
    one, other = np.triu_indices(d)
    return xp.concatenate([xp.ones_like(u[..., :1]), u, u[..., one] * u[..., other]], axis=-1)


def fit_correction(
    anchor: Float[np.ndarray, "n d"],
    off: Float[np.ndarray, "n k"],
) -> tuple[Correction, Float[np.ndarray, " k"]] | None:
    """The polynomial of a sample's errors.

    Args:
      anchor: (n, d) parameters scaled to [-1, 1].
      off: (n, k) true minus drawn levels; rows with NaN are left out.

    Returns:
      the polynomial, and the rms residual (k,) of one half of the samples about a fit to the other
      half; None where there are fewer samples than twice its terms.
    """
    known = np.isfinite(off).all(axis=1)
    anchor, off = anchor[known].astype(np.float64), off[known].astype(np.float64)
    n, d = anchor.shape
    if n < 2 * _n_terms(d):
        return None
    centre = anchor.mean(axis=0)
    covariance = (anchor - centre).T @ (anchor - centre) / n + _FLAT * np.eye(d)
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    terms = _terms((anchor - centre) @ whiten.T)
    square = np.zeros(off.shape[1])
    for fitted, tested in ((slice(0, n, 2), slice(1, n, 2)), (slice(1, n, 2), slice(0, n, 2))):
        found = _least_squares(terms[fitted], off[fitted])
        square += np.square(off[tested] - terms[tested] @ found).sum(axis=0)
    rms = np.sqrt(square / n)
    fields = (centre, whiten, _least_squares(terms, off))
    return Correction(*(x.astype(np.float32) for x in fields)), rms.astype(np.float32)


def _least_squares(
    terms: Float[np.ndarray, "n term"], off: Float[np.ndarray, "n k"]
) -> Float[np.ndarray, "term k"]:
    squares = terms.T @ terms
    squares += _RIDGE * len(terms) * np.eye(len(squares))
    return np.linalg.solve(squares, terms.T @ off)
