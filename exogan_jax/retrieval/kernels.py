"""A kernel density of samples: a normal kernel about each, the centres shrunk towards their mean
so that the covariance stays the samples' (West 1993, J. R. Stat. Soc. B 55, 409). It follows bent
and lopsided distributions, can be drawn from, and its density is known.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int

from exogan_jax.triangular import cholesky, inverse

_LEAST = 1e-5  # variance added, as a share of each coordinate's own: none of them is flat
_TINY = 1e-12


class Spread(NamedTuple):
    """Where samples lie."""

    mean: Float[Array, " d"]
    centred: Float[Array, "n d"]
    root: Float[Array, "d d"]  # of their covariance, lower triangular
    inverse: Float[Array, "d d"]  # the root's


class Kernels(NamedTuple):
    """A mixture of normal distributions of one shape."""

    mean: Float[Array, " d"]
    centre: Float[Array, "n d"]  # from the mean
    root: Float[Array, "d d"]  # of the kernels' covariance, lower triangular
    inverse: Float[Array, "d d"]  # the root's
    whitened: Float[Array, "n d"]  # centres in the kernels' own units


@jax.default_matmul_precision("highest")
def spread(samples: Float[Array, "n d"]) -> Spread:
    """Of samples, equally weighted."""
    mean = samples.mean(axis=0)
    centred = samples - mean[None]
    covariance = centred.T @ centred / samples.shape[0]
    covariance += jnp.diag(_LEAST * jnp.diagonal(covariance) + _TINY)
    root = cholesky(covariance)
    return Spread(mean, centred, root, inverse(root))


@jax.default_matmul_precision("highest")
def kernels(of: Spread, width: float) -> Kernels:
    """About samples.

    Args:
      of: the samples.
      width: of a kernel in that of all samples, between 0 and 1, where it is their normal
        distribution.
    """
    back = of.inverse / width
    centre = (1 - width**2) ** 0.5 * of.centred
    return Kernels(of.mean, centre, width * of.root, back, centre @ back.T)


def broad(of: Spread, width: float) -> Kernels:
    """The samples' normal distribution, `width` times as wide: ONE kernel."""
    none = jnp.zeros((1, of.mean.size), of.mean.dtype)
    return Kernels(of.mean, none, width * of.root, of.inverse / width, none)


def draws(
    mixture: Kernels, chosen: Int[Array, " m"], unit: Float[Array, "m d"]
) -> Float[Array, "m d"]:
    """Draws of the mixture, from the numbers of their kernels and unit normal ones."""
    return mixture.mean[None] + (mixture.centre[chosen] + unit @ mixture.root.T)


@jax.default_matmul_precision("highest")
def log_density(mixture: Kernels, x: Float[Array, "m d"]) -> Float[Array, " m"]:
    """Log density of the mixture at some points."""
    n, d = mixture.centre.shape
    # Of what is near the mean, squares have digits enough for a matrix product.
    whitened = (x - mixture.mean[None]) @ mixture.inverse.T
    lengths = [jnp.square(w).sum(axis=1) for w in (whitened, mixture.whitened)]
    distance = lengths[0][:, None] + lengths[1][None] - 2 * whitened @ mixture.whitened.T
    volume = jnp.log(jnp.diagonal(mixture.root)).sum() + 0.5 * d * jnp.log(2 * jnp.pi)
    return logsumexp(-0.5 * distance, axis=1) - jnp.log(n) - volume
