"""Many targets retrieved side by side: one compiled call for each so many."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import numpy as np

from exogan_jax.gan.model import Model
from exogan_jax.retrieval.compared import Target
from exogan_jax.retrieval.fitting import Summary, retrieve_one
from exogan_jax.retrieval.lightly import Lightly
from exogan_jax.retrieval.settings import Settings


@partial(Lightly, static="settings")
def retrieve_all(keys: jax.Array, model: Model, targets: Target, *, settings: Settings) -> Summary:
    """Summaries of targets, stacked: `fitting.retrieve_one` of each."""
    return jax.vmap(lambda key, target: retrieve_one(key, model, target, settings))(keys, targets)


def abreast(most: int) -> int:
    """How many targets to sample side by side, where there may be `most`. On a CPU one, whose
    walkers fill it: one program for all, and none waits for the slowest.
    """
    return 1 if jax.default_backend() == "cpu" else most


def summaries(
    keys: jax.Array, model: Model, targets: Sequence[Target], settings: Settings, side: int
) -> list[Summary]:
    """Of any number of targets of the same shapes, as numpy arrays.

    Args:
      keys: one per target.
      model: the networks.
      targets: the observations'.
      settings: with nothing left open.
      side: how many at a time; the last are padded.
    """
    data, found = np.asarray(jax.random.key_data(keys)), []
    for start in range(0, len(targets), side):
        rows = [min(i, len(targets) - 1) for i in range(start, start + side)]
        some = jax.tree.map(lambda *leaves: np.stack(leaves), *(targets[i] for i in rows))
        own = jax.random.wrap_key_data(data[np.array(rows)])
        out = jax.tree.map(np.asarray, retrieve_all(own, model, some, settings=settings))
        n = min(side, len(targets) - start)
        found += [jax.tree.map(lambda x, k=k: x[k], out) for k in range(n)]
    return found
