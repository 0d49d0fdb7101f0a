"""Retrieval of many observations: chunks of targets side by side, each one compiled call."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from exogan_jax.gan.model import Model
from exogan_jax.layout import Layout
from exogan_jax.physics.observation import Observation, check
from exogan_jax.retrieval import likelihood
from exogan_jax.retrieval.compared import LIKELIHOODS, Target, n_usable
from exogan_jax.retrieval.fitting import Summary, n_chains, retrieve_one
from exogan_jax.retrieval.latent_prior import LatentPrior, latent_prior
from exogan_jax.retrieval.priors import NOT_ANCHORED, Priors, resolve_each
from exogan_jax.retrieval.result import Retrieval, concatenate
from exogan_jax.retrieval.settings import Settings

POOR_FIT = 3.0  # reduced chi-square above which a fit is flagged
_STEPS = 16, 64, 16  # of bins, of grid points that they touch, of bins that cross sections
FEW = 0.1  # of the samples: fewer effective ones are flagged


def retrieve(
    observations: Sequence[Observation],
    model: Model,
    settings: Settings,
    *,
    names: Sequence[str] | None = None,
    priors: Priors | Sequence[Priors | None] | None = None,
    chunk: int = 8,
    progress: Callable[[int, int], None] | None = None,
    on_result: Callable[[Retrieval], None] | None = None,
) -> Retrieval:
    """Retrieves the parameters of many observations by inpainting.

    Each observation is fitted from many latents. With the Gaussian likelihood an ensemble of
    walkers then samples the posterior of the latent, the prior being uniform (over the parameters,
    where the model's latents are anchored to them) unless told, with the generator in place of the
    forward model and its errors in the likelihood. With the paper's pixel loss, or a model whose
    latent is too long for an ensemble, the samples are the paper's: what the starts came to,
    weighted by how well they fit.

    Args:
      observations: spectra, of any lengths and wavelengths.
      model: a trained pair of networks.
      settings: see `Settings`. A result depends on them and on the observation's name, not on
        `chunk` or on the other observations.
      names: one per observation, distinct; the default is "0", "1", ...
      priors: of parameters by name or role, for all observations or one mapping (or None) each; see
        `priors.resolve`. The latents must be anchored to the parameters.
      chunk: observations per compiled call. Memory grows with chunk x n_starts.
      progress: called with (observations done, observations in all) after each chunk.
      on_result: called with each chunk's `Retrieval` as it is done, to save it.

    Returns:
      A `Retrieval` in the order of `observations`.

    Raises:
      ValueError: an observation is unusable (see `physics.observation.check`), an option is out
        of range, or the model cannot use a prior.
    """
    settings = settings.for_model(model.encoder is not None)
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    if len(observations) == 0:
        raise ValueError("no observations to retrieve")
    names = [str(i) for i in range(len(observations))] if names is None else list(names)
    if len(names) != len(observations) or len(set(names)) != len(names):
        raise ValueError("names must be distinct, one per observation")
    grid_um = model.layout.wavelength_um
    checked = [check(o, name, grid_um) for o, name in zip(observations, names, strict=True)]
    prior_of = _latent_priors(priors, names, model)
    sizes = padded_sizes(checked, model.layout)
    chunk = min(chunk, len(checked))
    keys = keys_of(names, settings.seed)
    prepare = LIKELIHOODS[settings.likelihood].target
    static = dataclasses.replace(settings, seed=0)  # is in the keys: another compiles nothing
    parts = []
    for start in range(0, len(checked), chunk):
        stop = min(start + chunk, len(checked))
        targets = [prepare(checked[i], model, prior_of[i], *sizes) for i in range(start, stop)]
        rows = [min(i, stop - start - 1) for i in range(chunk)]  # the last chunk is padded
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(targets[i] for i in rows))
        found = _retrieve_all(keys[start + np.array(rows)], model, stacked, settings=static)
        part = _collect(names[start:stop], targets, found, model, settings)
        parts.append(part)
        if on_result is not None:
            on_result(part)
        if progress is not None:
            progress(stop, len(checked))
    return concatenate(parts)


def _latent_priors(
    priors: Priors | Sequence[Priors | None] | None, names: Sequence[str], model: Model
) -> list[LatentPrior]:
    """Of each observation."""
    parameters, networks = model.layout.parameters, model.networks
    resolved = resolve_each(priors, names, parameters)
    if not networks.anchored and any(prior is not None for own in resolved for prior in own):
        raise ValueError(NOT_ANCHORED)
    return [latent_prior(own, parameters, networks.latent_dim) for own in resolved]


def padded_sizes(observations: Sequence[Observation], layout: Layout) -> tuple[int, ...]:
    """What all targets are padded to (see `likelihood.depth_target`): one size for all chunks, in
    steps, so that a program serves most observations of an instrument.
    """
    largest = np.max([likelihood.sizes(o, layout) for o in observations], axis=0)
    return tuple(int(-(-n // step) * step) for n, step in zip(largest, _STEPS, strict=True))


def keys_of(names: Sequence[str], seed: int) -> jax.Array:
    """A key by name: a spectrum's result does not depend on its neighbours, nor on a resume."""
    digest = jnp.asarray([zlib.crc32(name.encode()) for name in names], jnp.uint32)
    return jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(digest)


@partial(jax.jit, static_argnames="settings")
def _retrieve_all(keys: jax.Array, model: Model, targets: Target, *, settings: Settings) -> Summary:
    return jax.vmap(lambda key, target: retrieve_one(key, model, target, settings))(keys, targets)


def _collect(
    names: Sequence[str],
    targets: Sequence[Target],
    found: Any,  # a `Summary`
    model: Model,
    settings: Settings,
) -> Retrieval:
    """Results of the first of the targets, as many as there are names."""
    n = len(names)
    found = jax.tree.map(lambda x: np.asarray(x)[:n], found)
    n_points = np.array([n_usable(target) for target in targets])
    freedom = np.maximum(n_points - len(model.layout.parameters), 1)
    reduced = found.chi2.astype(np.float64) / freedom
    size = found.effective.astype(np.float64)
    flags = []
    for i in range(n):
        notes = {
            "no_usable_points": n_points[i] == 0,
            "poor_fit": reduced[i] > POOR_FIT,
            "few_effective_samples": size[i] < FEW * found.energy.shape[1],
        }
        flags.append(",".join(note for note, applies in notes.items() if applies))
    weights = found.weight.astype(np.float64)
    return Retrieval(
        names=tuple(names),
        layout=model.layout,
        n_chains=n_chains(model, settings),
        samples=found.theta,
        weights=weights / weights.sum(axis=1, keepdims=True),
        log_evidence=np.full(n, np.nan),
        reduced_chi2=reduced,
        effective_sample_size=size,
        acceptance=found.acceptance.astype(np.float64),
        flags=tuple(flags),
        depth=found.depth,
        aspa=found.image,
        loss=found.energy,
    )
