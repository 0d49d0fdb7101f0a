"""Calibrate the opacity table on spectra of the published training set.

python -m data_prep.opacities.calibrate --spectra exogan_osf_sample.npz --start built.nc \
    --out exogan_jax/assets/opacities_published.nc

`built.nc` is what `data_prep.opacities.build` writes. Takes two minutes on two cores. About a
quarter of the spectra, chosen by a hash of their parameters before anything else, is never fitted;
the script prints how well it is reproduced.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import xarray as xr

from data_prep import grid
from data_prep.opacities import bins, fit, netcdf, published_set
from data_prep.pkgz import ChunkError
from exogan_jax.atmosphere import HE_H2_RATIO
from exogan_jax.physics.rayleigh import LOSCHMIDT_M3
from exogan_jax.physics.split import CALIBRATED_BELOW, split_fraction

PRESSURE: np.ndarray = 10.0 ** np.arange(-1, 7)  # Pa
#: The fit starts from at least this [log10 m^2], which nothing shows: even a tenth of it would have
#: an optical depth of 0.03 at the bottom. From nothing at all it could not find a missing band.
LOG10_LEAST = -33.0
#: The corrections at the ends of the published range fade over this many bins.
N_FADE = 25
#: ... and are the mean of this many.
N_EDGE = 5


def summary(residual_ppm: np.ndarray) -> str:
    """Median, 95th percentile and rms of the absolute residuals."""
    size = np.abs(residual_ppm)
    rms = np.sqrt(np.mean(size**2))
    return f"median {np.median(size):.2f}, 95 % {np.percentile(size, 95):.2f}, rms {rms:.2f} ppm"


def extend(correction: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Corrections on the whole grid from those of a part of it, without a step at its ends.

    Args:
      correction: (w, ...) of neighbouring points of the grid.
      index: (w,) their indices, ascending.

    Returns:
      (515, ...): inside as given, outside the mean of the last points, fading to zero.
    """
    out = np.zeros((grid.N_WAVELENGTH, *correction.shape[1:]))
    out[index] = correction
    fade = 1 - np.arange(1, N_FADE + 1) / (N_FADE + 1)
    for edge, step, mean in (
        (index[0], -1, correction[:N_EDGE].mean(0)),
        (index[-1], 1, correction[-N_EDGE:].mean(0)),
    ):
        for i, share in enumerate(fade):
            at = edge + step * (i + 1)
            if 0 <= at < grid.N_WAVELENGTH:
                out[at] = share * mean
    return out


