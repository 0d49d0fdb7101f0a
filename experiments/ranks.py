"""Where truths rank among the samples of answers: what is kept of them, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from exogan_jax.files.atomic import replacing

LEVELS = np.linspace(0, 1, 21)  # of TARP's credibility


class Ranks(NamedTuple):
    """Of the first m of n planets."""

    rank: Float[np.ndarray, "m d"]  # share of the samples below the truth
    #: TARP's: share of the samples nearer to a random point than the truth
    credibility: Float[np.ndarray, " m"]
    #: Share of the samples that fit worse than the truth; NaN where it was not kept. Of answers
    #: that are too narrow it is low, and tells sooner than any parameter (Modrak et al. 2023,
    #: arXiv:2211.02383).
    likelihood: Float[np.ndarray, " m"]

    def first(self, m: int) -> Ranks:
        """Of the first m."""
        return Ranks(*(each[:m] for each in self))

    def joined(self, more: Ranks) -> Ranks:
        """With those of the next planets."""
        return Ranks(*(np.concatenate(both) for both in zip(self, more, strict=True)))


class Asked(NamedTuple):
    """What ranks are of; a file of them is MODEL-INSTRUMENT-ANSWER-N-SEED.npz. The planets are the
    same for each instrument and answer.
    """

    model: str
    instrument: str
    answer: str
    n: int  # planets that are drawn together
    seed: int

    @property
    def file(self) -> str:
        """Name of the file."""
        return "-".join(map(str, self)) + ".npz"


def read_ranks(path: Path, d: int) -> Ranks:
    """A file's, of d parameters; none, where there is no file."""
    if not path.exists():
        return Ranks(np.empty((0, d)), np.empty(0), np.empty(0))
    with np.load(path, allow_pickle=False) as file:
        rank, credibility = file["rank"], file["credibility"]
        likelihood = file["likelihood"] if "likelihood" in file else np.full(len(rank), np.nan)
        return Ranks(rank, credibility, likelihood)


def write_ranks(path: Path, ranks: Ranks) -> None:
    """Writes a file; a kill leaves the one before."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **ranks._asdict())


def kept_ranks(folder: Path) -> dict[Asked, Ranks]:
    """All of a folder."""
    found = {}
    for path in sorted(folder.glob("*.npz")):
        model, instrument, answer, n, seed = path.stem.rsplit("-", 4)
        found[Asked(model, instrument, answer, int(n), int(seed))] = read_ranks(path, 0)
    return found


def inside(rank: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "2 d"]:
    """Shares of the truths within the central 68 and 95 % intervals."""
    off = np.abs(rank - 0.5)
    return np.stack([(off < level / 2).mean(axis=0) for level in (0.68, 0.95)])


def mean_likelihood(likelihood: Float[np.ndarray, " m"]) -> tuple[float, float]:
    """Mean of `Ranks.likelihood` and its error; 1/2 where answers are right. NaN where none is
    known.
    """
    known = likelihood[np.isfinite(likelihood)]
    if not known.size:
        return np.nan, np.nan
    return float(known.mean()), float(1 / np.sqrt(12 * known.size))


def tarp(credibility: Float[np.ndarray, " n"]) -> Float[np.ndarray, " l"]:
    """Share of the credibilities, or ranks, below each level: the level itself, where answers are
    right.
    """
    return (credibility[None] <= LEVELS[:, None]).mean(axis=1)


def tarp_band(n: int) -> Float[np.ndarray, " l"]:
    """By how much `tarp` of n right answers is off each level, 95 times in 100."""
    return 1.96 * np.sqrt(LEVELS * (1 - LEVELS) / n)


def outside_band(credibility: Float[np.ndarray, " n"]) -> int:
    """At how many levels `tarp` is outside of its band."""
    off = np.abs(tarp(credibility) - LEVELS)
    return int((off > tarp_band(len(credibility)) + 1e-12).sum())


def draw(folder: Path, found: dict[str, Ranks]) -> None:
    """Two figures, ranks.png and tarp.png: cumulative ranks less the uniform ones, and TARP's, with
    their 95 % bands; one panel for each title.
    """
    for name, title in (("rank", "ranks"), ("credibility", "tarp")):
        n_rows = -(-len(found) // 2)
        figure = Figure(figsize=(7.2, 2.8 * n_rows), layout="tight")
        axes = figure.subplots(n_rows, 2, sharey=True, squeeze=False)
        for axis in axes.flat[len(found) :]:
            axis.set_visible(False)
        for axis, (label, ranks) in zip(axes.flat, found.items(), strict=False):
            values = getattr(ranks, name)
            n = len(values)
            axis.fill_between(LEVELS, -tarp_band(n), tarp_band(n), color="0.85", lw=0)
            for column in values.reshape(n, -1).T:
                axis.plot(LEVELS, tarp(column) - LEVELS, lw=1)
            axis.set(title=f"{label}, {n}", xlabel="level")
        for axis in axes[:, 0]:
            axis.set_ylabel("share - level")
        figure.savefig(folder / f"{title}.png", dpi=150)
