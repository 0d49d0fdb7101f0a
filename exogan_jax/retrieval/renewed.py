"""The exact answer to ONE observation where weights alone leave few samples, by rounds of
`renew.move`.
"""

from __future__ import annotations

import jax
import numpy as np

from exogan_jax.retrieval.confirm import Answer, by_forward, corrected
from exogan_jax.retrieval.exact import drawn, largest_power, powered, reweigh, worth
from exogan_jax.retrieval.renew import Problem, Samples, move
from exogan_jax.retrieval.residuals import missed

_WANTED = 1000.0  # independent samples; half of the samples where there are fewer
_LEFT = 0.5  # share of the samples that a power of the weights leaves, at a time
#: Powers, and rounds after the last. Of planets of the whole box, as PRISM sees them with 30 ppm,
#: the worst take eleven; rounds after the last add 50 to 500 independent samples each.
_POWERS, _ROUNDS = 30, 6
_FEWEST = 10.0  # independent samples: the generator's own answer is better than fewer


def is_enough(answer: Answer) -> bool:
    """Whether an answer has all independent samples that are wanted."""
    return answer.size >= min(_WANTED, len(answer.samples) / 2)


def renewed(key: jax.Array, fast: Answer, weighted: Answer, problem: Problem) -> Answer | None:
    """The exact answer, its samples of equal weights; None where rounds do not lead to it.

    Args:
      key: PRNG key.
      fast: the generator's answer.
      weighted: the same samples by the forward model, see `confirm.exact`.
      problem: of the observation.
    """
    random_key, key = jax.random.split(key)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(random_key)))
    samples = _begun(fast, weighted)
    n, parameters = len(samples.energy), problem.model.layout.parameters

    def size() -> float:
        return worth(parameters.to_unit(samples.theta.astype(np.float64)), samples.family)

    power, log_evidence, variance, rounds, last = 0.0, fast.log_evidence, 0.0, 0, 0
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
        problem = problem._replace(
            corrected=corrected(
                problem.target, samples.theta, samples.depth, samples.true, weights, problem.model
            )
        )
        samples = samples.pick(drawn(rng, weights, n))
        samples, _ = move(jax.random.fold_in(key, rounds), samples, problem, power)
        rounds += 1
    if size() < _FEWEST:
        return None
    error = float(np.sqrt(fast.log_evidence_error**2 + variance))
    return _told(fast, samples, problem)._replace(
        size=size(),
        efficiency=size() / (n * (rounds + 1)),
        log_evidence=log_evidence,
        log_evidence_error=error,
    )


def _begun(fast: Answer, weighted: Answer) -> Samples:
    """What the rounds begin with: the generator's samples, of equal weights."""
    assert weighted.true is not None
    found = fast.found
    return Samples(
        found.place,
        fast.samples,
        found.depth,
        weighted.true,
        fast.energy.astype(np.float64),
        weighted.energy.astype(np.float64),
        found.family,
    )


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
