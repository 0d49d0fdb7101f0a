"""What an inpainting compares, by name: depths with their errors (the default), or the pixels of an
array (the paper's).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from exogan_jax import masks
from exogan_jax.gan.model import Model
from exogan_jax.layout import Layout, Values
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.inpaint import PixelTarget, pixel_loss
from exogan_jax.retrieval.likelihood import (
    DepthTarget,
    depth_loss,
    depth_target,
    robust_depth_loss,
)

# Starts that end in a poor optimum of the pixel loss should not count like the others: on 100
# simulated spectra this raised the correlation of CO from 0.72 to 0.79, of CH4 from 0.96 to 0.99.
PIXEL_TEMPERATURE = 0.3


class Target(NamedTuple):
    """An observation ready for comparison."""

    depth: DepthTarget
    pixels: PixelTarget | None  # where pixels are compared


class Likelihood(NamedTuple):
    """What is compared. The functions take a model, ONE drawing of its generator, and a target."""

    target: Callable[..., Target]  # observation, model, padded sizes as of `depth_target`
    fit_loss: Callable[[Model, Array, Target], Float[Array, ""]]  # what an optimiser brings down
    energy: Callable[[Model, Array, Target], Float[Array, ""]]  # -log likelihood + constant
    #: model, target -> (latent -> log likelihood), to be sampled; None: the starts are all there is
    log_density: Callable[[Model, Target], Callable[[Array], Float[Array, ""]]] | None


def _depths(observation: Observation, model: Model, *sizes: int | None) -> Target:
    return Target(depth_target(observation, model.layout, model.error, *sizes), None)


def _pixels(observation: Observation, model: Model, *sizes: int | None) -> Target:
    depths = _depths(observation, model, *sizes)
    return depths._replace(pixels=pixel_target(observation, model.layout))


def _touched(model: Model, drawing: Array, target: Target) -> Values:
    values = model.values(drawing)
    return values._replace(pixels=values.pixels[target.depth.point])


def _depth_energy(model: Model, drawing: Array, target: Target) -> Float[Array, ""]:
    return depth_loss(_touched(model, drawing, target), target.depth)


def _robust(model: Model, drawing: Array, target: Target) -> Float[Array, ""]:
    return robust_depth_loss(_touched(model, drawing, target), target.depth)


def _depth_density(model: Model, target: Target) -> Callable[[Array], Float[Array, ""]]:
    generate = model.at_points(target.depth.point)  # once, outside of the sampler's loop
    return lambda latent: -depth_loss(generate(latent), target.depth)


def _pixel_loss(model: Model, drawing: Array, target: Target) -> Float[Array, ""]:
    assert target.pixels is not None
    return pixel_loss(model.image(drawing), target.pixels)


#: By name. "gaussian" compares depths with their errors, "paper" pixels of sections that were
#: observed in full.
LIKELIHOODS = {
    "gaussian": Likelihood(_depths, _robust, _depth_energy, _depth_density),
    "paper": Likelihood(
        _pixels,
        _pixel_loss,
        lambda model, drawing, target: _pixel_loss(model, drawing, target) / PIXEL_TEMPERATURE,
        log_density=None,
    ),
}


def chi2(model: Model, drawing: Array, target: Target) -> Float[Array, ""]:
    """Chi-square of a drawing's depths, the generator's own errors included."""
    return 2 * _depth_energy(model, drawing, target)


def grid_spectrum(
    observation: Observation, layout: Layout
) -> tuple[Float[np.ndarray, " w"], Bool[np.ndarray, " w"]]:
    """An observation on the grid: depth (w,), interpolated, and which bins were observed (w,).

    Used for the paper's pixel loss and for pictures of the input.
    """
    wavelength, half_width, depth, _ = (np.asarray(x, np.float64) for x in observation[:4])
    order = np.argsort(wavelength)
    on_grid = np.interp(layout.wavelength_um, wavelength[order], depth[order])
    observed = np.array(masks.observed_points(layout, wavelength))
    for centre, half in zip(wavelength, half_width, strict=True):
        observed |= np.abs(layout.wavelength_um - centre) <= half
    return on_grid, observed


def pixel_target(observation: Observation, layout: Layout) -> PixelTarget:
    """Prepares an observation for the paper's pixel loss.

    Only sections that were observed in full are compared: the others' minimum and maximum, which
    normalise their pixels, are unknown.

    Raises:
      ValueError: no section was observed in full.
    """
    depth, observed = grid_spectrum(observation, layout)
    mask = masks.observed_mask(layout, jnp.asarray(observed))
    if not np.any(np.asarray(mask)):
        raise ValueError(
            "no section of the ASPA is observed in full, so the paper's pixel loss has nothing to "
            "compare; use the Gaussian likelihood"
        )
    theta = jnp.asarray(layout.parameters.lower, jnp.float32)  # masked
    values = layout.pack(jnp.asarray(depth, jnp.float32), theta)
    return PixelTarget(layout.image(values), mask)
