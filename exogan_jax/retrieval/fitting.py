"""One target: fitted from many starts, sampled, and summarised. Callers vmap over targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from exogan_jax.gan.model import LevelError, Model
from exogan_jax.gan.npe import Shape, from_normal
from exogan_jax.retrieval import ensemble, importance
from exogan_jax.retrieval.compared import LIKELIHOODS, Target
from exogan_jax.retrieval.encode import carry_back, features, proposal_coordinates
from exogan_jax.retrieval.importance import Integral
from exogan_jax.retrieval.inpaint import box, inpainter
from exogan_jax.retrieval.latent_prior import (
    deviations,
    latent_at,
    log_norm,
    log_weight,
    reported,
    shape_within,
)
from exogan_jax.retrieval.modes import Modes, climb, draw
from exogan_jax.retrieval.moves import coordinates_of
from exogan_jax.retrieval.settings import Settings

_LONGEST = 32  # latents that an ensemble can sample: the paper's 100 are too many


class Fit(NamedTuple):
    """Where the starts ended."""

    place: Float[Array, "start latent_dim"]  # in the box that the prior leaves, see `latent_prior`
    energy: Float[Array, " start"]  # -log likelihood + constant
    log_weight: Float[Array, " start"]  # the prior's
    best: Float[Array, "..."]  # drawing of the most probable
    modes: Modes | None  # of each start, where the likelihood is one of least squares


class Draws(NamedTuple):
    """Samples of the posterior of the latent."""

    latent: Float[Array, "sample latent_dim"]
    energy: Float[Array, " sample"]  # -log likelihood + constant
    weight: Float[Array, " sample"]  # summing to 1
    effective: Float[Array, ""]  # number of independent samples that they are worth
    acceptance: Float[Array, ""]  # share of the moves that were accepted; NaN where none were made
    evidence: Integral  # of the likelihood whose energy this is; NaN where nothing was sampled


class Summary(NamedTuple):
    """What is kept of a target."""

    theta: Float[Array, "sample d"]
    depth: Float[Array, "sample w"]
    energy: Float[Array, " sample"]
    weight: Float[Array, " sample"]
    effective: Float[Array, ""]
    acceptance: Float[Array, ""]
    evidence: Integral
    image: Float[Array, "side side"]  # of the best start
    start_theta: Float[Array, " d"]  # of the best start, as drawn
    start_depth: Float[Array, " w"]


def is_sampled(model: Model, settings: Settings) -> bool:
    """Whether an ensemble samples the latent: where the likelihood is one, and the latent short
    enough for the number of walkers.
    """
    short = model.networks.latent_dim <= _LONGEST
    return short and LIKELIHOODS[settings.likelihood].log_density is not None


def has_modes(model: Model, settings: Settings) -> bool:
    """Whether the starts climb to modes, from which the ensemble begins."""
    least_squares = LIKELIHOODS[settings.likelihood].residuals is not None
    levels = isinstance(model.error, LevelError)
    return is_sampled(model, settings) and least_squares and levels


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
    parameters = model.layout.parameters

    def weighted(place: Array) -> tuple[Array, Array]:
        """A drawing, and its latent's weight in the prior."""
        latent = latent_at(target.prior, place)
        return model.generate(latent), log_weight(target.prior, latent, parameters)

    def loss(drawn: tuple[Array, Array], target: tuple[Target, Shape | None]) -> Array:
        return compared.fit_loss(model, drawn[0], target[0]) - compared.unit * drawn[1]

    run = inpainter(
        weighted,
        lambda drawn: model.score(drawn[0]),
        coordinates=coordinates,
        contextual_fn=loss,
        optimizer=optimizer,
        n_steps=settings.n_steps,
    ).run
    shape = None
    if settings.encoder:
        observed = carry_back(target.depth, model.layout.n_wavelength)
        proposal = model.propose(features(observed, model.encoder_network.radius))
        shape = shape_within(proposal, target.prior, parameters)

    def one_start(key: Array) -> Array:
        state, _ = run(key, (target, shape))
        return coordinates.latent(state.position, (target, shape))

    place = jax.vmap(one_start)(jax.random.split(key, settings.n_starts))
    modes = None
    if has_modes(model, settings):
        residuals = _residuals(model, target, settings)
        modes = jax.vmap(lambda place: climb(place, residuals))(place)
        place = from_normal(modes.centre)
    drawings, weight = jax.vmap(weighted)(place)
    energy = jax.vmap(lambda drawing: compared.energy(model, drawing, target))(drawings)
    best = drawings[(energy - weight).argmin()]
    return Fit(place, energy, weight, best, modes)


