"""One target: fitted from many starts, sampled, and summarised. Callers vmap over targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from exogan_jax.gan.model import LevelError, Model
from exogan_jax.gan.npe import Shape, from_normal
from exogan_jax.retrieval.compared import LIKELIHOODS, Target
from exogan_jax.retrieval.encode import proposal_coordinates, propose
from exogan_jax.retrieval.importance import Integral
from exogan_jax.retrieval.inpaint import box, inpainter
from exogan_jax.retrieval.latent_prior import (
    deviations,
    latent_at,
    log_weight,
    reported,
    shape_within,
)
from exogan_jax.retrieval.modes import Modes, climb
from exogan_jax.retrieval.sampling import Draws, is_sampled, of_starts, sample
from exogan_jax.retrieval.settings import Settings


class Fit(NamedTuple):
    """Where the starts ended."""

    place: Float[Array, "start latent_dim"]  # in the box that the prior leaves, see `latent_prior`
    energy: Float[Array, " start"]  # -log likelihood + constant
    log_weight: Float[Array, " start"]  # the prior's
    best: Float[Array, "..."]  # drawing of the most probable
    modes: Modes | None  # of each start, where the likelihood is one of least squares


class Drawn(NamedTuple):
    """What is generated at places of the box."""

    theta: Float[Array, "sample d"]
    depth: Float[Array, "sample w"]


class Summary(NamedTuple):
    """What is kept of a target."""

    place: Float[Array, "sample latent_dim"]
    theta: Float[Array, "sample d"]
    depth: Float[Array, "sample w"]
    energy: Float[Array, " sample"]
    weight: Float[Array, " sample"]
    family: Int[Array, " sample"]
    effective: Float[Array, ""]
    acceptance: Float[Array, ""]
    evidence: Integral
    image: Float[Array, "side side"]  # of the best start
    start_theta: Float[Array, " d"]  # of the best start, as drawn
    start_depth: Float[Array, " w"]
    wide: Summary | None  # the same of samples of a power of the likelihood, see `sampling.WIDE`


def has_modes(model: Model, settings: Settings) -> bool:
    """Whether the starts climb to modes, from which the ensemble begins."""
    least_squares = LIKELIHOODS[settings.likelihood].residuals is not None
    levels = isinstance(model.error, LevelError)
    return is_sampled(model, settings) and least_squares and levels


def suited(settings: Settings, model: Model) -> Settings:
    """Settings with nothing left open, for a model."""
    has_encoder = model.encoder is not None
    return settings.for_model(has_encoder, has_encoder and has_modes(model, settings))


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
        shape = shape_within(propose(model, target.depth), target.prior, parameters)

    def one_start(key: Array) -> Array:
        state, _ = run(key, (target, shape))
        return coordinates.latent(state.position, (target, shape))

    place = jax.vmap(one_start)(jax.random.split(key, settings.n_starts))
    modes = None
    if has_modes(model, settings):
        residuals = residuals_of(model, target, settings)
        modes = jax.vmap(lambda place: climb(place, residuals))(place)
        place = from_normal(modes.centre)
    drawings, weight = jax.vmap(weighted)(place)
    energy = jax.vmap(lambda drawing: compared.energy(model, drawing, target))(drawings)
    best = drawings[(energy - weight).argmin()]
    return Fit(place, energy, weight, best, modes)


def residuals_of(model: Model, target: Target, settings: Settings) -> Callable[[Array], Array]:
    """Of data and of the prior, at a place; the uniform part of the prior is `modes`' own."""
    make = LIKELIHOODS[settings.likelihood].residuals
    assert make is not None
    of_data = make(model, target)

    def residuals(place: Array) -> Array:
        latent = latent_at(target.prior, place)
        of_prior = deviations(target.prior, latent, model.layout.parameters)
        return jnp.concatenate([of_data(latent), of_prior])

    return residuals


def drawn_at(
    model: Model,
    target: Target,
    place: Float[Array, "n latent_dim"],
    drawings: Float[Array, "n ..."] | None = None,
) -> Drawn:
    """Spectra and parameters that ONE target's samples stand for.

    Args:
      model: the networks.
      target: the observation's.
      place: of the samples.
      drawings: what the generator draws there, if that is known already.
    """
    layout = model.layout
    latent = jax.vmap(lambda place: latent_at(target.prior, place))(place)
    if drawings is None:
        drawings = jax.vmap(model.generate)(latent)

    def unpack(latent: Array, drawing: Array) -> Drawn:
        depth, theta = layout.unpack(model.values(drawing))
        return Drawn(reported(target.prior, latent, theta, layout.parameters), depth)

    found: Drawn = jax.vmap(unpack)(latent, drawings)
    return found


def summarise(model: Model, target: Target, fitted: Fit, draws: Draws) -> Summary:
    """Spectra and parameters of the samples, and those of the best start with its array.

    Args:
      model: the networks.
      target: the observation's.
      fitted: the starts.
      draws: the samples.
    """
    found = drawn_at(model, target, draws.place, draws.drawing)
    start_depth, start_theta = model.layout.unpack(model.values(fitted.best))
    return Summary(
        draws.place,
        found.theta,
        found.depth,
        draws.energy,
        draws.weight,
        draws.family,
        draws.effective,
        draws.acceptance,
        draws.evidence,
        model.image(fitted.best),
        start_theta,
        start_depth,
        None if draws.wide is None else summarise(model, target, fitted, draws.wide),
    )


def retrieve_one(key: Array, model: Model, target: Target, settings: Settings) -> Summary:
    """All of the above, for ONE target."""
    fit_key, sample_key = jax.random.split(key)
    fitted = fit(fit_key, model, target, settings)
    log_density = fitted.log_weight - fitted.energy
    if is_sampled(model, settings):
        draws = sample(sample_key, model, target, fitted.place, log_density, fitted.modes, settings)
    else:
        draws = of_starts(fitted.place, fitted.energy, fitted.log_weight)
    return summarise(model, target, fitted, draws)
