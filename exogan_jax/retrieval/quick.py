"""Samples of ONE target's posterior without a chain: draws of what the encoder proposes, weighted
by the generator's likelihood. Where they are worth too few independent samples, rounds of draws
about the better ones follow (population Monte Carlo: Cappe et al. 2004, J. Comput. Graph. Stat. 13,
907): about draws picked by a power of their weights, as large as leaves enough of them.

A thousand spectra of the generator and a few milliseconds, where an ensemble takes a hundred times
as many. Callers vmap over targets, and jit.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from exogan_jax.gan.model import Model
from exogan_jax.gan.npe import from_normal
from exogan_jax.retrieval import importance
from exogan_jax.retrieval.compared import Target
from exogan_jax.retrieval.fitting import Fit, Summary, summarise
from exogan_jax.retrieval.importance import Drawn
from exogan_jax.retrieval.latent_prior import latent_at, log_norm, log_weight
from exogan_jax.retrieval.proposed import proposed
from exogan_jax.retrieval.sampling import Draws, is_sampled, likelihood
from exogan_jax.retrieval.settings import Settings

N_FIRST, N_AGAIN = 1024, 2048  # draws of the encoder's proposal, and of a round
_CENTRES = 256  # about which a round draws
_LEFT = 64.0  # independent samples that a power of the weights leaves to choose them from
_HALVINGS = 20  # to find that power


def is_quick(model: Model, settings: Settings) -> bool:
    """Whether the encoder proposes what can be weighted."""
    flows = model.encoder is not None and model.encoder_network.n_layers > 0
    return settings.encoder and flows and is_sampled(model, settings)


def first(key: Array, model: Model, target: Target, settings: Settings) -> Drawn:
    """Weighted draws of the encoder's proposal."""
    proposal = proposed(model, target)
    position = proposal.draw(key, N_FIRST)
    density = jax.vmap(_density(model, target, settings))(position)
    density = jnp.where(jnp.isfinite(density), density, -jnp.inf)
    some = jnp.where(jnp.isfinite(density)[:, None], position, 0.0)
    return Drawn(some, density, density - proposal.log_density(some))


def again(key: Array, model: Model, target: Target, drawn: Drawn, settings: Settings) -> Drawn:
    """Weighted draws about those of the round before."""
    choose_key, draw_key = jax.random.split(key)
    power = _power(drawn.log_weight)
    chosen = importance.resample(choose_key, power * drawn.log_weight, _CENTRES)
    density = _density(model, target, settings)
    return importance.draw(draw_key, drawn.position[chosen], density, N_AGAIN)


def effective(drawn: Drawn) -> Float[Array, ""]:
    """Independent samples that the draws are worth; 0 without any."""
    found = importance.integral(drawn.log_weight).effective
    return jnp.where(jnp.isfinite(drawn.log_weight).any(), found, 0.0)


def finish(key: Array, model: Model, target: Target, drawn: Drawn, settings: Settings) -> Summary:
    """Equally weighted samples of the draws."""
    n, prior = settings.n_samples, target.prior
    chosen = importance.resample(key, drawn.log_weight, n)
    total = importance.integral(drawn.log_weight)
    place = from_normal(drawn.position[chosen])
    log_likelihood = likelihood(model, target, settings)
    energy = jax.vmap(lambda place: -log_likelihood(latent_at(prior, place)))(place)
    parameters = model.layout.parameters
    draws = Draws(
        place,
        energy,
        weight=jnp.full(n, 1 / n),
        family=chosen,
        effective=1 / (1 / total.effective + 1 / n),
        acceptance=jnp.asarray(jnp.nan),
        evidence=total._replace(log=total.log - log_norm(prior, parameters)),
    )
    best = from_normal(drawn.position[drawn.log_density.argmax()])
    latent = latent_at(prior, best)
    weight = log_weight(prior, latent, parameters)
    fitted = Fit(best[None], energy.min()[None], weight[None], model.generate(latent), None)
    return summarise(model, target, fitted, draws)


def _density(model: Model, target: Target, settings: Settings) -> Callable[[Array], Array]:
    """Of the posterior, up to a constant, in `npe.to_normal` of the place."""
    log_likelihood = likelihood(model, target, settings)
    prior, parameters = target.prior, model.layout.parameters

    def density(position: Array) -> Array:
        latent = latent_at(prior, from_normal(position))
        of_prior = log_weight(prior, latent, parameters) + norm.logpdf(position).sum()
        return log_likelihood(latent) + of_prior

    return density


def _power(log_weight: Float[Array, " n"]) -> Float[Array, ""]:
    """The largest power, up to 1, of weights that leaves `_LEFT` independent samples."""

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        enough = importance.integral(middle * log_weight).effective >= _LEFT
        return jnp.where(enough, middle, low), jnp.where(enough, high, middle)

    ends = jnp.zeros(()), jnp.ones(())
    low, _ = jax.lax.fori_loop(0, _HALVINGS, halve, ends)
    whole = importance.integral(log_weight).effective >= _LEFT
    return jnp.where(whole, 1.0, jnp.maximum(low, 2.0**-_HALVINGS))  # 0 times -inf is no number
