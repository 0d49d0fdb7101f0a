"""How a spectrum and its parameters are folded into one array (Zingales & Waldmann 2018, section
3.1 and figure 2), for any wavelengths, sections and parameters.

    area 1    | columns          area 1: the spectrum, row by row, each section scaled to [0, 1],
    ----------+--------                  then copies of its mean
    rows      | corner           columns, rows: a strip for each section's maximum and minimum, then
                                         a strip for each parameter; the corner holds the first one

A layout is static: hashable, an argument that jit may specialise on. Its functions are pure, act on
one spectrum, and may be jitted, vmapped and differentiated.
"""

from __future__ import annotations

import dataclasses
import json
import math
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from exogan_jax import folding, masks
from exogan_jax import parameters as parameters_module
from exogan_jax.parameters import Parameters


class Values(NamedTuple):
    """The independent numbers of an array, in the units of what they stand for."""

    pixels: Float[Array, " w"]  # the spectrum, each section from 0 at `low` to 1 at `high`
    low: Float[Array, " section"]  # smallest depth of each section
    high: Float[Array, " section"]  # largest
    theta: Float[Array, " d"]  # parameters, in their units


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """Wavelengths, sections and parameters of a problem.

    Raises:
      ValueError: wavelengths not monotonic or not positive, sections that do not divide them, a
        side that is too small.
    """

    wavelength_um: Float[np.ndarray, " w"]  # um, strictly descending or ascending
    sections: tuple[int, ...]  # indices that bound the sections, the first 0 and the last w
    parameters: Parameters
    side: int = 0  # of the array; 0 for the smallest
    #: Depths that scale the strips of the sections' bounds; deeper or shallower is allowed.
    depth_range: tuple[float, float] = (1e-4, 0.05)
    #: The published code's: points from this index on do not count in the last section's bounds,
    #: and their pixels are 0, the last one's the depth itself. None: all count.
    n_encoded: int | None = None
    #: Factors from theta to its pixels; None scales the bounds to [0, 1].
    pixel_scale: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        wavelength = np.array(self.wavelength_um, np.float64)
        wavelength.setflags(write=False)
        object.__setattr__(self, "wavelength_um", wavelength)
        object.__setattr__(self, "sections", tuple(int(i) for i in self.sections))
        step = np.diff(wavelength) if wavelength.ndim == 1 else np.zeros(0)
        if not (step.size and np.all(wavelength > 0) and (np.all(step > 0) or np.all(step < 0))):
            raise ValueError("wavelength_um must be 1-D, positive and strictly monotonic")
        edges = np.array(self.sections)
        ends = (edges[0], edges[-1]) if edges.size > 1 else None
        if ends != (0, step.size + 1) or np.any(np.diff(edges) < 1):
            raise ValueError(f"sections must rise from 0 to {step.size + 1}, got {self.sections}")
        if self.n_encoded is not None and not edges[-2] < self.n_encoded <= edges[-1]:
            raise ValueError("n_encoded must lie in the last section")
        if self.pixel_scale is not None and len(self.pixel_scale) != len(self.parameters):
            raise ValueError("pixel_scale needs a factor a parameter")
        if not 0 < self.depth_range[0] < self.depth_range[1]:
            raise ValueError("depth_range must be positive and ascending")
        smallest = self.inner + self.n_column_sections + self.n_strips
        object.__setattr__(self, "side", self.side or smallest)
        if self.side < smallest:
            raise ValueError(f"an array of side {self.side} is too small: it takes {smallest}")

    # What identifies a layout, compared and hashed as a whole.
    @cached_property
    def _key(self) -> tuple[Any, ...]:
        # To a billionth: another processor's powers differ in the last digits.
        wavelength = np.rint(np.log(self.wavelength_um) * 1e9).astype(np.int64)
        rest = (self.sections, self.parameters, self.side, self.depth_range)
        return (wavelength.tobytes(), *rest, self.n_encoded, self.pixel_scale)

    @cached_property
    def _hash(self) -> int:
        return hash(self._key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Layout) and self._key == other._key)

    @property
    def n_wavelength(self) -> int:
        """Number of wavelengths w."""
        return len(self.wavelength_um)

    @property
    def n_sections(self) -> int:
        """Number of sections."""
        return len(self.sections) - 1

    @property
    def n_usable(self) -> int:
        """Points below this index can be read back from an array."""
        return self.n_wavelength if self.n_encoded is None else self.n_encoded

    @property
    def inner(self) -> int:
        """Side of area 1."""
        return math.isqrt(self.n_wavelength - 1) + 1

    @property
    def n_vector(self) -> int:
        """Independent pixels of an array."""
        return self.inner**2 + 2 * self.n_sections + len(self.parameters)

    @property
    def n_column_sections(self) -> int:
        """Sections whose strips are columns; the others' are rows."""
        return (self.n_sections + 1) // 2

    @property
    def n_strips(self) -> int:
        """Strips of parameters per side: with s of them an array holds 2 s + 1 parameters."""
        return len(self.parameters) // 2

    @property
    def n_high(self) -> int:
        """Pixels of a section's strip that hold its maximum; the others hold the minimum."""
        return (self.inner + 1) // 2

    @cached_property
    def section_of_point(self) -> np.ndarray:
        """The section of each wavelength (w,)."""
        return np.repeat(np.arange(self.n_sections), np.diff(self.sections))

    @cached_property
    def section_slices(self) -> tuple[slice, ...]:
        """The points that give each section its bounds."""
        pairs = zip(self.sections[:-1], self.sections[1:], strict=True)
        return tuple(slice(start, min(stop, self.n_usable)) for start, stop in pairs)

    def pack(self, depth: Float[ArrayLike, " w"], theta: Float[ArrayLike, " d"]) -> Values:
        """A spectrum and its parameters as `Values`; a constant section has pixels of 0.

        Args:
          depth: (w,) transit depths on `wavelength_um`.
          theta: (d,) parameters, in their units.

        Raises:
          ValueError: other shapes; use jax.vmap for batches.
        """
        depth, theta = jnp.asarray(depth), jnp.asarray(theta)
        wanted = (self.n_wavelength,), (len(self.parameters),)
        if (depth.shape, theta.shape) != wanted:
            raise ValueError(
                f"depth must be {wanted[0]} and theta {wanted[1]}, got {depth.shape} and "
                f"{theta.shape}; use jax.vmap for batches"
            )
        low = jnp.stack([depth[s].min() for s in self.section_slices])
        high = jnp.stack([depth[s].max() for s in self.section_slices])
        span = high - low
        # A double `where` keeps the gradient finite in a constant section.
        scale = jnp.where(span > 0, 1 / jnp.where(span > 0, span, 1.0), 0.0)
        pixels = (depth - self.to_points(low)) * self.to_points(scale)
        return Values(pixels, low, high, theta)

    def unpack(self, values: Values) -> tuple[Float[Array, " w"], Float[Array, " d"]]:
        """The spectrum (w,) and the parameters (d,) of `Values`."""
        low, span = self.to_points(values.low), self.to_points(values.high - values.low)
        return low + values.pixels * span, values.theta

    def to_points(self, by_section: Float[Array, " section"]) -> Float[Array, " w"]:
        """Each section's number at all of its points."""
        return by_section[self.section_of_point]

    def vector(self, values: Values) -> Float[Array, " v"]:
        """The independent pixels of an array (n_vector,): area 1 row by row, the sections' maxima,
        their minima, the parameters from the second on, the first.
        """
        depth, _ = self.unpack(values)
        largest, smallest = self.depth_range[1], self.depth_range[0]
        pixels = values.pixels
        if self.n_encoded is not None:
            pixels = pixels.at[self.n_encoded : -1].set(0.0).at[-1].set(depth[-1])
        padding = jnp.broadcast_to(depth.mean() / largest, (self.inner**2 - self.n_wavelength,))
        positive = values.low > 0
        inverse = jnp.where(positive, smallest / jnp.where(positive, values.low, 1.0), 0.0)
        theta = self.theta_to_pixels(values.theta)
        parts = (pixels, padding, values.high / largest, inverse, theta[1:], theta[:1])
        return jnp.concatenate(parts)

    def from_vector(self, vector: Float[Array, " v"]) -> Values:
        """Inverse of `vector`; a minimum whose pixel is 0 (a minimum <= 0) is read as 0."""
        return self.from_parts(vector[: self.n_wavelength], vector[self.inner**2 :])

    def from_parts(self, pixels: Float[Array, " k"], rest: Float[Array, " r"]) -> Values:
        """`Values` of some pixels (k,) and of what follows area 1 in a vector."""
        k = self.n_sections
        high = self.depth_range[1] * rest[:k]
        inverse = rest[k : 2 * k]
        positive = inverse > 0
        low = jnp.where(positive, self.depth_range[0] / jnp.where(positive, inverse, 1.0), 0.0)
        theta = self.pixels_to_theta(jnp.concatenate([rest[-1:], rest[2 * k : -1]]))
        return Values(pixels, low, high, theta)

    def theta_to_pixels(self, theta: Float[ArrayLike, " d"]) -> Float[Array, " d"]:
        """Parameters as pixels, in [0, 1] within their bounds."""
        theta = jnp.asarray(theta)
        if self.pixel_scale is None:
            return self.parameters.to_unit(theta)
        return theta * jnp.asarray(self.pixel_scale, theta.dtype)

    def pixels_to_theta(self, pixels: Float[ArrayLike, " d"]) -> Float[Array, " d"]:
        """Inverse of `theta_to_pixels`."""
        pixels = jnp.asarray(pixels)
        if self.pixel_scale is None:
            return self.parameters.from_unit(pixels)
        return pixels / jnp.asarray(self.pixel_scale, pixels.dtype)

    def image(self, values: Values) -> Float[Array, "side side"]:
        """The array of `Values`."""
        return folding.expand(self, self.vector(values))

    def values(self, image: Float[ArrayLike, "side side"]) -> Values:
        """The `Values` of an array, encoded or generated: the mean of each strip.

        Raises:
          ValueError: not one array of this layout; use jax.vmap for batches.
        """
        image = jnp.asarray(image)
        if image.shape != (self.side, self.side):
            wanted = (self.side, self.side)
            raise ValueError(f"needs one {wanted} array, got {image.shape}; use jax.vmap")
        return self.from_vector(folding.reduce(self, image))

    def mask(self, name: str, key: jax.Array | None = None) -> Float[Array, "side side"]:
        """A mask of the published code by name, see `masks.named_mask`."""
        return masks.named_mask(self, name, key)

    def to_json(self) -> str:
        """Text that `from_json` reads: what weights, datasets and tables carry."""
        data = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        data["wavelength_um"] = self.wavelength_um.tolist()
        data["parameters"] = self.parameters.to_json()
        return json.dumps(data)

    @classmethod
    def from_json(cls, text: str) -> Layout:
        """Inverse of `to_json`.

        Raises:
          ValueError: not what `to_json` gives.
        """
        try:
            data = json.loads(text)
            data["parameters"] = Parameters.from_json(data["parameters"])
            for name in ("sections", "depth_range", "pixel_scale"):
                data[name] = None if data[name] is None else tuple(data[name])
            return cls(**data)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a layout ({error})") from None


#: The published one: 515 wavelengths of R = 100 from 50.17 to 0.3015 um in 14 sections, seven
#: parameters, 33 x 33. Its last section's bounds stop short of the five bluest points (below
#: 0.317 um), which cannot be read back; the depths are the extremes of the training set.
PUBLISHED = Layout(
    wavelength_um=0.3015 * 1.01 ** np.arange(514, -1, -1, dtype=np.float64),
    sections=(0, 162, 195, 208, 241, 255, 318, 334, 371, 384, 394, 406, 420, 440, 515),
    parameters=parameters_module.PUBLISHED,
    depth_range=(0.00650370296635, 0.0301803471629),
    n_encoded=510,
    pixel_scale=(-1 / 8, -1 / 8, -1 / 8, -1 / 8, 1 / 2, 1 / 1.5, 1 / 2000),
)
