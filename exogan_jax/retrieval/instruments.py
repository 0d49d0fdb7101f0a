"""Systematics of instruments: an offset of each, and errors that are larger or smaller than stated.

Both are integrated out in closed form, so that the posterior is that of the atmosphere alone:

* An offset of an instrument's depths, with a normal prior, is a covariance s^2 of all its bins.
  Whitened, their residuals lose most of their mean.
* A common factor a of its variances, with an inverse gamma prior of shape and scale 2 (a between
  0.4 and 5.6 in 90 %), leaves Student's distribution: -log L = (2 + n/2) log(1 + chi^2/4).

Where both are free, the offset's prior scales with the inflated errors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

SHAPE = SCALE = 2.0  # of the inverse gamma distribution
_TINY = 1e-30


class Instruments(NamedTuple):
    """Of ONE observation's bins; none (0, n) where nothing is free."""

    member: Float[Array | np.ndarray, "m n"]  # 1 where a bin is the instrument's
    offset: Float[Array | np.ndarray, " m"]  # prior variance, in the depths' unit squared
    inflated: Float[Array | np.ndarray, " m"]  # 1 where its errors' size is free


class Whitened(NamedTuple):
    """Residuals of unit covariance."""

    residual: Float[Array, "*b n"]  # offsets taken away as far as their prior lets them
    log_volume: Float[Array, "*b"]  # to be added to half of their squares' sum


def nothing_free(n: int) -> Instruments:
    """Of n bins."""
    return Instruments(*(np.zeros(shape, np.float32) for shape in ((0, n), 0, 0)))


def instruments(
    names: Sequence[str] | None,
    usable: np.ndarray,
    offset_sigma: float,
    inflate: bool,
    n_bins: int | None = None,
    n_instruments: int | None = None,
) -> Instruments:
    """The free offsets and errors of an observation.

    Args:
      names: of each bin's instrument; None: one for all.
      usable: (n,) which bins are compared.
      offset_sigma: prior sigma of the offset of each instrument except the one with the most bins,
        in the depths' unit; 0: no offsets.
      inflate: whether errors' sizes are free.
      n_bins, n_instruments: pad to so many, so that observations stack.
    """
    n = len(usable)
    if not (inflate or offset_sigma):
        return nothing_free(n_bins or n)
    each = np.array(["all"] * n if names is None else names, dtype=str)
    found, counts = np.unique(each[usable], return_counts=True)
    member = np.zeros((n_instruments or len(found), n_bins or n))
    member[: len(found), :n] = (found[:, None] == each[None]) & usable[None]
    offset = np.full(len(member), float(offset_sigma) ** 2)
    if len(found):
        offset[counts.argmax()] = 0.0
    inflated = np.full(len(member), float(inflate))
    return Instruments(*(x.astype(np.float32) for x in (member, offset, inflated)))


def whiten(
    residual: Float[Any, "*b n"], inverse_sigma: Float[Any, "*b n"], free: Instruments
) -> Whitened:
    """Residuals with offsets integrated out.

    Args:
      residual: in units of the errors.
      inverse_sigma: 1 / error of each bin, in the inverse of the depths' unit.
      free: of the observation; residuals of NumPy are whitened in double precision.
    """
    xp: Any = np if isinstance(residual, np.ndarray) else jnp
    if len(free.offset) == 0:
        return Whitened(residual, xp.zeros(residual.shape[:-1], residual.dtype))
    member, variance = xp.asarray(free.member), xp.asarray(free.offset)
    inverse_sigma = xp.broadcast_to(inverse_sigma, residual.shape)
    information = xp.square(inverse_sigma) @ member.T  # (..., m)
    along = (residual * inverse_sigma) @ member.T / xp.maximum(information, _TINY)
    larger = 1 + variance * information
    taken = (1 - 1 / xp.sqrt(larger)) * along
    whitened = residual - (taken @ member) * inverse_sigma
    return Whitened(whitened, 0.5 * xp.log(larger).sum(axis=-1))


def energy(residual: Float[Any, "*b n"], free: Instruments) -> Float[Any, "*b"]:
    """-log likelihood of whitened residuals up to a constant: half of their squares' sum, or less
    than that of instruments whose errors are free.
    """
    rooted = scaled(residual, free)
    return 0.5 * (rooted * rooted).sum(axis=-1)


def scaled(residual: Float[Any, "*b n"], free: Instruments) -> Float[Any, "*b n"]:
    """Residuals whose squares' half sum is `energy`."""
    xp: Any = np if isinstance(residual, np.ndarray) else jnp
    if len(free.offset) == 0:
        return residual
    member, inflated = xp.asarray(free.member), xp.asarray(free.inflated)
    chi2 = xp.square(residual) @ member.T  # (..., m)
    freedom = SHAPE + 0.5 * member.sum(axis=1)
    # Never a quotient of zeros.
    chi2 = xp.maximum(chi2, 1e-6)
    share = 2 * freedom * xp.log1p(chi2 / (2 * SCALE)) / chi2
    factor = xp.sqrt(xp.where(inflated > 0, share, 1.0))
    return residual * (1 + (factor - 1) @ member)


def log_constant(free: Instruments) -> float:
    """What the likelihood of free errors has beside a normal one's constant and `energy`."""
    total = 0.0
    for row, inflated in zip(np.asarray(free.member), np.asarray(free.inflated), strict=True):
        if inflated:
            n = float(row.sum())
            total += math.lgamma(SHAPE + n / 2) - math.lgamma(SHAPE) - n / 2 * math.log(SCALE)
    return total
