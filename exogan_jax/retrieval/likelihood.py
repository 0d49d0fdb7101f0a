"""What a generated array is compared with: the observation's depths with their errors (the
default), or the pixels of an ASPA (the paper's loss, `inpaint.pixel_loss`).

A generator errs in two ways. Its normalised spectrum is wrong by some per cent of a section's
range, and the minimum and maximum by which a section is decoded are wrong by hundreds of ppm: more
than the features that tell gases apart. A plain chi-square of decoded depths would be ruled by the
second error, and the fit would flatten a section rather than get its shape right. So each section's
minimum and maximum are nuisance parameters here: known from the array up to the generator's own
error, and fitted to the data, in closed form, within it.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from exogan_jax import aspa as aspa_layout
from exogan_jax import grid
from exogan_jax.gan.model import GeneratorError
from exogan_jax.physics.observation import Observation, binning_operator
from exogan_jax.retrieval.inpaint import PixelTarget

UNIT = 1e-4  # depths are compared in units of 100 ppm about a reference, for float32's sake


class DepthTarget(NamedTuple):
    """An observation ready for comparison; points that count nothing have a weight of 0."""

    operator: Float[Array, "n 515"]  # takes a model spectrum to the observation's bins
    section: Float[Array, "14 n"]  # 1 where a bin lies in a section; 0 for bins that cross two
    depth: Float[Array, " n"]  # above `reference`, in UNIT
    weight: Float[Array, " n"]  # 1/s^2 of bins within one section, UNIT^-2
    crossing: Float[Array, " n"]  # 1/s^2 of bins that cross sections, UNIT^-2
    reference: Float[Array, ""]  # depth that all depths are counted from
    low_error: Float[Array, " 14"]  # the generator's error of a section's minimum, in UNIT
    high_error: Float[Array, " 14"]  # and of its maximum


def fitted_depth(
    aspa: Float[Array, "33 33"], target: DepthTarget
) -> tuple[Float[Array, " n"], Float[Array, " n"], Float[Array, "28"]]:
    """The array's spectrum in the observation's bins, each section's bounds fitted to the data.

    Returns:
      depth (n,) above the reference in UNIT; chi-square of each bin (n,); chi-square of each
      bound's departure from the array's own (28,).
    """
    low, high = aspa_layout.section_bounds(aspa)
    low, high = (low - target.reference) / UNIT, (high - target.reference) / UNIT
    pixels = aspa[:23, :23].reshape(-1)[: grid.N_WAVELENGTH]
    shape = target.operator @ pixels
    w, d = target.weight, target.depth
    moments = target.section @ jnp.stack(
        [w, w * shape, w * shape * shape, w * d, w * d * shape], axis=1
    )
    total, first, second, data, product = moments.T
    prior_low, prior_high = 1 / target.low_error**2, 1 / target.high_error**2
    # Normal equations of (minimum, range): maximum = minimum + range.
    a = total + prior_low + prior_high
    b = first + prior_high
    c = second + prior_high
    p = data + low * prior_low + high * prior_high
    q = product + high * prior_high
    determinant = a * c - b * b
    minimum = (c * p - b * q) / determinant
    span = (a * q - b * p) / determinant
    fitted = minimum @ target.section + (span @ target.section) * shape
    decoded, _ = aspa_layout.decode(aspa)
    across = target.operator @ ((decoded - target.reference) / UNIT)
    model = jnp.where(target.crossing > 0, across, fitted)
    chi2 = (w + target.crossing) * jnp.square(d - model)
    departure = jnp.concatenate(
        [jnp.square(minimum - low) * prior_low, jnp.square(minimum + span - high) * prior_high]
    )
    return model, chi2, departure


@jax.default_matmul_precision("highest")
def depth_loss(aspa: Float[Array, "33 33"], target: DepthTarget) -> Float[Array, ""]:
    """Half chi-square of an array, its sections' bounds fitted within the generator's error."""
    _, chi2, departure = fitted_depth(aspa, target)
    return 0.5 * (chi2.sum() + departure.sum())


@jax.default_matmul_precision("highest")
def robust_depth_loss(aspa: Float[Array, "33 33"], target: DepthTarget) -> Float[Array, ""]:
    """`depth_loss` near the optimum, linear in the residuals far from it.

    A random start is hundreds of sigma off in some terms and a few in others. Squared, the first
    would rule the way down, and lead to poor local minima.
    """
    _, chi2, departure = fitted_depth(aspa, target)
    return (jnp.sqrt(1 + jnp.concatenate([chi2, departure])) - 1).sum()


def depth_target(
    observation: Observation, error: GeneratorError, n_points: int | None = None
) -> DepthTarget:
    """Prepares an observation for `depth_loss`.

    s^2 = sigma^2 + s_gen^2. Within a section s_gen is the generator's pixel error times the range
    of the observed depths; for a bin that crosses sections it is the error of their bounds. Bins
    bluer than 0.317 um, which an ASPA does not hold, and bins off the grid count nothing.

    Args:
      observation: as checked by `physics.observation.check`.
      error: the generator's.
      n_points: pad to this many points, so that observations of different lengths stack.
    """
    wavelength, half_width, depth, sigma = (np.asarray(x, np.float64) for x in observation)
    operator = binning_operator(wavelength, half_width)
    usable = operator[:, : grid.N_ENCODED].sum(axis=1) > 0.999
    section_of_point = np.repeat(np.arange(grid.N_SECTIONS), np.diff(grid.SECTION_EDGES))
    share = np.stack(
        [operator[:, section_of_point == s].sum(axis=1) for s in range(grid.N_SECTIONS)]
    )
    within = (share > 0.999) & usable
    span = np.zeros(grid.N_SECTIONS)
    for s in range(grid.N_SECTIONS):
        if within[s].any():
            span[s] = np.ptp(depth[within[s]])
    pixel_error = (operator @ error.pixel) * (span @ within)
    bound_error = operator @ np.maximum(error.low, error.high)[section_of_point]
    inside = within.any(axis=0)
    weight = np.where(inside, 1 / (sigma**2 + pixel_error**2), 0.0)
    crossing = np.where(usable & ~inside, 1 / (sigma**2 + bound_error**2), 0.0)
    reference = float(np.median(depth))
    padding = (n_points or len(depth)) - len(depth)

    def pad(values: np.ndarray) -> Array:
        widths = [(0, 0)] * (values.ndim - 1) + [(0, padding)]
        return jnp.asarray(np.pad(values, widths), jnp.float32)

    return DepthTarget(
        operator=pad(operator.T).T,
        section=pad(within.astype(np.float64)),
        depth=pad((depth - reference) / UNIT),
        weight=pad(weight * UNIT**2),
        crossing=pad(crossing * UNIT**2),
        reference=jnp.asarray(reference, jnp.float32),
        low_error=jnp.asarray(error.low / UNIT, jnp.float32),
        high_error=jnp.asarray(error.high / UNIT, jnp.float32),
    )


def n_usable(target: DepthTarget) -> int:
    """Number of points that constrain the fit."""
    return int(np.sum(np.asarray(target.weight) + np.asarray(target.crossing) > 0))


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
