"""Draws about the states of an annealed ensemble, in rounds: where they are worth too few, half of
the walkers go on from them.

Walkers are few, and a tail that holds a fortieth of a posterior and is reached by small steps can
be without one. Draws about states of the posterior's likelihood to powers below 1 reach there, and
have large weights: that says that something is missing, and where (population Monte Carlo: Cappe et
al. 2004, J. Comput. Graph. Stat. 13, 907).

One target; callers vmap over targets.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from exogan_jax.retrieval import annealing, ensemble, importance
from exogan_jax.retrieval.ensemble import DensityFn, EnsembleState, Run
from exogan_jax.retrieval.importance import Chart, Drawn
from exogan_jax.retrieval.settings import Settings

#: Share of the steps before the first kept state in which the power rises to 1.
_ANNEALED = 2 / 3
MOST = 3  # rounds
#: Share of the wanted samples that the draws must be worth. The 32,768 of most planets (PRISM, 30
#: ppm) are worth thousands after a round; where they are worth less than a thousand, later rounds
#: raise the evidence by 0.05 to 0.3.
_ENOUGH = 0.5
#: The same, at which no more are drawn. Samples chosen of twice as many are nearly all different.
_PLENTY = 2.0


class _Round(NamedTuple):
    """After some rounds."""

    number: Int[Array, ""]
    run: Run
    drawn: Drawn


def draw(
    key: Array,
    begin: EnsembleState,
    density_fn: DensityFn,
    settings: Settings,
    other: Chart | None = None,
) -> tuple[Run, Drawn]:
    """The run of an ensemble, and draws about the states that it kept last.

    Args:
      key: PRNG key.
      begin: an even number of walkers.
      density_fn: of ONE target.
      settings: with nothing left open; half as many independent draws are wanted as samples.
      other: coordinates in which draws are made, too; see `importance.draw`.
    """
    keep_every, wanted = settings.keep_every, settings.n_samples
    assert settings.n_burn is not None and keep_every is not None and wanted is not None
    n_burnt, n_kept = -(-settings.n_burn // keep_every), settings.n_kept
    n_annealed = round(_ANNEALED * n_burnt)
    n, d = begin.position.shape

    def more(at: _Round) -> _Round:
        run_key, draw_key, choose_key = jax.random.split(jax.random.fold_in(key, at.number), 3)
        run = ensemble.run(
            run_key,
            at.run,
            density_fn,
            jnp.where(at.number == 0, n_burnt, 0) + n_kept,
            n_annealed=n_annealed,
            keep_every=keep_every,
        )
        states, wide = (x.reshape(-1, d) for x in (run.kept.position, run.wide))
        plenty = _PLENTY * wanted
        drawn = importance.draw(draw_key, states, wide, density_fn, settings.n_draws, other, plenty)
        chosen = importance.resample(choose_key, drawn.log_weight, n // 2)
        half = EnsembleState(
            drawn.position[chosen], jax.tree.map(lambda x: x[chosen], drawn.density)
        )
        # Not all: of a few draws that have all the weight, the walkers would stay a few.
        state = ensemble.with_half(run.state, half)
        return _Round(at.number + 1, run._replace(state=state), drawn)

    def is_short(at: _Round) -> Array:
        effective = importance.integral(at.drawn.log_weight, at.drawn.number).effective
        return (at.number < MOST) & (effective < _ENOUGH * wanted)

    first = ensemble.start(begin, n_kept, annealing.BEGIN if n_annealed else 1.0)
    none = importance.nothing(d, settings.n_draws)
    end = jax.lax.while_loop(is_short, more, _Round(jnp.asarray(0), first, none))
    return end.run, end.drawn
