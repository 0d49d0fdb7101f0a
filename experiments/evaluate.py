"""How accurate a model is: mean absolute error, correlation and coverage per parameter.

python -m experiments.evaluate [--model NAME] [--published exogan_osf_sample.npz]

Noise-free spectra, parameters masked: simulated ones over the continuous prior, which training
never saw, on the full grid; and published ones (0.44-16 um), if their archive is given.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import jax
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from exogan_jax import grid
from exogan_jax.api import retrieve
from exogan_jax.files.checkpoints import load_model
from exogan_jax.gan.model import Model
from exogan_jax.physics.observation import Observation
from exogan_jax.physics.opacity import load_opacities
from exogan_jax.physics.prior import sample_prior, simulate
from exogan_jax.retrieval.catalogue import LIKELIHOODS, N_STEPS
from exogan_jax.retrieval.inpaint import N_STARTS
from exogan_jax.retrieval.posterior import coverage
from exogan_jax.retrieval.results import Retrieval, concatenate

NOISE_FREE = 1e-6  # sigma of a noise-free depth: the generator's own error is what counts
TEST_SEED = 20181806  # no training configuration uses it


def simulated(n: int) -> tuple[list[Observation], np.ndarray]:
    """Noise-free spectra of the embedded opacity table, on the full grid."""
    theta = sample_prior(jax.random.key(TEST_SEED), n)
    depth = np.asarray(jax.jit(simulate)(theta, load_opacities()))
    return as_observations(grid.WAVELENGTH_UM, depth), np.asarray(theta)


def published(path: Path) -> tuple[list[Observation], np.ndarray]:
    """Spectra of the published training set, from an archive like the project's sample."""
    with np.load(path, allow_pickle=False) as file:
        theta = np.column_stack(
            [file[name] for name in grid.PARAMETERS[:4]]
            + [
                file["planet_mass_kg"] / grid.JUPITER_MASS_KG,
                file["planet_radius_m"] / grid.JUPITER_RADIUS_M,
                file["temperature_k"],
            ]
        )
        return as_observations(file["wavelength_um"], file["transit_depth"]), theta


def as_observations(wavelength_um: np.ndarray, depth: np.ndarray) -> list[Observation]:
    """One observation per row of `depth`, with the error of a noise-free one."""
    zero = np.zeros(len(wavelength_um))
    sigma = np.full(len(wavelength_um), NOISE_FREE)
    return [Observation(wavelength_um, zero, row, sigma) for row in depth]


def report(title: str, result: Retrieval, theta: np.ndarray, console: Console) -> None:
    """Prints the table of one set of spectra."""
    median = result.quantiles((0.5,))[:, 0]
    covered = coverage(result.samples, result.weights, theta)
    table = Table(title=title)
    for heading in ("parameter", "mean abs. error", "correlation", "68 % coverage"):
        table.add_column(heading, justify="left" if heading == "parameter" else "right")
    for i, name in enumerate(grid.PARAMETERS):
        error = np.abs(median[:, i] - theta[:, i]).mean()
        correlation = np.corrcoef(median[:, i], theta[:, i])[0, 1]
        table.add_row(
            f"{name} ({grid.UNITS[i]})", f"{error:.3f}", f"{correlation:.3f}", f"{covered[i]:.2f}"
        )
    console.print(table)
    console.print(
        f"median reduced chi-square {np.median(result.reduced_chi2):.2f}, "
        f"median effective sample size {np.median(result.effective_sample_size):.1f}"
    )


def evaluate(
    observations: list[Observation], model: Model, chunk: int, **options: object
) -> tuple[Retrieval, float]:
    """Retrieves all; returns the result and the seconds per spectrum after compilation."""
    pieces = [observations[i : i + chunk] for i in range(0, len(observations), chunk)]
    parts, seconds = [], []
    for piece in track(pieces, description="retrieving"):
        padded = piece + [piece[-1]] * (chunk - len(piece))  # one shape, one compilation
        began = time.perf_counter()
        result = retrieve(padded, model, chunk=chunk, **options)  # type: ignore[arg-type]
        seconds.append(time.perf_counter() - began)
        parts.append(result[: len(piece)])
    return concatenate(parts), min(seconds) / chunk


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", help="shipped name or file; default: the shipped default")
    parser.add_argument("--n", type=int, default=500, help="simulated spectra")
    parser.add_argument("--published", type=Path, help="archive of published spectra")
    parser.add_argument("--starts", type=int, default=N_STARTS)
    parser.add_argument("--steps", type=int, default=N_STEPS)
    parser.add_argument("--likelihood", choices=LIKELIHOODS, default="gaussian")
    parser.add_argument("--chunk", type=int, default=4)
    args = parser.parse_args(argv)
    console = Console()
    model = load_model(args.model)
    sets = {f"{args.n} simulated spectra, full grid": simulated(args.n)}
    if args.published is not None:
        observations, theta = published(args.published)
        sets[f"{len(theta)} published spectra, 0.44-16 um"] = observations, theta
    for title, (observations, theta) in sets.items():
        result, seconds = evaluate(
            observations,
            model,
            args.chunk,
            n_starts=args.starts,
            n_steps=args.steps,
            likelihood=args.likelihood,
        )
        report(f"{model.name}: {title}", result, theta, console)
        console.print(f"{seconds:.2f} s per spectrum after compilation")


if __name__ == "__main__":
    main()
