"""Which spectra of a fast run get the exact answer, too (`--exact RULE`)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from exogan_jax.files.rows import DONE

if TYPE_CHECKING:
    from exogan_jax.files.results import Results
    from exogan_jax.files.rows import Task
    from exogan_jax.physics.observation import Observation


class Rule(NamedTuple):
    """What is picked."""

    top: int | None  # so many of the most signal; None: those whose fast answer has a flag

    def __str__(self) -> str:
        return "flagged" if self.top is None else f"top:{self.top}"


def parse_rule(text: str) -> Rule:
    """Parser of `flagged` or `top:N`, whose error argparse shows."""
    if text == "flagged":
        return Rule(None)
    word, _, number = text.partition(":")
    if word != "top" or not number.isdecimal() or int(number) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is neither flagged nor top:N, such as top:100")
    return Rule(int(number))


def signal(observation: Observation) -> float:
    """Chi-square of the depths about their weighted mean, less what noise alone gives: how much a
    spectrum has to tell, whatever the model.
    """
    depth, error = (np.asarray(x, float) for x in (observation.depth, observation.sigma))
    weight = error**-2.0
    mean = np.average(depth, weights=weight)
    return float((weight * np.square(depth - mean)).sum() - (depth.size - 1))


def top(tasks: Sequence[Task], n: int) -> set[str]:
    """Names of the n tasks of the most signal; of equal ones the first."""
    usable = [(signal(t.observation), t.name) for t in tasks if t.observation is not None]
    usable.sort(key=lambda pair: -pair[0])
    return {name for _, name in usable[:n]}


def flagged(results: Results, names: Sequence[str]) -> set[str]:
    """Those of the names whose answer, as far as there is one, has a flag.

    Raises:
      ValueError: a chunk of the results is damaged.
    """
    from exogan_jax.files.results import read_rows

    there = [n for n in names if n in results.rows and results.rows[n].status == DONE]
    flags = read_rows(results, there, ["flags"])["flags"]
    return {name for name, own in zip(there, flags, strict=True) if str(own)}
