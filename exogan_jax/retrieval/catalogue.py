"""Retrieval of many observations: chunks of targets side by side, each one compiled call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from exogan_jax.gan.model import LevelError, Model
from exogan_jax.layout import Layout
from exogan_jax.physics.forward import ForwardModel
from exogan_jax.physics.observation import Observation, check
from exogan_jax.retrieval import likelihood
from exogan_jax.retrieval.answers import Asked, answers
from exogan_jax.retrieval.compared import LIKELIHOODS, Target, usable_bins
from exogan_jax.retrieval.confirm import Answer
from exogan_jax.retrieval.fitting import suited
from exogan_jax.retrieval.forward_check import check_physics, true_spectrum
from exogan_jax.retrieval.instruments import instruments
from exogan_jax.retrieval.judge import judge
from exogan_jax.retrieval.latent_prior import latent_prior
from exogan_jax.retrieval.levels import LevelTarget, with_free
from exogan_jax.retrieval.marginals import marginals
from exogan_jax.retrieval.priors import NOT_ANCHORED, Priors, Resolved, resolve_each
from exogan_jax.retrieval.quick import is_quick
from exogan_jax.retrieval.residuals import compared_bins, residuals
from exogan_jax.retrieval.result import Retrieval, concatenate
from exogan_jax.retrieval.settings import Settings

_STEPS = 16, 64, 16  # of bins, of grid points that they touch, of bins that cross sections
#: The same of quick answers: three programs serve most instruments.
_COARSE = 176, 176, 16


def retrieve(
    observations: Sequence[Observation],
    model: Model,
    settings: Settings,
    *,
    names: Sequence[str] | None = None,
    priors: Priors | Sequence[Priors | None] | None = None,
    physics: ForwardModel | None = None,
    chunk: int = 8,
    progress: Callable[[int, int], None] | None = None,
    on_result: Callable[[Retrieval], None] | None = None,
) -> Retrieval:
    """Retrieves the parameters of many observations by inpainting.

    Each observation is fitted from many latents. With the Gaussian likelihood an ensemble of
    walkers then samples the posterior of the latent, the prior being uniform (over the parameters,
    where the model's latents are anchored to them) unless told, with the generator in place of the
    forward model and its errors in the likelihood. With the paper's pixel loss, or a model whose
    latent is too long for an ensemble, the samples are the paper's: the latents where the starts
    ended, weighted by how well they fit.

    With `physics`, the samples of an ensemble are then weighted to those of the exact posterior:
    the forward model in place of the generator, the data's errors alone.

    Args:
      observations: spectra, of any lengths and wavelengths.
      model: a trained pair of networks.
      settings: see `Settings`. A result depends on them and on the observation's name, not on
        `chunk` or on the other observations.
      names: one per observation, distinct; the default is "0", "1", ...
      priors: of parameters by name or role, for all observations or one mapping (or None) each; see
        `priors.resolve`. The latents must be anchored to the parameters.
      physics: the forward model of the model's problem, by which the samples are weighted
        (`settings.exact`) and which each best fit is held against; None: neither.
      chunk: observations per compiled call. Memory grows with chunk x n_starts.
      progress: called with (observations done, observations in all) after each chunk.
      on_result: called with each chunk's `Retrieval` as it is done, to save it.

    Returns:
      A `Retrieval` in the order of `observations`.

    Raises:
      ValueError: an observation is unusable (see `physics.observation.check`), an option is out
        of range, the model cannot use a prior, or `physics` is of another problem.
    """
    settings = suited(settings, model)
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    if len(observations) == 0:
        raise ValueError("no observations to retrieve")
    names = [str(i) for i in range(len(observations))] if names is None else list(names)
    if len(names) != len(observations) or len(set(names)) != len(names):
        raise ValueError("names must be distinct, one per observation")
    grid_um = model.layout.wavelength_um
    checked = [check(o, name, grid_um) for o, name in zip(observations, names, strict=True)]
    prior_of = _resolved(priors, names, model)
    if physics is not None:
        check_physics(physics, model.layout)
    steps = _COARSE if is_quick(model, settings) else _STEPS
    sizes = padded_sizes(checked, model.layout, steps)
    n_instruments = max(len(set(o.instrument or ("",))) for o in checked)
    chunk = min(chunk, len(checked))
    parts = []
    for start in range(0, len(checked), chunk):
        stop = min(start + chunk, len(checked))
        asked = [
            _asked(checked[i], model, prior_of[i], settings, sizes, n_instruments)
            for i in range(start, stop)
        ]
        found = answers(names[start:stop], asked, model, physics, settings, chunk)
        part = _collect(names[start:stop], asked, found, model, physics, settings)
        parts.append(part)
        if on_result is not None:
            on_result(part)
        if progress is not None:
            progress(stop, len(checked))
    return parts[0] if len(parts) == 1 else concatenate(parts)


def _resolved(
    priors: Priors | Sequence[Priors | None] | None, names: Sequence[str], model: Model
) -> list[Resolved]:
    """Priors of each observation."""
    resolved = resolve_each(priors, names, model.layout.parameters)
    given = any(prior is not None for own in resolved for prior in own)
    if given and not model.networks.anchored:
        raise ValueError(NOT_ANCHORED)
    return resolved


def _asked(
    observation: Observation,
    model: Model,
    resolved: Resolved,
    settings: Settings,
    sizes: tuple[int, ...],
    n_instruments: int,
) -> Asked:
    parameters = model.layout.parameters
    prior = latent_prior(resolved, parameters, model.networks.latent_dim)
    target = LIKELIHOODS[settings.likelihood].target(observation, model, prior, *sizes)
    if settings.frees_instruments:
        target = _freed(observation, target, settings, n_instruments)
    return Asked(target, compared_bins(observation, target), marginals(resolved, parameters))


def _freed(
    observation: Observation, target: Target, settings: Settings, n_instruments: int
) -> Target:
    """A target whose instruments' offsets or errors are free.

    Raises:
      ValueError: the model does not draw levels.
    """
    depth = target.depth
    if not isinstance(depth, LevelTarget):
        raise ValueError("offset_sigma and inflate need a model that draws levels")
    usable = usable_bins(target)[: len(observation.depth)]
    names, sigma = observation.instrument, settings.offset_sigma / likelihood.UNIT
    size = depth.depth.shape[0]
    free = instruments(names, usable, sigma, settings.inflate, size, n_instruments)
    return target._replace(depth=with_free(depth, free))


def padded_sizes(
    observations: Sequence[Observation], layout: Layout, steps: tuple[int, ...] = _STEPS
) -> tuple[int, ...]:
    """What all targets are padded to (see `likelihood.depth_target`): one size for all chunks, in
    steps, so that a program serves most observations of an instrument.
    """
    largest = np.max([likelihood.sizes(o, layout) for o in observations], axis=0)
    return tuple(int(-(-n // step) * step) for n, step in zip(largest, steps, strict=True))


def _collect(
    names: Sequence[str],
    asked: Sequence[Asked],
    answers: Sequence[Answer],
    model: Model,
    physics: ForwardModel | None,
    settings: Settings,
) -> Retrieval:
    """Results of a chunk."""
    parameters = model.layout.parameters
    reduced, flags = np.empty(len(names)), []
    for i, (own, answer) in enumerate(zip(asked, answers, strict=True)):
        left = residuals(answer.best_depth, own.bins)
        off = None
        if physics is not None and answer.true is None:  # else it is the forward model's own
            off = left - residuals(true_spectrum(physics, answer.best_theta), own.bins)
        reduced[i] = np.square(left).sum() / max(left.size - len(parameters), 1)
        flags.append(
            judge(
                answer.samples,
                answer.weights,
                answer.size,
                left,
                off,
                own.bins,
                prior=own.prior,
                parameters=parameters,
                grid_um=model.layout.wavelength_um,
                not_exact=not answer.is_exact,
                not_weighted=not answer.is_weighted,
            )
        )

    def together(field: str) -> np.ndarray:
        return np.array([getattr(answer, field) for answer in answers])

    def of_summary(field: str) -> np.ndarray:
        return np.array([getattr(answer.found, field) for answer in answers])

    # The likelihood of pixels is not normalised.
    known = ~np.isnan(together("efficiency")) | isinstance(model.error, LevelError)
    return Retrieval(
        names=tuple(names),
        layout=model.layout,
        samples=together("samples"),
        weights=together("weights"),
        log_evidence=np.where(known, together("log_evidence"), np.nan),
        log_evidence_error=np.where(known, together("log_evidence_error"), np.nan),
        efficiency=together("efficiency"),
        predictive_p=together("predictive_p"),
        divergence=together("divergence"),
        reduced_chi2=reduced,
        effective_sample_size=together("size"),
        acceptance=of_summary("acceptance").astype(np.float64),
        flags=tuple(flags),
        depth=together("depth"),
        aspa=of_summary("image"),
        loss=together("energy"),
    )
