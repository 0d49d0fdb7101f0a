"""Writing the table: CF-packed NetCDF-4 with provenance, replaced atomically."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from data_prep.grid import GASES, WAVELENGTH_UM
from data_prep.opacities.bins import G_WEIGHT, LOG10_FLOOR, PRESSURE, TEMPERATURE
from exogan_jax.files.atomic import replacing

ATOM = {"H": 1.00794, "C": 12.011, "O": 15.9994, "Na": 22.98976928, "K": 39.0983}
MOLAR_MASS: np.ndarray = np.array(
    [
        2 * ATOM["H"] + ATOM["O"],
        ATOM["C"] + 2 * ATOM["O"],
        ATOM["C"] + ATOM["O"],
        ATOM["C"] + 4 * ATOM["H"],
    ]
)

#: The same with sodium and potassium.
PHYSICAL_GASES = (*GASES, "na", "k")
PHYSICAL_MOLAR_MASS: np.ndarray = np.array([*MOLAR_MASS, ATOM["Na"], ATOM["K"]])

PACKED = ("log10_cross_section", "log10_cia")


def packing(values: np.ndarray) -> dict:
    """CF packing of an array into int16, over its own range."""
    low, high = float(np.min(values)), float(np.max(values))
    scale = max(high - low, 1e-9) / 65000.0  # of a constant array too
    return {
        "dtype": "int16",
        "_FillValue": np.int16(-32768),  # never used: the range maps to -32500..32500
        "scale_factor": scale,
        "add_offset": low + 32500.0 * scale,
        "zlib": True,
        "complevel": 9,
        "shuffle": True,
    }


def dataset(
    log10_cross_section: np.ndarray,
    log10_cia: np.ndarray,
    pairs: Sequence[str],
    attrs: Mapping[str, str],
    *,
    temperature: np.ndarray = TEMPERATURE,
    pressure: np.ndarray = PRESSURE,
    gases: Sequence[str] = GASES,
    molar_mass: np.ndarray = MOLAR_MASS,
) -> xr.Dataset:
    """The table as an xarray dataset.

    Args:
      log10_cross_section: (gas, g, temperature, pressure, 515), m^2 / molecule.
      log10_cia: (pair, temperature, 515), m^-1 amagat^-2.
      pairs: names of the collision pairs.
      attrs: the file's global attributes.
      temperature, pressure: nodes [K, Pa]; the temperatures are those of CIA too.
      gases, molar_mass: names and masses [u].

    Raises:
      ValueError: an array holds NaN, infinities or values below the floor.
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
            "molar_mass": ("gas", np.array(molar_mass), {"units": "u"}),
        },
        coords={
            "gas": ("gas", list(gases)),
            "pair": ("pair", list(pairs)),
            "temperature": ("temperature", np.array(temperature), {"units": "K"}),
            "pressure": ("pressure", np.array(pressure), {"units": "Pa"}),
            "cia_temperature": ("cia_temperature", np.array(temperature), {"units": "K"}),
        },
    )
    out = out.assign_attrs(attrs)
    return out.assign_attrs(fingerprint=fingerprint(out))


def fingerprint(table: xr.Dataset) -> str:
    """SHA-256 over the arrays as stored: the same before writing and after reading."""
    digest = hashlib.sha256()
    for name in sorted(str(name) for name in table.variables):
        values = table[name].values
        digest.update(name.encode())
        if name in PACKED:
            rule = packing(values)
            codes = np.rint((values - rule["add_offset"]) / rule["scale_factor"])
            digest.update(np.ascontiguousarray(codes.astype("<i2")).tobytes())
        elif values.dtype.kind in "OU":
            digest.update(" ".join(str(v) for v in values).encode())
        else:
            digest.update(np.ascontiguousarray(values.astype("<f8")).tobytes())
    return "sha256:" + digest.hexdigest()


def write(table: xr.Dataset, path: Path) -> None:
    """Writes the file all at once, so that readers never see half a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encoding = {name: packing(table[name].values) for name in PACKED}
    with replacing(path) as temporary:
        table.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)
