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
from exogan_jax.retrieval.fitting import Summary
from exogan_jax.retrieval.quick import Centres, Weighted
from exogan_jax.retrieval.settings import Settings

_ROUNDS = 8
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
def _finish(
    keys: Array, model: Model, targets: Target, drawn: Weighted, *, settings: Settings
) -> Summary:
    def one(key: Array, target: Target, drawn: Weighted) -> Summary:
        return quick.finish(key, model, target, drawn, settings)

    return jax.vmap(one)(keys, targets, drawn)


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

    def key(number: int, rows: np.ndarray) -> Array:
        return jax.random.wrap_key_data(data[rows, number])

    def of(rows: np.ndarray) -> Target:
        picked: Target = _pick(targets, rows)
        return picked

    everyone, side = np.arange(n), min(_SIDE, n)
    drawn = _host(_first(key(0, everyone), model, targets, settings=settings))
    done: dict[int, Weighted] = _enough(everyone, drawn)
    about: dict[int, Centres] = {}
    for rows in _parts(everyone, done, side):
        some = _pick(drawn, rows)
        begun = _host(_centres(key(1, rows), model, of(rows), some, settings=settings))
        about |= {row: _pick(begun, k) for k, row in enumerate(rows)}
    for number in range(_ROUNDS):
        for rows in _parts(everyone, done, side):
            before = _stack([about[row] for row in rows])
            made = _again(key(3 + number, rows), model, of(rows), before, settings=settings)
            drawn, after = _host(made)
            done |= _enough(rows, drawn)
            about |= {row: _pick(after, k) for k, row in enumerate(rows)}
    found: list[Summary | None] = [None] * n
    # Those of the first draws and those of rounds have arrays of different lengths.
    for length in (quick.N_FIRST, quick.N_AGAIN):
        others = [i for i in range(n) if i not in done or len(done[i].log_weight) != length]
        for rows in _parts(everyone, others, side):
            drawn = _stack([done[row] for row in rows])
            made = _host(_finish(key(2, rows), model, of(rows), drawn, settings=settings))
            for k, row in enumerate(rows):
                found[row] = _pick(made, k)
    return found


def _enough(rows: np.ndarray, drawn: Weighted) -> dict[int, Weighted]:
    """By their number, draws that are worth enough."""
    sizes = np.asarray(drawn.effective)
    return {int(row): _pick(drawn, k) for k, row in enumerate(rows) if sizes[k] >= quick.ENOUGH}


def _parts(rows: np.ndarray, but: Any, size: int) -> list[np.ndarray]:
    """Rows that are not among some, so many at a time; the last ones repeated, so that no other
    number is compiled.
    """
    left = [int(row) for row in rows if row not in but]
    parts = [left[i : i + size] for i in range(0, len(left), size)]
    return [np.array([*part, *part[-1:] * (size - len(part))]) for part in parts]


def _host(tree: Any) -> Any:
    return jax.tree.map(np.asarray, tree)


def _stack(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def _pick(tree: Any, rows: np.ndarray | int) -> Any:
    return jax.tree.map(lambda x: np.asarray(x)[rows], tree)
