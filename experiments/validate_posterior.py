"""Answers, fast and exact, against brute force with the forward model itself: observations of
planets that are in the training of no model.

python -m experiments.validate_posterior [--only planets] [--seed 1] [--draws 600000] [--nested]

WFC3-like data (1.1-1.7 um, 50 ppm), PRISM-like (0.6-5.3 um, 30 ppm) and wider than any one
instrument's (0.5-15 um, 20 ppm), of one planet in each model's world; same likelihood and prior.
What is compared is the distribution of each parameter, by the Jensen-Shannon divergence of the two
in bins that hold a tenth of the reference's samples each. It has a floor: equal distributions known
by n samples differ by about 1/n nat.

The reference is a set of weighted draws (`brute_force`), which needs an encoder that proposes
densities; of other models, and with --nested of all, nested sampling (pip install nautilus-sampler;
half an hour each). With WFC3's data the latter lost half of the posterior of the `planets` world:
its evidence, with 1,000 live points, was exp(2.3) too small. Draws are worth some hundred samples
for such data, and too few for sharper ones, whose posteriors nested sampling finds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from exogan_jax.api import retrieve
from exogan_jax.gan.model import Model
from exogan_jax.physics.forward import ForwardModel
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.diagnostics import divergences
from exogan_jax.retrieval.result import Posterior
from exogan_jax.retrieval.weighted import weighted_quantile
from experiments.brute_force import weighted_draws
from experiments.evaluate import physics_of
from experiments.nested import Reference, log_likelihood, nested

KINDS = {"WFC3": (1.1, 1.7, 5e-5), "PRISM": (0.6, 5.3, 3e-5), "wide": (0.5, 15.0, 2e-5)}
#: By role: a planet of each world whose gases show, but CO.
PLANETS: dict[str, dict[str, float]] = {
    "planets": {
        "h2o": -3.3, "co2": -5.0, "co": -4.0, "ch4": -6.0, "na": -6.0, "k": -7.0,
        "mass": 0.5, "radius": 1.1, "temperature": 1100.0, "cloud_top": 3.5, "haze_strength": 0.5,
    },
    "published": {
        "h2o": -3.3, "co2": -5.0, "co": -4.0, "ch4": -6.0,
        "mass": 1.1, "radius": 1.2, "temperature": 1450.0,
    },
}  # fmt: skip
_ENOUGH = 100  # independent samples of a reference that is to be compared with


def observe(
    name: str, physics: ForwardModel, kind: str, seed: int
) -> tuple[Observation, np.ndarray]:
    """One observation of the planet of a world, and its theta."""
    low, high, sigma = KINDS[kind]
    theta = np.array([PLANETS[name][role] for role in physics.parameters.roles])
    grid = np.asarray(physics.wavelength_um, np.float64)
    seen = (grid > low) & (grid < high)
    depth = np.asarray(physics(theta), np.float64)[seen]
    depth += sigma * np.random.default_rng(seed).normal(size=depth.size)
    return Observation(grid[seen], np.zeros(depth.size), depth, np.full(depth.size, sigma)), theta


def reference(
    model: Model, physics: ForwardModel, observation: Observation, args: argparse.Namespace
) -> Reference:
    """What the forward model itself says of an observation."""
    likelihood = log_likelihood(physics, observation)
    if model.encoder_network.n_layers and not args.nested:
        return weighted_draws(jax.random.key(args.seed), model, observation, likelihood, args.draws)
    return nested(likelihood, model.layout.parameters, args.seed, args.live, args.effective)


def compared(
    answers: Mapping[str, Posterior], known: Reference, truth: np.ndarray, title: str
) -> tuple[Table, dict[str, np.ndarray]]:
    """A row for each parameter, and the divergences of each answer."""
    exact = answers["exact"]
    off = {
        k: divergences(one.samples, one.weights, known.theta, known.weight)
        for k, one in answers.items()
    }
    table = Table(title=title)
    for heading in ("parameter", "truth", "exact", "reference", "fast [nat]", "exact [nat]"):
        table.add_column(heading, justify="left" if heading == "parameter" else "right")
    for i, p in enumerate(exact.parameters):
        cells = [f"{truth[i]:.3f}"]
        for x, w in ((exact.samples, exact.weights), (known.theta, known.weight)):
            low, middle, high = weighted_quantile(x[:, i : i + 1], w)[:, 0]
            cells.append(f"{middle:.3f} -{middle - low:.3f} +{high - middle:.3f}")
        table.add_row(p.name, *cells, *(f"{off[k][i]:.4f}" for k in ("fast", "exact")))
    return table, off


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=PLANETS, help="one of the worlds")
    parser.add_argument("--kind", choices=KINDS, help="one of the kinds of data")
    parser.add_argument("--seed", type=int, default=1, help="of the noise and of both samplers")
    parser.add_argument("--samples", type=int, default=8192, help="of the answers")
    parser.add_argument("--draws", type=int, default=600_000, help="of the reference")
    parser.add_argument("--nested", action="store_true", help="nested sampling as the reference")
    parser.add_argument("--live", type=int, default=1000, help="live points of the nested sampling")
    parser.add_argument("--effective", type=int, default=5000, help="of its samples")
    args = parser.parse_args(argv)
    console = Console()
    every: dict[str, list[float]] = {"fast": [], "exact": []}
    for name in [args.only] if args.only else list(PLANETS):
        model, physics = physics_of(name)
        for kind in [args.kind] if args.kind else list(KINDS):
            observation, truth = observe(name, physics, kind, args.seed)
            # As many that a chain is run: fewer would show in the divergences.
            n = args.samples
            length = {"n_samples": n, "n_draws": 16 * n, "n_effective": n}
            answers: dict[str, Posterior] = {}
            seconds = {}
            for answer in every:
                began = time.perf_counter()
                exact = answer == "exact"
                answers[answer] = retrieve(
                    observation, model, seed=args.seed, exact=exact, **length
                )[0]
                seconds[answer] = time.perf_counter() - began
            began = time.perf_counter()
            known = reference(model, physics, observation, args)
            title = f"{name}, {kind}: " + "; ".join(
                f"{k} {seconds[k]:.0f} s, {one.effective_sample_size:.0f} effective, log evidence "
                f"{one.log_evidence:.2f} +- {one.log_evidence_error:.2f}"
                for k, one in answers.items()
            )
            title += (
                f"; reference {time.perf_counter() - began:.0f} s, {known.calls} calls, "
                f"{known.effective:.0f} effective, {known.log_evidence:.2f} +- {known.error:.2f}"
            )
            table, off = compared(answers, known, truth, title)
            console.print(table)
            if known.effective < _ENOUGH:
                console.print(
                    "the reference is worth too few samples: try --nested, or more --draws"
                )
                continue
            for answer, values in off.items():
                every[answer] += list(values)
    for answer, all_of in every.items() if every["exact"] else ():
        console.print(
            f"{answer}: divergence median {np.median(all_of):.4f}, worst {np.max(all_of):.4f} nat"
        )


if __name__ == "__main__":
    main()
