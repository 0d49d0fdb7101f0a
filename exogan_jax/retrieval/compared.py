"""What an inpainting compares, by name: depths with their errors (the default), or the pixels of an
array (as in the paper).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from exogan_jax import masks
from exogan_jax.gan.altitude import Depths
from exogan_jax.gan.model import LevelError, Model
from exogan_jax.layout import Layout, Values
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.inpaint import PixelTarget, pixel_loss
from exogan_jax.retrieval.latent_prior import LatentPrior
from exogan_jax.retrieval.levels import (
    LevelTarget,
    level_density,
    level_loss,
    level_residuals,
    level_target,
    robust_level_loss,
)
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

    depth: DepthTarget | LevelTarget  # the latter where the networks draw levels
    pixels: PixelTarget | None  # where pixels are compared
    prior: LatentPrior


class Likelihood(NamedTuple):
    """What is compared. The functions take a model, ONE drawing of its generator, and a target."""

    target: Callable[..., Target]  # observation, model, prior, padded sizes as of `depth_target`
    fit_loss: Callable[[Model, Array, Target], Float[Array, ""]]  # what an optimiser brings down
    energy: Callable[[Model, Array, Target], Float[Array, ""]]  # -log likelihood + constant
    #: model, target -> (latent -> log likelihood), to be sampled; None: the starts are all there is
    log_density: Callable[[Model, Target], Callable[[Array], Float[Array, ""]]] | None
    #: model, target -> (latent -> residuals), where the likelihood is one of least squares
    residuals: Callable[[Model, Target], Callable[[Array], Float[Array, " n"]]] | None = None
    #: What `log_density` says of ONE drawing, where there are drawings already.
    of_drawing: Callable[[Model, Array, Target], Float[Array, ""]] | None = None
    unit: float = 1.0  # of `fit_loss` near its optimum, in that of `energy`


def _depths(
    observation: Observation, model: Model, prior: LatentPrior, *sizes: int | None
) -> Target:
    depth: DepthTarget | LevelTarget
    if isinstance(model.error, LevelError):
        depth = level_target(observation, model.layout, model.error, *sizes[:2])
    else:
        depth = depth_target(observation, model.layout, model.error, *sizes)
    return Target(depth, None, prior)


def _pixels(
    observation: Observation, model: Model, prior: LatentPrior, *sizes: int | None
) -> Target:
    depths = _depths(observation, model, prior, *sizes)
    return depths._replace(pixels=pixel_target(observation, model.layout))


def _depth_energy(model: Model, drawing: Array, target: Target) -> Float[Array, ""]:
    return _loss(model.some(drawing, target.depth.point), target)


def _loss(drawn: Values | Depths, target: Target) -> Float[Array, ""]:
    if isinstance(target.depth, LevelTarget):
        assert isinstance(drawn, Depths)
        return level_loss(drawn, target.depth)
    assert isinstance(drawn, Values)
    return depth_loss(drawn, target.depth)


def _robust(model: Model, drawing: Array, target: Target) -> Float[Array, ""]:
    drawn = model.some(drawing, target.depth.point)
    if isinstance(target.depth, LevelTarget):
        assert isinstance(drawn, Depths)
        return robust_level_loss(drawn, target.depth)
    assert isinstance(drawn, Values)
    return robust_depth_loss(drawn, target.depth)


def _depth_density(model: Model, target: Target) -> Callable[[Array], Float[Array, ""]]:
    generate = model.at_points(target.depth.point)  # once, outside of the sampler's loop

    def density(latent: Array) -> Float[Array, ""]:
        return _log_density(generate(latent), target)

    return jax.jit(density)  # traced once, for the dozen places that call it: 2 s of a start


def _of_drawing(model: Model, drawing: Array, target: Target) -> Float[Array, ""]:
    return _log_density(model.some(drawing, target.depth.point), target)


def of_levels(
    model: Model, level: Float[Array, " k"], latent: Float[Array, " d"], target: Target
) -> Float[Array, ""]:
    """`Likelihood.of_drawing` of ONE planet's levels at `target.depth.point`."""
    anchor = latent[: len(model.layout.parameters)]
    return _log_density(model.drawing.depths(level, anchor), target)


def _log_density(drawn: Values | Depths, target: Target) -> Float[Array, ""]:
    """-inf for planets that do not exist, where the networks can tell."""
    if isinstance(target.depth, LevelTarget):
        assert isinstance(drawn, Depths)
        return level_density(drawn, target.depth)
    return -_loss(drawn, target)


def _depth_residuals(model: Model, target: Target) -> Callable[[Array], Float[Array, " n"]]:
    generate = model.at_points(target.depth.point)

    def residuals(latent: Array) -> Float[Array, " n"]:
        drawn = generate(latent)
        assert isinstance(drawn, Depths) and isinstance(target.depth, LevelTarget)
        return level_residuals(drawn, target.depth)

    return jax.jit(residuals)  # as above


def _pixel_loss(model: Model, drawing: Array, target: Target) -> Float[Array, ""]:
    assert target.pixels is not None
    return pixel_loss(model.image(drawing), target.pixels)


#: By name. "gaussian" compares depths with their errors, "paper" pixels of sections that were
#: observed in full.
LIKELIHOODS = {
    "gaussian": Likelihood(
        _depths, _robust, _depth_energy, _depth_density, _depth_residuals, _of_drawing
    ),
    "paper": Likelihood(
        _pixels,
        _pixel_loss,
        lambda model, drawing, target: _pixel_loss(model, drawing, target) / PIXEL_TEMPERATURE,
        log_density=None,
        unit=PIXEL_TEMPERATURE,
    ),
}


def usable_bins(target: Target) -> Bool[np.ndarray, " n"]:
    """Which bins constrain the fit; those that only pad do not."""
    usable = np.asarray(target.depth.weight) > 0
    if isinstance(target.depth, DepthTarget):
        counts = np.asarray(target.depth.crossing_weight) > 0
        usable[np.asarray(target.depth.crossing)[counts]] = True
    return usable


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


def of_drawing(name: str) -> Callable[[Model, Array, Target], Float[Array, ""]]:
    """`Likelihood.of_drawing` of a likelihood that is sampled: such have one."""
    found = LIKELIHOODS[name].of_drawing
    assert found is not None
    return found
