"""Are the answers as sure as they should be? Simulation-based calibration.

python -m experiments.calibrate --out DIR [--model NAME] [--n 300] [--first M] [--instrument NAME]
    [--fast] [--no-chain] [--seed S]

Planets drawn from the prior, seen by four instruments in turn; for each, how often intervals of
each parameter hold the truth (with the binomial error of n planets), how uniform the ranks of the
truths are (Talts et al. 2018, arXiv:1804.06788), and the expected coverage of TARP (Lemos et al.
2023, arXiv:2302.03026), which sees all parameters together; of exact answers also how many samples
fit worse than the truth (half of them, on average, where answers are right). Writes
calibration.ecsv and two figures to DIR, and the ranks as they come: if killed, it goes on where it
stopped, and --first M stops after M of the planets. The encoder's own samples (--no-chain),
calibrated over many planets, tell how far these planets are out by chance. The ranks that the
documentation tells of are in experiments/reproduce/results/calibration.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from astropy.table import Table
from jaxtyping import Float
from rich.progress import track

from exogan_jax.api import retrieve
from exogan_jax.gan.model import Model
from exogan_jax.parameters import Parameters
from exogan_jax.physics.forward import ForwardModel, simulate
from exogan_jax.physics.observation import Observation, binning_operator
from exogan_jax.retrieval.result import Posterior
from experiments.evaluate import TEST_SEED, physics_of
from experiments.ranks import (
    LEVELS,
    Asked,
    Ranks,
    draw,
    inside,
    mean_likelihood,
    read_ranks,
    tarp,
    write_ranks,
)

_CHUNK = 8
#: Which answers, and what they ask `retrieve` for.
KINDS: dict[str, dict[str, Any]] = {
    "exact": {},
    "fast": {"exact": False},
    "encoder": {"exact": False, "chain": False},
}


class Channel(NamedTuple):
    """A part of what an instrument sees."""

    low_um: float
    high_um: float
    sigma: float  # of each bin's depth
    resolution: float | None = 100.0  # None: photometry, one bin

    def bins(self) -> np.ndarray:
        """Centres, half widths and errors (3, n)."""
        if self.resolution is None:
            ends = self.low_um, self.high_um
            return np.array([[sum(ends) / 2], [(ends[1] - ends[0]) / 2], [self.sigma]])
        n = int(np.log(self.high_um / self.low_um) * self.resolution)
        centre = self.low_um * np.exp((np.arange(n) + 0.5) / self.resolution)
        return np.stack([centre, centre / (2 * self.resolution), np.full(n, self.sigma)])


INSTRUMENTS = {
    "wide": (Channel(0.5, 15.0, 20e-6),),
    "prism": (Channel(0.6, 5.3, 30e-6),),
    "wfc3": (Channel(1.1, 1.7, 50e-6),),
    "hst_spitzer": (
        Channel(0.55, 1.0, 80e-6, 40.0),
        Channel(1.1, 1.7, 50e-6),
        Channel(3.16, 3.93, 90e-6, None),
        Channel(3.97, 5.02, 90e-6, None),
    ),
}


def _binned(
    centre: np.ndarray, half: np.ndarray, physics: ForwardModel, theta: jax.Array
) -> Float[np.ndarray, "n p"]:
    """True depths of planets in bins."""
    operator = binning_operator(centre, half, np.asarray(physics.wavelength_um, np.float64))
    return np.asarray(jax.jit(simulate)(physics, theta), np.float64) @ operator.T


def observed(
    instrument: tuple[Channel, ...], physics: ForwardModel, n: int, seed: int
) -> tuple[list[Observation], np.ndarray]:
    """Planets of the prior as an instrument sees them, and their parameters (n, d)."""
    theta = physics.sample(jax.random.key(seed), n)
    centre, half, sigma = np.concatenate([channel.bins() for channel in instrument], axis=1)
    depth = _binned(centre, half, physics, theta)
    depth += sigma * np.random.default_rng(seed).normal(size=depth.shape)
    # Noise must not make a small planet's depth negative: no file has such depths.
    depth = np.maximum(depth, 1e-3 * sigma)
    return [Observation(centre, half, one, sigma) for one in depth], np.asarray(theta, np.float64)


def ranked(
    posterior: Posterior, truth: Float[np.ndarray, " d"], parameters: Parameters, seed: int
) -> tuple[np.ndarray, float]:
    """Rank (d,) of ONE truth among the samples, ties broken at random, and TARP's credibility."""
    rng = np.random.default_rng(seed)
    samples, weights = posterior.samples.astype(np.float64), posterior.weights
    below = weights @ (samples < truth) + rng.uniform() * (weights @ (samples == truth))
    unit, at = (np.asarray(parameters.to_unit(x)) for x in (samples, truth))
    point = rng.uniform(size=len(truth))
    nearer = np.square(unit - point).sum(axis=1) < np.square(at - point).sum()
    return below, float(weights @ nearer)


