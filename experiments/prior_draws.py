"""Posteriors of weak data by draws of the prior, which no sampler can lead astray: all parameters
but the radius are drawn, and the radius is integrated over.

python -m experiments.prior_draws --out FILE [--number 3] [--draws 100000] [--model NAME]

The observations are those of `compare_sampling`. Data fix a radius to a thousandth, given the rest,
and nothing else so well: without it, a featureless spectrum leaves a prior's draw in ten. Of data
that show gases it leaves too few; nested sampling finds those. A fifth of an hour on one core for
100,000 draws at twenty points.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.special import logsumexp

from exogan_jax.files.made_with import weights_sha256
from exogan_jax.parameters import Parameters
from exogan_jax.physics.observation import Observation
from experiments.brute_force import of_draws
from experiments.compare_sampling import Row, answered, planets, referred, timed
from experiments.evaluate import TEST_SEED, physics_of
from experiments.kept_rows import keep_row, kept_rows
from experiments.nested import Reference, made_above

_BATCH = 256  # draws at a time
#: Places of the radius, of its prior's range: where to look first, and about where it fits, as
#: many standard deviations to either side.
_FIRST, _NODES, _SIDE = 24, 32, 7.0
#: Independent samples that make a reference: divergences from fewer are mostly chance.
_ENOUGH = 300

Spectra = Callable[[np.ndarray], np.ndarray]


class Integrated(NamedTuple):
    """Draws of the prior, each with its radius integrated over."""

    unit: Float[np.ndarray, "n d"]  # in the prior's box, the radius drawn from what is left of it
    log_weight: Float[np.ndarray, " n"]  # the likelihood's integral over the radius


def _with(
    unit: Float[np.ndarray, "n d"], index: int, radius: Float[np.ndarray, "n k"]
) -> Float[np.ndarray, "nk d"]:
    """Each draw at some radii of its own."""
    many = np.repeat(unit[:, None], radius.shape[1], axis=1)
    many[:, :, index] = radius
    return many.reshape(-1, unit.shape[1])


def _where(
    off: Float[np.ndarray, "n k"], grid: Float[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Where depths that are off, which rise with the radius, are right; their slope there; and
    whether they are anywhere.
    """
    rises = (off[:, :-1] < 0) & (off[:, 1:] >= 0)  # False where there is no number
    there: Bool[np.ndarray, " n"] = np.any(rises, axis=1)
    first = rises.argmax(axis=1)
    rows = np.arange(len(off))
    low, high = off[rows, first], off[rows, first + 1]
    slope = np.where(there, (high - low) / (grid[first + 1] - grid[first]), 1.0)
    return np.where(there, grid[first] - low / slope, 0.5), slope, there


