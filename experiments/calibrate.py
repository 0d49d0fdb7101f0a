"""Are the answers as sure as they should be? Simulation-based calibration.

python -m experiments.calibrate --out DIR [--model NAME] [--n 300] [--instrument NAME] [--fast]
    [--no-chain]

Planets drawn from the prior, seen by four instruments in turn; for each, how often intervals of
each parameter hold the truth (with the binomial error of n planets), how uniform the ranks of the
truths are (Talts et al. 2018, arXiv:1804.06788), and the expected coverage of TARP (Lemos et al.
2023, arXiv:2302.03026), which sees all parameters together. Writes calibration.ecsv and two figures
to DIR. If killed, it goes on where it stopped. The encoder's own samples (--no-chain), calibrated
over many planets, tell how far these planets are out by chance.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from astropy.table import Table
from jaxtyping import Float
from rich.progress import track

from exogan_jax.api import retrieve
from exogan_jax.files.atomic import replacing
from exogan_jax.gan.model import Model
from exogan_jax.parameters import Parameters
from exogan_jax.physics.forward import ForwardModel, simulate
from exogan_jax.physics.observation import Observation, binning_operator
from exogan_jax.retrieval.result import Posterior
from experiments.evaluate import TEST_SEED, physics_of

_CHUNK = 8
#: Which answers, and what they ask `retrieve` for.
KINDS: dict[str, dict[str, Any]] = {
    "exact": {},
    "fast": {"exact": False},
    "encoder": {"exact": False, "chain": False},
}
_LEVELS = np.linspace(0, 1, 21)  # of TARP's credibility


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


class Ranked(NamedTuple):
    """What is kept of an answer."""

    rank: Float[np.ndarray, " d"]  # share of the samples below the truth
    credibility: float  # TARP's: share of the samples nearer to a random point than the truth


def observed(
    instrument: tuple[Channel, ...], physics: ForwardModel, n: int, seed: int
) -> tuple[list[Observation], np.ndarray]:
    """Planets of the prior as an instrument sees them, and their parameters (n, d)."""
    theta = physics.sample(jax.random.key(seed), n)
    centre, half, sigma = np.concatenate([channel.bins() for channel in instrument], axis=1)
    operator = binning_operator(centre, half, np.asarray(physics.wavelength_um, np.float64))
    depth = np.asarray(jax.jit(simulate)(physics, theta), np.float64) @ operator.T
    depth += sigma * np.random.default_rng(seed).normal(size=depth.shape)
    # Noise must not make a small planet's depth negative: no file has such depths.
    depth = np.maximum(depth, 1e-3 * sigma)
    return [Observation(centre, half, one, sigma) for one in depth], np.asarray(theta, np.float64)


def ranked(
    posterior: Posterior, truth: Float[np.ndarray, " d"], parameters: Parameters, seed: int
) -> Ranked:
    """Ranks of ONE truth among the samples, ties broken at random."""
    rng = np.random.default_rng(seed)
    samples, weights = posterior.samples.astype(np.float64), posterior.weights
    below = weights @ (samples < truth) + rng.uniform() * (weights @ (samples == truth))
    unit, at = (np.asarray(parameters.to_unit(x)) for x in (samples, truth))
    point = rng.uniform(size=len(truth))
    nearer = np.square(unit - point).sum(axis=1) < np.square(at - point).sum()
    return Ranked(below, float(weights @ nearer))


def ranks(
    path: Path, name: str, model: Model, physics: ForwardModel, n: int, seed: int, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Ranks (n, d) and TARP's credibilities (n,) of n planets, but for those that `path` has."""
    observations, theta = observed(INSTRUMENTS[name], physics, n, seed)
    d = len(model.layout.parameters)
    done, credibility = np.empty((0, d)), np.empty(0)
    if path.exists():
        with np.load(path, allow_pickle=False) as file:
            done, credibility = file["rank"], file["credibility"]
    for start in track(range(len(done), n, _CHUNK), description=name):
        part = range(start, min(start + _CHUNK, n))
        found = retrieve(
            [observations[i] for i in part],
            model,
            names=[str(i) for i in part],
            physics=physics,
            chunk=1,
            **KINDS[kind],
        )
        each = [
            ranked(one, theta[i], model.layout.parameters, seed + i)
            for one, i in zip(found, part, strict=True)
        ]
        done = np.concatenate([done, [one.rank for one in each]])
        credibility = np.append(credibility, [one.credibility for one in each])
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, rank=done, credibility=credibility)
    return done[:n], credibility[:n]


def inside(rank: Float[np.ndarray, "n d"], level: float) -> Float[np.ndarray, " d"]:
    """Share of the truths within the central interval of a level."""
    return (np.abs(rank - 0.5) < level / 2).mean(axis=0)


def tarp(credibility: Float[np.ndarray, " n"]) -> Float[np.ndarray, " l"]:
    """Share of the credibilities, or ranks, below each level: the level itself, where answers are
    right.
    """
    return (credibility[None] <= _LEVELS[:, None]).mean(axis=1)


def draw(out: Path, ranks_of: dict[str, np.ndarray], of_tarp: dict[str, np.ndarray]) -> None:
    """Two figures: cumulative ranks less the uniform ones, and TARP's, with their 95 % bands."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    for title, data in (("ranks", ranks_of), ("tarp", of_tarp)):
        figure, axes = plt.subplots(
            1, len(data), figsize=(3.2 * len(data), 3), sharey=True, squeeze=False
        )
        for axis, (name, values) in zip(axes[0], data.items(), strict=True):
            n = len(values)
            band = 1.96 * np.sqrt(_LEVELS * (1 - _LEVELS) / n)
            axis.fill_between(_LEVELS, -band, band, color="0.85", lw=0)
            for column in values.reshape(n, -1).T:
                axis.plot(_LEVELS, tarp(column) - _LEVELS, lw=1)
            axis.set(title=name, xlabel="level")
        axes[0, 0].set_ylabel("share - level")
        figure.tight_layout()
        figure.savefig(out / f"{title}.png", dpi=150)
        plt.close(figure)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", metavar="NAME")
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--instrument", choices=INSTRUMENTS, action="append")
    parser.add_argument("--fast", action="store_true", help="the generator's own answers")
    parser.add_argument("--no-chain", action="store_true", help="the encoder's own samples")
    parser.add_argument("--seed", type=int, default=TEST_SEED)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    model, physics = physics_of(args.model)
    kind = "encoder" if args.no_chain else "fast" if args.fast else "exact"
    rows, rank_of, tarp_of = [], {}, {}
    for name in args.instrument or list(INSTRUMENTS):
        path = args.out / f"{model.name}_{name}_{kind}_{args.n}_{args.seed}.npz"
        rank, credibility = ranks(path, name, model, physics, args.n, args.seed, kind)
        rank_of[name], tarp_of[name] = rank, credibility
        shares = inside(rank, 0.68), inside(rank, 0.95)
        for i, parameter in enumerate(model.layout.parameters.names):
            rows.append((name, kind, parameter, shares[0][i], shares[1][i], len(rank)))
        off = float(np.abs(tarp(credibility) - _LEVELS).max())
        rows.append((name, kind, "tarp: largest deviation", off, np.nan, len(rank)))
    columns = ("instrument", "answer", "parameter", "inside_68", "inside_95", "n")
    table = Table(rows=rows, names=columns)
    table.write(args.out / "calibration.ecsv", format="ascii.ecsv", overwrite=True)
    table.pprint(max_lines=-1)
    draw(args.out, rank_of, tarp_of)


if __name__ == "__main__":
    main()
