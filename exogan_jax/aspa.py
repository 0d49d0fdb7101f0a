"""The Atmospheric Spectral and Parameters Array (ASPA): one spectrum and its seven parameters
folded into a 33 x 33 image in [0, 1] (Zingales & Waldmann 2018, section 3.1 and figure 2).

All functions are pure, act on one array, and may be jitted, vmapped and differentiated.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from exogan_jax import grid

SIZE = 33
_INNER = 23  # side of area 1, which holds the spectrum
_N_MAX_PIXELS = 12  # of the 23 normalisation pixels of a section, the first 12 hold its maximum
_N_COLUMN_SECTIONS = 7  # sections 0..6 are normalised in columns, 7..13 in rows
_N_PADDING = _INNER * _INNER - grid.N_WAVELENGTH

#: Names that `mask` accepts, as in the published code.
MASK_NAMES = ("parameters", "wfc3", "random", "center", "left", "full", "grid", "lowres")

_THETA_SCALE = np.array([-1 / 8, -1 / 8, -1 / 8, -1 / 8, 1 / 2, 1 / 1.5, 1 / 2000])
_SECTION_OF_POINT = np.repeat(np.arange(grid.N_SECTIONS), np.diff(grid.SECTION_EDGES))
# Section bounds as normalised: the last one stops short of the five bluest points.
_SECTIONS = tuple(
    (start, min(stop, grid.N_ENCODED))
    for start, stop in zip(grid.SECTION_EDGES[:-1], grid.SECTION_EDGES[1:], strict=True)
)


def normalise_theta(theta: Float[ArrayLike, "7"]) -> Float[Array, "7"]:
    """Parameter pixels of an ASPA: -log10(X)/8, M/(2 M_J), R/(1.5 R_J), T/2000 K.

    Args:
      theta: (7,) in the order and units of `grid.PARAMETERS`.

    Returns:
      (7,) pixel values, in [0, 1] for parameters within the published bounds.
    """
    theta = jnp.asarray(theta)
    return theta * jnp.asarray(_THETA_SCALE, jnp.result_type(theta, jnp.float32))


def denormalise_theta(pixels: Float[ArrayLike, "7"]) -> Float[Array, "7"]:
    """Inverse of `normalise_theta`."""
    pixels = jnp.asarray(pixels)
    return pixels / jnp.asarray(_THETA_SCALE, jnp.result_type(pixels, jnp.float32))


def encode(depth: Float[ArrayLike, "515"], theta: Float[ArrayLike, "7"]) -> Float[Array, "33 33"]:
    """Folds a spectrum and its parameters into an ASPA.

    Equal to the published code, its last section included: points 510..513 are stored as 0, point
    514 as the raw depth, and neither enters that section's normalisation. A constant section is
    stored as zeros; a minimum that is not positive has normalisation pixels of 0.

    Args:
      depth: (515,) transit depths (Rp/Rs)^2 for a star of 1 R_sun, on `grid.WAVELENGTH_UM`.
      theta: (7,) parameters in the order and units of `grid.PARAMETERS`.

    Returns:
      (33, 33) array.
    """
    depth = jnp.asarray(depth)
    theta = jnp.asarray(theta)
    if depth.shape != (grid.N_WAVELENGTH,) or theta.shape != (grid.N_PARAMETERS,):
        raise ValueError(
            f"encode takes depth (515,) and theta (7,), got {depth.shape} and {theta.shape}; "
            "use jax.vmap for batches"
        )
    low = jnp.stack([depth[a:b].min() for a, b in _SECTIONS])
    high = jnp.stack([depth[a:b].max() for a, b in _SECTIONS])
    span = high - low
    # A double `where` keeps the gradient finite in a constant section.
    scale = jnp.where(span > 0, 1 / jnp.where(span > 0, span, 1.0), 0.0)
    spectrum = (depth - low[_SECTION_OF_POINT]) * scale[_SECTION_OF_POINT]
    spectrum = spectrum.at[grid.N_ENCODED : -1].set(0.0).at[-1].set(depth[-1])
    padding = jnp.full(_N_PADDING, depth.mean() / grid.DEPTH_MAX, depth.dtype)
    area1 = jnp.concatenate([spectrum, padding]).reshape(_INNER, _INNER)

    inverse = jnp.where(low > 0, grid.DEPTH_MIN / jnp.where(low > 0, low, 1.0), 0.0)
    bars = jnp.concatenate(  # (14, 23): each section's normalisation pixels
        [
            jnp.repeat(high[:, None] / grid.DEPTH_MAX, _N_MAX_PIXELS, 1),
            jnp.repeat(inverse[:, None], _INNER - _N_MAX_PIXELS, 1),
        ],
        axis=1,
    )
    h2o, co2, co, ch4, mass, radius, temperature = normalise_theta(theta)
    columns = jnp.concatenate(  # (23, 10), right of area 1
        [bars[:_N_COLUMN_SECTIONS].T]
        + [jnp.broadcast_to(value, (_INNER, 1)) for value in (co2, co, ch4)],
        axis=1,
    )
    rows = jnp.concatenate(  # (10, 23), below area 1
        [bars[_N_COLUMN_SECTIONS:]]
        + [jnp.broadcast_to(value, (1, _INNER)) for value in (mass, radius, temperature)],
        axis=0,
    )
    corner = jnp.broadcast_to(h2o, (SIZE - _INNER, SIZE - _INNER))
    return jnp.block([[area1, columns], [rows, corner]])


def decode_theta(aspa: Float[ArrayLike, "33 33"]) -> Float[Array, "7"]:
    """Reads the parameters from an ASPA: the mean of each strip (H2O: of the last 3 x 3 pixels).

    Returns:
      (7,) in the order and units of `grid.PARAMETERS`.
    """
    aspa = jnp.asarray(aspa)
    pixels = jnp.stack(
        [
            aspa[30:, 30:].mean(),
            aspa[:_INNER, 30].mean(),
            aspa[:_INNER, 31].mean(),
            aspa[:_INNER, 32].mean(),
            aspa[30, :_INNER].mean(),
            aspa[31, :_INNER].mean(),
            aspa[32, :_INNER].mean(),
        ]
    )
    return denormalise_theta(pixels)


def section_bounds(
    aspa: Float[ArrayLike, "33 33"],
) -> tuple[Float[Array, "14"], Float[Array, "14"]]:
    """Reads each section's minimum and maximum depth from the normalisation pixels.

    A minimum whose pixels are 0 (the published code's mark for a minimum <= 0) reads as 0.
    """
    aspa = jnp.asarray(aspa)
    bars = jnp.concatenate([aspa[:_INNER, _INNER:30].T, aspa[_INNER:30, :_INNER]])
    high = grid.DEPTH_MAX * bars[:, :_N_MAX_PIXELS].mean(axis=1)
    inverse = bars[:, _N_MAX_PIXELS:].mean(axis=1)
    low = jnp.where(inverse > 0, grid.DEPTH_MIN / jnp.where(inverse > 0, inverse, 1.0), 0.0)
    return low, high


def decode(aspa: Float[ArrayLike, "33 33"]) -> tuple[Float[Array, "515"], Float[Array, "7"]]:
    """Unfolds an ASPA into its spectrum and parameters.

    The five bluest points (below 0.317 um) are not recoverable from the published layout: they
    come back near the last section's minimum, as in the published code.

    Args:
      aspa: (33, 33) array, encoded or generated.

    Returns:
      depth (515,) on `grid.WAVELENGTH_UM` and theta (7,) in the units of `grid.PARAMETERS`.
    """
    aspa = jnp.asarray(aspa)
    if aspa.shape != (SIZE, SIZE):
        raise ValueError(f"decode takes one (33, 33) array, got {aspa.shape}; use jax.vmap")
    low, high = section_bounds(aspa)
    pixels = aspa[:_INNER, :_INNER].reshape(-1)[: grid.N_WAVELENGTH]
    depth = low[_SECTION_OF_POINT] + pixels * (high - low)[_SECTION_OF_POINT]
    return depth, decode_theta(aspa)


def mask(name: str, key: jax.Array | None = None) -> Float[Array, "33 33"]:
    """A published mask by name, 1 where the array is observed and 0 where it is hidden.

    Args:
      name: one of `MASK_NAMES`. `lowres` hides every pixel, as the published code does (it
        compares block means instead).
      key: PRNG key for `random`, which hides each pixel with probability 0.2; not used otherwise.

    Raises:
      ValueError: unknown name, or `random` without a key.
    """
    if name == "random":
        if key is None:
            raise ValueError("mask('random') needs a PRNG key: mask('random', jax.random.key(0))")
        return (jax.random.uniform(key, (SIZE, SIZE)) >= 0.2).astype(jnp.float32)
    out = np.ones((SIZE, SIZE), np.float32)
    if name == "parameters":
        out[30:, :] = out[:, 30:] = out[_INNER:, _INNER:] = 0
    elif name == "wfc3":
        visible = np.zeros(_INNER * _INNER, np.float32)
        visible[334:384] = 1
        out[:_INNER, :_INNER] = visible.reshape(_INNER, _INNER)
        out[25:, :] = out[:, _INNER:] = 0
    elif name == "center":
        out[8:24, 8:24] = 0
    elif name == "left":
        out[:, : SIZE // 2] = 0
    elif name == "grid":
        out[:] = 0
        out[::4, ::4] = 1
    elif name == "lowres":
        out[:] = 0
    elif name != "full":
        raise ValueError(f"unknown mask {name!r}: choose one of {', '.join(MASK_NAMES)}")
    return jnp.asarray(out)


def observed_mask(observed: Float[ArrayLike, "515"]) -> Float[Array, "33 33"]:
    """The mask of a partial observation, in the sense of the paper's pixel loss.

    A point's pixel is known only if its section's minimum and maximum are, so a section is visible,
    with its normalisation pixels, when all its encoded points were observed. The mean of the
    spectrum is visible only when everything was; the parameters never are.

    Args:
      observed: (515,) booleans, True where the grid's bin was observed (see `observed_points`).

    Returns:
      (33, 33) mask, 1 = visible.
    """
    observed = jnp.asarray(observed).astype(bool)
    complete = jnp.stack([observed[a:b].all() for a, b in _SECTIONS])
    points = complete[_SECTION_OF_POINT].at[grid.N_ENCODED :].set(False)
    area1 = jnp.concatenate([points, jnp.broadcast_to(observed.all(), (_N_PADDING,))])
    out = jnp.zeros((SIZE, SIZE), bool)
    out = out.at[:_INNER, :_INNER].set(area1.reshape(_INNER, _INNER))
    out = out.at[:_INNER, _INNER:30].set(complete[None, :_N_COLUMN_SECTIONS])
    out = out.at[_INNER:30, :_INNER].set(complete[_N_COLUMN_SECTIONS:, None])
    return out.astype(jnp.float32)


def observed_points(wavelength_um: Float[ArrayLike, " n"]) -> Float[Array, "515"]:
    """Which of the grid's 515 bins hold at least one observed wavelength.

    Args:
      wavelength_um: (n,) wavelengths in um, any order. Bins are bounded half-way (in log
        wavelength) between grid points; wavelengths outside 0.300-50.4 um are ignored.

    Returns:
      (515,) booleans.
    """
    position = jnp.log(jnp.asarray(wavelength_um) / 0.3015) / np.log(1.01)
    index = grid.N_WAVELENGTH - 1 - jnp.round(position).astype(int)
    # A wavelength off the grid gets an index past the end, which is dropped.
    index = jnp.where(index < 0, grid.N_WAVELENGTH, index)
    return jnp.zeros(grid.N_WAVELENGTH, bool).at[index].set(True, mode="drop")
