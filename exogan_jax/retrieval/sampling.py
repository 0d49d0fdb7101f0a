"""Samples of ONE target's posterior through the generator. Callers vmap over targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from exogan_jax.gan.model import Model
from exogan_jax.retrieval import ensemble, importance, rounds
from exogan_jax.retrieval.compared import LIKELIHOODS, Target, of_levels
from exogan_jax.retrieval.density import Density, energy_of
from exogan_jax.retrieval.ensemble import EnsembleState
from exogan_jax.retrieval.importance import Integral
from exogan_jax.retrieval.latent_prior import latent_at, log_norm, log_weight
from exogan_jax.retrieval.modes import Modes, draw
from exogan_jax.retrieval.moves import Coordinates, coordinates_of
from exogan_jax.retrieval.proposed import places_proposed
from exogan_jax.retrieval.settings import Settings

#: A proposed walker may lie this far below the best one, in log density per dimension. Of PRISM's
#: 30 ppm most do, the way to another mode among them; of 1 ppm none, and 300 steps do not gather
#: those that begin further away.
_DEPTH = 10.0
#: Power of the likelihood of the wide samples. Of the planet of `flat.RIM`, the generator takes the
#: ridge for 0.6 % of its posterior, for 8 % of that of this power; it is 14 % of the exact one.
#: Begun at the generator's own, exact samples are off nested sampling's by 0.021 nat, not 0.006.
WIDE = 0.4
_LONGEST = 32  # latents that an ensemble can sample: the paper's 100 are too many


class Draws(NamedTuple):
    """Samples of the posterior of the latent."""

    place: Float[Array, "sample latent_dim"]  # in the box that the prior leaves
    energy: Float[Array, " sample"]  # -log likelihood + constant
    weight: Float[Array, " sample"]  # summing to 1
    family: Int[Array, " sample"]  # those of one number are not independent
    effective: Float[Array, ""]  # number of independent samples that they are worth
    acceptance: Float[Array, ""]  # share of the moves that were accepted; NaN where none were made
    evidence: Integral  # of the likelihood whose energy this is; NaN where nothing was sampled
    drawing: Float[Array, "sample ..."] | None = None  # the generator's, where they are known
    wide: Draws | None = None  # of the likelihood to the power `WIDE`, where they are asked for


class Posterior(NamedTuple):
    """What is sampled."""

    coordinates: Coordinates
    #: position (d,) -> density of the posterior in these coordinates
    density: Callable[[Float[Array, " d"]], Density]
    #: place (d,) -> log density of the posterior in the box, up to a constant
    in_box: Callable[[Float[Array, " d"]], Float[Array, ""]]
    of_prior: Callable[[Float[Array, " d"]], Float[Array, ""]]  # of which that of the prior


def is_sampled(model: Model, settings: Settings) -> bool:
    """Whether an ensemble samples the latent: where the likelihood is one, and the latent short
    enough for the number of walkers.
    """
    short = model.networks.latent_dim <= _LONGEST
    return short and LIKELIHOODS[settings.likelihood].log_density is not None


def posterior(
    model: Model,
    target: Target,
    best: Float[Array, " d"],
    log_likelihood: Callable[[Float[Array, " d"]], Float[Array, ""]],
) -> Posterior:
    """The posterior of ONE target's latent.

    Args:
      model: the networks.
      target: the observation's.
      best: a place that fits.
      log_likelihood: of a latent, up to a constant.
    """
    prior, parameters = target.prior, model.layout.parameters
    coordinates = coordinates_of(model, target, best)

    def of_prior(place: Array) -> Array:
        return log_weight(prior, latent_at(prior, place), parameters)

    def in_box(place: Array) -> Array:
        return log_likelihood(latent_at(prior, place)) + of_prior(place)

    def density(position: Array) -> Density:
        if coordinates.drawn is None:
            place, volume = coordinates.place(position)
            fits = log_likelihood(latent_at(prior, jnp.clip(place, -1, 1)))
        else:
            place, volume, level = coordinates.drawn(position)
            latent = latent_at(prior, jnp.clip(place, -1, 1))
            fits = of_levels(model, level, latent, target)
        inside = jnp.all(jnp.abs(place) <= 1)
        log_volume = of_prior(jnp.clip(place, -1, 1)) + volume
        return Density(jnp.where(inside, fits + log_volume, -jnp.inf), log_volume)

    return Posterior(coordinates, density, in_box, of_prior)


def likelihood(model: Model, target: Target, settings: Settings) -> Callable[[Array], Array]:
    """Log likelihood of ONE target at a latent (d,), up to a constant, where there is one."""
    make = LIKELIHOODS[settings.likelihood].log_density
    assert make is not None
    return make(model, target)


def sample(
    key: Array,
    model: Model,
    target: Target,
    place: Float[Array, "start d"],
    log_density: Float[Array, " start"],
    modes: Modes | None,
    settings: Settings,
) -> Draws:
    """Samples the posterior of ONE target's latent, over the box that its prior leaves.

    Args:
      key: PRNG key.
      model: the networks.
      target: the observation's.
      place: where the starts ended.
      log_density: of the posterior there, up to a constant.
      modes: of the starts, if they climbed.
      settings: with nothing left open.
    """
    parameters = model.layout.parameters
    log_likelihood = likelihood(model, target, settings)
    of = posterior(model, target, place[log_density.argmax()], log_likelihood)
    begin_key, run_key, choose_key, flow_key = jax.random.split(key, 4)
    wide_key = jax.random.fold_in(choose_key, 1)
    if modes is not None:
        walkers, begun = draw(begin_key, modes, log_density, of.in_box, ensemble.N_WALKERS)
    else:
        walkers = ensemble.disperse(begin_key, place, log_density)
        begun = jax.vmap(of.in_box)(walkers)
    position, volume = jax.vmap(of.coordinates.position)(walkers)
    of_prior = jax.vmap(of.of_prior)(walkers)
    begin = ensemble.begin(position, Density(begun + volume, of_prior + volume))
    if settings.encoder and model.has_flow:
        begin = _half_proposed(flow_key, model, target, begin, of)
    run, drawn = rounds.draw(run_key, begin, of.density, settings, of.coordinates.normal)
    kept, total = run.kept, importance.integral(drawn.log_weight, drawn.number)
    states = kept.position.reshape(-1, kept.position.shape[-1])
    # Where hardly a draw has a weight, the ensemble's states are better.
    walked = ensemble.effective_samples(kept.position)
    by_draws = total.effective > walked
    n = settings.n_samples
    assert n is not None
    of_draws = importance.resample(choose_key, drawn.log_weight, n)
    repeated = jnp.arange(n) % states.shape[0]

    position = jnp.where(by_draws, drawn.position[of_draws], states[repeated])
    of_states = energy_of(kept.density).reshape(-1)[repeated]
    energy = jnp.where(by_draws, energy_of(drawn.density)[of_draws], of_states)
    family = jnp.where(by_draws, of_draws, repeated % ensemble.N_WALKERS)
    if settings.exact:  # traced and compiled once for both
        log_weight = importance.at_power(drawn, WIDE)
        chosen = importance.resample(wide_key, log_weight, n)
        position = jnp.concatenate([position, drawn.position[chosen]])
        energy = jnp.concatenate([energy, energy_of(drawn.density)[chosen]])
    place = jnp.clip(jax.vmap(of.coordinates.place)(position)[0], -1, 1)
    drawing = jax.vmap(lambda place: model.generate(latent_at(target.prior, place)))(place)

    def some(part: slice, family: Array, effective: Array, total: Integral) -> Draws:
        return Draws(
            place[part],
            energy[part],
            weight=jnp.full(n, 1 / n),
            family=family,
            effective=effective,
            acceptance=run.acceptance.mean(),
            evidence=total._replace(log=total.log - log_norm(target.prior, parameters)),
            drawing=drawing[part],
        )

    worth = importance.resampled(drawn.log_weight, n)
    both = jnp.where(by_draws, worth, jnp.minimum(walked, n))
    draws = some(slice(n), family, both, total)
    if not settings.exact:
        return draws
    of_wide = importance.integral(log_weight, drawn.number)
    return draws._replace(wide=some(slice(n, None), chosen, of_wide.effective, of_wide))


def _half_proposed(
    key: Array, model: Model, target: Target, begin: EnsembleState, of: Posterior
) -> EnsembleState:
    """Walkers of which every second begins where the encoder proposes, but for the coordinates that
    do not hang on the others.

    The starts climb to the best modes, and walkers that begin there find a mode that is no worse
    but far away late, or never. Of one planet in sixty (PRISM, 30 ppm) that cost an eighth of the
    evidence, and the true haze: no step of 300 had reached it. The encoder knows of both.
    """
    place = places_proposed(key, model, target, begin.position.shape[0] // 2)
    inside = jnp.all(jnp.abs(place) < 1, axis=1)  # not where there is no number
    position, _ = jax.vmap(of.coordinates.position)(jnp.where(inside[:, None], place, 0.0))
    old = jax.tree.map(lambda x: x[::2], begin)
    position = jnp.where(of.coordinates.apart[None], old.position, position)
    proposed = ensemble.init(position, of.density)
    lowest = begin.density.log.max() - _DEPTH * position.shape[1]
    taken = inside & (proposed.density.log > lowest)
    return ensemble.with_half(begin, ensemble.where(taken, proposed, old))


def of_starts(
    place: Float[Array, "start d"],
    energy: Float[Array, " start"],
    log_weight: Float[Array, " start"],
) -> Draws:
    """The paper's samples: the ends of the starts, weighted by how well they fit."""
    weight = jax.nn.softmax(log_weight - energy)
    none = jnp.asarray(jnp.nan)
    number = jnp.arange(energy.size)
    size = 1 / jnp.square(weight).sum()
    return Draws(place, energy, weight, number, size, none, Integral(none, none, none))
