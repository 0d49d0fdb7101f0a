"""What an offset between two detectors does to the answer, with offsets free and without.

python -m experiments.free_offsets [--n 100] [--offset 150] [--seed S]

Planets of the default model's world as two detectors like NIRSpec G395H's see them (2.87-3.72 and
3.82-5.14 um, R = 100, 40 ppm), the redder one's depths too large. Prints how often the truth lies
within the 68 and 95 % intervals of each parameter, and how far the offset found is from the true
one.
"""

from __future__ import annotations

import argparse

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from exogan_jax.api import retrieve
from exogan_jax.files.instrument_table import instrument_table
from exogan_jax.physics.forward import ForwardModel, simulate
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.settings import Settings
from experiments.evaluate import TEST_SEED, physics_of

DETECTORS = {"NRS1": (2.87, 3.72), "NRS2": (3.82, 5.14)}
SIGMA = 40e-6
PRIOR = 300e-6  # of the offset, where it is free


def observed(
    n: int, physics: ForwardModel, seed: int, offset: float
) -> tuple[list[Observation], np.ndarray]:
    """Spectra with an offset of the second detector, and their parameters (n, d)."""
    theta = physics.sample(jax.random.key(seed), n)
    depth = np.asarray(jax.jit(simulate)(physics, theta), np.float64)
    grid = np.asarray(physics.wavelength_um, np.float64)
    which = np.array(
        [next((k for k, (low, high) in DETECTORS.items() if low <= w <= high), "") for w in grid]
    )
    seen = which != ""
    names = tuple(which[seen])
    depth = depth[:, seen] + offset * (which[seen] == "NRS2")
    depth += SIGMA * np.random.default_rng(seed).normal(size=depth.shape)
    zero = np.zeros(len(names))
    return [
        Observation(grid[seen], zero, np.maximum(one, 1e-7), zero + SIGMA, names) for one in depth
    ], np.asarray(theta)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--offset", type=float, default=150.0, help="ppm")
    parser.add_argument("--seed", type=int, default=TEST_SEED)
    args = parser.parse_args(argv)
    model, physics = physics_of(None)
    console = Console()
    observations, theta = observed(args.n, physics, args.seed, args.offset * 1e-6)
    parameters = model.layout.parameters
    table = Table("offsets", *(f"{p.name}" for p in parameters), title="truths within 68 | 95 %")
    for sigma in (0.0, PRIOR):
        settings = Settings(offset_sigma=sigma)
        found = retrieve(observations, model, settings=settings)
        q = found.quantiles((0.025, 0.16, 0.84, 0.975))
        rows = [((q[:, i] <= theta) & (theta <= q[:, j])).sum(axis=0) for i, j in ((1, 2), (0, 3))]
        cells = [f"{a} | {b}" for a, b in zip(*rows, strict=True)]
        table.add_row("free" if sigma else "none", *cells)
    console.print(table)
    scores = []
    for one, observation in zip(found, observations, strict=True):
        row = instrument_table(one, observation, settings)
        taken = row["offset"][1] - row["offset"][0]
        error = np.hypot(row["offset_error"][1], row["offset_error"][0])
        scores.append((taken - args.offset * 1e-6) / error)
    console.print(
        f"offsets found differ from the true one by {np.mean(scores):.2f} +- {np.std(scores):.2f} "
        f"of their errors, {np.mean(np.abs(scores) < 1):.0%} within one"
    )


if __name__ == "__main__":
    main()
