"""Answers again, by a generator that is corrected by what the forward model said of the samples of
the first: where the weights of those leave few, those of the new ones leave most.

The new samples are independent of all that the correction was fitted to, so that their weights, and
the evidence, are right whatever it errs by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from exogan_jax.retrieval.confirm import Answer, correct, exact, generators
from exogan_jax.retrieval.renew import Problem
from exogan_jax.retrieval.renewed import by_physics, is_enough
from exogan_jax.retrieval.side_by_side import summaries

_MOST = 3  # times; each takes as long as the first answer
#: Share of the new samples that the weights leave: a better correction would not double it; and
#: one that will do where the generator's own draws are worth too few, which is no better another
#: time (343, 190 and 76 of one hard PRISM planet).
_GOOD, _WILL_DO = 0.5, 0.2


class Told(NamedTuple):
    """Samples of which the forward model's spectra are known."""

    theta: Float[np.ndarray, "n d"]
    depth: Float[np.ndarray, "n w"]  # as generated, not corrected
    true: Float[np.ndarray, "n k"]

    def and_(self, other: Told) -> Told:
        """These, then others."""
        return Told(*(np.concatenate(both) for both in zip(self, other, strict=True)))


class Case(NamedTuple):
    """How far ONE observation is."""

    fast: Answer  # the generator's, last corrected
    exact: Answer  # the same samples by the forward model
    problem: Problem  # with the target by which they were made
    computed: int  # spectra of the forward model


def redrawn(keys: Sequence[jax.Array], cases: Sequence[Case], side: int) -> list[Case]:
    """Cases with as many independent samples as are wanted, or the most that this way has.

    Args:
      keys: PRNG keys, one per case.
      cases: answers of too few, of the same model and settings; their targets of the same shapes.
      side: how many are drawn side by side, where there are as many.
    """
    if not cases:
        return []
    best = list(cases)
    known = [_known(case) for case in cases]
    last = [
        case._replace(computed=case.computed + len(one.theta) - len(case.fast.samples))
        for case, one in zip(cases, known, strict=True)
    ]
    left = list(range(len(cases)))
    for number in range(_MOST):
        targets, can = [], []
        for i in left:
            plain, model = cases[i].problem.target, cases[i].problem.model
            target = correct(plain, *known[i], model)
            # Too few samples of planets that exist: another draw would be as the first.
            if target is not plain:
                targets.append(target)
                can.append(i)
        left = can
        if not left:
            break
        _, _, problem, _ = cases[left[0]]
        again = jnp.stack([jax.random.fold_in(keys[i], number) for i in left])
        drawn = summaries(again, problem.model, targets, problem.settings, side)
        for i, target, found in zip(left, targets, drawn, strict=True):
            own = cases[i].problem
            parameters = own.model.layout.parameters
            fast = generators(found, own.bins, own.prior, parameters)
            answer = exact(fast, own.bins, own.physics)
            computed = last[i].computed + len(fast.samples)
            last[i] = Case(fast, answer, own._replace(target=target), computed)
            assert answer.true is not None
            known[i] = known[i].and_(Told(fast.samples, np.asarray(found.depth), answer.true))
            if answer.size > best[i].exact.size:
                best[i] = last[i]
        left = [i for i in left if not _is_done(last[i])]
    return [one._replace(computed=end.computed) for one, end in zip(best, last, strict=True)]


def _is_done(case: Case) -> bool:
    """Whether there are enough samples, or no more to be had by a better correction."""
    least = _GOOD if is_enough(case.fast) else _WILL_DO
    return is_enough(case.exact) or case.exact.size > least * case.fast.size


def _known(case: Case) -> Told:
    """A first answer's samples, and its wide ones, which reach farther."""
    fast = case.fast
    assert case.exact.true is not None
    own = Told(fast.samples, fast.found.depth, case.exact.true)
    wide = fast.found.wide
    if wide is None:
        return own
    theta, true = by_physics(wide.theta, case.problem)
    return own.and_(Told(theta, wide.depth, true))
