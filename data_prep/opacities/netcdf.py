"""Writing the table: CF-packed NetCDF-4 with provenance, replaced atomically."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import xarray as xr

from data_prep.opacities.bins import G_WEIGHT, LOG10_FLOOR, PRESSURE, TEMPERATURE
from exogan_jax.grid import GASES, WAVELENGTH_UM

ATOM = {"H": 1.00794, "C": 12.011, "O": 15.9994}
MOLAR_MASS: np.ndarray = np.array(
    [
        2 * ATOM["H"] + ATOM["O"],
        ATOM["C"] + 2 * ATOM["O"],
        ATOM["C"] + ATOM["O"],
        ATOM["C"] + 4 * ATOM["H"],
    ]
)


def packing(values: np.ndarray) -> dict:
    """CF packing of an array into int16, over its own range."""
    low, high = float(np.min(values)), float(np.max(values))
    scale = (high - low) / 65000.0
    return {
        "dtype": "int16",
        "scale_factor": scale,
        "add_offset": low + 32500.0 * scale,
        "zlib": True,
        "complevel": 9,
        "shuffle": True,
    }


def dataset(log10_cross_section: np.ndarray, log10_cia: np.ndarray, pairs, attrs) -> xr.Dataset:
    """The table as an xarray dataset.

    Args:
      log10_cross_section: (gas, g, temperature, pressure, 515), m^2 / molecule.
      log10_cia: (pair, temperature, 515), m^-1 amagat^-2.
    """
    for name, array in (("cross-section", log10_cross_section), ("CIA", log10_cia)):
        if not np.all(np.isfinite(array)) or np.min(array) < LOG10_FLOOR:
            raise ValueError(f"the {name} table holds values below the floor or not finite")
    sigma = ("gas", "g", "temperature", "pressure", "wavelength")
    cia = ("pair", "cia_temperature", "wavelength")
    out = xr.Dataset(
        {
            "log10_cross_section": (sigma, log10_cross_section, {"units": "log10(m2 molecule-1)"}),
            "log10_cia": (cia, log10_cia, {"units": "log10(m-1 amagat-2)"}),
            "g_weight": ("g", np.array(G_WEIGHT), {"units": "1"}),
            "wavelength_um": ("wavelength", np.array(WAVELENGTH_UM), {"units": "um"}),
            "molar_mass": ("gas", MOLAR_MASS, {"units": "u"}),
        },
        coords={
            "gas": ("gas", list(GASES)),
            "pair": ("pair", list(pairs)),
            "temperature": ("temperature", np.array(TEMPERATURE), {"units": "K"}),
            "pressure": ("pressure", np.array(PRESSURE), {"units": "Pa"}),
            "cia_temperature": ("cia_temperature", np.array(TEMPERATURE), {"units": "K"}),
        },
    )
    digest = hashlib.sha256()
    for name in sorted(out.data_vars):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(out[name].values.astype("<f4")).tobytes())
    return out.assign_attrs(attrs | {"fingerprint": "sha256:" + digest.hexdigest()})


def write(table: xr.Dataset, path: Path) -> None:
    """Write to a neighbouring file, then rename, so that readers never see half a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encoding = {name: packing(table[name].values) for name in ("log10_cross_section", "log10_cia")}
    part = path.with_name(path.name + ".part")
    table.to_netcdf(part, engine="h5netcdf", encoding=encoding)
    os.replace(part, path)
