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

and, if wanted,

  rayleigh_cross_section (species, wavelength)   m^2; the gases, then H2 and He; without it
                                                 scattering is that of `physics.rayleigh`
  the attribute background                       "filling" or "fixed", see `OpacityTable`

Opacities that do not depend on temperature have one node of it. Values may be packed as integers
with scale_factor and add_offset (CF conventions). The global attributes carry the provenance.
Nothing in such a file can run code.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from exogan_jax.physics.rayleigh import LOSCHMIDT_M3, rayleigh_cross_section

BACKGROUNDS = ("filling", "fixed")
EMBEDDED = {"published": "opacities.nc", "physical": "opacities_physical.nc"}
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
_META = ("gases", "pairs", "background")


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
    #: "filling": H2 and He make up what the gases leave. "fixed": they keep the fractions that they
    #: have without other gases, and these come on top, as in the published training set.
    background: str = "filling"


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
    rayleigh: np.ndarray | None = None,
    background: str = "filling",
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
      rayleigh: (gas + 2, w) scattering cross-sections of the gases, H2 and He, m^2 per molecule;
        None computes them with `rayleigh_cross_section`.
      background: "filling" or "fixed", see `OpacityTable`.
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
    if background not in BACKGROUNDS:
        raise ValueError(f"background must be one of {', '.join(BACKGROUNDS)}, not {background!r}")
    if rayleigh is None:
        rayleigh = np.stack(
            [rayleigh_cross_section(gas, wavelength_um) for gas in (*gases, "h2", "he")]
        )
    if np.shape(rayleigh) != (len(gases) + 2, len(wavelength_um)):
        raise ValueError(f"rayleigh has shape {np.shape(rayleigh)}, expected (gas + 2, wavelength)")
    opacities = {"cross_section": cross_section, "cia": cia, "rayleigh": rayleigh}
    for name, values in opacities.items():
        if not np.all(np.isfinite(values)) or np.any(values < 0):
            raise ValueError(f"{name} holds negative or non-finite values")
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
        rayleigh=as_array(rayleigh * LOSCHMIDT_M3),
        cia_temperature=as_array(cia_temperature),
        cia=as_array(np.transpose(cia, (1, 0, 2))),
        background=background,
    )


def load_opacities(path: str | os.PathLike[str] | None = None) -> OpacityTable:
    """Loads an opacity table.

    Args:
      path: a NetCDF file in this module's format; None for the embedded table (R = 100,
        0.30-50.2 um, H2O, CO2, CO, CH4) that reproduces the published training set, whose opacities
        do not depend on temperature; "physical" for the one whose opacities do.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not a NetCDF file, or a variable is missing or ill-formed; names it.
    """
    import xarray as xr

    if path is None or path in EMBEDDED:
        name = EMBEDDED["published" if path is None else str(path)]
        source = importlib.resources.files("exogan_jax") / "assets" / name
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

    scatters = "rayleigh_cross_section" in dataset
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
            rayleigh=read("rayleigh_cross_section") if scatters else None,
            background=str(dataset.attrs.get("background", "filling")),
        )
    except ValueError as error:
        message = str(error)
        raise ValueError(message if str(path) in message else f"{path}: {message}") from None


def _partners(pair: str) -> tuple[str, str]:
    first, _, second = pair.lower().partition("-")
    return first, second


def save_opacities(
    path: str | os.PathLike[str], table: OpacityTable, attributes: Mapping[str, str] | None = None
) -> None:
    """Writes a table in this module's format, replacing the file in one step.

    Args:
      path: where to write.
      table: opacities below 1e-60 m^2 are written as that.
      attributes: global attributes: where the opacities are from, licences, citations.
    """
    import xarray as xr

    path = Path(path)
    sigma = np.asarray(table.absorption, np.float64).transpose(2, 3, 0, 1, 4) / LOSCHMIDT_M3
    cia = np.asarray(table.cia, np.float64).transpose(1, 0, 2)

    def log10(values: np.ndarray) -> np.ndarray:
        return np.log10(np.maximum(values, 1e-60)).astype(np.float32)

    axes = ("gas", "g", "temperature", "pressure", "wavelength")
    contents = {
        "log10_cross_section": (axes, log10(sigma), {"units": "log10(m2 molecule-1)"}),
        "log10_cia": (
            ("pair", "cia_temperature", "wavelength"),
            log10(cia),
            {"units": "log10(m-1 amagat-2)"},
        ),
        "rayleigh_cross_section": (
            ("species", "wavelength"),
            np.asarray(table.rayleigh, np.float64) / LOSCHMIDT_M3,
            {"units": "m2"},
        ),
        "g_weight": ("g", np.asarray(table.g_weight), {"units": "1"}),
        "wavelength_um": ("wavelength", np.asarray(table.wavelength_um), {"units": "um"}),
        "molar_mass": ("gas", np.asarray(table.molar_mass), {"units": "u"}),
        "gas": ("gas", list(table.gases)),
        "pair": ("pair", ["-".join(pair) for pair in table.pairs]),
        "temperature": ("temperature", np.asarray(table.temperature), {"units": "K"}),
        "pressure": (
            "pressure",
            10.0 ** np.asarray(table.log10_pressure, np.float64),
            {"units": "Pa"},
        ),
        "cia_temperature": ("cia_temperature", np.asarray(table.cia_temperature), {"units": "K"}),
    }
    dataset = xr.Dataset(contents).assign_attrs(
        {**(attributes or {}), "background": table.background}
    )
    part = path.with_name(path.name + ".part")
    encoding = {"log10_cross_section": {"zlib": True, "shuffle": True}}
    dataset.to_netcdf(part, engine="h5netcdf", encoding=encoding)
    os.replace(part, path)
