"""What a generated array is compared with: the observation in physical space (the default), or
the pixels of an ASPA (the paper's loss, `inpaint.pixel_loss`).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from exogan_jax import aspa as aspa_layout
from exogan_jax import grid
from exogan_jax.gan import losses
from exogan_jax.physics.observation import Observation, binning_operator
from exogan_jax.retrieval.inpaint import PixelTarget


class DepthTarget(NamedTuple):
    """An observation ready for comparison; padded points have an infinite sigma."""

    operator: Float[Array, "n 515"]  # takes a model spectrum to the observation's bins
    depth: Float[Array, " n"]
    sigma: Float[Array, " n"]  # the observation's and the generator's errors together


@jax.default_matmul_precision("highest")
def depth_loss(aspa: Float[Array, "33 33"], target: DepthTarget) -> Float[Array, ""]:
    """Half chi-square of the decoded array, 0.5 sum ((d_obs - B d)/s)^2."""
    depth, _ = aspa_layout.decode(aspa)
    return losses.gaussian_loss(target.operator @ depth, target.depth, target.sigma)


def depth_target(
    observation: Observation,
    depth_error: Float[np.ndarray, "515"],
    n_points: int | None = None,
) -> DepthTarget:
    """Prepares an observation for `depth_loss`.

    s^2 = sigma^2 + (the generator's own error at the bin)^2. Bins bluer than 0.317 um, which an
    ASPA does not hold, and bins off the grid get an infinite s.

    Args:
      observation: as checked by `physics.observation.check`.
      depth_error: (515,) the generator's 1-sigma error, `Model.depth_error`.
      n_points: pad to this many points, so that observations of different lengths stack.
    """
    operator = binning_operator(observation.wavelength_um, observation.half_width_um)
    usable = operator[:, : grid.N_ENCODED].sum(axis=1) > 0.999
    sigma = np.hypot(observation.sigma, operator @ np.asarray(depth_error, np.float64))
    sigma = np.where(usable, sigma, np.inf)
    padding = (n_points or len(sigma)) - len(sigma)
    return DepthTarget(
        operator=jnp.asarray(np.pad(operator, ((0, padding), (0, 0))), jnp.float32),
        depth=jnp.asarray(np.pad(np.asarray(observation.depth), (0, padding)), jnp.float32),
        sigma=jnp.asarray(np.pad(sigma, (0, padding), constant_values=np.inf), jnp.float32),
    )


def n_usable(target: DepthTarget) -> int:
    """Number of points that constrain the fit."""
    return int(np.isfinite(np.asarray(target.sigma)).sum())


def grid_spectrum(observation: Observation) -> tuple[np.ndarray, np.ndarray]:
    """An observation on the grid: depth (515,), interpolated, and which bins were observed (515,).

    Used for the paper's pixel loss and for pictures of the input.
    """
    order = np.argsort(observation.wavelength_um)
    depth = np.interp(
        grid.WAVELENGTH_UM,
        np.asarray(observation.wavelength_um)[order],
        np.asarray(observation.depth)[order],
    )
    observed = np.array(aspa_layout.observed_points(jnp.asarray(observation.wavelength_um)))
    for centre, half in zip(observation.wavelength_um, observation.half_width_um, strict=True):
        observed |= np.abs(grid.WAVELENGTH_UM - centre) <= half
    return depth, observed


def pixel_target(observation: Observation) -> PixelTarget:
    """Prepares an observation for the paper's pixel loss.

    Only sections of the ASPA that were observed in full are compared: the others' minimum and
    maximum, which normalise their pixels, are unknown.

    Raises:
      ValueError: no section was observed in full.
    """
    depth, observed = grid_spectrum(observation)
    mask = aspa_layout.observed_mask(jnp.asarray(observed))
    if not np.any(np.asarray(mask)):
        raise ValueError(
            "no section of the ASPA is observed in full, so the paper's pixel loss has nothing to "
            "compare; use the Gaussian likelihood"
        )
    theta = jnp.zeros(grid.N_PARAMETERS)  # masked
    return PixelTarget(aspa_layout.encode(jnp.asarray(depth, jnp.float32), theta), mask)
