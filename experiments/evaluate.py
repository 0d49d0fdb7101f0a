"""How accurate a model is: mean absolute error, correlation and coverage per parameter.

python -m experiments.evaluate [--model NAME] [--published exogan_osf_sample.npz]

Noise-free spectra, parameters masked: simulated ones over the continuous prior, with the opacities
that the model was trained on, which training never saw, on the full grid; and published ones
(0.44-16 um), if their archive is given. A gas counts as detectable where taking it away changes the
depth by more than 30 ppm somewhere in 0.44-16 um. With --generator: how the parameters of generated
arrays are distributed, and whether their spectra are the forward model's.
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

from exogan_jax.api import retrieve
from exogan_jax.files.opacities import load_opacities
from exogan_jax.files.records import Spectra
from exogan_jax.files.weights import load_model, model_card
from exogan_jax.gan.model import Model
from exogan_jax.parameters import Parameter, Parameters
from exogan_jax.physics.forward import ForwardModel, simulate
from exogan_jax.physics.observation import Observation
from exogan_jax.physics.problem import problem_model
from exogan_jax.retrieval.compared import LIKELIHOODS
from exogan_jax.retrieval.inpaint import N_STARTS
from exogan_jax.retrieval.result import Retrieval, concatenate
from exogan_jax.retrieval.weighted import coverage
from experiments.training.quality import consistency_ppm, generated, prior_distance

NOISE_FREE = 1e-6  # sigma of a noise-free depth: the generator's own error is what counts
TEST_SEED = 20181806  # no training configuration uses it
DETECTABLE = 30e-6
DETECTABLE_UM = 0.439, 16.0  # where it must show: the published sample's wavelengths
ABSENT = 1e-12  # mixing ratio of a gas taken away
#: What an archive may write after a parameter's name, its values then being in SI.
_SUFFIXES = ("", "_kg", "_m", "_k", "_pa")


def physics_of(name_or_path: str | None) -> tuple[Model, ForwardModel]:
    """A model, and the forward model that its training spectra came from."""
    model = load_model(name_or_path)
    table = load_opacities(model_card(name_or_path)["training"]["opacities"])
    return model, problem_model(table, model.layout)


def simulated(
    n: int, physics: ForwardModel, seed: int, sigma: float, low: float, high: float
) -> tuple[list[Observation], np.ndarray]:
    """Spectra between two wavelengths [um], with errors of `sigma`; 0: noise-free."""
    theta = physics.sample(jax.random.key(seed), n)
    depth = np.asarray(jax.jit(simulate)(physics, theta), np.float64)
    wavelength = np.asarray(physics.wavelength_um, np.float64)
    seen = (low <= wavelength) & (high >= wavelength)
    depth = depth[:, seen]
    depth += sigma * np.random.default_rng(seed).normal(size=depth.shape)
    return as_observations(wavelength[seen], depth, sigma or NOISE_FREE), np.asarray(theta)


def published(path: Path, parameters: Parameters) -> tuple[list[Observation], np.ndarray]:
    """Spectra of a published training set, from an archive like the project's sample: an array
    `transit_depth`, its `wavelength_um`, and one for each parameter, in SI where its name says so.
    """
    with np.load(path, allow_pickle=False) as file:

        def column(p: Parameter) -> np.ndarray:
            (name,) = (p.name + suffix for suffix in _SUFFIXES if p.name + suffix in file)
            return np.asarray(file[name] if name == p.name else file[name] / p.in_si)

        theta = np.column_stack([column(p) for p in parameters])
        return as_observations(file["wavelength_um"], file["transit_depth"]), theta


def as_observations(
    wavelength_um: np.ndarray, depth: np.ndarray, sigma: float = NOISE_FREE
) -> list[Observation]:
    """One observation per row of `depth`."""
    zero = np.zeros(len(wavelength_um))
    errors = np.full(len(wavelength_um), sigma)
    return [Observation(wavelength_um, zero, row, errors) for row in depth]


def detectable(theta: np.ndarray, physics: ForwardModel) -> dict[str, np.ndarray]:
    """For each parameter that is a gas's mixing ratio, the spectra in which the gas shows (n,)."""
    run = jax.jit(simulate)
    low, high = DETECTABLE_UM
    wavelength = np.asarray(physics.wavelength_um)
    seen = (wavelength > low) & (wavelength < high)
    theta = np.asarray(theta, np.float32)
    depth = np.asarray(run(physics, theta))
    out = {}
    for i, parameter in enumerate(physics.parameters):
        if parameter.gas is None:
            continue
        without = theta.copy()
        without[:, i] = np.log10(ABSENT) if parameter.is_log else ABSENT
        change = np.abs(np.asarray(run(physics, without)) - depth)
        out[parameter.name] = change[:, seen].max(axis=1) > DETECTABLE
    return out