def integrated(
    rng: np.random.Generator,
    observation: Observation,
    parameters: Parameters,
    spectra: Spectra,
    n: int,
) -> Integrated:
    """Draws of a prior that is uniform within the bounds.

    Args:
      rng: of the draws.
      observation: ONE.
      parameters: with a radius.
      spectra: from `nested.made_above`.
      n: draws.
    """
    index = parameters.roles.index("radius")
    data = 1e6 * (np.asarray(observation.depth) - np.median(observation.depth))
    sigma = 1e6 * np.asarray(observation.sigma)
    share = sigma**-2 / (sigma**-2).sum()
    grid = np.linspace(0, 1, _FIRST)

    def made(unit: np.ndarray) -> np.ndarray:
        return spectra(np.asarray(parameters.from_unit(unit)))

    unit = rng.uniform(size=(n, len(parameters)))
    off = (made(_with(unit, index, np.tile(grid, (n, 1)))) - data) @ share
    centre, slope, there = _where(off.reshape(n, -1), grid)
    for _ in range(2):  # the depth is nearly straight in the radius' logarithm
        off = (made(_with(unit, index, centre[:, None])) - data) @ share
        centre = np.where(there & np.isfinite(off), centre - off / slope, centre)
    half = _SIDE / np.sqrt((sigma**-2).sum()) / slope
    nodes = centre[:, None] + np.linspace(-1, 1, _NODES) * half[:, None]
    chi2 = np.square((made(_with(unit, index, nodes.clip(0, 1))) - data) / sigma).sum(axis=1)
    may = there[:, None] & (nodes >= 0) & (nodes <= 1) & np.isfinite(chi2.reshape(n, -1))
    log = np.where(may, -0.5 * chi2.reshape(n, -1), -np.inf)
    step = 2 * half / (_NODES - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = logsumexp(log, axis=1)
        steps = np.cumsum(np.where(may, np.exp(log - total[:, None]), 0.0), axis=1)
    chosen = (steps < rng.uniform(size=(n, 1)) * steps[:, -1:]).sum(axis=1).clip(max=_NODES - 1)
    drawn = nodes[np.arange(n), chosen] + (rng.uniform(size=n) - 0.5) * step
    unit[:, index] = np.where(np.isfinite(total), drawn, 0.5).clip(0, 1)
    return Integrated(unit, total + np.log(step) - np.log(np.sqrt(2 * np.pi) * sigma / 1e6).sum())


def prior_draws(
    observation: Observation, parameters: Parameters, spectra: Spectra, seed: int, n: int
) -> Reference:
    """The posterior and the evidence of ONE observation, of at least n draws.

    Raises:
      ValueError: too few draws fit, whatever their radius.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for _ in track(range(-(-n // _BATCH)), "drawing of the prior"):
        part = integrated(rng, observation, parameters, spectra, _BATCH)
        parts.append(Integrated(*(x[np.isfinite(part.log_weight)] for x in part)))
    unit, log_weight = (np.concatenate(x) for x in zip(*parts, strict=True))
    calls = len(parts) * _BATCH
    if not log_weight.size:
        raise ValueError(f"none of {calls:,} draws fits, whatever its radius")
    found = of_draws(np.asarray(parameters.from_unit(unit)), log_weight, calls)
    if found.effective < _ENOUGH:
        raise ValueError(
            f"{calls:,} draws are worth {found.effective:.0f} independent samples, not {_ENOUGH}: "
            "of such data, nested sampling tells more (python -m experiments.compare_sampling)"
        )
    # Where most draws fit, as here, the evidence is known better than by as many samples of it.
    return found._replace(error=float(np.sqrt(1 / found.effective - 1 / calls)))


def report(row: Row) -> Table:
    """Divergence and evidences of the answers to ONE observation."""
    known = row["reference"]
    title = f"log evidence {known['log_evidence']:.3f} +- {known['error']:.3f}, of "
    title += f"{known['effective']:,} independent samples ({known['calls']:,} draws)"
    table = Table("answer", title=title)
    for heading in ("divergence, median", "worst", "log evidence", "s"):
        table.add_column(heading, justify="right")
    for kind in ("exact", "fast"):
        found, off = row[kind], row[kind]["divergence"]
        evidence = f"{found['log_evidence']:.3f} +- {found['error']:.3f}"
        offs = f"{np.median(off):.4f}", f"{np.max(off):.4f}"
        table.add_row(kind, *offs, evidence, f"{row['seconds'][kind]:.0f}")
    return table


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="file of what is found, .jsonl")
    parser.add_argument("--model", help="shipped name or file; default: the shipped default")
    parser.add_argument("--n", type=int, default=20, help="observations that there are")
    parser.add_argument("--number", type=int, default=3, help="which of them, from 1")
    parser.add_argument("--draws", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=TEST_SEED)
    args = parser.parse_args(argv)
    if not 1 <= args.number <= args.n:
        parser.error(f"--number {args.number}: there are {args.n}")
    model, physics = physics_of(args.model)
    settings = {name: getattr(args, name) for name in ("n", "seed")}
    settings |= {"model": model.name, "weights": weights_sha256(args.model)}
    known = {row["number"]: row for row in kept_rows(args.out, settings)}
    row = known.get(args.number - 1)
    if row is None:
        name, observation = planets(physics, args.n, args.seed)[args.number - 1]
        spectra, parameters = made_above(physics, observation), model.layout.parameters
        ask = partial(prior_draws, observation, parameters, spectra, args.seed, args.draws)
        try:
            found, seconds = timed(ask)
        except ValueError as error:
            parser.error(f"--number {args.number} ({name}): {error}")
        row = {"number": args.number - 1, "instrument": name}
        row |= {"reference": referred(found, None)["reference"] | {"error": round(found.error, 4)}}
        row |= {"seconds": {"reference": round(seconds, 1)}}
        row = answered(observation, model, physics, args.seed, row)
        keep_row(args.out, row)
    Console().print(report(row))


if __name__ == "__main__":
    main()
