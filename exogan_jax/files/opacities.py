"""Opacity tables as files.

NetCDF-4 with dimensions gas, g, temperature, pressure, wavelength, pair and
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
  the attribute background                       "filling" or "fixed", see
                                                 `physics.opacity.OpacityTable`

Opacities that do not depend on temperature have one node of it. Values may be packed as integers
with scale_factor and add_offset (CF conventions). The global attributes carry the provenance.
Nothing in such a file can run code.
"""

from __future__ import annotations

import importlib.resources
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from exogan_jax.files.atomic import replacing
from exogan_jax.physics.opacity import OpacityTable, make_table
from exogan_jax.physics.rayleigh import LOSCHMIDT_M3

EMBEDDED = {name: f"opacities_{name}.nc" for name in ("planets", "published")}


def load_opacities(name_or_path: str | os.PathLike[str] | None = None) -> OpacityTable:
    """Loads an opacity table.

    Args:
      name_or_path: None or "planets" for the embedded table for real planets (R = 100, 0.30-50.2
        um, 300-3000 K); "published" for the one that reproduces the published training set, whose
        opacities do not depend on temperature; or a NetCDF file in this module's format.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not a NetCDF file, or a variable is missing or ill-formed; names it.
    """
    if name_or_path is None or name_or_path in EMBEDDED:
        name = EMBEDDED["planets" if name_or_path is None else str(name_or_path)]
        source = importlib.resources.files("exogan_jax") / "assets" / name
        with importlib.resources.as_file(source) as embedded:
            return load_opacities(embedded)
    path = Path(name_or_path)
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
    encoding = {"log10_cross_section": {"zlib": True, "shuffle": True}}
    with replacing(path) as temporary:
        dataset.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)
