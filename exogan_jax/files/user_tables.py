"""Opacities in other codes' formats, read through exo_k (Leconte 2021, A&A 645, A20).

TauREx and ExoMolOP cross-sections and k-tables (.h5, .hdf5), petitRADTRANS k-tables of ExoMolOP
(.h5), NEMESIS k-tables (.kta) and Exo_Transmit cross-sections (.dat). Pickled tables are refused:
they could run code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from exogan_jax.files.opacities import load_opacities
from exogan_jax.physics.interpolate import interpolation_weights
from exogan_jax.physics.opacity import OpacityTable, make_table

SUFFIXES = (".h5", ".hdf5", ".kta", ".dat")
#: Cross-sections must have this many samples in the requested bins (median).
MIN_SAMPLES = 8
N_G = 16


class _Source(NamedTuple):
    """One gas's table as its file has it."""

    table: Any  # exo_k.Xtable or exo_k.Ktable, in Pa and m^2 per molecule
    path: Path
    is_k: bool


def read_opacities(
    files: Mapping[str, str | os.PathLike[str]],
    *,
    wavelength_um: Float[ArrayLike, " w"] | None = None,
    g_weight: Float[ArrayLike, " g"] | None = None,
    temperature: Float[ArrayLike, " t"] | None = None,
    pressure: Float[ArrayLike, " p"] | None = None,
    collision: OpacityTable | None = None,
    dtype: type = np.float32,
) -> OpacityTable:
    """Makes a table from one file per gas. Needs exo_k: `pip install 'exogan-jax[prep]'`.

    Args:
      files: path of each gas's file; the gases as formulae, "H2O". Their order is theta's.
      wavelength_um: (w,) centres of the bins wanted [um], which meet half-way in log:
        cross-sections become k-distributions, k-tables are binned down. None keeps the files' own
        grid, which must then be the same in all.
      g_weight: (g,) quadrature weights of the k-distributions; k-values are those at the middle of
        each interval of g. None: the files' own on their own grid, else 16-point Gauss-Legendre.
      temperature: (t,) K; None: those of the first file.
      pressure: (p,) Pa; None: those of the first file. Beyond a file's nodes its last hold.
      collision: gives collision-induced absorption, interpolated to the wavelengths; None: the
        embedded table for real planets.
      dtype: float32, or float64 in JAX's 64-bit mode.

    Returns:
      A table whose theta is log10 of each gas in the order of `files`, mass, radius, temperature.

    Raises:
      ImportError: exo_k is not installed.
      FileNotFoundError: no such file.
      ValueError: names the file: an unknown format, a pickle, no such molecule, wavelengths that
        the file does not cover, cross-sections too coarse for the bins, or files whose own grids
        differ.
    """
    if not files:
        raise ValueError("no gases: give at least one file, as {'H2O': path}")
    sources = {gas: _load(gas, Path(path)) for gas, path in files.items()}
    first = next(iter(sources.values()))
    if wavelength_um is None:
        _check_same_grid(sources)
        wavelength = 1e4 / np.asarray(first.table.wns)
        quadrature = first.table.weights if first.is_k else np.ones(1)
    else:
        wavelength = np.sort(np.asarray(wavelength_um, np.float64))[::-1]
        for gas, source in sources.items():
            _check_cover(gas, source, bin_edges(wavelength))
        default = np.polynomial.legendre.leggauss(N_G)[1] / 2
        quadrature = default if g_weight is None else np.asarray(g_weight, np.float64)
        edges = 1e4 / bin_edges(wavelength)
        sources = {gas: _bin(source, edges, quadrature) for gas, source in sources.items()}
    t = np.asarray(first.table.tgrid if temperature is None else temperature, np.float64)
    p = np.asarray(first.table.pgrid if pressure is None else pressure, np.float64)
    if collision is None:
        collision = load_opacities()
    return make_table(
        gases=tuple(gas.lower() for gas in files),
        wavelength_um=wavelength,
        temperature=t,
        pressure=p,
        g_weight=quadrature,
        molar_mass=np.array([source.table.molar_mass * 1e3 for source in sources.values()]),
        cross_section=np.stack([_on_nodes(source.table, t, p) for source in sources.values()]),
        cia_temperature=np.asarray(collision.cia_temperature, np.float64),
        cia=_collision_at(collision, wavelength),
        pairs=collision.pairs,
        dtype=dtype,
    )


def wavelengths_covered(files: Mapping[str, str | os.PathLike[str]]) -> tuple[float, float]:
    """Shortest and longest wavelength [um] that all of some files hold. Raises as
    `read_opacities`.
    """
    edges = [_load(gas, Path(path)).table.wnedges for gas, path in files.items()]
    return max(1e4 / e[-1] for e in edges), min(1e4 / e[0] for e in edges)


def bin_edges(wavelength_um: Float[np.ndarray, " w"]) -> Float[np.ndarray, " w+1"]:
    """Edges of bins around descending centres: the geometric means of neighbours, descending."""
    inner = np.sqrt(wavelength_um[:-1] * wavelength_um[1:])
    ends = wavelength_um[0] ** 2 / inner[0], wavelength_um[-1] ** 2 / inner[-1]
    return np.concatenate([[ends[0]], inner, [ends[1]]])


