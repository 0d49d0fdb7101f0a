"""An observed transmission spectrum, and the operator that bins a model onto it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float


class Observation(NamedTuple):
    """One observed spectrum; the star's radius is already divided out.

    `depth` is (Rp/R_sun)^2: an observed (Rp/Rs)^2 times (Rs/R_sun)^2. A half width of 0 means that
    the depth is that of the grid's own bin at that wavelength. Fields may be astropy Quantities of
    any unit that converts: `check` converts them.
    """

    wavelength_um: Float[Array | np.ndarray, " n"]  # bin centres [um]
    half_width_um: Float[Array | np.ndarray, " n"]  # half of each bin's width [um]
    depth: Float[Array | np.ndarray, " n"]  # transit depth for a star of 1 R_sun
    sigma: Float[Array | np.ndarray, " n"]  # 1-sigma error of the depth
    instrument: Sequence[str] | str | None = None  # of each point, or of all


_ARRAYS = Observation._fields[:4]


def check(
    observation: Observation,
    name: str = "observation",
    grid_um: Float[np.ndarray, " w"] | None = None,
) -> Observation:
    """Returns the observation as float64 NumPy arrays, or says what is wrong with it.

    Args:
      observation: four arrays of one length, or Quantities, wavelengths in any order.
      name: what to call it in the error, a file name for instance.
      grid_um: (w,) the model's wavelengths; some of the observation's must lie there. None: not
        checked.

    Raises:
      ValueError: naming the observation, the first bad point and the remedy.
    """
    fields = [_plain(getattr(observation, field), field, name) for field in _ARRAYS]
    wavelength, half_width, depth, sigma = fields
    if wavelength.ndim != 1 or any(x.shape != wavelength.shape for x in fields):
        raise ValueError(
            f"{name}: wavelength, half width, depth and sigma must be 1-D and of one length, "
            f"got shapes {', '.join(str(x.shape) for x in fields)}"
        )
    if wavelength.size == 0:
        raise ValueError(f"{name}: no data points")

    def reject(bad: np.ndarray, values: np.ndarray, problem: str, remedy: str) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise ValueError(f"{name}: point {row + 1}: {problem} ({values[row]:g}); {remedy}")

    for label, values in zip(_ARRAYS, fields, strict=True):
        reject(~np.isfinite(values), values, f"{label} is not finite", "remove the point")
    reject(wavelength <= 0, wavelength, "wavelength is not positive", "give it in um")
    if grid_um is not None:
        _check_range(wavelength, np.asarray(grid_um, np.float64), name)
    reject(half_width < 0, half_width, "negative bin width", "give widths in um")
    reject(sigma <= 0, sigma, "error is not positive", "give 1-sigma errors above 0")
    reject(depth <= 0, depth, "depth is not positive", "give (Rp/Rs)^2, not a relative depth")
    reject(depth >= 1, depth, "depth is 1 or more", "give (Rp/Rs)^2 as a fraction, not % or ppm")
    instruments = _instruments(observation.instrument, wavelength.size, name)
    return Observation(wavelength, half_width, depth, sigma, instruments)


def _plain(values: Any, field: str, name: str) -> np.ndarray:
    """Float64 numbers in the field's unit; a Quantity is converted.

    Raises:
      ValueError: a masked value, or a unit that does not convert.
    """
    mask = np.asarray(getattr(values, "mask", False))
    if mask.any():
        first = int(np.flatnonzero(mask)[0])
        raise ValueError(
            f"{name}: point {first + 1}: {field} is masked; leave masked points out of the arrays"
        )
    unit = getattr(values, "unit", None)
    if unit is not None:
        from astropy import units as u

        wanted, remedy = u.dimensionless_unscaled, "as a fraction, or in per cent"
        if field.endswith("_um"):
            wanted, remedy = u.um, "in um"
        try:
            values = u.Quantity(values).to_value(wanted)
        except u.UnitConversionError:
            raise ValueError(f"{name}: {field} is in {unit}; give it {remedy}") from None
    return np.asarray(jax.device_get(values), np.float64)


def _check_range(wavelength: np.ndarray, grid_um: np.ndarray, name: str) -> None:
    low, high = grid_range(grid_um)
    if not np.any((wavelength >= low) & (wavelength <= high)):
        median = float(np.median(wavelength))
        unit = "Angstrom" if median >= 3000 and median > 200 * high else "nm"
        hint = f"; if they are in {unit}, convert them to um" if median > high else ""
        raise ValueError(
            f"{name}: no wavelength lies on the model's grid of {low:.2f}-{high:.1f} um "
            f"(they run from {wavelength.min():g} to {wavelength.max():g}){hint}"
        )


def _instruments(given: Any, n: int, name: str) -> tuple[str, ...] | None:
    if given is None:
        return None
    names = (given,) * n if isinstance(given, str) else tuple(str(x) for x in given)
    if len(names) != n:
        raise ValueError(f"{name}: {len(names)} instruments for {n} points")
    return names


def grid_range(grid_um: Float[np.ndarray, " w"]) -> tuple[float, float]:
    """The outer edges of a grid's bins: half a step, in log wavelength, beyond its ends."""
    x = np.sort(np.asarray(grid_um, np.float64))
    return float(x[0] * np.sqrt(x[0] / x[1])), float(x[-1] * np.sqrt(x[-1] / x[-2]))


