"""The exact answer to ONE observation where weights leave few samples, of a corrected generator,
too (`redrawn`): by rounds of `renew.move`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from exogan_jax.retrieval.confirm import Answer, by_forward
from exogan_jax.retrieval.exact import drawn, largest_power, powered, reweigh, worth
from exogan_jax.retrieval.forward_check import true_depths
from exogan_jax.retrieval.marginals import clipped
from exogan_jax.retrieval.renew import Problem, Samples, move
from exogan_jax.retrieval.residuals import log_normalisation, missed
from exogan_jax.retrieval.sampling import WIDE

_WANTED = 1000.0  # independent samples; half of the samples where there are fewer
_LEFT = 0.5  # share of the samples that a power of the weights leaves, at a time
#: Powers, and rounds after the last. Of planets of the whole box, as PRISM sees them with 30 ppm,
#: the worst take eleven; rounds after the last add 50 to 500 independent samples each.
_POWERS, _ROUNDS = 30, 6
FEWEST = 10.0  # independent samples: the generator's own answer is better than fewer
#: Wide samples must be worth so many. A planet that began with 52 was as right as from its own
#: answer, worth 373.
_WIDE = 30.0
#: Where weights leave this share of the generator's own samples, these are what rounds begin with:
#: the posteriors are nearly the same. From wide ones, rounds find less of hard posteriors: of two
#: PRISM planets, log evidences of 1896.74 +- 0.07 and 1890.8 +- 0.1, which weights have at 1896.96
#: +- 0.02 and 1892.27 +- 0.06.
_KEPT = 0.1


def is_enough(answer: Answer) -> bool:
    """Whether an answer has all independent samples that are wanted."""
    return answer.size >= min(_WANTED, len(answer.samples) / 2)


def renewed(
    key: jax.Array, fast: Answer, weighted: Answer, problem: Problem, computed: int
) -> Answer | None:
    """The exact answer, its samples of equal weights; None where rounds do not lead to it.

    Args:
      key: PRNG key.
      fast: the generator's answer.
      weighted: the same samples by the forward model, see `confirm.exact`.
      problem: of the observation, with the target that the generator's answer is to.
      computed: spectra that the forward model has made so far.
    """
    random_key, key = jax.random.split(key)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(random_key)))
    samples, begun, log_evidence, error = _begun(fast, weighted, problem)
    problem = problem._replace(begun=begun)
    n, parameters = len(samples.energy), problem.model.layout.parameters
    computed += 0 if begun == 1 else n

    def size() -> float:
        return worth(parameters.to_unit(samples.theta.astype(np.float64)), samples.family)

    power, variance, rounds, last = 0.0, error**2, 0, 0
    while power < 1 or (last < _ROUNDS and size() < min(_WANTED, n / 2)):
        weights = np.full(n, 1 / n)
        if power == 1:
            last += 1
        else:
            with np.errstate(invalid="ignore"):  # infinite both, where there is no such planet
                log_ratio = samples.energy - samples.true_energy
            step = largest_power(log_ratio, 1 - power, _LEFT)
            better = reweigh(weights, powered(log_ratio, step))
            if step == 0 or rounds == _POWERS or better.efficiency == 0:
                return None
            weights = better.weight
            log_evidence += better.log_ratio
            variance += (1 / better.efficiency - 1) / size()
            power = 1.0 if step == 1 - power else power + step
        samples = samples.pick(drawn(rng, weights, n))
        samples, _ = move(jax.random.fold_in(key, rounds), samples, problem, power)
        rounds += 1
    if size() < FEWEST:
        return None
    return _told(fast, samples, problem)._replace(
        size=size(),
        efficiency=size() / (computed + n * rounds),
        log_evidence=log_evidence,
        log_evidence_error=float(np.sqrt(variance)),
    )


class _Begun(NamedTuple):
    """What the rounds begin with."""

    samples: Samples
    power: float  # of the generator's likelihood that they are samples of
    log_evidence: float
    error: float


def _begun(fast: Answer, weighted: Answer, problem: Problem) -> _Begun:
    """The generator's own answer, where it is nearly right; else the wide samples, if those are not
    too few.
    """
    wide, bins = fast.found.wide, problem.bins
    is_near = weighted.size > _KEPT * fast.size
    if is_near or wide is None or not wide.effective >= _WIDE:
        assert weighted.true is not None
        found, power, theta, true = fast.found, 1.0, fast.samples, weighted.true
        log_evidence, error = fast.log_evidence, fast.log_evidence_error
    else:
        found, power = wide, WIDE
        theta, true = by_physics(wide.theta, problem)
        log_evidence = float(wide.evidence.log) + log_normalisation(bins)
        error = float(wide.evidence.error)
    samples = Samples(
        found.place,
        theta,
        found.depth,
        true,
        power * found.energy.astype(np.float64),
        missed(true, bins).energy,
        found.family,
    )
    return _Begun(samples, power, log_evidence, error)


def by_physics(
    theta: Float[np.ndarray, "n d"], problem: Problem
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "n k"]]:
    """Samples within the prior's ends, and the forward model's depths at the bins' points."""
    theta = clipped(theta, problem.prior, problem.model.layout.parameters)
    # By halves, as they move (`renew.move`): one program for both.
    return theta, true_depths(problem.physics, theta, problem.bins, -(-len(theta) // 2))


def _told(fast: Answer, samples: Samples, problem: Problem) -> Answer:
    """An answer of samples of equal weights."""
    found = fast.found._replace(
        place=samples.place, theta=samples.theta, depth=samples.depth, family=samples.family
    )
    n, missing = len(samples.energy), missed(samples.true, problem.bins)
    return by_forward(
        fast._replace(found=found, samples=samples.theta),
        samples.true,
        missing,
        np.full(n, 1 / n),
        problem.bins,
        problem.physics,
    )
