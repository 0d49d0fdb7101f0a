"""Answers to observations side by side: one compiled call, then the exact answer of each."""

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
from exogan_jax.retrieval.confirm import Answer, exact, generators
from exogan_jax.retrieval.diagnostics import divergences
from exogan_jax.retrieval.fitting import Summary, retrieve_one
from exogan_jax.retrieval.levels import LevelTarget
from exogan_jax.retrieval.lightly import Lightly
from exogan_jax.retrieval.marginals import Marginals
from exogan_jax.retrieval.quick import finish, is_quick, weighted
from exogan_jax.retrieval.renew import Problem
from exogan_jax.retrieval.renewed import is_enough, renewed
from exogan_jax.retrieval.residuals import Bins
from exogan_jax.retrieval.sampling import is_sampled
from exogan_jax.retrieval.settings import Settings

_SIDE = 8  # chains side by side that fast answers leave: their number differs from chunk to chunk
#: Of a generator that cannot be corrected: the share of the samples that exact weights must leave.
#: Fewer say less than the generator's own.
_LEAST = 0.1


class Asked(NamedTuple):
    """One observation, as it is retrieved and judged."""

    target: Target
    bins: Bins
    prior: Marginals


def keys_of(names: Sequence[str], seed: int) -> jax.Array:
    """A key by name: a spectrum's result does not depend on its neighbours, nor on a resume."""
    digest = jnp.asarray([zlib.crc32(name.encode()) for name in names], jnp.uint32)
    return jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(digest)


@partial(Lightly, static="settings")
def retrieve_all(keys: jax.Array, model: Model, targets: Target, *, settings: Settings) -> Summary:
    """Summaries of targets, stacked: `fitting.retrieve_one` of each."""
    return jax.vmap(lambda key, target: retrieve_one(key, model, target, settings))(keys, targets)


@partial(jax.jit, static_argnames="settings")
def quick_all(
    keys: jax.Array, model: Model, targets: Target, *, settings: Settings
) -> tuple[Summary, jax.Array]:
    """Summaries of targets without a chain, stacked, and whether the likelihood weights them."""

    def one(key: jax.Array, target: Target) -> tuple[Summary, jax.Array]:
        draw_key, pick_key = jax.random.split(key)
        drawn = weighted(draw_key, model, target, settings)
        found = finish(pick_key, model, target, drawn, settings)
        return found, drawn.total.effective >= settings.n_effective

    return jax.vmap(one)(keys, targets)


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
    rows = [min(i, len(asked) - 1) for i in range(chunk)]  # the last chunk is padded
    both = jax.vmap(jax.random.split)(keys_of([names[i] for i in rows], settings.seed))
    keys, later = both[:, 0], both[:, 1]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *(asked[i].target for i in rows))
    summaries = _summaries(keys, model, stacked, static)
    fast = [
        generators(found, own.bins, own.prior, parameters)
        for found, own in zip(summaries, asked, strict=False)
    ]
    if is_quick(model, settings):  # the encoder's own samples need not fit
        fast = [
            one._replace(predictive_p=np.nan, is_weighted=False)
            if np.isnan(one.log_evidence)
            else one
            for one in fast
        ]
    if physics is None or not settings.exact or not is_sampled(model, settings):
        return fast
    return [
        _exact(key, one, own, model, physics, static)
        for key, one, own in zip(later, fast, asked, strict=False)
    ]


def _summaries(keys: jax.Array, model: Model, targets: Target, settings: Settings) -> list[Summary]:
    """Of all targets, as numpy arrays: quick ones where those will do, else by a chain."""
    found: list[Summary | None] = [None] * len(keys)
    if is_quick(model, settings):
        both = jax.vmap(jax.random.split)(keys)
        out, enough = jax.tree.map(
            np.asarray, quick_all(both[:, 0], model, targets, settings=settings)
        )
        keys = both[:, 1]
        for i in np.flatnonzero(enough | (not settings.chain)).tolist():
            found[i] = jax.tree.map(lambda x, i=i: x[i], out)
    left = [i for i, one in enumerate(found) if one is None]
    chained = dataclasses.replace(settings, exact=True, chain=True)  # a chain is the same program
    data = np.asarray(jax.random.key_data(keys))
    side = min(_SIDE, len(keys)) if is_quick(model, settings) else len(keys)
    for start in range(0, len(left), side):
        part = left[start : start + side]
        rows = np.array(part + part[-1:] * (side - len(part)))
        some = jax.tree.map(lambda x, rows=rows: x[rows], targets)
        own = jax.random.wrap_key_data(data[rows])
        out = jax.tree.map(np.asarray, retrieve_all(own, model, some, settings=chained))
        for k, i in enumerate(part):
            found[i] = jax.tree.map(lambda x, k=k: x[k], out)
    return [one for one in found if one is not None]


def _exact(
    key: jax.Array,
    fast: Answer,
    own: Asked,
    model: Model,
    physics: ForwardModel,
    settings: Settings,
) -> Answer:
    """The exact answer to ONE observation; where there is none, the generator's own, and said."""
    answer: Answer | None = exact(fast, own.bins, physics)
    assert answer is not None
    if isinstance(own.target.depth, LevelTarget):
        if not is_enough(answer):
            target, bins, prior = own
            problem = Problem(model, target, bins, prior, physics, settings)
            answer = renewed(key, fast, answer, problem)
    elif answer.size < _LEAST * fast.size:
        answer = None
    if answer is None:
        return fast._replace(efficiency=0.0, is_exact=False)
    each = divergences(fast.samples, fast.weights, answer.samples, answer.weights)
    return answer._replace(divergence=float(each.max()))  # where it is most
