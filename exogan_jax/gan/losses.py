"""Losses of the GAN and of its inpainting (Zingales & Waldmann 2018, section 3; Goodfellow et al.
2014; R1: Mescheder et al. 2018, arXiv:1801.04406). Every function returns a scalar.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def discriminator_loss(
    real_logits: Float[Array, " n"], fake_logits: Float[Array, " n"]
) -> Float[Array, ""]:
    """Binary cross-entropy of the discriminator: mean(-log D(x)) + mean(-log(1 - D(G(z)))).

    Args:
      real_logits: (n,) logits of training arrays.
      fake_logits: (n,) logits of generated arrays.

    Returns:
      Scalar; 2 log 2 = 1.386 when the discriminator is at chance.
    """
    return jax.nn.softplus(-real_logits).mean() + jax.nn.softplus(fake_logits).mean()


def generator_loss(fake_logits: Float[Array, " n"]) -> Float[Array, ""]:
    """Non-saturating loss of the generator: mean(-log D(G(z))); log 2 = 0.693 at chance."""
    return jax.nn.softplus(-fake_logits).mean()


def r1_penalty(
    score_fn: Callable[[Float[Array, "n ..."]], Float[Array, " n"]],
    real: Float[Array, "n ..."],
    coordinates: Callable[[Array], Array] = lambda gradient: gradient,
) -> Float[Array, ""]:
    """R1 penalty: mean over the batch of |d logit / d image|^2 at real arrays.

    The factor 1/2 of Mescheder et al. (their equation 9, gamma/2 E|grad|^2) is not in here: `step`
    applies it together with the weight gamma.

    Args:
      score_fn: maps a batch of arrays to logits (n,).
      real: (n, ...) training arrays.
      coordinates: linear map of the gradient to the coordinates in which it is measured.
    """
    gradient = coordinates(jax.grad(lambda x: score_fn(x).sum())(real))
    return jnp.square(gradient).sum() / real.shape[0]


def contextual_loss(
    mask: Float[Array, "33 33"], aspa: Float[Array, "33 33"], target: Float[Array, "33 33"]
) -> Float[Array, ""]:
    """The paper's pixel loss of ONE array: sum |mask * (aspa - target)|, mask 1 = visible."""
    return jnp.abs(mask * (aspa - target)).sum()


def perceptual_loss(logit: Float[Array, ""]) -> Float[Array, ""]:
    """The generator's loss of ONE array, -log D(aspa), from its logit."""
    return jax.nn.softplus(-logit)


def anchor_loss(
    fake: Float[Array, "n ..."],
    real: Float[Array, "n ..."],
    coordinates: Callable[[Array], Array] = lambda difference: difference,
) -> Float[Array, ""]:
    """Mean square difference of generated arrays and the training arrays that they should be.

    Args:
      fake: (n, ...) arrays of latents from `anchor.anchored_latents`.
      real: (n, ...) the arrays that these latents belong to.
      coordinates: linear map of the difference to the coordinates in which it is measured.
    """
    return jnp.square(coordinates(fake - real)).mean()