def misfits(
    observations: Sequence[Observation], theta: Float[np.ndarray, "n d"], physics: ForwardModel
) -> Float[np.ndarray, " n"]:
    """-log likelihood of planets with the data's own errors, as `Posterior.loss` of exact answers;
    all observations are of the same bins.
    """
    centre, half = (np.asarray(x, np.float64) for x in observations[0][:2])
    depth = _binned(centre, half, physics, jnp.asarray(theta, jnp.float32))
    seen, sigma = (np.array([o[k] for o in observations], np.float64) for k in (2, 3))
    return np.square((seen - depth) / sigma).sum(axis=1) / 2


def fits_worse(posterior: Posterior, misfit: float) -> float:
    """Share of ONE answer's samples that fit worse than the truth, whose misfit is given; NaN where
    the answer is not exact.
    """
    if not posterior.efficiency > 0:
        return np.nan
    return float(posterior.weights @ (posterior.loss > misfit))


def ranks(
    folder: Path, asked: Asked, model: Model, physics: ForwardModel, first: int | None = None
) -> Ranks:
    """Ranks of the first planets (default: of all), but for those that the folder has."""
    observations, theta = observed(INSTRUMENTS[asked.instrument], physics, asked.n, asked.seed)
    misfit = misfits(observations, theta, physics)
    parameters, m = model.layout.parameters, min(first or asked.n, asked.n)
    path = folder / asked.file
    done = read_ranks(path, len(parameters))
    description = f"{asked.instrument}, {asked.answer}"
    for start in track(range(len(done.rank), m, _CHUNK), description=description):
        part = range(start, min(start + _CHUNK, m))
        found = retrieve(
            [observations[i] for i in part],
            model,
            names=[str(i) for i in part],
            physics=physics,
            chunk=1,
            **KINDS[asked.answer],
        )
        each = [
            ranked(one, theta[i], parameters, asked.seed + i)
            for one, i in zip(found, part, strict=True)
        ]
        worse = [fits_worse(one, misfit[i]) for one, i in zip(found, part, strict=True)]
        rank, credibility = map(np.array, zip(*each, strict=True))
        done = done.joined(Ranks(rank, credibility, np.array(worse)))
        write_ranks(path, done)
    return done.first(m)


def rows(asked: Asked, found: Ranks, parameters: Parameters) -> list[tuple[Any, ...]]:
    """Of a table: shares within the 68 and 95 % intervals, and TARP's largest deviation."""
    n, about = len(found.rank), (asked.instrument, asked.answer)
    shares = inside(found.rank)
    each = zip(parameters.names, *shares, strict=True)
    off = float(np.abs(tarp(found.credibility) - LEVELS).max())
    return [
        *((*about, name, low, high, n) for name, low, high in each),
        (*about, "all together", *(share.mean() for share in shares), n),
        (*about, "tarp: largest deviation", off, np.nan, n),
        (*about, "samples that fit worse: mean, error", *mean_likelihood(found.likelihood), n),
    ]


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", metavar="NAME")
    parser.add_argument("--n", type=int, default=300, help="planets, drawn together")
    parser.add_argument("--first", type=int, metavar="M", help="the first of them alone")
    parser.add_argument("--instrument", choices=INSTRUMENTS, action="append")
    parser.add_argument("--fast", action="store_true", help="the generator's own answers")
    parser.add_argument("--no-chain", action="store_true", help="the encoder's own samples")
    parser.add_argument("--seed", type=int, default=TEST_SEED)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    model, physics = physics_of(args.model)
    kind = "encoder" if args.no_chain else "fast" if args.fast else "exact"
    lines: list[tuple[Any, ...]] = []
    found: dict[str, Ranks] = {}
    for name in args.instrument or list(INSTRUMENTS):
        asked = Asked(model.name, name, kind, args.n, args.seed)
        found[name] = ranks(args.out, asked, model, physics, args.first)
        lines += rows(asked, found[name], model.layout.parameters)
    columns = ("instrument", "answer", "parameter", "inside_68", "inside_95", "n")
    table = Table(rows=lines, names=columns)
    table.write(args.out / "calibration.ecsv", format="ascii.ecsv", overwrite=True)
    table.pprint(max_lines=-1, max_width=-1)
    draw(args.out, found)


if __name__ == "__main__":
    main()
