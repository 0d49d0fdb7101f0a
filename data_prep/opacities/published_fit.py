"""What the fit to published spectra says about a gas at 1400 K, as a correction of other tables.

The published table is the built one at 1400 K, corrected (`calibrate`), so its ratio to a table of
1400 K corrects that one, and its neighbours in temperature. This is worth having where a file has
ten samples a bin, which miss most line cores: HITRAN's lines of H2O, which the fit never saw, agree
with the fitted bins at 1000 K, 1e5 Pa, 1.33-1.45 um to 0.04-0.08 dex (bin to bin), with the file's
own to 0.2, and the strongest tenth of a bin is 0.2-0.5 dex too weak in the file, right to 0.1 in
the fit.

CO2 is left alone where only its rare isotopes absorb, which the published set does not have. CO is
computed, and has no such noise. CH4 goes without: the set's is too strong bluer than 1.1 um.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter1d

from data_prep.grid import WAVELENGTH_UM
from data_prep.opacities.bins import G_WEIGHT, LOG10_FLOOR, PRESSURE
from data_prep.opacities.calibrate import LOG10_LEAST

PUBLISHED = importlib.resources.files("exogan_jax") / "assets" / "opacities_published.nc"
#: The temperature that the published set's opacities are fitted from [K].
FITTED_AT_K = 1400.0
#: Where less than the whole correction counts: from, to [um] and the share, which rises to 1 over
#: FADE_BINS on both sides. At 3.57-3.70 and 6.85-8.35 um the set, without 18O, has next to no CO2.
#: At 3.38-3.57 um it is too low for that reason, and the file, whose rare isotopes there no model
#: has, too high for the opposite one: their geometric mean.
LEFT_OUT: dict[str, tuple[tuple[float, float, float], ...]] = {
    "h2o": (),
    "co2": ((3.38, 3.57, 0.5), (3.57, 3.70, 0.0), (6.85, 8.35, 0.0)),
}
FADE_BINS = 5
#: H2O takes the differences of bins and of g from the fit, not the level, in which the set's line
#: list and widths differ from the file's over more than LEVEL_BINS; the file's level is HITRAN's.
KEEPS_LEVEL = {"h2o": False, "co2": True}
LEVEL_BINS = 10.0
#: Beyond this the correction has faded to nothing [um].
LAST_UM = 24.0


def read(path: Path, gas: str) -> np.ndarray:
    """The published table's log10 cross-section of one gas, (g, PRESSURE, 515).

    Raises:
      ValueError: the table has more than one temperature.
    """
    with xr.open_dataset(path, engine="h5netcdf") as file:
        sigma = file["log10_cross_section"].sel(gas=gas)
        if sigma.sizes["temperature"] != 1:
            raise ValueError(f"{path}: not the published table, it has several temperatures")
        values = sigma.values[:, 0].astype(np.float64)
        nodes = np.log10(file["pressure"].values)
    at = np.log10(PRESSURE)
    flat = values.transpose(0, 2, 1).reshape(-1, len(nodes))
    rows = np.stack([np.interp(at, nodes, row) for row in flat])
    return rows.reshape(len(values), -1, len(at)).transpose(0, 2, 1)


def correction(published: np.ndarray, start: np.ndarray) -> np.ndarray:
    """log10 of the factor that makes `start` the published table.

    Args:
      published: (g, pressure, 515), as `read` gives it.
      start: cross-sections at FITTED_AT_K, the same shape, m^2; NaN where it has none.

    Returns:
      (g, pressure, 515); 0 where nothing can be said: redder than LAST_UM, and where both absorb
      less than the fit's floor.
    """
    known = np.isfinite(start) & (WAVELENGTH_UM < LAST_UM)
    floor = 10.0 ** np.maximum(LOG10_LEAST, LOG10_FLOOR)
    logs = np.log10(np.maximum(np.nan_to_num(start, nan=0.0), floor))
    return np.where(known, np.maximum(published, LOG10_LEAST) - logs, 0.0)


def kept(gas: str) -> np.ndarray:
    """Share of the correction that counts, (515,)."""
    index = np.arange(len(WAVELENGTH_UM))
    out = np.ones(len(WAVELENGTH_UM))
    for low, high, share in LEFT_OUT[gas]:
        inside = np.flatnonzero((low < WAVELENGTH_UM) & (high > WAVELENGTH_UM))
        away = np.clip(np.maximum(inside[0] - index, index - inside[-1]) / FADE_BINS, 0, 1)
        out = np.minimum(out, share + (1 - share) * away)
    return out


def level(dex: np.ndarray) -> np.ndarray:
    """The smooth part of a correction (g, pressure, 515) that all g share, (pressure, 515)."""
    mean = np.tensordot(G_WEIGHT, dex, (0, 0))
    return gaussian_filter1d(mean, LEVEL_BINS, axis=-1, mode="nearest")


def added_share(k: np.ndarray, at: int) -> np.ndarray:
    """Share of what the fit adds to CO2 at 1400 K that counts at other temperatures.

    Cool, it is what the gas absorbs of that at 1400 K: in a band all, in a window, where the fit
    adds hot lines, little. Hot, it is the inverse, for then the file has hot lines of its own.
    (What the fit takes away was wrong at any temperature.)

    Args:
      k: (g, temperature, PRESSURE, 515) m^2.
      at: index of FITTED_AT_K.

    Returns:
      The same shape, 0 to 1.
    """
    logs = np.log(np.maximum(k, 10.0**LOG10_FLOOR))
    return np.exp(-np.abs(logs - logs[:, at : at + 1]))


def apply(k: np.ndarray, temperature: np.ndarray, gas: str) -> np.ndarray:
    """The table (g, temperature, PRESSURE, 515) [m^2], corrected, rising in g."""
    at = int(np.argmin(np.abs(temperature - FITTED_AT_K)))
    with importlib.resources.as_file(PUBLISHED) as path:
        dex = correction(read(path, gas), k[:, at])
    dex = kept(gas) * (dex if KEEPS_LEVEL[gas] else dex - level(dex))
    added = np.maximum(dex, 0.0)[:, None] * (added_share(k, at) if gas == "co2" else 1.0)
    return np.sort(k * 10.0 ** (np.minimum(dex, 0.0)[:, None] + added), axis=0)
