"""Samples of ONE target's posterior without a chain: draws of what the encoder proposes, weighted
by the generator's likelihood. Where they are worth too few independent samples, some of them climb
to modes, and rounds of draws about these follow (population Monte Carlo: Cappe et al. 2004, J.
Comput. Graph. Stat. 13, 907), in the coordinates of `moves`, where a posterior is nearly normal:
each about draws of the one before, picked by a power of their weights, as large as leaves enough of
them.

A thousand to twenty thousand spectra of the generator, where an ensemble takes 170,000. Callers
vmap over targets, and jit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Float, Int

from exogan_jax.gan.model import Model
from exogan_jax.gan.npe import from_normal
from exogan_jax.retrieval import importance
from exogan_jax.retrieval.compared import Target
from exogan_jax.retrieval.fitting import Fit, Summary, has_modes, residuals_of, summarise
from exogan_jax.retrieval.importance import Integral
from exogan_jax.retrieval.latent_prior import latent_at, log_norm, log_weight
from exogan_jax.retrieval.modes import climb, draw
from exogan_jax.retrieval.proposed import proposed
from exogan_jax.retrieval.sampling import Draws, is_sampled, likelihood, posterior
from exogan_jax.retrieval.settings import Settings

N_FIRST, N_AGAIN = 1024, 2048  # draws of the encoder's proposal, and of a round
_CENTRES = 256  # about which a round draws
#: Draws that climb: the best, and some that a power of the weights picks; and their steps. Of 24
#: planets of the whole box as PRISM sees them with 30 ppm, 60 % have enough after five rounds.
_BEST, _OTHERS, _STEPS = 4, 8, 10
_LEFT = 64.0  # independent samples that a power of the weights leaves to choose centres from
_HALVINGS = 20  # to find that power


class Weighted(NamedTuple):
    """Weighted draws."""

    place: Float[Array, "n d"]  # of the box that the prior leaves
    log_weight: Float[Array, " n"]
    effective: Float[Array, ""]  # independent samples that they are worth


class Centres(NamedTuple):
    """What a round draws about."""

    best: Float[Array, " d"]  # a place that fits, which the coordinates are about
    position: Float[Array, "m d"]  # in these


class Samples(NamedTuple):
    """Samples of equal weights, made of weighted draws."""

    place: Float[Array, "n d"]
    family: Int[Array, " n"]  # the number of the draw
    evidence: Integral  # over the box, of the likelihood and the prior's weight


def is_quick(model: Model, settings: Settings) -> bool:
    """Whether the encoder proposes what can be weighted."""
    flows = model.encoder is not None and model.encoder_network.n_layers > 0
    return settings.encoder and flows and is_sampled(model, settings)


def first(key: Array, model: Model, target: Target, settings: Settings) -> Weighted:
    """Weighted draws of the encoder's proposal."""
    proposal = proposed(model, target)
    v = proposal.draw(key, N_FIRST)
    inside = jnp.isfinite(v).all(axis=1)
    v = jnp.where(inside[:, None], v, 0.0)
    place = from_normal(v)
    density = jax.vmap(_in_box(model, target, settings))(place) + norm.logpdf(v).sum(axis=1)
    return _weighted(place, jnp.where(inside, density, -jnp.inf) - proposal.log_density(v))


def centres(
    key: Array, model: Model, target: Target, drawn: Weighted, settings: Settings
) -> Centres:
    """What the first round draws about: modes to which draws lead, where the likelihood is one of
    least squares; else the draws themselves.
    """
    pick_key, draw_key = jax.random.split(key)
    in_box = _in_box(model, target, settings)
    if has_modes(model, settings):
        best = jax.lax.top_k(drawn.log_weight, _BEST)[1]
        seeds = drawn.place[jnp.concatenate([best, _picked(pick_key, drawn, _OTHERS)])]
        residuals = residuals_of(model, target, settings)
        modes = jax.vmap(lambda place: climb(place, residuals, _STEPS))(seeds)
        seeds = from_normal(modes.centre)
        density = jax.vmap(in_box)(seeds)
        place = draw(draw_key, modes, in_box, _CENTRES)
    else:
        seeds, density = drawn.place, drawn.log_weight
        place = drawn.place[_picked(pick_key, drawn, _CENTRES)]
    top = seeds[jnp.where(jnp.isfinite(density), density, -jnp.inf).argmax()]
    coordinates = posterior(model, target, top, likelihood(model, target, settings)).coordinates
    return Centres(top, jax.vmap(coordinates.position)(place))


def again(
    key: Array, model: Model, target: Target, about: Centres, settings: Settings
) -> tuple[Weighted, Centres]:
    """A round: weighted draws, and what the next one draws about."""
    pick_key, draw_key = jax.random.split(key)
    of = posterior(model, target, about.best, likelihood(model, target, settings))
    found = importance.draw(draw_key, about.position, of.density, N_AGAIN)
    place = jnp.clip(jax.vmap(of.coordinates.place)(found.position)[0], -1, 1)
    drawn = _weighted(place, found.log_weight)
    return drawn, about._replace(position=found.position[_picked(pick_key, drawn, _CENTRES)])


def finish(model: Model, target: Target, samples: Samples, settings: Settings) -> Summary:
    """What is kept of a target, from samples of equal weights."""
    n, prior = settings.n_samples, target.prior
    assert n is not None
    log_likelihood, parameters = likelihood(model, target, settings), model.layout.parameters
    latent = jax.vmap(lambda place: latent_at(prior, place))(samples.place)
    energy = -jax.vmap(log_likelihood)(latent)
    total = samples.evidence
    draws = Draws(
        samples.place,
        energy,
        weight=jnp.full(n, 1 / n),
        family=samples.family,
        effective=1 / (1 / total.effective + 1 / n),
        acceptance=jnp.asarray(jnp.nan),
        evidence=total._replace(log=total.log - log_norm(prior, parameters)),
    )
    best = latent[energy.argmin()]
    weight = log_weight(prior, best, parameters)
    fitted = Fit(samples.place[:1], energy[:1], weight[None], model.generate(best), None)
    return summarise(model, target, fitted, draws)


def _in_box(model: Model, target: Target, settings: Settings) -> Callable[[Array], Array]:
    """Log density of the posterior at a place, up to a constant, relative to the box's."""
    log_likelihood = likelihood(model, target, settings)
    prior, parameters = target.prior, model.layout.parameters

    def density(place: Array) -> Array:
        latent = latent_at(prior, place)
        return log_likelihood(latent) + log_weight(prior, latent, parameters)

    return density


def _weighted(place: Array, log_weight: Array) -> Weighted:
    log_weight = jnp.where(jnp.isnan(log_weight), -jnp.inf, log_weight)
    any_left = jnp.isfinite(log_weight).any()
    effective = importance.integral(log_weight).effective
    return Weighted(place, log_weight, jnp.where(any_left, effective, 0.0))


def _picked(key: Array, drawn: Weighted, n: int) -> Array:
    """Which draws the largest power of their weights picks that leaves enough of them."""

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        enough = importance.integral(middle * drawn.log_weight).effective >= _LEFT
        return jnp.where(enough, middle, low), jnp.where(enough, high, middle)

    ends = jnp.full((), 2.0**-_HALVINGS), jnp.ones(())  # 0 times -inf is no number
    low, _ = jax.lax.fori_loop(0, _HALVINGS, halve, ends)
    power = jnp.where(drawn.effective >= _LEFT, 1.0, low)
    return importance.resample(key, power * drawn.log_weight, n)
