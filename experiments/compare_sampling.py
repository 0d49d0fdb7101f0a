"""Answers, exact and fast, against nested sampling with the same forward model, likelihood and
prior: planets of a model's world, seen by four instruments in turn.

python -m experiments.compare_sampling --out FILE [--model NAME] [--n 20] [--instrument NAME]
    [--again] [--live 1000] [--anew]

The instruments are those of `experiments.calibrate`. Nested sampling is nautilus' (Lange 2023; pip
install nautilus-sampler): minutes an observation, a quarter of an hour where the data are sharp.
Each observation's divergences (Jensen-Shannon, nat, of each parameter's distribution), evidences
and seconds are written to FILE as they come; if killed, it goes on where it stopped, and
--instrument leaves the observations of others for another time. With --again nested sampling runs
twice: two of its own runs differ, too. What it found is kept, as tenths of each parameter's
distribution: with --anew, answers alone are made again, by a later version of this project.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from exogan_jax.api import retrieve
from exogan_jax.files.made_with import weights_sha256
from exogan_jax.gan.model import Model
from exogan_jax.physics.forward import ForwardModel
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.diagnostics import Tenths, divergence_from, tenths
from exogan_jax.retrieval.result import Posterior
from experiments.calibrate import INSTRUMENTS, observed
from experiments.evaluate import TEST_SEED, physics_of
from experiments.kept_rows import keep_row, kept_rows
from experiments.nested import Reference, log_likelihood, nested

_SAMPLES = 8192  # of an answer: fewer would show in the divergences
_LONG: dict[str, Any] = {"n_samples": _SAMPLES, "n_draws": 16 * _SAMPLES, "n_effective": _SAMPLES}
ANSWERS = ("exact", "fast")

Row = dict[str, Any]


def planets(physics: ForwardModel, n: int, seed: int) -> list[tuple[str, Observation]]:
    """Observations, of the instruments in turn, each of planets of its own."""
    names = list(INSTRUMENTS)
    each = -(-n // len(names))
    made = {
        name: observed(INSTRUMENTS[name], physics, each, seed + k)[0]
        for k, name in enumerate(names)
    }
    return [(names[i % len(names)], made[names[i % len(names)]][i // len(names)]) for i in range(n)]


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """What a function gives, and its seconds."""
    began = time.perf_counter()
    found = run()
    return found, time.perf_counter() - began


def compared(answers: dict[str, Posterior], reference: Row) -> Row:
    """Divergences and evidences of answers, from what `referred` tells of a reference."""
    known = Tenths(np.array(reference["edges"]), np.array(reference["shares"]))
    row: Row = {}
    for kind, one in answers.items():
        row[kind] = {
            "divergence": divergence_from(one.samples, one.weights, known).round(5).tolist(),
            "log_evidence": round(float(one.log_evidence), 3),
            "error": round(float(one.log_evidence_error), 3),
            "effective": round(float(one.effective_sample_size)),
            "flags": one.flags,
        }
    return row


def referred(known: Reference, again: Reference | None) -> Row:
    """What is kept of a reference, and how far a second one is from it."""
    found = tenths(known.theta, known.weight)
    row: Row = {
        "reference": {
            "log_evidence": round(float(known.log_evidence), 3),
            "effective": round(known.effective),
            "calls": known.calls,
            "edges": [[float(f"{x:.6g}") for x in ends] for ends in found.edges],
            "shares": found.shares.round(6).tolist(),
        }
    }
    if again is not None:
        row["again"] = {
            "divergence": divergence_from(again.theta, again.weight, found).round(5).tolist(),
            "log_evidence": round(float(again.log_evidence), 3),
        }
    return row


def reference(
    observation: Observation, model: Model, physics: ForwardModel, args: argparse.Namespace
) -> Row:
    """What nested sampling finds of ONE observation."""
    likelihood = log_likelihood(physics, observation)
    parameters = model.layout.parameters
    seeds = [args.seed + k for k in range(2 if args.again else 1)]
    runs = [
        timed(partial(nested, likelihood, parameters, seed, args.live, args.effective))
        for seed in seeds
    ]
    row = referred(runs[0][0], runs[1][0] if args.again else None)
    return row | {"seconds": {"reference": round(runs[0][1], 1)}}


def answered(
    observation: Observation, model: Model, physics: ForwardModel, seed: int, row: Row
) -> Row:
    """A row with the answers to its observation."""
    answers, seconds = {}, {}
    for kind in ANSWERS:
        ask = partial(retrieve, observation, model, physics=physics, seed=seed, **_LONG)
        found, seconds[kind] = timed(partial(ask, exact=kind == "exact"))
        answers[kind] = found[0]
    taken = {kind: round(x, 1) for kind, x in seconds.items()}
    return row | compared(answers, row["reference"]) | {"seconds": row["seconds"] | taken}


def report(rows: Sequence[Row]) -> Table:
    """One line per observation."""
    table = Table(title="divergence from nested sampling, median / worst parameter, nat")
    for heading in ("instrument", *ANSWERS, "nested again", "log evidence: exact", "nested", "s"):
        table.add_column(heading, justify="left" if heading == "instrument" else "right")
    for row in rows:
        found = row["exact"]
        offs = [row[kind]["divergence"] if kind in row else None for kind in (*ANSWERS, "again")]
        seconds = [f"{row['seconds'][kind]:.0f}" for kind in (*ANSWERS, "reference")]
        table.add_row(
            row["instrument"],
            *("" if off is None else f"{np.median(off):.4f} / {np.max(off):.4f}" for off in offs),
            f"{found['log_evidence']:.2f} +- {found['error']:.2f}",
            f"{row['reference']['log_evidence']:.2f}",
            " / ".join(seconds),
        )
    return table


def summary(rows: Sequence[Row]) -> str:
    """What the observations say together."""
    said = []
    for kind in (*ANSWERS, "again"):
        off = np.concatenate([row[kind]["divergence"] for row in rows if kind in row] or [[]])
        if off.size:
            said.append(f"{kind}: median {np.median(off):.4f}, worst {off.max():.4f} nat")
    near = []
    for row in rows:
        exact, known = row["exact"], row["reference"]
        # Nautilus states no error: that of as many independent samples is the least it can be.
        error = np.hypot(exact["error"], known["effective"] ** -0.5)
        near.append(abs(exact["log_evidence"] - known["log_evidence"]) < 3 * error)
    said.append(f"log evidences within 3 of their errors: {sum(near)} of {len(near)}")
    return "; ".join(said)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="file of what is found, .jsonl")
    parser.add_argument("--model", help="shipped name or file; default: the shipped default")
    parser.add_argument("--n", type=int, default=20, help="observations")
    parser.add_argument("--instrument", choices=INSTRUMENTS, action="append", help="these alone")
    parser.add_argument("--anew", action="store_true", help="answers again, nested's are kept")
    parser.add_argument("--again", action="store_true", help="nested sampling twice")
    parser.add_argument("--live", type=int, default=1000, help="live points of nested sampling")
    parser.add_argument("--effective", type=int, default=5000, help="of its samples")
    parser.add_argument("--seed", type=int, default=TEST_SEED)
    args = parser.parse_args(argv)
    model, physics = physics_of(args.model)
    kept = ("n", "again", "live", "effective", "seed")
    settings = {name: getattr(args, name) for name in kept}
    settings |= {"model": model.name, "weights": weights_sha256(args.model)}
    known = {row["number"]: row for row in kept_rows(args.out, settings)}  # the last counts
    console = Console()
    for i, (name, observation) in enumerate(planets(physics, args.n, args.seed)):
        row = known.get(i)
        if (row and not args.anew) or name not in (args.instrument or INSTRUMENTS):
            continue
        console.print(f"{i + 1} of {args.n}: {name}, {len(observation.depth)} points")
        if row is None:
            row = {"number": i, "instrument": name}
            row |= reference(observation, model, physics, args)
        row = answered(observation, model, physics, args.seed, row)
        keep_row(args.out, row)
        known[i] = row
        console.print(report([row]))
    rows = [known[i] for i in sorted(known)]
    console.print(report(rows))
    console.print(summary(rows))


if __name__ == "__main__":
    main()
