"""A catalogue of simulated observations of four instruments, mixed, at the speed of the networks:
how many a second, and whether the intervals hold the truths.

python -m experiments.fast_catalogue [--n 10000] [--model NAME] [--chain]

Prints spectra per second with compilation and without, the share that the likelihood weights, and
how often 68 and 95 % intervals hold each parameter. Expect 10 spectra/s on two cores.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from exogan_jax.api import retrieve
from exogan_jax.files.run_options import FAST_CHUNK
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.weighted import coverage
from experiments.calibrate import INSTRUMENTS, observed
from experiments.evaluate import TEST_SEED, physics_of


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--model", help="shipped name or file")
    parser.add_argument("--chain", action="store_true", help="where the likelihood weights few")
    parser.add_argument("--seed", type=int, default=TEST_SEED)
    args = parser.parse_args(argv)
    model, physics = physics_of(args.model)
    n = -(-args.n // len(INSTRUMENTS))
    observations: list[Observation] = []
    theta = []
    for name in INSTRUMENTS:
        of_one, truth = observed(INSTRUMENTS[name], physics, n, args.seed)
        observations += of_one
        theta.append(truth)
    truth = np.concatenate(theta)
    within = {0.68: np.zeros(truth.shape[1]), 0.95: np.zeros(truth.shape[1])}
    weighted, began, first = 0.0, time.perf_counter(), 0.0
    for start in range(0, len(observations), FAST_CHUNK):
        part = slice(start, min(start + FAST_CHUNK, len(observations)))
        found = retrieve(
            observations[part],
            model,
            names=[str(i) for i in range(part.start, part.stop)],
            physics=physics,
            exact=False,
            chain=args.chain,
            chunk=FAST_CHUNK,
        )
        share = (part.stop - part.start) / len(observations)
        weighted += share * float(np.mean(["not_weighted" not in flags for flags in found.flags]))
        for level, so_far in within.items():
            so_far += share * coverage(found.samples, found.weights, truth[part], level)
        first = first or time.perf_counter() - began
    seconds = time.perf_counter() - began
    console = Console()
    rate = len(observations) / seconds
    console.print(
        f"{len(observations)} spectra in {seconds:.0f} s, {rate:.1f} a second; "
        f"the first {FAST_CHUNK} took {first:.0f} s; weighted by the likelihood: {weighted:.0%}"
    )
    table = Table("parameter", *(f"in {level:.0%}" for level in within))
    for i, name in enumerate(model.layout.parameters.names):
        table.add_row(name, *(f"{so_far[i]:.3f}" for so_far in within.values()))
    console.print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
