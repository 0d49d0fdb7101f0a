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

    def first(self, m: int) -> Ranks:
        """Of the first m."""
        return Ranks(self.rank[:m], self.credibility[:m])


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
        return Ranks(np.empty((0, d)), np.empty(0))
    with np.load(path, allow_pickle=False) as file:
        return Ranks(file["rank"], file["credibility"])


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
        figure = Figure(figsize=(3.2 * len(found), 3), layout="tight")
        axes = figure.subplots(1, len(found), sharey=True, squeeze=False)
        for axis, (label, ranks) in zip(axes[0], found.items(), strict=True):
            values = getattr(ranks, name)
            n = len(values)
            axis.fill_between(LEVELS, -tarp_band(n), tarp_band(n), color="0.85", lw=0)
            for column in values.reshape(n, -1).T:
                axis.plot(LEVELS, tarp(column) - LEVELS, lw=1)
            axis.set(title=f"{label}, {n}", xlabel="level")
        axes[0, 0].set_ylabel("share - level")
        figure.savefig(folder / f"{title}.png", dpi=150)