def starting_point(table: xr.Dataset, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """The built table at one temperature: log10 cross-sections on `PRESSURE`, log10 CIA.

    Cross-sections are raised to `LOG10_LEAST`.

    Returns:
      (gas, g, pressure, 515) and (pair, 515).
    """
    frozen = table.interp(temperature=temperature, cia_temperature=temperature)
    at = frozen.interp(pressure=PRESSURE)  # the nodes are among the built ones
    sigma = np.maximum(at["log10_cross_section"].values, LOG10_LEAST)
    return sigma, frozen["log10_cia"].values


def calibrate(
    spectra: published_set.Spectra, table: xr.Dataset, temperature: float, n_iterations: int
) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """Fits; returns the corrections and what to write about them.

    Returns:
      Corrections of log10 cross-section (gas, g, pressure, 515) and of log10 CIA (515,), to be
      added to `starting_point`; attributes for the file.
    """
    index = published_set.grid_index(spectra.wavelength_um)
    order = np.argsort(index)
    index = index[order]
    if np.any(np.diff(index) != 1):
        raise ValueError(f"{spectra.source}: wavelengths must be neighbours on the ExoGAN grid")
    fitted = split_fraction(spectra.theta, grid.PARAMETERS) < CALIBRATED_BELOW
    sigma, cia = starting_point(table, temperature)
    n_gases, n_g, n_pressure, _ = sigma.shape
    mixture = 10 ** cia[0] + HE_H2_RATIO * 10 ** cia[1]
    x = np.concatenate([sigma.reshape(-1, grid.N_WAVELENGTH), np.log10(mixture)[None]])[:, index].T
    x *= np.log(10)
    x[:, :-1] += np.log(LOSCHMIDT_M3)
    g_weight = table["g_weight"].values
    covariance = fit.prior_covariance(np.log10(PRESSURE), n_gases, n_g)

    def data(rows: np.ndarray) -> tuple[fit.Bins, fit.Geometry]:
        layers = fit.geometry(
            jnp.asarray(spectra.theta[rows], jnp.float32),
            jnp.asarray(np.log10(PRESSURE), jnp.float32),
            jnp.asarray(table["molar_mass"].values, jnp.float32),
        )
        rayleigh = published_set.rayleigh(grid.WAVELENGTH_UM[index]).T * LOSCHMIDT_M3
        depth = spectra.depth[rows][:, order].T
        return fit.Bins(*(jnp.asarray(a, jnp.float32) for a in (depth, rayleigh))), layers

    def report(iteration: int, residual: np.ndarray) -> None:
        print(f"iteration {iteration + 1}/{n_iterations}: {summary(residual)}", file=sys.stderr)

    best = fit.fit(x, covariance, *data(fitted), g_weight, n_iterations, report)
    weights = jnp.asarray(g_weight, jnp.float32)
    lines = {}
    for name, rows in (("fitted", fitted), ("held out", ~fitted)):
        for label, at in (("before", x), ("after", best)):
            residual = fit.residuals(jnp.asarray(at, jnp.float32), *data(rows), weights)
            lines[f"{name}, {label}"] = summary(np.asarray(residual))
            print(f"{rows.sum()} spectra {name}, {label}: {lines[f'{name}, {label}']}")
    correction = extend((best - x) / np.log(10), index)
    low, high = grid.WAVELENGTH_UM[index[-1]], grid.WAVELENGTH_UM[index[0]]
    attributes = {
        "calibration": (
            f"Fitted to {fitted.sum()} spectra of the published ExoGAN training set (Zingales & "
            f"Waldmann 2018; OSF 6dxps, CC BY 4.0; {spectra.source}), {low:.2f}-{high:.2f} um, "
            f"from the table at {temperature:g} K; corrections fade over {N_FADE} bins outside. "
            f"{(~fitted).sum()} spectra never fitted (split_fraction >= {CALIBRATED_BELOW}) are "
            f"reproduced with {lines['held out, after']} ({lines['held out, before']} before)."
        )
    }
    sigma_correction = correction[:, :-1].T.reshape(n_gases, n_g, n_pressure, -1)
    return sigma_correction, correction[:, -1], attributes


def published_table(
    table: xr.Dataset,
    temperature: float,
    correction: tuple[np.ndarray, np.ndarray],
    attributes: dict[str, str],
) -> xr.Dataset:
    """The table that reproduces the published set: one temperature node, its own scattering."""
    sigma, cia = starting_point(table, temperature)
    out = netcdf.dataset(
        np.maximum(sigma + correction[0], bins.LOG10_FLOOR)[:, :, None],
        (cia + correction[1])[:, None],
        [str(pair) for pair in table["pair"].values],
        attributes
        | {
            "background": published_set.BACKGROUND,
            "conventions": published_set.CONVENTIONS,
        },
        temperature=np.array([temperature]),
        pressure=PRESSURE,
    )
    scattering = published_set.rayleigh(grid.WAVELENGTH_UM)
    out["rayleigh_cross_section"] = (("species", "wavelength"), scattering, {"units": "m2"})
    return out.assign_attrs(fingerprint=netcdf.fingerprint(out))


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument(
        "--spectra",
        type=Path,
        nargs="+",
        required=True,
        help="an archive of published spectra (.npz), or published chunks (.pkgz)",
    )
    parser.add_argument(
        "--n-spectra", type=int, default=1500, help="how many to take from chunks (%(default)s)"
    )
    parser.add_argument("--start", type=Path, required=True, help="table made by build.py")
    parser.add_argument("--out", type=Path, required=True, help="table of the published set")
    parser.add_argument(
        "--temperature", type=float, default=1400.0, help="start from the opacities of this one [K]"
    )
    parser.add_argument("--iterations", type=int, default=20)
    args = parser.parse_args(argv)
    try:
        if args.spectra[0].suffix == ".pkgz":
            spectra = published_set.read_chunks(args.spectra, args.n_spectra)
        elif len(args.spectra) == 1:
            spectra = published_set.read_archive(args.spectra[0])
        else:
            parser.error("--spectra takes one archive, or chunks")
    except (OSError, ValueError, ChunkError) as error:
        sys.exit(str(error))
    table = xr.load_dataset(args.start, engine="h5netcdf")
    *correction, about = calibrate(spectra, table, args.temperature, args.iterations)
    attributes = {k: str(v) for k, v in table.attrs.items() if k != "fingerprint"} | about
    both = (correction[0], correction[1])
    attributes["history"] += "; python -m data_prep.opacities.calibrate"
    result = published_table(table, args.temperature, both, attributes)
    netcdf.write(result, args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, {result.attrs['fingerprint']}")


if __name__ == "__main__":
    main()
