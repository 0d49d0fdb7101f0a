"""The opacity table: cross-sections or k-distributions of the gases, CIA and Rayleigh scattering.

File format: NetCDF-4 with dimensions gas, g, temperature, pressure, wavelength, pair and
cia_temperature, and the variables

  gas (gas), pair (pair)           names, "h2o" or "H2-He"
  wavelength_um (wavelength)       um, ascending or descending
  temperature (temperature)        K, ascending
  pressure (pressure)              Pa, ascending
  g_weight (g)                     quadrature weights, summing to 1; one of 1 for cross-sections
  molar_mass (gas)                 u
  log10_cross_section (gas, g, temperature, pressure, wavelength)   log10 of m^2 per molecule
  cia_temperature (cia_temperature)                                 K, ascending
  log10_cia (pair, cia_temperature, wavelength)                     log10 of m^-1 amagat^-2

Values may be packed as integers with scale_factor and add_offset (CF conventions). The global
attributes carry the provenance. Nothing in such a file can run code.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import os
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from exogan_jax.physics.rayleigh import LOSCHMIDT_M3, rayleigh_cross_section

BACKGROUND = ("h2", "he")
_DATA = (
    "wavelength_um",
    "temperature",
    "log10_pressure",
    "g_weight",
    "molar_mass",
    "absorption",
    "rayleigh",
    "cia_temperature",
    "cia",
)
_META = ("gases", "pairs")


@partial(jax.tree_util.register_dataclass, data_fields=_DATA, meta_fields=_META)
@dataclasses.dataclass(frozen=True)
class OpacityTable:
    """Opacities of a set of gases on one wavelength grid, as a pytree.

    Absorption is kept per amagat of the gas (cross-section times Loschmidt's number), which stays
    within float32's range where m^2 per molecule times molecules per m^2 would not.
    """

    gases: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]  # collision partners, ("h2", "he")
    wavelength_um: Float[Array, " w"]
    temperature: Float[Array, " t"]  # K, ascending
    log10_pressure: Float[Array, " p"]  # of Pa, ascending
    g_weight: Float[Array, " g"]
    molar_mass: Float[Array, " gas"]  # u
    absorption: Float[Array, "t p gas g w"]  # m^-1 amagat^-1
    rayleigh: Float[Array, "species w"]  # m^-1 amagat^-1; the gases, then H2 and He
    cia_temperature: Float[Array, " c"]  # K, ascending
    cia: Float[Array, "c pair w"]  # m^-1 amagat^-2


def make_table(
    *,
    gases: tuple[str, ...],
    wavelength_um: np.ndarray,
    temperature: np.ndarray,
    pressure: np.ndarray,
    g_weight: np.ndarray,
    molar_mass: np.ndarray,
    cross_section: np.ndarray,
    cia_temperature: np.ndarray,
    cia: np.ndarray,
    pairs: tuple[tuple[str, str], ...] = (("h2", "h2"), ("h2", "he")),
    dtype: type = np.float32,
) -> OpacityTable:
    """Builds a table from arrays.

    Args:
      gases: names in lower case.
      wavelength_um: (w,) um.
      temperature: (t,) K, ascending.
      pressure: (p,) Pa, ascending.
      g_weight: (g,) quadrature weights summing to 1.
      molar_mass: (gas,) u.
      cross_section: (gas, g, t, p, w) m^2 per molecule.
      cia_temperature: (c,) K, ascending.
      cia: (pair, c, w) m^-1 amagat^-2.
      pairs: collision partners of each `cia` entry.
      dtype: of the arrays; float64 needs JAX's 64-bit mode.

    Raises:
      ValueError: shapes that do not fit, axes not ascending, weights that do not sum to 1, or
        negative or non-finite opacities.
    """
    shape = (len(gases), len(g_weight), len(temperature), len(pressure), len(wavelength_um))
    if np.shape(cross_section) != shape:
        raise ValueError(f"cross_section has shape {np.shape(cross_section)}, expected {shape}")
    if np.shape(cia) != (len(pairs), len(cia_temperature), len(wavelength_um)):
        raise ValueError(f"cia has shape {np.shape(cia)}, expected (pair, temperature, wavelength)")
    if len(molar_mass) != len(gases):
        raise ValueError(f"{len(molar_mass)} molar masses for {len(gases)} gases")
    axes = {"temperature": temperature, "pressure": pressure, "cia_temperature": cia_temperature}
    for name, axis in axes.items():
        if not np.all(np.diff(axis) > 0):
            raise ValueError(f"{name} must be strictly ascending")
    if abs(np.sum(g_weight) - 1) > 1e-3:
        raise ValueError(f"g_weight must sum to 1, not {np.sum(g_weight):g}")
    for name, values in (("cross_section", cross_section), ("cia", cia)):
        if not np.all(np.isfinite(values)) or np.any(values < 0):
            raise ValueError(f"{name} holds negative or non-finite values")
    scattering = [rayleigh_cross_section(gas, wavelength_um) for gas in gases + BACKGROUND]
    as_array = partial(jnp.asarray, dtype=dtype)
    return OpacityTable(
        gases=tuple(gases),
        pairs=tuple(pairs),
        wavelength_um=as_array(wavelength_um),
        temperature=as_array(temperature),
        log10_pressure=as_array(np.log10(pressure)),
        g_weight=as_array(g_weight),
        molar_mass=as_array(molar_mass),
        absorption=as_array(np.transpose(cross_section, (2, 3, 0, 1, 4)) * LOSCHMIDT_M3),
        rayleigh=as_array(np.stack(scattering) * LOSCHMIDT_M3),
        cia_temperature=as_array(cia_temperature),
        cia=as_array(np.transpose(cia, (1, 0, 2))),
    )


def load_opacities(path: str | os.PathLike[str] | None = None) -> OpacityTable:
    """Loads an opacity table.

    Args:
      path: a NetCDF file in this module's format; None for the embedded table (R = 100,
        0.30-50.2 um, H2O, CO2, CO, CH4).

    Raises:
      FileNotFoundError: no such file.
      ValueError: not a NetCDF file, or a variable is missing or ill-formed; names it.
    """
    import xarray as xr

    if path is None:
        source = importlib.resources.files("exogan_jax") / "assets" / "opacities.nc"
        with importlib.resources.as_file(source) as embedded:
            return load_opacities(embedded)
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such opacity table")
    try:
        dataset = xr.load_dataset(path, engine="h5netcdf")
    except OSError as error:
        raise ValueError(f"{path}: not a NetCDF-4 file ({error})") from None

    def read(name: str) -> np.ndarray:
        if name not in dataset:
            raise ValueError(f"{path}: not an opacity table: variable {name!r} is missing")
        return dataset[name].values

    try:
        return make_table(
            gases=tuple(str(gas) for gas in read("gas")),
            pairs=tuple(_partners(str(pair)) for pair in read("pair")),
            wavelength_um=read("wavelength_um").astype(np.float64),
            temperature=read("temperature"),
            pressure=read("pressure"),
            g_weight=read("g_weight"),
            molar_mass=read("molar_mass"),
            cross_section=10.0 ** read("log10_cross_section").astype(np.float64),
            cia_temperature=read("cia_temperature"),
            cia=10.0 ** read("log10_cia").astype(np.float64),
        )
    except ValueError as error:
        message = str(error)
        raise ValueError(message if str(path) in message else f"{path}: {message}") from None


def _partners(pair: str) -> tuple[str, str]:
    first, _, second = pair.lower().partition("-")
    return first, second


def bracket(
    nodes: Float[Array, " n"], value: Float[Array, "*shape"]
) -> tuple[Array, Float[Array, "*shape"]]:
    """Index of the node below each value, and the fraction of the way to the next.

    Values outside the nodes are clamped to the edge.
    """
    index = jnp.clip(jnp.searchsorted(nodes, value, side="right") - 1, 0, max(nodes.size - 2, 0))
    if nodes.size == 1:
        return index, jnp.zeros_like(value)
    low = nodes[index]
    fraction = jnp.clip((value - low) / (nodes[index + 1] - low), 0.0, 1.0)
    return index, fraction


def interpolation_weights(
    nodes: Float[Array, " n"], value: Float[Array, " m"]
) -> Float[Array, "m n"]:
    """Matrix of linear interpolation weights from `nodes` to each value, clamped at the edges."""
    index, fraction = bracket(nodes, value)
    below = jax.nn.one_hot(index, nodes.size, dtype=value.dtype)
    above = jax.nn.one_hot(jnp.minimum(index + 1, nodes.size - 1), nodes.size, dtype=value.dtype)
    return below * (1 - fraction)[:, None] + above * fraction[:, None]


def at_temperature(
    nodes: Float[Array, " t"], values: Float[Array, "t *rest"], temperature: Float[Array, ""]
) -> Float[Array, "*rest"]:
    """`values` interpolated linearly to one temperature [K], clamped at the edges."""
    index, fraction = bracket(nodes, temperature)
    upper = jnp.minimum(index + 1, nodes.size - 1)
    return values[index] * (1 - fraction) + values[upper] * fraction
