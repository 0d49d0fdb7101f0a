"""The Atmospheric Spectral and Parameters Array (ASPA) as published: one spectrum and its seven
parameters folded into a 33 x 33 image in [0, 1] (Zingales & Waldmann 2018, section 3.1 and figure
2). Equal to the published code; `layout` says how, and does it for any other problem.

All functions are pure, act on one array, and may be jitted, vmapped and differentiated.
"""

from __future__ import annotations

import jax
from jaxtyping import Array, ArrayLike, Float

from exogan_jax.layout import PUBLISHED
from exogan_jax.masks import MASK_NAMES as MASK_NAMES


def encode(depth: Float[ArrayLike, "515"], theta: Float[ArrayLike, "7"]) -> Float[Array, "33 33"]:
    """Folds a spectrum and its parameters into an ASPA.

    Equal to the published code, its last section included: points 510..513 are stored as 0, point
    514 as the raw depth, and neither enters that section's normalisation. A constant section is
    stored as zeros; a minimum that is not positive has normalisation pixels of 0.

    Args:
      depth: (515,) transit depths (Rp/Rs)^2 for a star of 1 R_sun, on
        `layout.PUBLISHED.wavelength_um`.
      theta: (7,) parameters in the order and units of `layout.PUBLISHED.parameters`.

    Returns:
      (33, 33) array.

    Raises:
      ValueError: other shapes.
    """
    return PUBLISHED.image(PUBLISHED.pack(depth, theta))


def decode(aspa: Float[ArrayLike, "33 33"]) -> tuple[Float[Array, "515"], Float[Array, "7"]]:
    """Unfolds an ASPA into its spectrum and parameters: the mean of each strip (H2O: of the last
    3 x 3 pixels).

    The five bluest points (below 0.317 um) are not recoverable from the published layout: they
    come back near the last section's minimum, as in the published code.

    Args:
      aspa: (33, 33) array, encoded or generated.

    Returns:
      depth (515,) and theta (7,), see `encode`.

    Raises:
      ValueError: another shape.
    """
    return PUBLISHED.unpack(PUBLISHED.values(aspa))


def mask(name: str, key: jax.Array | None = None) -> Float[Array, "33 33"]:
    """A published mask by name, 1 where the array is observed and 0 where it is hidden: see
    `masks.named_mask`.
    """
    return PUBLISHED.mask(name, key)
