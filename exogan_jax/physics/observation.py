"""An observed transmission spectrum, and the operator that bins a model onto it."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from exogan_jax import grid


class Observation(NamedTuple):
    """One observed spectrum; the star's radius is already divided out.

    `depth` is (Rp/R_sun)^2: an observed (Rp/Rs)^2 times (Rs/R_sun)^2. A half width of 0 means that
    the depth is that of the grid's own R = 100 bin at that wavelength.
    """

    wavelength_um: Float[Array | np.ndarray, " n"]  # bin centres [um]
    half_width_um: Float[Array | np.ndarray, " n"]  # half of each bin's width [um]
    depth: Float[Array | np.ndarray, " n"]  # transit depth for a star of 1 R_sun
    sigma: Float[Array | np.ndarray, " n"]  # 1-sigma error of the depth


def check(observation: Observation, name: str = "observation") -> Observation:
    """Returns the observation as float64 NumPy arrays, or says what is wrong with it.

    Args:
      observation: four arrays of one length, wavelengths in any order.
      name: what to call it in the error, a file name for instance.

    Raises:
      ValueError: naming the observation, the first bad point and the remedy.
    """
    fields = [np.asarray(jax.device_get(x), np.float64) for x in observation]
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

    for label, values in zip(Observation._fields, fields, strict=True):
        reject(~np.isfinite(values), values, f"{label} is not finite", "remove the point")
    reject(wavelength <= 0, wavelength, "wavelength is not positive", "give it in um")
    low, high = grid.WAVELENGTH_UM[-1] / 1.005, grid.WAVELENGTH_UM[0] * 1.005
    if not np.any((wavelength >= low) & (wavelength <= high)):
        median = float(np.median(wavelength))
        unit = "Angstrom" if median >= 3000 and median > 1e4 * high / 50 else "nm"
        hint = f"; if they are in {unit}, convert them to um" if median > high else ""
        raise ValueError(
            f"{name}: no wavelength lies on the model's grid of {low:.2f}-{high:.1f} um "
            f"(they run from {wavelength.min():g} to {wavelength.max():g}){hint}"
        )
    reject(half_width < 0, half_width, "negative bin width", "give widths in um")
    reject(sigma <= 0, sigma, "error is not positive", "give 1-sigma errors above 0")
    reject(depth <= 0, depth, "depth is not positive", "give (Rp/Rs)^2, not a relative depth")
    reject(depth >= 1, depth, "depth is 1 or more", "give (Rp/Rs)^2 as a fraction, not % or ppm")
    return Observation(*fields)


def binning_operator(
    wavelength_um: Float[np.ndarray, " n"],
    half_width_um: Float[np.ndarray, " n"],
    model_wavelength_um: Float[np.ndarray, " m"] = grid.WAVELENGTH_UM,
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
      by more than half a step, is zero.
    """
    model = np.asarray(model_wavelength_um, np.float64)
    order = np.argsort(model)
    x = model[order]
    centre = np.asarray(wavelength_um, np.float64)
    half = np.asarray(half_width_um, np.float64)
    inside = (centre >= x[0] * np.sqrt(x[0] / x[1])) & (centre <= x[-1] * np.sqrt(x[-1] / x[-2]))
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
        low, high = x[:-1], x[1:]
        start = np.clip(a[wide, None], low, high)
        stop = np.clip(b[wide, None], low, high)
        length = stop - start
        share = ((start + stop) / 2 - low) / (high - low)  # of the right end, at the piece's middle
        exact = np.zeros((wide.size, x.size))
        exact[:, :-1] += length * (1 - share)
        exact[:, 1:] += length * share
        weights[wide] = exact / exact.sum(axis=1, keepdims=True)
    weights[~inside] = 0
    out = np.empty_like(weights)
    out[:, order] = weights
    return out
