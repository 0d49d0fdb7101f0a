"""A catalogue of simulated observations of four instruments, mixed, at the speed of the networks:
how many a second, and whether the intervals hold the truths.

python -m experiments.fast_catalogue [--n 10000] [--model NAME] [--chain]

Prints spectra per second with compilation and without, the share that the likelihood weights, and
how often 68 and 95 % intervals hold each parameter. Expect 30 spectra/s on two cores.
"""

from __future__ import annotations

import argparse
import time
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from exogan_jax.api import retrieve
from exogan_jax.files.run_options import FAST_CHUNK
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.weighted import coverage
from experiments.calibrate import INSTRUMENTS, observed
from experiments.evaluate import TEST_SEED, physics_of


class Measured(NamedTuple):
    """What a catalogue took, and how often its intervals hold the truths."""

    n: int
    seconds: float  # compilation among them
    first: float  # of the first chunk [s]
    weighted: float  # share of the answers that the likelihood weights
    inside: dict[float, np.ndarray]  # level -> share of the truths, a parameter each
    names: tuple[str, ...]  # of the parameters


def measure(n: int, *, model_name: str | None = None, chain: bool = False, seed: int) -> Measured:
    """Retrieves n planets, as many of each instrument."""
    model, physics = physics_of(model_name)
    observations: list[Observation] = []
    theta = []
    for name in INSTRUMENTS:
        of_one, truth = observed(INSTRUMENTS[name], physics, -(-n // len(INSTRUMENTS)), seed)
        observations += of_one
        theta.append(truth)
    truth = np.concatenate(theta)
    inside = {level: np.zeros(truth.shape[1]) for level in (0.68, 0.95)}
    weighted, seconds, first = 0.0, 0.0, 0.0
    for start in range(0, len(observations), FAST_CHUNK):
        part = slice(start, min(start + FAST_CHUNK, len(observations)))
        began = time.perf_counter()
        found = retrieve(
            observations[part],
            model,
            names=[str(i) for i in range(part.start, part.stop)],
            physics=physics,
            exact=False,
            chain=chain,
            chunk=FAST_CHUNK,
        )
        seconds += time.perf_counter() - began
        first = first or seconds
        share = (part.stop - part.start) / len(observations)
        weighted += share * float(np.mean(["not_weighted" not in flags for flags in found.flags]))
        for level, so_far in inside.items():
            so_far += share * coverage(found.samples, found.weights, truth[part], level)
    names = model.layout.parameters.names
    return Measured(len(observations), seconds, first, weighted, inside, names)


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
    found = measure(args.n, model_name=args.model, chain=args.chain, seed=args.seed)
    console = Console()
    console.print(
        f"{found.n} spectra in {found.seconds:.0f} s, {found.n / found.seconds:.1f} a second; the "
        f"first {FAST_CHUNK} took {found.first:.0f} s; weighted by the likelihood: "
        f"{found.weighted:.0%}"
    )
    table = Table("parameter", *(f"in {level:.0%}" for level in found.inside))
    for i, name in enumerate(found.names):
        table.add_row(name, *(f"{shares[i]:.3f}" for shares in found.inside.values()))
    console.print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