def _residuals(model: Model, target: Target, settings: Settings) -> Callable[[Array], Array]:
    """Of data and of the prior, at a place; the uniform part of the prior is `modes`' own."""
    make = LIKELIHOODS[settings.likelihood].residuals
    assert make is not None
    of_data = make(model, target)

    def residuals(place: Array) -> Array:
        latent = latent_at(target.prior, place)
        of_prior = deviations(target.prior, latent, model.layout.parameters)
        return jnp.concatenate([of_data(latent), of_prior])

    return residuals


def sample(key: Array, model: Model, target: Target, fitted: Fit, settings: Settings) -> Draws:
    """Samples the posterior of ONE target's latent, over the box that its prior leaves.

    Where there is nothing to be sampled, the samples are the paper's: what the starts came to,
    weighted by how well they fit.
    """
    prior, parameters = target.prior, model.layout.parameters
    if not is_sampled(model, settings):
        latent = jax.vmap(lambda place: latent_at(prior, place))(fitted.place)
        weight = jax.nn.softmax(fitted.log_weight - fitted.energy)
        effective = 1 / jnp.square(weight).sum()
        none = jnp.asarray(jnp.nan)
        return Draws(latent, fitted.energy, weight, effective, none, Integral(none, none, none))
    make = LIKELIHOODS[settings.likelihood].log_density
    assert make is not None and settings.n_burn is not None and settings.keep_every is not None
    log_likelihood = make(model, target)

    def log_density(place: Array) -> Array:
        latent = latent_at(prior, place)
        return log_likelihood(latent) + log_weight(prior, latent, parameters)

    begin_key, run_key, draw_key, choose_key = jax.random.split(key, 4)
    if fitted.modes is not None:
        walkers = draw(begin_key, fitted.modes, log_density, ensemble.N_WALKERS)
    else:
        walkers = ensemble.disperse(begin_key, fitted.place, fitted.log_weight - fitted.energy)
    top = (fitted.energy - fitted.log_weight).argmin()
    coordinates = coordinates_of(model, target, fitted.place[top])

    def density(position: Array) -> Array:
        place, volume = coordinates.place(position)
        inside = jnp.all(jnp.abs(place) <= 1)
        return jnp.where(inside, log_density(jnp.clip(place, -1, 1)) + volume, -jnp.inf)

    length = {name: getattr(settings, name) for name in ("n_burn", "n_kept", "keep_every")}
    begin = jax.vmap(coordinates.position)(walkers)
    kept, info = ensemble.run(run_key, begin, density, **length)
    states = kept.position.reshape(-1, kept.position.shape[-1])
    drawn = importance.draw(draw_key, states, density, settings.n_draws)
    total = importance.integral(drawn.log_weight)
    # Where hardly a draw has a weight, the ensemble's states are better.
    walked = ensemble.effective_samples(kept.position)
    by_draws = total.effective > walked
    n = settings.n_samples
    chosen = importance.resample(choose_key, drawn.log_weight, n)
    repeated = jnp.arange(n) % states.shape[0]
    position = jnp.where(by_draws, drawn.position[chosen], states[repeated])
    found = jnp.where(by_draws, drawn.log_density[chosen], kept.log_density.reshape(-1)[repeated])
    place, volume = jax.vmap(coordinates.place)(position)
    latent = jax.vmap(lambda place: latent_at(prior, jnp.clip(place, -1, 1)))(place)
    of_prior = jax.vmap(lambda latent: log_weight(prior, latent, parameters))(latent)
    return Draws(
        latent,
        energy=of_prior + volume - found,
        weight=jnp.full(n, 1 / n),
        effective=jnp.where(by_draws, 1 / (1 / total.effective + 1 / n), jnp.minimum(walked, n)),
        acceptance=info.acceptance.mean(),
        evidence=total._replace(log=total.log - log_norm(prior, parameters)),
    )


def summarise(model: Model, target: Target, fitted: Fit, draws: Draws) -> Summary:
    """Spectra and parameters of the samples, and those of the best start with its array."""
    layout = model.layout

    def unpack(latent: Array) -> tuple[Array, Array]:
        depth, theta = layout.unpack(model.values(model.generate(latent)))
        return depth, reported(target.prior, latent, theta, layout.parameters)

    depth, theta = jax.vmap(unpack)(draws.latent)
    start_depth, start_theta = layout.unpack(model.values(fitted.best))
    return Summary(
        theta,
        depth,
        draws.energy,
        draws.weight,
        draws.effective,
        draws.acceptance,
        draws.evidence,
        model.image(fitted.best),
        start_theta,
        start_depth,
    )


def retrieve_one(key: Array, model: Model, target: Target, settings: Settings) -> Summary:
    """All of the above, for ONE target."""
    fit_key, sample_key = jax.random.split(key)
    fitted = fit(fit_key, model, target, settings)
    draws = sample(sample_key, model, target, fitted, settings)
    return summarise(model, target, fitted, draws)