def report(
    title: str,
    result: Retrieval,
    theta: np.ndarray,
    shows: dict[str, np.ndarray],
    console: Console,
) -> None:
    """Prints the table of one set of spectra."""
    median = result.quantiles((0.5,))[:, 0]
    covered = coverage(result.samples, result.weights, theta)
    covered95 = coverage(result.samples, result.weights, theta, 0.95)
    table = Table(title=title)
    table.add_column("parameter")
    for heading in ("mean abs. error", "correlation", "in 68 %", "in 95 %"):
        table.add_column(heading, justify="right")
    for heading in ("shows in", "error there", "spread elsewhere"):
        table.add_column(heading, justify="right")
    low, high = result.quantiles((0.16, 0.84)).swapaxes(0, 1)
    for i, parameter in enumerate(result.parameters):
        error = np.abs(median[:, i] - theta[:, i]).mean()
        correlation = np.corrcoef(median[:, i], theta[:, i])[0, 1]
        cells = [f"{parameter.name} ({parameter.unit})", f"{error:.3f}", f"{correlation:.3f}"]
        cells += [f"{covered[i]:.2f}", f"{covered95[i]:.2f}"]
        if parameter.name in shows:
            shown = shows[parameter.name]
            where = np.abs(median[shown, i] - theta[shown, i]).mean()
            spread = np.median(0.5 * (high - low)[~shown, i])
            cells += [f"{shown.mean():.0%}", f"{where:.3f}", f"{spread:.2f}"]
        table.add_row(*cells)
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


def report_generator(model: Model, physics: ForwardModel, console: Console) -> None:
    """Prints how the parameters and spectra of 10,000 uniform latents are distributed."""
    _, spectra = generated(model, jax.random.key(TEST_SEED), 10_000)
    numbers = prior_distance(np.asarray(spectra.theta), model.layout.parameters)
    ppm = consistency_ppm(Spectra(*(x[:2000] for x in spectra)), physics)
    console.print(
        f"{model.name}, 10,000 generated arrays: largest Kolmogorov-Smirnov distance of a marginal "
        f"from the prior {numbers['ks']:.4f}, pairs of parameters covered at least "
        f"{numbers['pairs_covered']:.0%}; their spectra against the forward model at their own "
        f"parameters: median {np.median(ppm):.1f} ppm, 95 % below {np.quantile(ppm, 0.95):.1f} ppm"
    )


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", help="shipped name or file; default: the shipped default")
    parser.add_argument("--n", type=int, default=500, help="simulated spectra")
    parser.add_argument("--published", type=Path, help="archive of published spectra")
    parser.add_argument("--starts", type=int, default=N_STARTS)
    parser.add_argument("--steps", type=int, help="default: that of a retrieval")
    parser.add_argument("--no-encoder", action="store_true", help="start anywhere")
    parser.add_argument("--likelihood", choices=LIKELIHOODS, default="gaussian")
    parser.add_argument("--chunk", type=int, default=4)
    parser.add_argument("--seed", type=int, default=TEST_SEED, help="of the simulated spectra")
    parser.add_argument("--sigma", type=float, default=0.0, help="their errors; 0: noise-free")
    parser.add_argument(
        "--range", type=float, nargs=2, default=(0.0, np.inf), help="their wavelengths [um]"
    )
    parser.add_argument("--generator", action="store_true", help="judge generated spectra too")
    args = parser.parse_args(argv)
    console = Console()
    model, physics = physics_of(args.model)
    if args.generator:
        report_generator(model, physics, console)
    sets = {}
    if args.n > 0:
        title = f"{args.n} simulated spectra, {args.range[0]:g}-{args.range[1]:g} um"
        sets[title] = simulated(args.n, physics, args.seed, args.sigma, *args.range)
    if args.published is not None:
        observations, theta = published(args.published, model.layout.parameters)
        sets[f"{len(theta)} published spectra, 0.44-16 um"] = observations, theta
    for title, (observations, theta) in sets.items():
        result, seconds = evaluate(
            observations,
            model,
            args.chunk,
            n_starts=args.starts,
            n_steps=args.steps,
            likelihood=args.likelihood,
            encoder=not args.no_encoder,
        )
        report(f"{model.name}: {title}", result, theta, detectable(theta, physics), console)
        console.print(f"{seconds:.2f} s per spectrum after compilation")


if __name__ == "__main__":
    main()
