"""Answers to observations side by side: one compiled call for all, then the exact weights of each,
and further tries of those that need them.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from exogan_jax.gan.model import Model
from exogan_jax.physics.forward import ForwardModel
from exogan_jax.retrieval.compared import Target
from exogan_jax.retrieval.confirm import Answer, correct, exact, generators, is_enough
from exogan_jax.retrieval.diagnostics import divergences
from exogan_jax.retrieval.fitting import Summary, is_sampled, retrieve_one
from exogan_jax.retrieval.marginals import Marginals
from exogan_jax.retrieval.residuals import Bins
from exogan_jax.retrieval.settings import Settings

#: Share of the samples that exact weights must leave: fewer say less than the generator's own. Of
#: planets that it draws to a part of the errors they leave 0.9 and more.
LEAST = 0.1
_TRIES = 3  # of a corrected generator (see `confirm`)


class Asked(NamedTuple):
    """One observation, as it is retrieved and judged."""

    target: Target
    bins: Bins
    prior: Marginals


def keys_of(names: Sequence[str], seed: int, attempt: int = 0) -> jax.Array:
    """A key by name: a spectrum's result does not depend on its neighbours, nor on a resume."""
    digest = jnp.asarray([zlib.crc32(name.encode()) for name in names], jnp.uint32)
    digest = digest + jnp.uint32(attempt)
    return jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(digest)


@partial(jax.jit, static_argnames="settings")
def retrieve_all(keys: jax.Array, model: Model, targets: Target, *, settings: Settings) -> Summary:
    """Summaries of targets, stacked: `fitting.retrieve_one` of each."""
    return jax.vmap(lambda key, target: retrieve_one(key, model, target, settings))(keys, targets)


def answers(
    names: Sequence[str],
    asked: Sequence[Asked],
    model: Model,
    physics: ForwardModel | None,
    settings: Settings,
    chunk: int,
) -> list[Answer]:
    """Answers of a chunk's observations, exact ones where `physics` and the settings say so."""
    parameters = model.layout.parameters
    static = dataclasses.replace(settings, seed=0)  # is in the keys: another compiles nothing

    def run(rows: Sequence[int], targets: Sequence[Target], attempt: int) -> list[Answer]:
        """The generator's answers to some of the observations."""
        keys = keys_of([names[i] for i in rows], settings.seed, attempt)
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *targets)
        found = retrieve_all(keys, model, stacked, settings=static)
        found = jax.tree.map(np.asarray, found)
        each = (jax.tree.map(lambda x, i=i: x[i], found) for i in range(len(rows)))
        pairs = zip(each, (asked[i] for i in rows), strict=True)
        return [generators(one, own.bins, own.prior, parameters) for one, own in pairs]

    rows = [min(i, len(asked) - 1) for i in range(chunk)]  # the last chunk is padded
    fast = run(rows, [asked[i].target for i in rows], 0)[: len(asked)]
    if physics is None or not settings.exact or not is_sampled(model, settings):
        return fast
    best_of = [exact(one, own.bins, physics) for one, own in zip(fast, asked, strict=True)]
    for i, own in enumerate(asked):
        best = best_of[i]
        for attempt in range(1, 1 + _TRIES):
            if is_enough(best):
                break
            target = correct(own.target, best, model)
            if target is None:
                break
            tried = exact(run([i], [target], attempt)[0], own.bins, physics)
            best = tried if tried.size > best.size else best
        best_of[i] = best
    # Where all fails, the generator's own answer, and said.
    return [
        one._replace(efficiency=answer.efficiency)
        if answer.efficiency < LEAST
        else answer._replace(divergence=_changed(one, answer))
        for one, answer in zip(fast, best_of, strict=True)
    ]


def _changed(fast: Answer, answer: Answer) -> float:
    """Divergence of the generator's answer from the exact one, where it is most."""
    each = divergences(fast.samples, fast.weights, answer.samples, answer.weights)
    return float(each.max())
