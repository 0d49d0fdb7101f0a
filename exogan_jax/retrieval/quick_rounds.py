"""Quick answers to many targets side by side: a call for all, rounds for some."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from exogan_jax.gan.model import Model
from exogan_jax.retrieval import quick
from exogan_jax.retrieval.compared import Target
from exogan_jax.retrieval.exact import drawn as drawn_of
from exogan_jax.retrieval.fitting import Summary
from exogan_jax.retrieval.importance import Integral
from exogan_jax.retrieval.quick import Centres, Samples, Weighted
from exogan_jax.retrieval.settings import Settings

_ROUNDS = 8
_USEFUL = 16.0  # independent samples of a round that counts
_SIDE = 8  # targets of a round side by side, whose numbers differ from chunk to chunk


@partial(jax.jit, static_argnames="settings")
def _first(keys: Array, model: Model, targets: Target, *, settings: Settings) -> Weighted:
    return jax.vmap(lambda key, target: quick.first(key, model, target, settings))(keys, targets)


@partial(jax.jit, static_argnames="settings")
def _centres(
    keys: Array, model: Model, targets: Target, drawn: Weighted, *, settings: Settings
) -> Centres:
    def one(key: Array, target: Target, drawn: Weighted) -> Centres:
        return quick.centres(key, model, target, drawn, settings)

    return jax.vmap(one)(keys, targets, drawn)


@partial(jax.jit, static_argnames="settings")
def _again(
    keys: Array, model: Model, targets: Target, about: Centres, *, settings: Settings
) -> tuple[Weighted, Centres]:
    def one(key: Array, target: Target, about: Centres) -> tuple[Weighted, Centres]:
        return quick.again(key, model, target, about, settings)

    return jax.vmap(one)(keys, targets, about)


@partial(jax.jit, static_argnames="settings")
def _finish(model: Model, targets: Target, samples: Samples, *, settings: Settings) -> Summary:
    def one(target: Target, samples: Samples) -> Summary:
        return quick.finish(model, target, samples, settings)

    return jax.vmap(one)(targets, samples)


class _Pool:
    """Weighted draws of ONE target, of several rounds: each round's mean weight is the evidence."""

    def __init__(self) -> None:
        self.place: list[np.ndarray] = []
        self.log_weight: list[np.ndarray] = []

    def add(self, drawn: Weighted) -> None:
        """Adds a round, if it tells anything."""
        if drawn.effective >= _USEFUL:
            self.place.append(np.asarray(drawn.place))
            self.log_weight.append(np.asarray(drawn.log_weight, np.float64))

    def evidence(self) -> Integral:
        """The mean weight of all, float32 as all else that a program is called with."""
        if not self.place:
            return _integral(-np.inf, np.inf, 0.0)
        weight = np.concatenate(self.log_weight)
        top = weight.max()
        share = np.exp(weight - top)
        effective = share.sum() ** 2 / np.square(share).sum()
        error = np.sqrt(1 / effective - 1 / weight.size)
        return _integral(top + np.log(share.mean()), error, effective)

    def samples(self, rng: np.random.Generator, n: int) -> Samples:
        """Of equal weights, in random order."""
        weight, evidence = np.concatenate(self.log_weight), self.evidence()
        share = np.exp(weight - weight.max())
        family = drawn_of(rng, share / share.sum(), n)
        place = np.concatenate(self.place)[family]
        fields: Any = place, family.astype(np.int32), evidence
        return Samples(*fields)


def quick_summaries(
    keys: Array, model: Model, targets: Target, settings: Settings
) -> list[Summary | None]:
    """Summaries, as numpy arrays; None of targets that draws tell too little of.

    Args:
      keys: (n,) one of each target.
      model: whose encoder has a flow.
      targets: stacked.
      settings: with nothing left open.
    """
    n = len(keys)
    each = jax.vmap(lambda key: jax.random.split(key, _ROUNDS + 3))(keys)
    data = np.asarray(jax.random.key_data(each))
    everyone, side = np.arange(n), min(_SIDE, n)
    pools = [_Pool() for _ in range(n)]

    def key(number: int, rows: np.ndarray) -> Array:
        return jax.random.wrap_key_data(data[rows, number])

    def add(rows: np.ndarray, drawn: Weighted) -> None:
        for k, row in _once(rows):
            pools[row].add(_pick(drawn, k))

    def left() -> list[np.ndarray]:
        wanted = settings.n_effective
        assert wanted is not None
        return _parts([i for i in range(n) if pools[i].evidence().effective < wanted], side)

    drawn = _host(_first(key(0, everyone), model, targets, settings=settings))
    add(everyone, drawn)
    about: dict[int, Centres] = {}
    for rows in left():
        some = _pick(targets, rows), _pick(drawn, rows)
        begun = _host(_centres(key(1, rows), model, *some, settings=settings))
        about |= {row: _pick(begun, k) for k, row in _once(rows)}
    for number in range(_ROUNDS):
        for rows in left():
            some = _pick(targets, rows), _stack([about[row] for row in rows])
            made, after = _host(_again(key(3 + number, rows), model, *some, settings=settings))
            add(rows, made)
            about |= {row: _pick(after, k) for k, row in _once(rows)}
    found: list[Summary | None] = [None] * n
    missing = {int(row) for rows in left() for row in rows}
    for rows in _parts([i for i in range(n) if i not in missing], side):
        assert settings.n_samples is not None
        made = [pools[i].samples(_rng(data[i, 2]), settings.n_samples) for i in rows]
        some = _pick(targets, rows), _stack(made)
        out = _host(_finish(model, *some, settings=settings))
        for k, row in _once(rows):
            found[row] = _pick(out, k)
    return found


def _integral(*values: float) -> Integral:
    single: Any = [np.float32(value) for value in values]
    return Integral(*single)


def _rng(key: np.ndarray) -> np.random.Generator:
    return np.random.default_rng(key)


def _once(rows: np.ndarray) -> list[tuple[int, int]]:
    """Places and rows; of those that fill up a part, the first."""
    return [(k, int(row)) for k, row in enumerate(rows) if row not in rows[:k]]


def _parts(rows: Sequence[int], size: int) -> list[np.ndarray]:
    """Rows, so many at a time; the last ones repeated, so that no other number is compiled."""
    parts = [list(rows[i : i + size]) for i in range(0, len(rows), size)]
    return [np.array(part + part[-1:] * (size - len(part))) for part in parts]


def _host(tree: Any) -> Any:
    return jax.tree.map(np.asarray, tree)


def _stack(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def _pick(tree: Any, rows: np.ndarray | int) -> Any:
    return jax.tree.map(lambda x: np.asarray(x)[rows], tree)
