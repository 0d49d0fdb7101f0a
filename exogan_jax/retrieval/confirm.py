"""The exact answer to ONE observation: the generator's samples, weighted by the forward model.

Where the generator errs by more than the data do, hardly a sample is left. The error hardly changes
along a narrow posterior: a spectrum is drawn, corrected by what it is off at the best sample, and
sampled once more, in the same program.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from exogan_jax.parameters import Parameters
from exogan_jax.physics.forward import ForwardModel
from exogan_jax.retrieval.compared import Target
from exogan_jax.retrieval.exact import reweigh
from exogan_jax.retrieval.forward_check import chi_squares, true_spectrum
from exogan_jax.retrieval.levels import LevelTarget
from exogan_jax.retrieval.likelihood import UNIT
from exogan_jax.retrieval.marginals import Marginals, clipped
from exogan_jax.retrieval.residuals import Bins, log_normalisation

#: Of its own error, what a generator keeps once it is corrected: along posteriors of light, hot
#: planets, where it errs most, about a third.
_LEFT = 0.3


class Answer(NamedTuple):
    """What is known of one observation."""

    found: Any  # a `Summary`, as numpy arrays
    samples: Float[np.ndarray, "n d"]  # within the prior's ends
    weights: Float[np.ndarray, " n"]  # summing to 1
    energy: Float[np.ndarray, " n"]  # -log likelihood + constant
    size: float  # independent samples
    efficiency: float  # of exact weights; NaN where there are none
    log_evidence: float
    log_evidence_error: float


def generators(found: Any, bins: Bins, prior: Marginals, parameters: Parameters) -> Answer:
    """The generator's own answer.

    Args:
      found: a `Summary`, as numpy arrays.
      bins: of the observation.
      prior: of each parameter.
      parameters: the model's.
    """
    return Answer(
        found,
        clipped(found.theta, prior, parameters),
        found.weight.astype(np.float64) / found.weight.sum(dtype=np.float64),
        found.energy,
        float(found.effective),
        np.nan,
        float(found.evidence.log_evidence) + log_normalisation(bins),
        float(found.evidence.error),
    )


def exact(answer: Answer, bins: Bins, physics: ForwardModel) -> Answer:
    """The same samples with the weights of the exact posterior."""
    energy = 0.5 * chi_squares(physics, answer.samples, bins)
    better = reweigh(answer.weights, answer.energy.astype(np.float64) - energy)
    # The samples are worth fewer independent ones than there are.
    error = better.error * np.sqrt(len(energy) / max(answer.size, 1.0))
    return answer._replace(
        weights=better.weight,
        energy=energy.astype(np.float32),
        size=answer.size * better.efficiency,
        efficiency=better.efficiency,
        log_evidence=answer.log_evidence + better.log_ratio,
        log_evidence_error=float(np.hypot(answer.log_evidence_error, error)),
    )


class Correction(NamedTuple):
    """Another try."""

    target: Target  # whose data are taken to the generator's side
    off: Float[np.ndarray, " w"]  # to be added to what it draws


def correct(target: Target, answer: Answer, physics: ForwardModel) -> Correction | None:
    """By what the generator is off at the best sample of an exact answer; None where no sample has
    a likelihood, or the target is none of levels.
    """
    depth = target.depth
    best = int(answer.energy.argmin())
    if not isinstance(depth, LevelTarget) or not np.isfinite(answer.energy[best]):
        return None
    drawn = answer.found.depth[best].astype(np.float64)
    off = true_spectrum(physics, answer.samples[best]) - drawn
    binned = off[np.asarray(depth.point)] @ np.asarray(depth.operator, np.float64) / UNIT
    moved = depth._replace(
        depth=(depth.depth - binned).astype(np.float32), own=(_LEFT * depth.own).astype(np.float32)
    )
    return Correction(target._replace(depth=moved), off)


def corrected(found: Any, off: Float[np.ndarray, " w"]) -> Any:
    """A `Summary` of a corrected target, its spectra as they are meant."""
    return found._replace(
        depth=(found.depth + off).astype(np.float32),
        start_depth=(found.start_depth + off).astype(np.float32),
    )
