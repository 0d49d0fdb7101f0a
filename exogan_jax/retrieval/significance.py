"""Is a gas, a cloud, a haze there? The Bayes factor of the model with it over the one without.

Where the posterior reaches down to undetectable amounts, the Bayes factor is the ratio of the
prior's and the posterior's density there (Savage and Dickey; Verdinelli & Wasserman 1995, J. Am.
Stat. Assoc. 90, 614): amounts next to the bound count as none. Elsewhere the spectrum is retrieved
again without the component, and the evidences are compared.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

from exogan_jax.gan.model import Model
from exogan_jax.parameters import Parameter
from exogan_jax.physics.forward import ForwardModel
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.catalogue import retrieve
from exogan_jax.retrieval.priors import Fixed, Priors, Resolved, by_name, resolve
from exogan_jax.retrieval.result import Posterior
from exogan_jax.retrieval.settings import Settings

_NONE = 1.0  # dex next to the bound that count as none
_COUNTED = 30.0  # independent samples there, from which their number is trusted: 18 % or better
_FURTHEST = 600.0  # -log p that a double holds


class Significance(NamedTuple):
    """Of ONE component of an atmosphere."""

    parameter: str  # its amount
    log_bayes: float  # natural logarithm of the evidence with it over that without
    error: float  # 1 sigma
    sigma: float  # at least so many sigma in favour; negative: against
    by: str  # "samples", or "second run"


def is_component(parameter: Parameter) -> bool:
    """Whether a parameter is the amount of something that may not be there."""
    return parameter.gas is not None or parameter.role in ("haze_strength", "cloud_top")


def absent(parameter: Parameter) -> float:
    """The bound that counts as none: of a cloud the deepest, of the others the least."""
    return parameter.upper if parameter.role == "cloud_top" else parameter.lower


def of_samples(
    values: Float[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"],
    effective: float,
    parameter: Parameter,
) -> tuple[float, float] | None:
    """Log Bayes factor and its error, of samples of a component under the model's own prior; None
    where too few lie next to the bound.

    Args:
      values: (n,) of the component's parameter, a logarithm.
      weights: (n,) summing to 1.
      effective: number of independent samples.
      parameter: the component's.
    """
    share = float(weights @ (np.abs(values - absent(parameter)) < _NONE))
    if share * effective < _COUNTED:
        return None
    expected = _NONE / (parameter.upper - parameter.lower)
    return math.log(expected / share), math.sqrt((1 - share) / (share * effective))


def sigma_of(log_bayes: float) -> float:
    """Sigma that correspond to a Bayes factor at most (Sellke, Bayarri & Berger 2001, Am. Stat. 55,
    62; Trotta 2008, Contemp. Phys. 49, 71, equation 27): B <= -1 / (e p ln p), of a p-value p.
    """
    if log_bayes == 0 or math.isnan(log_bayes):
        return log_bayes
    t = 1 + abs(log_bayes)  # -ln p: log B = t - 1 - ln t
    for _ in range(100):
        t = abs(log_bayes) + 1 + math.log(t)
    if t < _FURTHEST:
        found = -float(ndtri(math.exp(-t) / 2))
    else:  # p = sqrt(2/pi) exp(-x^2/2) / x
        found = math.sqrt(2 * t)
        for _ in range(20):
            found = math.sqrt(2 * (t - math.log(found * math.sqrt(math.pi / 2))))
    return math.copysign(found, log_bayes)


def significances(
    posterior: Posterior,
    observation: Observation,
    model: Model,
    settings: Settings,
    *,
    priors: Priors | None = None,
    physics: ForwardModel | None = None,
) -> list[Significance]:
    """The components of ONE answer: of the model's gases, cloud and haze those under the model's
    own prior, whose parameters are logarithms.

    Args:
      posterior: the answer.
      observation: that was retrieved.
      model: that it was retrieved with.
      settings: of the retrieval, and of another one without a component where that is needed.
      priors: the observation's.
      physics: as for `catalogue.retrieve`.
    """
    parameters = model.layout.parameters
    resolved: Resolved = resolve(priors or {}, parameters)
    known = by_name(resolved, parameters)
    found = []
    for i, parameter in enumerate(parameters):
        own = resolved[i] is None and parameter.is_log and is_component(parameter)
        if not own:
            continue
        values, size = posterior.samples[:, i], posterior.effective_sample_size
        counted = of_samples(values, posterior.weights, size, parameter)
        by = "samples"
        if counted is None:
            without = retrieve(
                [observation],
                model,
                settings,
                names=[f"{posterior.name} without {parameter.name}"],
                priors=known | {parameter.name: Fixed(absent(parameter))},
                physics=physics,
                chunk=1,
            )[0]
            error = math.hypot(posterior.log_evidence_error, without.log_evidence_error)
            counted, by = (posterior.log_evidence - without.log_evidence, error), "second run"
        found.append(Significance(parameter.name, *counted, sigma_of(counted[0]), by))
    return found
