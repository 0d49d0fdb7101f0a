"""A distribution made of samples: a normal kernel about each, all drawn together to their mean so
that the covariance stays the samples' (West 1993, J. R. Stat. Soc. B 55, 409). It follows bent and
lopsided distributions, can be drawn from, and its density is known.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int

from exogan_jax.triangular import cholesky, inverse

_LEAST = 1e-5  # variance added, as a share of each coordinate's own: none of them is flat
_TINY = 1e-12


class Kernels(NamedTuple):
    """A mixture of normal distributions of one shape."""

    centre: Float[Array, "n d"]
    root: Float[Array, "d d"]  # of the kernels' covariance, lower triangular
    inverse: Float[Array, "d d"]  # the root's
    whitened: Float[Array, "n d"]  # centres in the kernels' own units


def kernels(samples: Float[Array, "n d"], width: float) -> Kernels:
    """Of samples, equally weighted.

    Args:
      samples: (n, d).
      width: of a kernel in that of all samples, between 0 and 1, where it is their normal
        distribution.
    """
    mean = samples.mean(axis=0, keepdims=True)
    centred = samples - mean
    covariance = centred.T @ centred / samples.shape[0]
    covariance += jnp.diag(_LEAST * jnp.diagonal(covariance) + _TINY)
    root = width * cholesky(covariance)
    back = inverse(root)
    centre = mean + (1 - width**2) ** 0.5 * centred
    return Kernels(centre, root, back, centre @ back.T)


def draws(
    mixture: Kernels, chosen: Int[Array, " m"], unit: Float[Array, "m d"]
) -> Float[Array, "m d"]:
    """Draws of the mixture, from the numbers of their kernels and unit normal ones."""
    return mixture.centre[chosen] + unit @ mixture.root.T


def log_density(mixture: Kernels, x: Float[Array, "m d"]) -> Float[Array, " m"]:
    """Log density of the mixture at some points."""
    n, d = mixture.centre.shape
    distance = jnp.square((x @ mixture.inverse.T)[:, None] - mixture.whitened[None]).sum(axis=2)
    volume = jnp.log(jnp.diagonal(mixture.root)).sum() + 0.5 * d * jnp.log(2 * jnp.pi)
    return logsumexp(-0.5 * distance, axis=1) - jnp.log(n) - volume
