"""The published training set: its own physics, and its spectra."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep import grid
from data_prep.pkgz import read_chunk
from exogan_jax.physics.rayleigh import LOSCHMIDT_M3, rayleigh_cross_section

#: What the spectra show: 965 of them are fitted to 0.2 ppm (median) so, and to 3 ppm otherwise.
CONVENTIONS = (
    "Opacities and CIA that do not depend on the planet's temperature. H2 and He at 0.85 and 0.15 "
    "whatever the mixing ratios of the other gases, which come on top, in the mean molecular mass "
    "as in scattering. H2 and He scatter as their refractive indices say, without a King factor "
    "(Cox 2000, Allen's Astrophysical Quantities): H2 by 3 % more at 0.44 um than Dalgarno & "
    "Williams (1962). Star of 6.955e8 m."
)
BACKGROUND = "fixed"


class Spectra(NamedTuple):
    """Noise-free spectra with their parameters."""

    wavelength_um: np.ndarray  # (w,) um, points of the ExoGAN grid
    depth: np.ndarray  # (n, w)
    theta: np.ndarray  # (n, 7) in the units of `grid.PARAMETERS`
    source: str


def rayleigh(wavelength_um: np.ndarray) -> np.ndarray:
    """Scattering cross-sections of the gases, H2 and He as in the published set, (6, w) m^2."""
    inverse_square = wavelength_um**-2.0
    index = {
        "h2": 13.58e-5 * (1 + 7.52e-3 * inverse_square),
        "he": 3.48e-5 * (1 + 2.3e-3 * inverse_square),
    }
    gases = [rayleigh_cross_section(gas, wavelength_um) for gas in grid.GASES]
    return np.stack(gases + [_scattering(wavelength_um, index[name]) for name in ("h2", "he")])


def _scattering(wavelength_um: np.ndarray, index_minus_1: np.ndarray) -> np.ndarray:
    n2 = (1 + index_minus_1) ** 2
    polarisation = (n2 - 1) / (LOSCHMIDT_M3 * (n2 + 2))
    return 24 * np.pi**3 * polarisation**2 / (wavelength_um * 1e-6) ** 4


def read_archive(path: Path) -> Spectra:
    """Reads published spectra from an `.npz` archive.

    Args:
      path: holds wavelength_um (w,), transit_depth (n, w), log10_h2o, log10_co2, log10_co,
        log10_ch4, planet_mass_kg, planet_radius_m, temperature_k, (n,) each.

    Raises:
      ValueError: an array is missing, of another shape, or not finite; or a wavelength is not of
        the ExoGAN grid.
    """
    names = [f"log10_{gas}" for gas in grid.GASES]
    names += ["planet_mass_kg", "planet_radius_m", "temperature_k"]
    with np.load(path, allow_pickle=False) as file:
        missing = [n for n in ("wavelength_um", "transit_depth", *names) if n not in file]
        if missing:
            raise ValueError(f"{path}: no array named {', '.join(missing)}")
        wavelength = file["wavelength_um"].astype(np.float64)
        depth = file["transit_depth"].astype(np.float64)
        theta = np.column_stack([file[name].astype(np.float64) for name in names])
    theta[:, 4] /= grid.JUPITER_MASS_KG
    theta[:, 5] /= grid.JUPITER_RADIUS_M
    if depth.shape != (len(theta), len(wavelength)):
        raise ValueError(f"{path}: transit_depth has shape {depth.shape}")
    if not (np.isfinite(depth).all() and np.isfinite(theta).all()):
        raise ValueError(f"{path}: holds values that are not finite")
    grid_index(wavelength, str(path))
    return Spectra(wavelength, depth, theta, path.name)


def read_chunks(paths: Sequence[Path], n_spectra: int) -> Spectra:
    """Reads spectra from published chunks, as many from each.

    Args:
      paths: `chunck_*.pkgz` files.
      n_spectra: how many in all; the first ones of each chunk.

    Raises:
      ChunkError: a chunk is damaged before its share is read, or no chunk.
    """
    each = -(-n_spectra // len(paths))
    entries = [entry for path in paths for entry in islice(read_chunk(path), each)]
    return Spectra(
        np.array(grid.WAVELENGTH_UM),
        np.stack([entry.depth for entry in entries]),
        np.stack([entry.theta for entry in entries]),
        ", ".join(path.name for path in paths),
    )


def grid_index(wavelength_um: np.ndarray, name: str = "wavelengths") -> np.ndarray:
    """Index of each wavelength in the ExoGAN grid.

    Raises:
      ValueError: one of them is not in the grid (to 0.01 %).
    """
    distance = np.abs(np.log(wavelength_um[:, None] / grid.WAVELENGTH_UM[None, :]))
    if np.any(distance.min(axis=1) > 1e-4):
        bad = wavelength_um[np.argmax(distance.min(axis=1))]
        raise ValueError(f"{name}: {bad:g} um is not a wavelength of the ExoGAN grid")
    return np.argmin(distance, axis=1)