def binning_operator(
    wavelength_um: Float[np.ndarray, " n"],
    half_width_um: Float[np.ndarray, " n"],
    model_wavelength_um: Float[np.ndarray, " m"],
) -> Float[np.ndarray, "n m"]:
    """Matrix that takes a model spectrum to an observation's bins.

    A bin's value is the mean over [w - h, w + h] of the straight lines that join the model's
    points: an interpolation for narrow bins, an average for wide ones, exact for linear spectra.

    Args:
      wavelength_um: (n,) bin centres.
      half_width_um: (n,) half widths, 0 for interpolation at the centre.
      model_wavelength_um: (m,) the model's wavelengths, ascending or descending.

    Returns:
      (n, m) float64, rows summing to 1; the row of a bin whose centre lies off the model's grid,
      by more than half a step, is zero. Not to be written to: the last few are kept.
    """
    fields = (wavelength_um, half_width_um, model_wavelength_um)
    return _operator(*(np.asarray(x, np.float64).tobytes() for x in fields))


# Each spectrum needs its operator twice or more, and an instrument's spectra have the same. Few are
# kept: one of 5,000 pixels has 17 MB.
@functools.lru_cache(maxsize=8)
def _operator(wavelength: bytes, half_width: bytes, grid: bytes) -> Float[np.ndarray, "n m"]:
    centre, half, model = (np.frombuffer(x, np.float64) for x in (wavelength, half_width, grid))
    order = np.argsort(model)
    x = model[order]
    low, high = grid_range(x)
    inside = (centre >= low) & (centre <= high)
    a = np.clip(centre - half, x[0], x[-1])
    b = np.clip(centre + half, x[0], x[-1])
    # Below this width the integral loses digits, and the mean is the value at the centre.
    narrow = b - a <= 1e-6 * np.maximum(b, x[0])
    weights = np.zeros((centre.size, x.size))
    rows = np.arange(centre.size)

    middle = np.clip(centre, x[0], x[-1])
    left = np.clip(np.searchsorted(x, middle, side="right") - 1, 0, x.size - 2)
    fraction = (middle - x[left]) / (x[left + 1] - x[left])
    weights[rows, left] = 1 - fraction
    weights[rows, left + 1] = fraction

    wide = np.flatnonzero(~narrow & inside)
    if wide.size:
        left_end, right_end = x[:-1], x[1:]
        start = np.clip(a[wide, None], left_end, right_end)
        stop = np.clip(b[wide, None], left_end, right_end)
        length = stop - start
        # Of the right end, at the piece's middle.
        share = ((start + stop) / 2 - left_end) / (right_end - left_end)
        exact = np.zeros((wide.size, x.size))
        exact[:, :-1] += length * (1 - share)
        exact[:, 1:] += length * share
        weights[wide] = exact / exact.sum(axis=1, keepdims=True)
    weights[~inside] = 0
    out = np.empty_like(weights)
    out[:, order] = weights
    out.flags.writeable = False
    return out
