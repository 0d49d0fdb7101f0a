"""How far an opacity table is from another one, of k-distributions in wide bands.

python -m experiments.validate_opacities --reference photochem_clima_kdist_72band.npz \
    [--opacities FILE] [--all]

The reference holds, for a gas X, `X_log10k` (band, temperature, pressure, g) times `scale` (log10
of cm^2 per molecule), `X_T` [K], and `pressure_Pa`, `g_weight`, `wavelength_edges_um`. Compared
is the band's mean of ln(sigma + 1e-26 cm^2), which is what a transit depth keeps of it, in bands of
1-20 um, at 500, 1000, 1500 and 2000 K and 1e2 to 1e5 Pa. Printed are, by gas, the share of the
cells that are within its tolerance, and the bands that have cells outside (with --all, every band).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from exogan_jax.files.opacities import load_opacities
from exogan_jax.physics.opacity import OpacityTable
from exogan_jax.physics.rayleigh import LOSCHMIDT_M3

BACKGROUND_CM2 = 1e-26
TEMPERATURE = (500.0, 1000.0, 1500.0, 2000.0)
PRESSURE = (1e2, 1e3, 1e4, 1e5)
RANGE_UM = (1.0, 20.3)
#: Half width of what counts as agreement, in ln sigma.
TOLERANCE = {"h2o": 0.5, "co2": 0.5, "co": 0.35, "ch4": 0.7}
#: CO absorbs in a few bands only: the share within tolerance is also given where it does, that is
#: where the reference's mean is at least this far above the background's.
ABSORBS = 0.5


class Comparison(NamedTuple):
    """One gas in the bands."""

    edges_um: np.ndarray  # (band, 2)
    reference: np.ndarray  # (band, temperature, pressure) mean of ln(sigma + background)
    difference: np.ndarray  # ours minus the reference's, the same shape


def band_means(
    edges_um: np.ndarray, wavelength_um: np.ndarray, sigma: np.ndarray, g_weight: np.ndarray
) -> np.ndarray:
    """Means of ln(sigma + background) in bands, each wavenumber with the same weight.

    Args:
      edges_um: (band, 2) um.
      wavelength_um: (w,) centres of bins that meet half-way in log, um, descending.
      sigma: (g, w, ...) k-distributions of the bins, cm^2.
      g_weight: (g,).

    Returns:
      (band, ...).
    """
    inner = np.sqrt(wavelength_um[:-1] * wavelength_um[1:])
    first, last = wavelength_um[0] ** 2 / inner[0], wavelength_um[-1] ** 2 / inner[-1]
    nodes = 1e4 / np.concatenate([[first], inner, [last]])
    low, high = nodes[:-1], nodes[1:]
    logs = np.tensordot(g_weight, np.log(sigma + BACKGROUND_CM2), (0, 0))
    rows = []
    for a, b in edges_um:
        overlap = np.clip(np.minimum(high, 1e4 / a) - np.maximum(low, 1e4 / b), 0, None)
        rows.append(np.tensordot(overlap / overlap.sum(), logs, (0, 0)))
    return np.stack(rows)


def at_nodes(nodes: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Linear interpolation along the first axis, no extrapolation."""
    if wanted.min() < nodes[0] or wanted.max() > nodes[-1]:
        raise ValueError(f"{wanted} is not within {nodes[0]:g} to {nodes[-1]:g}")
    index = np.clip(np.searchsorted(nodes, wanted, side="right") - 1, 0, len(nodes) - 2)
    part = (wanted - nodes[index]) / (nodes[index + 1] - nodes[index])
    part = part.reshape(-1, *[1] * (values.ndim - 1))
    return values[index] * (1 - part) + values[index + 1] * part


def compare(reference: Path, gas: str, table: OpacityTable) -> Comparison:
    """One gas of the table against the reference.

    Raises:
      KeyError: the reference lacks the gas.
    """
    temperature, pressure = np.array(TEMPERATURE), np.array(PRESSURE)
    with np.load(reference, allow_pickle=False) as file:
        logs = file[f"{gas.upper()}_log10k"] * float(file["scale"])
        nodes = file[f"{gas.upper()}_T"].astype(np.float64)
        at_p = [int(np.argmin(np.abs(np.log(file["pressure_Pa"] / p)))) for p in pressure]
        edges = file["wavelength_edges_um"].astype(np.float64)
        theirs = np.log(10.0**logs + BACKGROUND_CM2) @ file["g_weight"]
    bands = np.stack([edges[:-1], edges[1:]], axis=1)
    inside = (edges[:-1] >= RANGE_UM[0]) & (edges[1:] <= RANGE_UM[1])
    theirs = at_nodes(nodes, theirs.swapaxes(0, 1)[:, :, at_p], temperature).swapaxes(0, 1)
    absorption = np.asarray(table.absorption, np.float64)[:, :, table.gases.index(gas)]
    sigma = at_nodes(np.asarray(table.temperature, np.float64), absorption, temperature)
    sigma = at_nodes(
        np.asarray(table.log10_pressure, np.float64), sigma.swapaxes(0, 1), np.log10(pressure)
    )
    cm2 = np.moveaxis(sigma / LOSCHMIDT_M3 * 1e4, (2, 3, 1, 0), (0, 1, 2, 3))
    wavelength, weight = (np.asarray(x, np.float64) for x in (table.wavelength_um, table.g_weight))
    ours = band_means(bands[inside], wavelength, cm2, weight)
    return Comparison(bands[inside], theirs[inside], ours - theirs[inside])


def report(gas: str, found: Comparison, every: bool, console: Console) -> None:
    """Prints one gas."""
    tolerance = TOLERANCE[gas]
    within = np.abs(found.difference) <= tolerance
    absorbs = found.reference > np.log(BACKGROUND_CM2) + ABSORBS
    shares = ", ".join(
        f"{t:g} K {w:.0%}" for t, w in zip(TEMPERATURE, within.mean((0, 2)), strict=True)
    )
    console.print(
        f"{gas}: {within.mean():.1%} of {within.size} cells within {tolerance:g} ({shares}); "
        f"{within[absorbs].mean():.1%} of the {absorbs.sum()} where it absorbs; "
        f"median {np.median(found.difference[absorbs]):+.2f}"
    )
    table = Table(title=f"{gas}, ln ours / reference at {', '.join(f'{p:g}' for p in PRESSURE)} Pa")
    table.add_column("band [um]")
    for t in TEMPERATURE:
        table.add_column(f"{t:g} K", justify="right")
    for (a, b), row, good in zip(found.edges_um, found.difference, within, strict=True):
        if every or not good.all():
            cells = [" ".join(f"{x:+.2f}" for x in cell) for cell in row]
            table.add_row(f"{a:.2f}-{b:.2f}", *cells)
    if table.row_count:
        console.print(table)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--reference", type=Path, required=True, help="archive of k-distributions")
    parser.add_argument("--opacities", default="planets", help="table to compare (%(default)s)")
    parser.add_argument("--all", action="store_true", help="show the bands that agree, too")
    args = parser.parse_args(argv)
    console = Console(width=120)
    table = load_opacities(args.opacities)
    for gas in TOLERANCE:
        report(gas, compare(args.reference, gas, table), args.all, console)


if __name__ == "__main__":
    main()