def _load(gas: str, path: Path) -> _Source:
    try:
        import exo_k
        import h5py
    except ImportError as error:
        raise ImportError(
            "reading other codes' opacities needs exo_k: pip install 'exogan-jax[prep]'"
        ) from error
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such opacity file")
    suffix = path.suffix.lower()
    if suffix in (".pickle", ".pkl"):
        raise ValueError(
            f"{path}: pickled tables are refused, because they can run code; convert it to HDF5 "
            "with exo_k where you trust its origin"
        )
    if suffix not in SUFFIXES:
        raise ValueError(f"{path}: unknown format; known are {', '.join(SUFFIXES)}")
    try:
        is_k = suffix == ".kta"
        if suffix in (".h5", ".hdf5"):
            with h5py.File(path) as file:
                is_k = "kcoeff" in file
                if not is_k and "xsecarr" not in file:
                    raise ValueError("holds neither kcoeff nor xsecarr")
        kind = exo_k.Ktable if is_k else exo_k.Xtable
        table = kind(filename=str(path), mol=gas)
        table.convert_to_mks()
        # The file's own name of the gas may be an isotopologue's.
        table.mol = gas
        if not table.molar_mass > 0:
            raise ValueError(f"no molecule {gas!r}")
    except (OSError, KeyError, IndexError, EOFError, RuntimeError, ValueError) as error:
        problem = f"cannot be read as a table of {gas} ({error or type(error).__name__})"
        raise ValueError(f"{path}: {problem}; give the gas as a formula, as 'H2O'") from error
    return _Source(table, path, is_k)


def _check_same_grid(sources: Mapping[str, _Source]) -> None:
    first, *others = sources.values()
    for other in others:
        same = other.is_k == first.is_k and other.table.wns.shape == first.table.wns.shape
        same = same and np.allclose(other.table.wns, first.table.wns, rtol=1e-6)
        if same and first.is_k:
            weights = other.table.weights, first.table.weights
            same = weights[0].shape == weights[1].shape and np.allclose(*weights, rtol=1e-4)
        if not same:
            raise ValueError(
                f"{other.path}: its wavelengths or g-points are not those of {first.path}; give "
                "wavelength_um to bring both to one grid"
            )


def _check_cover(gas: str, source: _Source, edges_um: Float[np.ndarray, " n"]) -> None:
    low, high = 1e4 / source.table.wnedges[-1], 1e4 / source.table.wnedges[0]
    if edges_um[0] > high * (1 + 1e-6) or edges_um[-1] < low * (1 - 1e-6):
        raise ValueError(
            f"{source.path}: {gas} covers {low:.4g}-{high:.4g} um, not the {edges_um[-1]:.4g}-"
            f"{edges_um[0]:.4g} um of the bins wanted; ask for fewer wavelengths"
        )
    counts = np.histogram(1e4 / source.table.wns, edges_um[::-1])[0]
    if not source.is_k and np.median(counts) < MIN_SAMPLES:
        raise ValueError(
            f"{source.path}: {np.median(counts):.0f} cross-sections of {gas} in a bin are too few "
            f"for a k-distribution (at least {MIN_SAMPLES}); use wider bins, or the file's own "
            "grid with wavelength_um=None"
        )


def _bin(
    source: _Source, wn_edges: Float[np.ndarray, " n"], weights: Float[np.ndarray, " g"]
) -> _Source:
    import exo_k

    if source.is_k:
        source.table.bin_down(wnedges=wn_edges, weights=weights)
        return source
    table = exo_k.Ktable(xtable=source.table, wnedges=wn_edges, weights=weights)
    table.mol = source.table.mol
    return _Source(table, source.path, True)


def _on_nodes(
    table: Any, temperature: Float[np.ndarray, " t"], pressure: Float[np.ndarray, " p"]
) -> Float[np.ndarray, "g t p w"]:
    """Cross-sections, linear in T and log p between the file's nodes."""
    values = np.asarray(table.kdata, np.float64)  # (p, t, w) or (p, t, w, g)
    values = values if values.ndim == 4 else values[..., None]
    for axis, nodes, at in (
        (0, np.log10(table.pgrid), np.log10(pressure)),
        (1, table.tgrid, temperature),
    ):
        if nodes.shape != at.shape or not np.allclose(nodes, at, rtol=1e-6):
            weights = np.asarray(interpolation_weights(jnp.asarray(nodes), jnp.asarray(at)))
            values = np.moveaxis(np.tensordot(weights, values, axes=(1, axis)), 0, axis)
    return values.transpose(3, 1, 0, 2)


def _collision_at(
    table: OpacityTable, wavelength_um: Float[np.ndarray, " w"]
) -> Float[np.ndarray, "pair t w"]:
    x = np.log(np.asarray(table.wavelength_um, np.float64))
    order = np.argsort(x)
    values = np.log(np.maximum(np.asarray(table.cia, np.float64), 1e-60)).transpose(1, 0, 2)
    at = np.log(wavelength_um)
    rows = [np.interp(at, x[order], row[order]) for row in values.reshape(-1, len(x))]
    return np.exp(np.array(rows)).reshape(*values.shape[:2], len(at))
