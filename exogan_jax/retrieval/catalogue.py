"""Retrieval of many observations: chunks of vmapped inpaintings, each one compiled call."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from exogan_jax import aspa as aspa_layout
from exogan_jax import grid
from exogan_jax.gan.model import GeneratorError, Model
from exogan_jax.physics.observation import Observation, check
from exogan_jax.retrieval import likelihood as likelihoods
from exogan_jax.retrieval.inpaint import N_STARTS, PixelTarget, inpainter, pixel_loss
from exogan_jax.retrieval.posterior import effective_sample_size
from exogan_jax.retrieval.results import Retrieval, concatenate

LIKELIHOODS = ("gaussian", "paper")
N_STEPS = 600
PEAK_RATE = 0.03  # of Adam; the paper's is a constant 0.01
# Starts that end in a poor optimum of the pixel loss should not count like the others: on 100
# simulated spectra this raised the correlation of CO from 0.72 to 0.79, of CH4 from 0.96 to 0.99.
PIXEL_TEMPERATURE = 0.3
POOR_FIT = 3.0  # reduced chi-square above which a fit is flagged


def retrieve(
    observations: Sequence[Observation],
    model: Model,
    *,
    names: Sequence[str] | None = None,
    seed: int = 0,
    n_starts: int = N_STARTS,
    n_steps: int = N_STEPS,
    likelihood: str = "gaussian",
    chunk: int = 8,
    progress: Callable[[int, int], None] | None = None,
    on_result: Callable[[Retrieval], None] | None = None,
) -> Retrieval:
    """Retrieves the parameters of many observations by inpainting.

    Each observation is fitted from `n_starts` latents. The samples are what those latents decode
    to, weighted by how well they fit. This is the paper's estimate, but for the weights: the spread
    of the starts, not yet the exact posterior.

    Args:
      observations: spectra, of any lengths and wavelengths.
      model: a trained pair of networks.
      names: one per observation, distinct; the default is "0", "1", ...
      seed: of all random numbers; a result depends on it and on the observation's name, not on
        `chunk` or on the other observations.
      n_starts: latents per observation (64 in the paper).
      n_steps: Adam steps per latent.
      likelihood: "gaussian" compares depths with their errors, "paper" compares pixels of
        sections that were observed in full.
      chunk: observations per compiled call. Memory grows with chunk x n_starts.
      progress: called with (observations done, observations in all) after each chunk.
      on_result: called with each chunk's `Retrieval` as it is done, to save it.

    Returns:
      A `Retrieval` in the order of `observations`.

    Raises:
      ValueError: an observation is unusable (see `physics.observation.check`), or an option is
        out of range.
    """
    if likelihood not in LIKELIHOODS:
        raise ValueError(f"likelihood must be one of {', '.join(LIKELIHOODS)}")
    if n_starts < 1 or n_steps < 1 or chunk < 1:
        raise ValueError("n_starts, n_steps and chunk must be at least 1")
    if len(observations) == 0:
        raise ValueError("no observations to retrieve")
    names = [str(i) for i in range(len(observations))] if names is None else list(names)
    if len(names) != len(observations) or len(set(names)) != len(names):
        raise ValueError("names must be distinct, one per observation")
    checked = [check(o, name) for o, name in zip(observations, names, strict=True)]
    # One padded length for all chunks, so that the program compiles once.
    n_points = max(len(o.depth) for o in checked)
    chunk = min(chunk, len(checked))
    # A key by name: a spectrum's result does not depend on its neighbours, nor on a resume.
    name_hash = jnp.asarray([zlib.crc32(name.encode()) for name in names], jnp.uint32)
    keys = jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(name_hash)
    error = GeneratorError(*(np.asarray(x, np.float64) for x in model.error))
    parts = []
    for start in range(0, len(checked), chunk):
        stop = min(start + chunk, len(checked))
        rows = [min(i, stop - 1) for i in range(start, start + chunk)]  # the last chunk is padded
        depth_targets = [likelihoods.depth_target(checked[i], error, n_points) for i in rows]
        pixel_targets = None
        if likelihood == "paper":
            pixel_targets = _stack([likelihoods.pixel_target(checked[i]) for i in rows])
        fits = _inpaint(
            keys[jnp.asarray(rows)],
            model,
            _stack(depth_targets),
            pixel_targets,
            n_starts=n_starts,
            n_steps=n_steps,
        )
        part = _collect(
            names[start:stop],
            [likelihoods.n_usable(target) for target in depth_targets[: stop - start]],
            _Fits(*(np.asarray(x)[: stop - start] for x in fits)),
            gaussian=likelihood == "gaussian",
        )
        parts.append(part)
        if on_result is not None:
            on_result(part)
        if progress is not None:
            progress(stop, len(checked))
    return concatenate(parts)


def _stack(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


class _Fits(NamedTuple):
    """What each start of each target (n, n_starts, ...) came to."""

    aspa: Any
    depth: Any
    theta: Any
    loss: Any
    chi2: Any


@partial(jax.jit, static_argnames=("n_starts", "n_steps"))
def _inpaint(
    keys: jax.Array,
    model: Model,
    targets: likelihoods.DepthTarget,
    pixel_targets: PixelTarget | None,
    *,
    n_starts: int,
    n_steps: int,
) -> _Fits:
    """Inpaints every target from every start; by pixels where there are pixel targets."""
    # A rate that falls to zero ends at the optimum instead of around it.
    optimizer = optax.adam(optax.cosine_decay_schedule(PEAK_RATE, n_steps))
    contextual: Callable[..., jax.Array] = likelihoods.robust_depth_loss
    fitted: Any = targets
    if pixel_targets is not None:
        contextual, fitted = pixel_loss, pixel_targets
    run = inpainter(
        model.generate,
        model.score,
        latent_dim=model.networks.latent_dim,
        contextual_fn=contextual,
        optimizer=optimizer,
        n_steps=n_steps,
    ).run

    def one_start(key: jax.Array, fitted: Any, target: likelihoods.DepthTarget) -> _Fits:
        state, _ = run(key, fitted)
        aspa = model.generate(state.latent)
        depth, theta = aspa_layout.decode(aspa)
        chi2 = 2 * likelihoods.depth_loss(aspa, target)
        return _Fits(aspa, depth, theta, contextual(aspa, fitted), chi2)

    def one_target(key: jax.Array, fitted: Any, target: likelihoods.DepthTarget) -> _Fits:
        starts = jax.random.split(key, n_starts)
        return jax.vmap(one_start, (0, None, None))(starts, fitted, target)

    return jax.vmap(one_target)(keys, fitted, targets)


def _collect(
    names: Sequence[str], n_points: Sequence[int], fits: _Fits, *, gaussian: bool
) -> Retrieval:
    n, n_starts = fits.chi2.shape
    rows = np.arange(n)
    best = fits.chi2.argmin(axis=1) if gaussian else fits.loss.argmin(axis=1)
    chi2 = fits.chi2.astype(np.float64)
    freedom = np.maximum(np.asarray(n_points) - grid.N_PARAMETERS, 1)
    reduced = chi2[rows, best] / freedom
    energy = 0.5 * chi2 if gaussian else fits.loss.astype(np.float64) / PIXEL_TEMPERATURE
    weights = np.exp(energy[rows, best][:, None] - energy)
    weights /= weights.sum(axis=1, keepdims=True)
    size = effective_sample_size(weights)
    flags = []
    for i in range(n):
        notes = {
            "no_usable_points": n_points[i] == 0,
            "poor_fit": reduced[i] > POOR_FIT,
            "few_effective_samples": size[i] < 0.1 * n_starts,
        }
        flags.append(",".join(note for note, applies in notes.items() if applies))
    return Retrieval(
        names=tuple(names),
        samples=fits.theta,
        weights=weights,
        log_evidence=np.full(n, np.nan),
        reduced_chi2=reduced,
        effective_sample_size=size,
        flags=tuple(flags),
        depth=fits.depth,
        aspa=fits.aspa[rows, best],
        loss=fits.loss,
    )
