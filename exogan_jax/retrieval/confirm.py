"""The exact answer to ONE observation: the generator's samples, weighted by the forward model.

Where the generator errs by more than the data do, few samples are left. But their spectra tell what
it errs by: it is corrected (`correction`), and serves to move them (`renew`).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from exogan_jax.gan.altitude import Drawing
from exogan_jax.gan.model import Model
from exogan_jax.parameters import Parameters
from exogan_jax.physics.forward import ForwardModel
from exogan_jax.retrieval.compared import Target
from exogan_jax.retrieval.correction import fit_correction
from exogan_jax.retrieval.diagnostics import predictive_p
from exogan_jax.retrieval.exact import reweigh
from exogan_jax.retrieval.forward_check import true_depths, true_spectrum
from exogan_jax.retrieval.levels import LevelTarget
from exogan_jax.retrieval.marginals import Marginals, clipped
from exogan_jax.retrieval.residuals import (
    Bins,
    Missed,
    log_normalisation,
    missed,
    residuals,
)


class Answer(NamedTuple):
    """What is known of one observation."""

    found: Any  # a `Summary`, as numpy arrays
    samples: Float[np.ndarray, "n d"]  # within the prior's ends
    weights: Float[np.ndarray, " n"]  # summing to 1
    energy: Float[np.ndarray, " n"]  # -log likelihood + constant
    size: float  # independent samples
    depth: Float[np.ndarray, "n w"]  # spectra: where data are, of the model that is compared
    best_theta: Float[np.ndarray, " d"]  # of what fits best, by the data's own errors
    best_depth: Float[np.ndarray, " w"]
    log_evidence: float
    log_evidence_error: float
    predictive_p: float  # see `diagnostics`
    divergence: float = np.nan  # of the generator's own answer from the exact one, of the worst
    efficiency: float = np.nan  # independent samples for each forward model; NaN without any
    is_exact: bool = True  # False: the forward model was asked, in vain
    is_weighted: bool = True  # False: the samples are the encoder's own
    true: Float[np.ndarray, "n k"] | None = None  # the forward model's depths at the bins' points


def generators(found: Any, bins: Bins, prior: Marginals, parameters: Parameters) -> Answer:
    """The generator's own answer.

    Args:
      found: a `Summary`, as numpy arrays.
      bins: of the observation.
      prior: of each parameter.
      parameters: the model's.
    """
    # A start may fit better than all samples.
    depth = np.concatenate([found.start_depth[None], found.depth])
    theta = np.concatenate([found.start_theta[None], found.theta])
    chi2 = np.square(residuals(depth, bins)).sum(axis=1)
    best = int(chi2.argmin())
    weight = found.weight.astype(np.float64) / found.weight.sum(dtype=np.float64)
    return Answer(
        found,
        clipped(found.theta, prior, parameters),
        weight,
        found.energy,
        float(found.effective),
        found.depth,
        theta[best],
        depth[best],
        float(found.evidence.log) + log_normalisation(bins),
        float(found.evidence.error),
        predictive_p(chi2[1:], weight, bins.depth.size),
    )


def exact(answer: Answer, bins: Bins, physics: ForwardModel) -> Answer:
    """The same samples with the weights of the exact posterior."""
    # By halves, as they move (`renew.move`): one program for both.
    true = true_depths(physics, answer.samples, bins, -(-len(answer.samples) // 2))
    found = missed(true, bins)
    with np.errstate(invalid="ignore"):  # infinite both, where there is no such planet
        log_ratio = answer.energy.astype(np.float64) - found.energy
    better = reweigh(answer.weights, log_ratio)
    # The samples are worth fewer independent ones than there are.
    error = better.error * np.sqrt(len(found.energy) / max(answer.size, 1.0))
    size = answer.size * better.efficiency
    return by_forward(answer, true, found, better.weight, bins, physics)._replace(
        size=size,
        efficiency=size / len(found.energy),
        log_evidence=answer.log_evidence + better.log_ratio,
        log_evidence_error=float(np.hypot(answer.log_evidence_error, error)),
    )


def by_forward(
    answer: Answer,
    true: Float[np.ndarray, "n k"],
    found: Missed,
    weights: Float[np.ndarray, " n"],
    bins: Bins,
    physics: ForwardModel,
) -> Answer:
    """An answer told by the forward model's spectra of its samples.

    Args:
      answer: with `found`, its generated spectra, and `samples`.
      true: at the bins' points.
      found: how much they miss the data by.
      weights: summing to 1.
      bins: of the observation.
      physics: the forward model.
    """
    best = int(found.energy.argmin())
    best_depth = true_spectrum(physics, answer.samples[best])
    # Where there are no data, the generator is off by much the same for all samples.
    depth = answer.found.depth + (best_depth - answer.found.depth[best])
    known = np.isfinite(true)
    depth[:, bins.point] = np.where(known, true, depth[:, bins.point])
    # The two are computed by different programs, whose rounding shows in very poor fits.
    best_depth[bins.point] = depth[best, bins.point]
    return answer._replace(
        weights=weights,
        energy=found.energy.astype(np.float32),
        depth=depth.astype(np.float32),
        best_theta=answer.samples[best],
        best_depth=best_depth,
        predictive_p=predictive_p(found.chi2, weights, bins.depth.size),
        true=true,
    )


def correct(
    target: Target,
    theta: Float[np.ndarray, "n d"],
    depth: Float[np.ndarray, "n w"],
    true: Float[np.ndarray, "n k"],
    model: Model,
) -> Target:
    """A target whose generator is corrected by what the forward model says of samples; the target
    as it is where too few of them exist, or the model does not draw levels.

    Args:
      target: of the observation.
      theta: samples, of equal weights.
      depth: as generated.
      true: the forward model's, at the target's points.
      model: the networks.
    """
    levels = target.depth
    if not isinstance(levels, LevelTarget):
        return target
    drawn = depth[:, np.asarray(levels.point)]
    level, slope = map(np.asarray, _levels(drawn, theta.astype(np.float32), model.drawing))
    anchor = np.asarray(model.layout.parameters.to_anchor(theta))
    fitted = fit_correction(anchor, level, (true - drawn) / slope)
    if fitted is None:
        return target
    correction, left = fitted
    none = np.zeros_like(levels.strength)  # what is common to wavelengths is corrected
    better = levels._replace(correction=correction, own=left, strength=none)
    return target._replace(depth=better)


@partial(jax.jit, static_argnames="drawing")
def _levels(
    depth: Float[Array, "n k"], theta: Float[Array, "n d"], drawing: Drawing
) -> tuple[Float[Array, "n k"], Float[Array, "n k"]]:
    """Levels of spectra, and by how much these change with them."""

    def one(depth: Array, theta: Array) -> tuple[Array, Array]:
        return drawing.level(depth, theta), drawing.slope(depth, theta)

    return jax.vmap(one)(jnp.asarray(depth), jnp.asarray(theta))
