"""One target: fitted from many starts, sampled, and summarised. Callers vmap over targets."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from exogan_jax.gan.model import Model
from exogan_jax.gan.npe import shape_of
from exogan_jax.retrieval import ensemble
from exogan_jax.retrieval.compared import LIKELIHOODS, Target, chi2
from exogan_jax.retrieval.encode import carry_back, features, proposal_coordinates
from exogan_jax.retrieval.inpaint import box, inpainter
from exogan_jax.retrieval.settings import Settings


class Fit(NamedTuple):
    """Where the starts ended."""

    latent: Float[Array, "start latent_dim"]
    energy: Float[Array, " start"]  # -log likelihood + constant
    best: Float[Array, "..."]  # drawing of the lowest energy
    chi2: Float[Array, ""]  # its chi-square


class Draws(NamedTuple):
    """Samples of the posterior of the latent, chain after chain."""

    latent: Float[Array, "sample latent_dim"]
    energy: Float[Array, " sample"]  # -log likelihood + constant
    weight: Float[Array, " sample"]  # summing to 1
    effective: Float[Array, ""]  # number of independent samples that they are worth
    acceptance: Float[Array, ""]  # share of the moves that were accepted; NaN where none were made


class Summary(NamedTuple):
    """What is kept of a target."""

    theta: Float[Array, "sample d"]
    depth: Float[Array, "sample w"]
    energy: Float[Array, " sample"]
    weight: Float[Array, " sample"]
    effective: Float[Array, ""]
    acceptance: Float[Array, ""]
    image: Float[Array, "side side"]  # of the best start
    chi2: Float[Array, ""]  # of the best start


def is_sampled(model: Model, settings: Settings) -> bool:
    """Whether an ensemble samples the latent: where the likelihood is one, and the latent short
    enough for the number of walkers.
    """
    short = 2 * model.networks.latent_dim <= ensemble.N_WALKERS
    return short and LIKELIHOODS[settings.likelihood].log_density is not None


def n_chains(model: Model, settings: Settings) -> int:
    """Chains that the samples come from: walkers, or one of independent starts."""
    return ensemble.N_WALKERS if is_sampled(model, settings) else 1


def fit(key: Array, model: Model, target: Target, settings: Settings) -> Fit:
    """Inpaints ONE target from every start.

    Args:
      key: PRNG key.
      model: the networks.
      target: from the likelihood's `target`.
      settings: with nothing left open.
    """
    compared = LIKELIHOODS[settings.likelihood]
    latent_dim = model.networks.latent_dim
    assert settings.n_steps is not None and settings.rate is not None
    # A rate that falls to zero ends at the optimum instead of around it.
    optimizer = optax.adam(optax.cosine_decay_schedule(settings.rate, settings.n_steps))
    coordinates = proposal_coordinates(latent_dim) if settings.encoder else box(latent_dim)
    run = inpainter(
        model.generate,
        model.score,
        coordinates=coordinates,
        contextual_fn=lambda drawing, target: compared.fit_loss(model, drawing, target[0]),
        optimizer=optimizer,
        n_steps=settings.n_steps,
    ).run
    shape = None
    if settings.encoder:
        observed = carry_back(target.depth, model.layout.n_wavelength)
        shape = shape_of(model.propose(features(observed, model.encoder_network.radius)))

    def one_start(key: Array) -> Array:
        state, _ = run(key, (target, shape))
        return coordinates.latent(state.position, (target, shape))

    latent = jax.vmap(one_start)(jax.random.split(key, settings.n_starts))
    drawings = jax.vmap(model.generate)(latent)
    energy = jax.vmap(lambda drawing: compared.energy(model, drawing, target))(drawings)
    best = drawings[energy.argmin()]
    return Fit(latent, energy, best, chi2(model, best, target))


def sample(key: Array, model: Model, target: Target, fitted: Fit, settings: Settings) -> Draws:
    """Samples the posterior of ONE target's latent, which is uniform in the prior.

    Where there is nothing to be sampled, the samples are the paper's: what the starts came to,
    weighted by how well they fit.
    """
    if not is_sampled(model, settings):
        weight = jax.nn.softmax(-fitted.energy)
        effective = 1 / jnp.square(weight).sum()
        return Draws(fitted.latent, fitted.energy, weight, effective, jnp.asarray(jnp.nan))
    make = LIKELIHOODS[settings.likelihood].log_density
    assert make is not None and settings.n_burn is not None and settings.keep_every is not None
    begin_key, run_key = jax.random.split(key)
    kept, info = ensemble.run(
        run_key,
        ensemble.disperse(begin_key, fitted.latent, -fitted.energy),
        make(model, target),
        n_burn=settings.n_burn,
        n_kept=settings.n_kept,
        keep_every=settings.keep_every,
    )
    # Walker after walker: chains, each of its kept states.
    latent = kept.position.swapaxes(0, 1).reshape(-1, kept.position.shape[-1])
    energy = -kept.log_density.swapaxes(0, 1).reshape(-1)
    weight = jnp.full(energy.shape, 1 / energy.size)
    effective = ensemble.effective_samples(kept.position)
    return Draws(latent, energy, weight, effective, info.acceptance.mean())


def summarise(model: Model, fitted: Fit, draws: Draws) -> Summary:
    """Spectra and parameters of the samples, and the array of the best start."""
    layout = model.layout
    depth, theta = jax.vmap(lambda z: layout.unpack(model.values(model.generate(z))))(draws.latent)
    return Summary(
        theta,
        depth,
        draws.energy,
        draws.weight,
        draws.effective,
        draws.acceptance,
        model.image(fitted.best),
        fitted.chi2,
    )


def retrieve_one(key: Array, model: Model, target: Target, settings: Settings) -> Summary:
    """All of the above, for ONE target."""
    fit_key, sample_key = jax.random.split(key)
    fitted = fit(fit_key, model, target, settings)
    return summarise(model, fitted, sample(sample_key, model, target, fitted, settings))
