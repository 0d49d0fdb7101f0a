"""What an offset between two detectors does to the answer, with offsets free and without.

python -m experiments.free_offsets --out FILE [--n 100] [--offset 150] [--free] [--seed S]

Planets of the default model's world as two detectors like NIRSpec G395H's see them (2.87-3.72 and
3.82-5.14 um, R = 100, 40 ppm), the redder one's depths too large. Prints how often the truth lies
within the 68 and 95 % intervals of each parameter, and how far the offset found is from the true
one. Each answer is written to FILE as it comes; if killed, it goes on where it stopped. With --free
offsets are free throughout.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from exogan_jax.api import retrieve
from exogan_jax.files.instrument_table import instrument_table
from exogan_jax.files.made_with import weights_sha256
from exogan_jax.parameters import Parameters
from exogan_jax.physics.forward import ForwardModel, simulate
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.settings import Settings
from experiments.calibrate import ranked
from experiments.evaluate import TEST_SEED, physics_of
from experiments.kept_rows import keep_row, kept_rows
from experiments.ranks import inside

DETECTORS = {"NRS1": (2.87, 3.72), "NRS2": (3.82, 5.14)}
SIGMA = 40e-6
#: Of the offset, ppm: 0 where there is none.
PRIORS = {"free": 300.0, "none": 0.0}
_CHUNK = 4


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


def score(taken: Sequence[float], errors: Sequence[float], offset: float) -> float:
    """How far the offset found between two instruments is from the true one, in its errors."""
    return float((taken[1] - taken[0] - offset) / np.hypot(errors[0], errors[1]))


def report(rows: Sequence[dict[str, Any]], parameters: Parameters) -> Table:
    """How many truths lie within the 68 and 95 % intervals, offsets free and not."""
    table = Table(title="truths within 68 | 95 %")
    for heading in ("offsets", "planets", *parameters.names):
        table.add_column(heading)
    for name in PRIORS:
        rank = np.array([row["rank"] for row in rows if row["offsets"] == name])
        if len(rank):
            counts = np.rint(len(rank) * inside(rank))
            cells = (f"{low:.0f} | {high:.0f}" for low, high in zip(*counts, strict=True))
            table.add_row(name, str(len(rank)), *cells)
    return table


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="file of the answers, .jsonl")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--offset", type=float, default=150.0, help="ppm")
    parser.add_argument("--free", action="store_true", help="no answers without free offsets")
    parser.add_argument("--seed", type=int, default=TEST_SEED)
    args = parser.parse_args(argv)
    model, physics = physics_of(None)
    offset = args.offset * 1e-6
    observations, theta = observed(args.n, physics, args.seed, offset)
    settings = {k: getattr(args, k) for k in ("n", "offset", "seed")}
    rows = kept_rows(args.out, settings | {"weights": weights_sha256(None)})
    for name in ("free",) if args.free else PRIORS:
        asked = Settings(offset_sigma=PRIORS[name] * 1e-6)
        known = {row["planet"] for row in rows if row["offsets"] == name}
        left = [i for i in range(args.n) if i not in known]
        for start in track(range(0, len(left), _CHUNK), description=f"offsets: {name}"):
            some = left[start : start + _CHUNK]
            names = [str(i) for i in some]
            chosen = [observations[i] for i in some]
            found = retrieve(chosen, model, names=names, settings=asked, physics=physics)
            for i, one in zip(some, found, strict=True):
                rank = ranked(one, theta[i], physics.parameters, args.seed + i)[0]
                row = {"offsets": name, "planet": i, "rank": rank.round(4).tolist()}
                if name == "free":
                    each = instrument_table(one, observations[i], asked)
                    row["score"] = score(each["offset"], each["offset_error"], offset)
                keep_row(args.out, row)
                rows.append(row)
    console = Console()
    console.print(report(rows, physics.parameters))
    scores = np.array([row["score"] for row in rows if row["offsets"] == "free"])
    console.print(
        f"offsets found differ from the true one by {scores.mean():.2f} +- {scores.std():.2f} "
        f"of their errors, {np.mean(np.abs(scores) < 1):.0%} within one"
    )


if __name__ == "__main__":
    main()
