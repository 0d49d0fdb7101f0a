"""Latents that begin with the parameters.

A GAN's latents mean nothing by themselves, and its arrays follow the training set's distribution no
better than the adversary makes them: on ASPAs the decoded depths are hundreds of ppm off. But every
training array carries its parameters. An anchored generator gets them as the first entries of the
latent, scaled to [-1, 1], and is told, beside the adversary's verdict, which array belongs to them.
Uniform latents then are the uniform prior: the generated parameters have its distribution by
construction, and no mode can be dropped.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from exogan_jax.parameters import Parameters


def anchored_latents(
    z: Float[Array, "n latent_dim"], theta: Float[Array, "n d"], parameters: Parameters
) -> Float[Array, "n latent_dim"]:
    """Latents that belong to parameters: these, scaled, in place of the first entries.

    Args:
      z: (n, latent_dim) latents, latent_dim at least d.
      theta: (n, d) parameters of the training arrays, in their units.
      parameters: the problem's.
    """
    anchor = parameters.to_anchor(theta)
    return jnp.concatenate([anchor, z[:, anchor.shape[1] :]], axis=1)
