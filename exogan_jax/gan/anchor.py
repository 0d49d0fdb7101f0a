"""Latents that begin with the parameters.

A GAN's latents mean nothing by themselves, and its arrays follow the training set's distribution no
better than the adversary makes them: on ASPAs the decoded depths are hundreds of ppm off. But every
training array carries its parameters. An anchored generator gets them as the first seven entries of
the latent, scaled to [-1, 1], and is told, beside the adversary's verdict, which array belongs to
them. Uniform latents then are the uniform prior: the generated parameters have its distribution by
construction, and no mode can be dropped.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from exogan_jax import aspa as aspa_layout
from exogan_jax import grid


def scale_theta(theta: Float[ArrayLike, "7"]) -> Float[Array, "7"]:
    """Parameters in the units of `grid.PARAMETERS` to [-1, 1] between the published bounds."""
    low, high = (jnp.asarray(x, jnp.float32) for x in (grid.LOWER, grid.UPPER))
    return 2 * (jnp.asarray(theta, jnp.float32) - low) / (high - low) - 1


def unscale_theta(latent: Float[ArrayLike, "7"]) -> Float[Array, "7"]:
    """Inverse of `scale_theta`."""
    low, high = (jnp.asarray(x, jnp.float32) for x in (grid.LOWER, grid.UPPER))
    return low + 0.5 * (jnp.asarray(latent, jnp.float32) + 1) * (high - low)


def anchored_latents(
    z: Float[Array, "n latent_dim"], aspa: Float[Array, "n 33 33"]
) -> Float[Array, "n latent_dim"]:
    """Latents that belong to arrays: their parameters, scaled, in place of the first seven entries.

    Args:
      z: (n, latent_dim) latents, latent_dim at least 7.
      aspa: (n, 33, 33) training arrays.
    """
    anchor = jax.vmap(lambda x: scale_theta(aspa_layout.decode_theta(x)))(aspa)
    return jnp.concatenate([anchor, z[:, grid.N_PARAMETERS :]], axis=1)
