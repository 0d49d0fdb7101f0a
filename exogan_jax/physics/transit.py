"""The forward model: a planet's transmission spectrum from its parameters.

Hydrostatic atmosphere in plane-parallel layers of log pressure, constant mixing ratios, absorption
by the table's gases, Rayleigh scattering, collision-induced absorption, and on request a grey cloud
deck over all or a part of the terminator and a power-law haze. Discretised as TauREx 3 does
(Al-Refaie et al. 2021, ApJ 917, 37), which made the reference spectra, with the radii of Zingales &
Waldmann (2018).
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from exogan_jax.atmosphere import (
    BOTTOM_PRESSURE,
    HE_H2_RATIO,
    LARGEST_EXTENT,
    SUN_RADIUS_M,
    TOP_PRESSURE,
    Mixture,
    mix,
)
from exogan_jax.parameters import UNITS
from exogan_jax.physics.absorption import Continuum, Lines, hidden_area
from exogan_jax.physics.blocks import in_blocks
from exogan_jax.physics.hydrostatic import Chords, chords, extent_of
from exogan_jax.physics.interpolate import at_temperature, bracket, interpolation_weights
from exogan_jax.physics.opacity import OpacityTable
from exogan_jax.physics.rayleigh import LOSCHMIDT_M3, rayleigh_cross_section

HAZE_REFERENCE_UM = 0.35
#: Numbers (wavelengths x spectra), and spectra, that a CPU cache holds at once. Of few wavelengths
#: it is twice as many spectra, which takes a twentieth off WFC3's time.
_BLOCK, _MOST_SPECTRA, _FEW_WAVELENGTHS = 8192, 16, 64
MASS_KG, RADIUS_M = UNITS["M_J"], UNITS["R_J"]


# A GPU or TPU multiplies float32 matrices in fewer bits unless told otherwise: too few for ppm.
@jax.default_matmul_precision("highest")
def transit_depth(
    theta: Float[ArrayLike, " gas+3"],
    table: OpacityTable,
    *,
    temperature_profile: Float[ArrayLike, " layer"] | None = None,
    cloud_top_pressure: Float[ArrayLike, ""] | None = None,
    cloud_fraction: Float[ArrayLike, ""] | float = 1.0,
    haze: Float[ArrayLike, "2"] | None = None,
    star_radius: Float[ArrayLike, ""] | float = 1.0,
    n_layers: int = 100,
    bottom_pressure: float = BOTTOM_PRESSURE,
    top_pressure: float = TOP_PRESSURE,
    he_h2_ratio: float = HE_H2_RATIO,
    rayleigh: bool = True,
    cia: bool = True,
) -> Float[Array, " w"]:
    """Transit depth (Rp/Rs)^2 at each of the table's wavelengths.

    Pure and differentiable in `theta`, the table and every array argument; vmap for batches, of
    any size: on a CPU they are computed in blocks that fit its cache. Gradients are not: each takes
    about 8 n_layers x w x (gases + g-points) bytes, so map batches of them in chunks of a few
    (jax.lax.map with a batch_size, or `physics.forward.simulate` with a chunk).

    Args:
      theta: (gas + 3,) log10 of the mixing ratio of each of `table.gases`, planet mass [M_J =
        1.898e27 kg], planet radius at `bottom_pressure` [R_J = 6.9911e7 m], temperature [K].
      table: the opacities.
      temperature_profile: (n_layers,) K from the bottom up, in place of theta's temperature.
      cloud_top_pressure: Pa; the atmosphere is opaque below (at higher pressure). None: clear.
      cloud_fraction: share of the terminator that the cloud covers, 0 to 1.
      haze: (2,) scattering relative to that of H2 at 0.35 um, and the power of wavelength (-4 for
        Rayleigh-like). None: no haze.
      star_radius: R_sun.
      n_layers, bottom_pressure, top_pressure: layers of equal log pressure, Pa.
      he_h2_ratio: number ratio of the filling gases.
      rayleigh, cia: False leaves out scattering by the gases, or collision-induced absorption.

    Returns:
      (w,) transit depths. Traced (under jit, vmap or grad), an atmosphere that is not bound gives
      those of one that just is: see `ForwardModel.exists` for which are.

    Raises:
      ValueError: theta or the profile has another shape; or, called on its own, the planet does
        not hold its atmosphere.
    """
    dtype, n_gases = table.absorption.dtype, len(table.gases)
    order = f": log10 of {', '.join(table.gases)}, then mass, radius and temperature"
    theta = _of_shape("theta", theta, (n_gases + 3,), dtype, order)
    profile = None
    if temperature_profile is not None:
        profile = _of_shape("temperature_profile", temperature_profile, (n_layers,), dtype)
    options = _Options(n_layers, bottom_pressure, top_pressure, he_h2_ratio, rayleigh, cia)
    sky = {
        "cloud_top_pressure": cloud_top_pressure,
        "cloud_fraction": cloud_fraction,
        "haze": haze,
        "star_radius": star_radius,
    }
    given = {name: jnp.asarray(x, dtype) for name, x in sky.items() if x is not None}
    _check_bound(theta, profile, table, options)
    n = table.wavelength_um.size
    most = _MOST_SPECTRA if n > _FEW_WAVELENGTHS else 2 * _MOST_SPECTRA
    size = min(max(_BLOCK // n, 1), most)
    return in_blocks(functools.partial(_depth, options), size)(theta, profile, table, given)


class _Options(NamedTuple):
    n_layers: int
    bottom_pressure: float
    top_pressure: float
    he_h2_ratio: float
    rayleigh: bool
    cia: bool


def _depth(
    options: _Options,
    theta: Float[Array, " gas+3"],
    profile: Float[Array, " layer"] | None,
    table: OpacityTable,
    sky: dict[str, Array],
) -> Float[Array, " w"]:
    """See `transit_depth`."""
    n_gases, n_layers = len(table.gases), options.n_layers
    mixture = mix(10.0 ** theta[:n_gases], table.molar_mass, table.background, options.he_h2_ratio)
    mass, radius, temperature = theta[n_gases:]
    geometry = chords(
        mass * MASS_KG,
        radius * RADIUS_M,
        jnp.full(n_layers, temperature) if profile is None else profile,
        mixture.mean_mass,
        bottom_pressure=options.bottom_pressure,
        top_pressure=options.top_pressure,
    )
    column = geometry.path * geometry.density[None, :]  # amagat m
    lines = _lines(mixture, table, geometry, column, temperature, profile)
    smooth = _scattering(mixture, table, column, options.rayleigh, sky.get("haze"))
    if options.cia:
        collisions = _collisions(mixture, table, geometry, column, temperature, profile)
        smooth = Continuum(*map(jnp.concatenate, zip(smooth, collisions, strict=True)))
    ring = 2 * geometry.radius * geometry.thickness / jnp.square(radius * RADIUS_M)
    clear, below = ring, jnp.zeros_like(radius)
    if "cloud_top_pressure" in sky:
        ratio = jnp.asarray(options.bottom_pressure / options.top_pressure, theta.dtype)
        cloud = _cloud(geometry, sky["cloud_top_pressure"], jnp.log(ratio) / n_layers)
        cover = sky["cloud_fraction"] * cloud
        clear, below = ring * (1 - cover), ring @ cover
    opaque = jnp.square(radius * (RADIUS_M / SUN_RADIUS_M) / sky["star_radius"])
    return opaque * (1 + below + hidden_area(clear, lines, smooth))


def _of_shape(
    name: str, values: ArrayLike, shape: tuple[int], dtype: jnp.dtype, order: str = ""
) -> Array:
    array = jnp.asarray(values, dtype)
    if array.shape != shape:
        raise ValueError(
            f"{name} must be {shape}{order}; got {array.shape}. Use jax.vmap for batches"
        )
    return array


def _check_bound(
    theta: Float[Array, " gas+3"],
    profile: Float[Array, " layer"] | None,
    table: OpacityTable,
    options: _Options,
) -> None:
    """Refuses an atmosphere that is not bound, where its numbers are known."""
    if any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves((theta, profile, table))):
        return
    mixture = mix(10.0 ** theta[:-3], table.molar_mass, table.background, options.he_h2_ratio)
    extent = extent_of(
        theta[-3] * MASS_KG,
        theta[-2] * RADIUS_M,
        theta[-1] if profile is None else profile.mean(),
        mixture.mean_mass,
        math.log(options.bottom_pressure / options.top_pressure),
    )
    if extent <= LARGEST_EXTENT:
        return
    raise ValueError(
        "the planet does not hold its atmosphere: scale height x ln(bottom/top pressure) is "
        f"{float(extent):.2f} planet radii, more than {LARGEST_EXTENT:.2f}. It needs more "
        "mass, a smaller radius or a lower temperature"
    )


def _scattering(
    mixture: Mixture,
    table: OpacityTable,
    column: Float[Array, "layer layer"],
    rayleigh: bool,
    haze: Float[Array, "2"] | None,
) -> Continuum:
    """Of the gases and the haze; of nothing where there are none."""
    opacity = jnp.zeros_like(table.wavelength_um)
    if rayleigh:
        opacity += jnp.concatenate([mixture.gases, mixture.filling]) @ table.rayleigh
    if haze is not None:
        opacity += mixture.filling[0] * _haze(table, haze)
    return Continuum(column.sum(1)[None], opacity[None])


def _collisions(
    mixture: Mixture,
    table: OpacityTable,
    geometry: Chords,
    column: Float[Array, "layer layer"],
    temperature: Float[Array, ""],
    profile: Float[Array, " layer"] | None,
) -> Continuum:
    """Collision-induced absorption."""
    names = (*table.gases, "h2", "he")
    fractions = dict(zip(names, (*mixture.gases, *mixture.filling), strict=True))
    product = jnp.stack([fractions[a] * fractions[b] for a, b in table.pairs])
    squared = column * geometry.density[None, :]
    if profile is None:
        kappa = product @ at_temperature(table.cia_temperature, table.cia, temperature)
        return Continuum(squared.sum(1)[None], kappa[None])
    weights = interpolation_weights(table.cia_temperature, profile)
    return Continuum((squared @ weights).T, jnp.tensordot(table.cia, product, axes=(1, 0)))


def _lines(
    mixture: Mixture,
    table: OpacityTable,
    geometry: Chords,
    column: Float[Array, "layer layer"],
    temperature: Float[Array, ""],
    profile: Float[Array, " layer"] | None,
) -> Lines:
    """The gases' absorption.

    Interpolation in pressure is linear in the cross-section, so it folds into the columns: the sum
    over layers becomes one over the table's few pressures.
    """
    in_pressure = interpolation_weights(table.log10_pressure, jnp.log10(geometry.pressure))
    if profile is None:
        node, between = bracket(table.temperature, temperature)
        fraction = between if table.temperature.size > 1 else None
        nodes, reduced = table.absorption, column @ in_pressure
    else:
        in_temperature = interpolation_weights(table.temperature, profile)
        both = in_temperature[:, :, None] * in_pressure[:, None, :]
        node, fraction = jnp.zeros((), int), None
        nodes = table.absorption.reshape(1, -1, *table.absorption.shape[2:])
        reduced = column @ both.reshape(profile.size, -1)
    return Lines(reduced.T, mixture.gases, nodes, node, fraction, table.g_weight)


def _cloud(
    geometry: Chords, top_pressure: Float[Array, ""], step: Float[Array, ""]
) -> Float[Array, " layer"]:
    """Opaque share of each layer: 1 below the cloud's top, a part of the layer that holds it, so
    that the gradient exists.
    """
    above = jnp.log(top_pressure / geometry.pressure)
    return 1 - jnp.clip(above / step + 0.5, 0.0, 1.0)


def _haze(table: OpacityTable, haze: Float[Array, "2"]) -> Float[Array, " w"]:
    """Haze absorption per amagat of H2, m^-1."""
    strength, power = haze
    reference = float(rayleigh_cross_section("h2", np.array(HAZE_REFERENCE_UM)))
    shape = (table.wavelength_um / HAZE_REFERENCE_UM) ** power
    return strength * (reference * LOSCHMIDT_M3) * shape
