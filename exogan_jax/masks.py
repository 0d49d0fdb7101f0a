"""Which pixels of an array are observed, and which hidden: the published code's masks by name, and
that of a partial observation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from exogan_jax.folding import expand

if TYPE_CHECKING:
    from exogan_jax.layout import Layout

#: Names that `named_mask` accepts, as in the published code.
MASK_NAMES = ("parameters", "wfc3", "random", "center", "left", "full", "grid", "lowres")
_WFC3_UM = 1.1, 1.82  # what the mask of that name leaves visible


def named_mask(
    layout: Layout, name: str, key: jax.Array | None = None
) -> Float[Array, "side side"]:
    """A mask by name, 1 where an array is observed and 0 where it is hidden.

    Args:
      layout: of the array.
      name: one of `MASK_NAMES`. `wfc3` leaves the sections that lie within 1.1-1.82 um; `lowres`
        hides every pixel, as the published code does (it compares block means instead).
      key: PRNG key for `random`, which hides each pixel with probability 0.2; not used otherwise.

    Raises:
      ValueError: unknown name, or `random` without a key.
    """
    side, n = layout.side, layout.inner
    if name == "random":
        if key is None:
            raise ValueError("mask('random') needs a PRNG key: mask('random', jax.random.key(0))")
        return (jax.random.uniform(key, (side, side)) >= 0.2).astype(jnp.float32)
    out = np.ones((side, side), np.float32)
    if name == "parameters":
        first = side - layout.n_strips
        out[first:, :] = out[:, first:] = out[n:, n:] = 0
    elif name == "wfc3":
        inside = (layout.wavelength_um >= _WFC3_UM[0]) & (layout.wavelength_um <= _WFC3_UM[1])
        return _of_sections(layout, jnp.asarray([inside[s].all() for s in layout.section_slices]))
    elif name == "center":
        out[side // 4 : side * 3 // 4, side // 4 : side * 3 // 4] = 0
    elif name == "left":
        out[:, : side // 2] = 0
    elif name == "grid":
        out[:] = 0
        out[::4, ::4] = 1
    elif name == "lowres":
        out[:] = 0
    elif name != "full":
        raise ValueError(f"unknown mask {name!r}: choose one of {', '.join(MASK_NAMES)}")
    return jnp.asarray(out)


def observed_mask(layout: Layout, observed: Bool[ArrayLike, " w"]) -> Float[Array, "side side"]:
    """The mask of a partial observation, in the sense of the paper's pixel loss.

    A point's pixel is known only if its section's minimum and maximum are, so a section is visible,
    with its strip, when all its encoded points were observed. The mean of the spectrum is visible
    only when everything was; the parameters never are.

    Args:
      layout: of the array.
      observed: (w,) True where the grid's bin was observed (see `observed_points`).

    Returns:
      (side, side) mask, 1 = visible.
    """
    observed = jnp.asarray(observed).astype(bool)
    complete = jnp.stack([observed[s].all() for s in layout.section_slices])
    return _of_sections(layout, complete, observed.all())


def _of_sections(
    layout: Layout, visible: Bool[Array, " section"], mean: Bool[Array, ""] | bool = False
) -> Float[Array, "side side"]:
    """Some sections with their strips, and the copies of the mean or not."""
    points = layout.to_points(visible).at[layout.n_usable :].set(False)
    padding = jnp.broadcast_to(jnp.asarray(mean), (layout.inner**2 - layout.n_wavelength,))
    parameters = jnp.zeros(len(layout.parameters), bool)
    vector = jnp.concatenate([points, padding, visible, visible, parameters])
    return expand(layout, vector.astype(jnp.float32))


def observed_points(
    layout: Layout, wavelength_um: Float[ArrayLike, " n"]
) -> Bool[np.ndarray, " w"]:
    """Which of the grid's bins hold at least one observed wavelength.

    Args:
      layout: whose grid it is.
      wavelength_um: (n,) um, any order. Bins are bounded half-way, in log wavelength, between grid
        points; wavelengths off the grid are ignored.

    Returns:
      (w,) booleans.
    """
    centre = np.sort(np.log(layout.wavelength_um))
    middle = (centre[1:] + centre[:-1]) / 2
    first, last = 2 * centre[0] - middle[0], 2 * centre[-1] - middle[-1]
    edges = np.concatenate([[first], middle, [last]])
    found = np.searchsorted(edges, np.log(np.asarray(wavelength_um, np.float64)), side="right")
    seen = np.zeros(layout.n_wavelength + 2, bool)
    seen[found] = True
    inside = seen[1:-1]
    return inside[::-1] if layout.wavelength_um[0] > layout.wavelength_um[-1] else inside
