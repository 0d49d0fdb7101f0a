"""The functions at the top of the package: the shipped model and the retrieval together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from exogan_jax.files.physics import physics_of
from exogan_jax.files.weights import load_model
from exogan_jax.gan.model import Model
from exogan_jax.physics.forward import ForwardModel
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval import catalogue, significance
from exogan_jax.retrieval.priors import Priors
from exogan_jax.retrieval.result import Posterior, Retrieval
from exogan_jax.retrieval.settings import Settings


def retrieve(
    observations: Observation | Sequence[Observation],
    model: Model | None = None,
    *,
    names: Sequence[str] | None = None,
    priors: Priors | Sequence[Priors | None] | None = None,
    settings: Settings | None = None,
    physics: ForwardModel | None = None,
    chunk: int = 8,
    progress: Callable[[int, int], None] | None = None,
    on_result: Callable[[Retrieval], None] | None = None,
    **changes: Any,
) -> Retrieval:
    """Retrieves one or many observations by inpainting, with the shipped model unless told.

    Args:
      observations: an `Observation` or a sequence of them, of any lengths and wavelengths.
      model: from `load_model`; None for the default pretrained one.
      priors: what is known of parameters, by name or role: `{"mass": "0.28+-0.03",
        "temperature": "700..1200"}`, or objects of `exogan_jax.priors`; one mapping for all
        observations, or a sequence with one (or None) each. None: uniform in the model's bounds.
      physics: the forward model of the model's problem, by which samples are weighted and fits are
        checked; None: that of the model's own opacities where they ship, else none: the answer is
        the generator's alone, its `efficiency` is NaN.
      names, chunk, progress, on_result: see `retrieval.catalogue.retrieve`.
      settings: see `retrieval.settings.Settings`; None for the defaults.
      **changes: fields of the settings by name, such as `seed=1` or `likelihood="paper"`;
        `exact=False` leaves the answer at the generator's.

    Returns:
      A `Retrieval` with `samples` (n_obs, n_samples, d), `weights` (n_obs, n_samples),
      `log_evidence` (n_obs,) and its error, `flags` (see `retrieval.flags`) and `summary()`; `[i]`
      is the `Posterior` of one.

    Raises:
      ValueError: an unusable observation, prior or option.
      TypeError: a change that is no field of the settings.
    """
    model = load_model() if model is None else model
    return catalogue.retrieve(
        [observations] if isinstance(observations, Observation) else observations,
        model,
        dataclasses.replace(settings or Settings(), **changes),
        names=names,
        priors=priors,
        physics=physics_of(model) if physics is None else physics,
        chunk=chunk,
        progress=progress,
        on_result=on_result,
    )


def significances(
    posterior: Posterior,
    observation: Observation,
    model: Model | None = None,
    *,
    priors: Priors | None = None,
    settings: Settings | None = None,
    physics: ForwardModel | None = None,
    **changes: Any,
) -> list[significance.Significance]:
    """The Bayes factor of each gas, the cloud and the haze of ONE answer of `retrieve`.

    Args:
      posterior: the answer.
      observation: that was retrieved.
      model, priors, settings, physics, changes: as they were for `retrieve`.

    Returns:
      a `retrieval.significance.Significance` each: `parameter`, `log_bayes` (natural, with over
      without) and its `error`, `sigma`, and `by` what.

    Raises:
      ValueError: an unusable observation, prior or option.
      TypeError: a change that is no field of the settings.
    """
    model = load_model() if model is None else model
    return significance.significances(
        posterior,
        observation,
        model,
        dataclasses.replace(settings or Settings(), **changes),
        priors=priors,
        physics=physics_of(model) if physics is None else physics,
    )
