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
from exogan_jax.retrieval.fitting import Summary
from exogan_jax.retrieval.levels import LevelTarget
from exogan_jax.retrieval.marginals import Marginals
from exogan_jax.retrieval.quick import finish, is_quick, weighted
from exogan_jax.retrieval.redrawn import Case, redrawn
from exogan_jax.retrieval.renew import Problem
from exogan_jax.retrieval.renewed import FEWEST, is_enough, renewed
from exogan_jax.retrieval.residuals import Bins
from exogan_jax.retrieval.sampling import is_sampled
from exogan_jax.retrieval.settings import Settings
from exogan_jax.retrieval.side_by_side import abreast, summaries

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
    summaries = _summaries(keys, model, stacked, static, len(asked))
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
    problems = [Problem(model, own.target, own.bins, own.prior, physics, static) for own in asked]
    return _exact(later, fast, problems, chunk)


def _summaries(
    keys: jax.Array, model: Model, targets: Target, settings: Settings, n: int
) -> list[Summary]:
    """Of the first n targets, as numpy arrays: quick ones where those will do, else by a chain."""
    found: list[Summary | None] = [None] * n
    if is_quick(model, settings):
        both = jax.vmap(jax.random.split)(keys)
        out, enough = jax.tree.map(
            np.asarray, quick_all(both[:, 0], model, targets, settings=settings)
        )
        keys = both[:, 1]
        for i in np.flatnonzero(enough[:n] | (not settings.chain)).tolist():
            found[i] = jax.tree.map(lambda x, i=i: x[i], out)
    left = [i for i, one in enumerate(found) if one is None]
    chained = dataclasses.replace(settings, exact=True, chain=True)  # a chain is the same program
    side = min(_SIDE, len(keys)) if is_quick(model, settings) else len(keys)
    if is_sampled(model, settings):
        side = abreast(side)
    some = [jax.tree.map(lambda x, i=i: x[i], targets) for i in left]
    of_chains = summaries(keys[np.array(left, int)], model, some, chained, side)
    for i, one in zip(left, of_chains, strict=True):
        found[i] = one
    return [one for one in found if one is not None]


def _exact(
    keys: jax.Array, fast: Sequence[Answer], problems: Sequence[Problem], chunk: int
) -> list[Answer]:
    """The exact answers; where there is none, the generator's own, and said."""
    cases = []
    for one, problem in zip(fast, problems, strict=True):
        weighted = exact(one, problem.bins, problem.physics)
        cases.append(Case(one, weighted, problem, len(one.samples)))
    left = [
        i
        for i, case in enumerate(cases)
        if isinstance(case.problem.target.depth, LevelTarget) and not is_enough(case.exact)
    ]
    others = [jax.random.fold_in(keys[i], 1) for i in left]
    again = redrawn(others, [cases[i] for i in left], abreast(chunk))
    for i, case in zip(left, again, strict=True):
        cases[i] = case
    return [_told(key, one, case) for key, one, case in zip(keys, fast, cases, strict=False)]


def _more(key: jax.Array, weighted: Answer, case: Case) -> Answer | None:
    """By rounds, unless these are worth less than the weights."""
    moved = renewed(key, case.fast, case.exact, case.problem, case.computed)
    few = weighted if weighted.size >= FEWEST else None
    return few if moved is None or (few is not None and few.size > moved.size) else moved


def _told(key: jax.Array, fast: Answer, case: Case) -> Answer:
    """What is told of ONE observation."""
    weighted = case.exact._replace(efficiency=case.exact.size / case.computed)
    answer: Answer | None = weighted
    if isinstance(case.problem.target.depth, LevelTarget):
        if not is_enough(weighted):
            answer = _more(key, weighted, case)
    elif weighted.size < _LEAST * fast.size:
        answer = None
    if answer is None:
        return fast._replace(efficiency=0.0, is_exact=False)
    each = divergences(fast.samples, fast.weights, answer.samples, answer.weights)
    return answer._replace(divergence=float(each.max()))  # where it is most
