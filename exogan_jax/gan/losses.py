"""Losses of the GAN and of its inpainting (Zingales & Waldmann 2018, section 3; Goodfellow et al.
2014; R1: Mescheder et al. 2018, arXiv:1801.04406; hinge: Lim & Ye 2017, arXiv:1705.02894;
relativistic: Jolicoeur-Martineau 2018, arXiv:1807.00734). Every function returns a scalar.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

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


def hinge_discriminator_loss(
    real_logits: Float[Array, " n"], fake_logits: Float[Array, " n"]
) -> Float[Array, ""]:
    """mean(max(0, 1 - D(x))) + mean(max(0, 1 + D(G(z)))); 2 when the discriminator is at chance."""
    return jax.nn.relu(1 - real_logits).mean() + jax.nn.relu(1 + fake_logits).mean()


def hinge_generator_loss(fake_logits: Float[Array, " n"]) -> Float[Array, ""]:
    """mean(-D(G(z)))."""
    return -fake_logits.mean()


def relativistic_loss(better: Float[Array, " n"], worse: Float[Array, " n"]) -> Float[Array, ""]:
    """mean(-log sigmoid(better - worse)) of paired logits; log 2 = 0.693 at chance.

    A generator judged against real arrays cannot win by crowding at the ones that the
    discriminator likes best.

    Args:
      better: (n,) logits that should be larger: real ones for the discriminator, generated ones
        for the generator.
      worse: (n,) the others.
    """
    return jax.nn.softplus(worse - better).mean()


class Objective(NamedTuple):
    """What the two networks play for; both functions take real and generated logits (n,)."""

    discriminator: Callable[[Array, Array], Array]
    generator: Callable[[Array, Array], Array]
    generator_sees_real: bool  # whether the generator's depends on the real logits


#: By the name that configurations use; "paper" is the original's.
OBJECTIVES = {
    "paper": Objective(discriminator_loss, lambda real, fake: generator_loss(fake), False),
    "hinge": Objective(
        hinge_discriminator_loss, lambda real, fake: hinge_generator_loss(fake), False
    ),
    "relativistic": Objective(
        relativistic_loss, lambda real, fake: relativistic_loss(fake, real), True
    ),
}


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
    mask: Float[Array, "side side"],
    array: Float[Array, "side side"],
    target: Float[Array, "side side"],
) -> Float[Array, ""]:
    """The paper's pixel loss of ONE array: sum |mask * (array - target)|, mask 1 = visible."""
    return jnp.abs(mask * (array - target)).sum()


def perceptual_loss(logit: Float[Array, ""]) -> Float[Array, ""]:
    """The generator's loss of ONE array, -log D(array), from its logit."""
    return jax.nn.softplus(-logit)


#: Of a mean square whose root is taken: its slope stays finite.
_LEAST = 1e-12


def anchor_loss(
    fake: Float[Array, "n ..."],
    real: Float[Array, "n ..."],
    coordinates: Callable[[Array], Array] = lambda difference: difference,
    root: bool = False,
) -> Float[Array, ""]:
    """Mean square difference of generated arrays and the training arrays that they should be.

    Args:
      fake: (n, ...) arrays of latents from `anchor.anchored_latents`.
      real: (n, ...) the arrays that these latents belong to.
      coordinates: linear map of the difference to the coordinates in which it is measured.
      root: take the root of each array's mean square, and the mean of these: the few arrays that
        are hardest to draw then do not outweigh all others.
    """
    square = jnp.square(coordinates(fake - real)).reshape(len(fake), -1).mean(axis=1)
    return jnp.sqrt(square + _LEAST).mean() if root else square.mean()
