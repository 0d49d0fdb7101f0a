"""How well a generated spectrum agrees with an observation's depths and their errors.

A generator errs in two ways. Its normalised spectrum is wrong by some per cent of a section's
range, and the minimum and maximum by which a section is decoded are wrong by hundreds of ppm: more
than the features that tell gases apart. A plain chi-square of decoded depths would be ruled by the
second error, and the fit would flatten a section rather than get its shape right. So each section's
minimum and maximum are nuisance parameters here: known from the array up to the generator's own
error, and fitted to the data, in closed form, within it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from exogan_jax.gan.model import GeneratorError
from exogan_jax.layout import Layout, Values
from exogan_jax.physics.observation import Observation, binning_operator

UNIT = 1e-4  # depths are compared in units of 100 ppm about a reference, for float32's sake


class DepthTarget(NamedTuple):
    """An observation ready for comparison; points that count nothing have a weight of 0.

    Only the k grid points that its bins touch are compared; there may be more, of no weight.
    """

    point: Int[Array, " k"]  # indices of those grid points
    section_of: Float[Array, "section k"]  # 1 where a grid point lies in a section
    operator: Float[Array, "k n"]  # takes a model spectrum there to the observation's bins
    section: Float[Array, "n section"]  # 1 where a bin lies in a section; 0 for bins that cross two
    depth: Float[Array, " n"]  # above `reference`, in UNIT
    weight: Float[Array, " n"]  # 1/s^2 of bins within one section, UNIT^-2
    crossing: Int[Array, " c"]  # which bins cross sections
    crossing_weight: Float[Array, " c"]  # 1/s^2 of these, UNIT^-2
    reference: Float[Array, ""]  # depth that all depths are counted from
    low_error: Float[Array, " section"]  # the generator's error of a section's minimum, in UNIT
    high_error: Float[Array, " section"]  # and of its maximum


def chi_squares(
    values: Values, target: DepthTarget
) -> tuple[Float[Array, " n"], Float[Array, " c"], Float[Array, " bound"]]:
    """How badly a spectrum fits, each section's bounds fitted to the data.

    Row vectors times matrices, so that many spectra side by side are plain matrix products.

    Args:
      values: as generated, with the pixels of `target.point` (k,).
      target: the observation.

    Returns:
      chi-square of each bin that lies in a section (n,); of each that crosses sections (c,); and of
      each bound's departure from its own value, minima then maxima (2 sections,).
    """
    low = (values.low - target.reference) / UNIT
    high = (values.high - target.reference) / UNIT
    shape = values.pixels @ target.operator
    w, d = target.weight, target.depth
    weighted = w * shape
    sums = jnp.stack([w, w * d, weighted, weighted * shape, weighted * d]) @ target.section
    total, data, first, second, product = sums
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
    fitted = minimum @ target.section.T + (span @ target.section.T) * shape
    departure = jnp.concatenate(
        [jnp.square(minimum - low) * prior_low, jnp.square(minimum + span - high) * prior_high]
    )
    # Bins that cross sections are compared as decoded; mostly there are none, or few.
    generated = low @ target.section_of + values.pixels * ((high - low) @ target.section_of)
    across = generated @ target.operator[:, target.crossing] - d[target.crossing]
    return w * jnp.square(d - fitted), target.crossing_weight * jnp.square(across), departure


@jax.default_matmul_precision("highest")
def depth_loss(values: Values, target: DepthTarget) -> Float[Array, ""]:
    """Half chi-square of a spectrum, its sections' bounds fitted within the generator's error."""
    return 0.5 * jnp.concatenate(chi_squares(values, target)).sum()


@jax.default_matmul_precision("highest")
def robust_depth_loss(values: Values, target: DepthTarget) -> Float[Array, ""]:
    """`depth_loss` near the optimum, linear in the residuals far from it.

    A random start is hundreds of sigma off in some terms and a few in others. Squared, the first
    would rule the way down, and lead to poor local minima.
    """
    return (jnp.sqrt(1 + jnp.concatenate(chi_squares(values, target))) - 1).sum()


def touched_points(operator: Float[np.ndarray, "n w"]) -> Int[np.ndarray, " k"]:
    """Grid points that bear on an observation, by its `binning_operator`."""
    return np.flatnonzero(np.any(operator != 0, axis=0))


def pad(values: np.ndarray, *sizes: int | None) -> Any:
    """Values padded with zeros to `sizes` (None: as they are), float32; NumPy until compared."""
    widths = [(0, (size or n) - n) for size, n in zip(sizes, values.shape, strict=True)]
    return np.pad(values, widths).astype(np.float32)


def depth_target(
    observation: Observation,
    layout: Layout,
    error: GeneratorError,
    n_points: int | None = None,
    n_touched: int | None = None,
    n_crossing: int | None = None,
) -> DepthTarget:
    """Prepares an observation for `depth_loss`.

    s^2 = sigma^2 + s_gen^2. Within a section s_gen is the generator's pixel error times the range
    of the observed depths; for a bin that crosses sections it is the error of their bounds. Bins
    that an array does not hold (bluer than 0.317 um in the published layout) and bins off the grid
    count nothing.

    Args:
      observation: as checked by `physics.observation.check`.
      layout: the generator's.
      error: the generator's.
      n_points, n_touched, n_crossing: pad to so many bins, grid points and bins that cross
        sections, so that different observations stack.
    """
    wavelength, half_width, depth, sigma = (np.asarray(x, np.float64) for x in observation[:4])
    operator = binning_operator(wavelength, half_width, layout.wavelength_um)
    usable, within = _sorted_bins(operator, layout)
    span = np.array([np.ptp(depth[row]) if row.any() else 0.0 for row in within])
    pixel_error = (operator @ np.asarray(error.pixel, np.float64)) * (span @ within)
    low, high = (np.asarray(x, np.float64) for x in (error.low, error.high))
    bound_error = operator @ np.maximum(low, high)[layout.section_of_point]
    inside = within.any(axis=0)
    crossing = np.flatnonzero(usable & ~inside)
    weight = np.where(inside, 1 / (sigma**2 + pixel_error**2), 0.0)
    crossing_weight = 1 / (sigma**2 + bound_error**2)[crossing]
    reference = float(np.median(depth))
    point = touched_points(operator)

    n, k, c, s = n_points, n_touched, n_crossing, layout.n_sections
    section = np.arange(s)[:, None] == layout.section_of_point
    return DepthTarget(
        point=pad(point, k).astype(np.int32),
        section_of=pad(section[:, point].astype(np.float64), s, k),
        operator=pad(operator[:, point].T, k, n),
        section=pad(within.astype(np.float64).T, n, s),
        depth=pad((depth - reference) / UNIT, n),
        weight=pad(weight * UNIT**2, n),
        crossing=pad(crossing, c).astype(np.int32),
        crossing_weight=pad(crossing_weight * UNIT**2, c),
        reference=pad(np.array([reference]), 1)[0],
        low_error=pad(low / UNIT, s),
        high_error=pad(high / UNIT, s),
    )


def _sorted_bins(
    operator: Float[np.ndarray, "n w"], layout: Layout
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, "section n"]]:
    """Which bins an array holds, and in which section those lie that lie in one."""
    usable = operator[:, : layout.n_usable].sum(axis=1) > 0.999
    section = np.arange(layout.n_sections)[:, None] == layout.section_of_point
    return usable, (section @ operator.T > 0.999) & usable


def sizes(observation: Observation, layout: Layout) -> tuple[int, int, int]:
    """Numbers of bins, of grid points that they touch, and of bins that cross sections."""
    wavelength, half_width = (np.asarray(x, np.float64) for x in observation[:2])
    operator = binning_operator(wavelength, half_width, layout.wavelength_um)
    usable, within = _sorted_bins(operator, layout)
    return len(wavelength), touched_points(operator).size, int(np.sum(usable & ~within.any(axis=0)))
