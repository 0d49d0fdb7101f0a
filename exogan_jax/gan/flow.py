"""A normalising flow in a few dimensions, conditional on a context: coupling layers of monotonic
rational-quadratic splines (Durkan et al. 2019, arXiv:1906.04032), which bend a unit normal
distribution into others. Both ways are in closed form, and an untrained flow changes nothing.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float, Int

_REACH = 6.0  # beyond, a spline is the identity
#: Splines bend _SOFT arcsinh(x / _SOFT), so that they reach points of 20, while those below 2 stay
#: as they are: planets with clouds can lie 13 spreads from where the normal distribution has them.
_SOFT = 2.0
_LEAST = 1e-3  # of a bin's width and height, as a share of all, and of a slope
_UNIT_SLOPE = float(np.log(np.expm1(1 - _LEAST)))  # softplus(_UNIT_SLOPE) + _LEAST = 1


def _edges(raw: Float[Array, "*shape k"]) -> tuple[Array, Array]:
    """Left edges and widths (*shape, k) of bins between -_REACH and _REACH."""
    k = raw.shape[-1]
    width = 2 * _REACH * (_LEAST + (1 - k * _LEAST) * jax.nn.softmax(raw, axis=-1))
    return jnp.cumsum(width, axis=-1) - width - _REACH, width


def spline(
    x: Float[Array, "*shape"], raw: Float[Array, "*shape p"], backwards: bool
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """A monotonic spline, or its inverse, and the logarithm of its slope.

    Args:
      x: where.
      raw: any numbers, p = 3k - 1 for k bins: widths, heights and inner slopes; zeros are the
        identity.
      backwards: the inverse.
    """
    k = (raw.shape[-1] + 1) // 3
    left, width = _edges(raw[..., :k])
    low, height = _edges(raw[..., k : 2 * k])
    ones = jnp.ones((*raw.shape[:-1], 1), raw.dtype)
    inner = _LEAST + jax.nn.softplus(raw[..., 2 * k :] + _UNIT_SLOPE)
    slope = jnp.concatenate([ones, inner, ones], axis=-1)
    inside = jnp.abs(x) < _REACH
    at = jnp.where(inside, x, 0.0)
    number = jnp.sum(at[..., None] >= (low if backwards else left), axis=-1) - 1
    mine = jax.nn.one_hot(number, k, dtype=raw.dtype)  # no gather, whose gradient is slow

    def pick(values: Array) -> Array:
        return (mine * values).sum(axis=-1)

    x0, w, y0, h = (pick(v) for v in (left, width, low, height))
    d0, d1, s = pick(slope[..., :-1]), pick(slope[..., 1:]), pick(height / width)
    bend = d0 + d1 - 2 * s
    if backwards:
        up = at - y0
        a = h * (s - d0) + up * bend
        b = h * d0 - up * bend
        root = jnp.sqrt(jnp.maximum(jnp.square(b) + 4 * a * s * up, 1e-12))
        # Of two equal forms, the one in which nothing cancels: where b < 0, a > 0.
        back = b < 0
        share = jnp.where(back, root - b, 2 * s * up) / jnp.where(back, 2 * a, b + root)
    else:
        share = (at - x0) / w
    share = jnp.clip(share, 0.0, 1.0)
    both = share * (1 - share)
    below = s + bend * both
    log_slope = (
        2 * jnp.log(s)
        + jnp.log(d1 * jnp.square(share) + 2 * s * both + d0 * jnp.square(1 - share))
        - 2 * jnp.log(below)
    )
    if backwards:
        out, log_slope = x0 + share * w, -log_slope
    else:
        out = y0 + h * (s * jnp.square(share) + d0 * both) / below
    return jnp.where(inside, out, x), jnp.where(inside, log_slope, 0.0)


def _shorten(x: Float[Array, "n d"]) -> tuple[Float[Array, "n d"], Float[Array, " n"]]:
    """Far points nearer, and the logarithm of the volumes' change."""
    short = jnp.arcsinh(x / _SOFT)
    return _SOFT * short, -_log_cosh(short).sum(axis=1)


def _lengthen(x: Float[Array, "n d"]) -> tuple[Float[Array, "n d"], Float[Array, " n"]]:
    """Inverse of `_shorten`."""
    return _SOFT * jnp.sinh(x / _SOFT), _log_cosh(x / _SOFT).sum(axis=1)


def _log_cosh(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return jnp.logaddexp(x, -x) - jnp.log(2.0)


def _halves(d: int, layer: int) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"]]:
    """Which coordinates a layer leaves, and which it bends: every other layer the other half."""
    order = np.random.default_rng(layer // 2).permutation(d)
    parts = order[: d // 2], order[d // 2 :]
    return parts if layer % 2 == 0 else parts[::-1]


class Flow(nn.Module):
    """Coupling layers.

    Attributes:
      n_layers: number of layers; a pair bends each coordinate once.
      width: features of their networks.
      n_bins: of their splines.
    """

    n_layers: int = 6
    width: int = 128
    n_bins: int = 8

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "n d"],
        context: Float[Array, "n layer width"],
        backwards: bool = False,
    ) -> tuple[Float[Array, "n d"], Float[Array, " n"]]:
        """Bent points (n, d), and the logarithms of the volumes' change (n,).

        Args:
          x: points; unit normal ones, to draw samples.
          context: of each, for each layer; or (1, layer, width), of all.
          backwards: back to unit normal ones.
        """
        d = x.shape[1]
        x, volume = _shorten(x)
        for layer in range(self.n_layers)[:: -1 if backwards else 1]:
            left, bent = _halves(d, layer)
            hidden = nn.Dense(self.width, name=f"in_{layer}")(x[:, left]) + context[:, layer]
            hidden = nn.Dense(self.width, name=f"mid_{layer}")(nn.silu(hidden))
            size = len(bent) * (3 * self.n_bins - 1)
            zeros = nn.initializers.zeros
            raw = nn.Dense(size, kernel_init=zeros, name=f"out_{layer}")(nn.silu(hidden))
            raw = raw.reshape(-1, len(bent), 3 * self.n_bins - 1)
            moved, log_slope = spline(x[:, bent], raw, backwards)
            x = x.at[:, bent].set(moved)
            volume = volume + log_slope.sum(axis=1)
        x, of_end = _lengthen(x)
        return x, volume + of_end
