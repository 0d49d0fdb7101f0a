"""Sampling a density in a box with an ensemble of walkers: the stretch move of Goodman & Weare
(2010, CAMCoS 5, 65) and differential evolution (ter Braak 2006, Stat. Comput. 16, 239; Nelson et
al. 2014, ApJS 210, 11), half and half, parallel as in Foreman-Mackey et al. (2013, PASP 125, 306).

The starts of an inpainting end at optima: their spread says how well the optimiser did, not how
well the data constrain the latent. From there, walkers sample the likelihood over the latent's box.
They move along lines between walkers, so that neither gradients nor scales are needed: latents that
the data fix to a thousandth and latents that they do not see mix alike.

One target; callers vmap over targets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

N_WALKERS = 64


class EnsembleState(NamedTuple):
    """Where the walkers are."""

    position: Float[Array, "walker d"]  # in [-1, 1]
    log_density: Float[Array, " walker"]


class Draws(NamedTuple):
    """The random numbers of one step for each half of the walkers, in order (2, walker / 2)."""

    one: Array  # walkers of the other half, about or along which to move
    other: Array  # others of them
    uniform: Array
    kind: Array  # uniform: which move
    log_uniform: Array  # to accept


class EnsembleInfo(NamedTuple):
    """Diagnostics of one step."""

    acceptance: Float[Array, "*steps"]  # share of the walkers that moved


class Ensemble(NamedTuple):
    """Pure functions; the caller vmaps and jits."""

    init: Callable[[Array, Any], EnsembleState]  # positions, target
    step: Callable[[Array, EnsembleState, Any], tuple[EnsembleState, EnsembleInfo]]  # key, state, t
    run: Callable[[Array, Array, Any], tuple[EnsembleState, EnsembleInfo]]  # key, positions, target


def ensemble(
    log_density_fn: Callable[[Float[Array, " d"], Any], Float[Array, ""]],
    *,
    n_burn: int,
    n_kept: int,
    keep_every: int,
    stretch: float = 2.0,
) -> Ensemble:
    """Builds the sampler of one target.

    Args:
      log_density_fn: (position (d,), target) -> log density up to a constant, in the box [-1, 1]^d;
        outside it is zero.
      n_burn: steps before the first state is kept.
      n_kept: states kept.
      keep_every: steps between them.
      stretch: largest factor by which a move stretches a pair's distance.

    Returns:
      init(positions, target): positions (n_walkers, d), n_walkers even and well above d.
      step(key, state, target): moves every walker once.
      run(key, positions, target): the kept states, (n_kept, n_walkers, ...), and the acceptance of
        each block of steps.
    """

    def densities(position: Array, target: Any) -> Array:
        inside = jnp.all(jnp.abs(position) <= 1, axis=1)
        values = jax.vmap(log_density_fn, (0, None))(jnp.clip(position, -1, 1), target)
        return jnp.where(inside & jnp.isfinite(values), values, -jnp.inf)

    def init(position: Array, target: Any) -> EnsembleState:
        return EnsembleState(position, densities(position, target))

    def draw(key: Array, n: int) -> Draws:
        pair_key, factor_key, kind_key, jump_key, accept_key = jax.random.split(key, 5)
        one = jax.random.randint(pair_key, (2, n), 0, n)
        return Draws(
            one=one,
            other=(one + jax.random.randint(jump_key, (2, n), 1, n)) % n,
            uniform=jax.random.uniform(factor_key, (2, n)),
            kind=jax.random.uniform(kind_key, (2, n)),
            log_uniform=jnp.log(jax.random.uniform(accept_key, (2, n))),
        )

    def move(
        draws: Draws, moving: EnsembleState, resting: Array, target: Any
    ) -> tuple[EnsembleState, Array]:
        d = moving.position.shape[1]
        about, beside = resting[draws.one], resting[draws.other]
        factor = jnp.square((stretch - 1) * draws.uniform + 1) / stretch
        stretched = about + factor[:, None] * (moving.position - about)
        # A full jump now and then goes from one mode to another.
        gamma = jnp.where(draws.kind < 0.05, 1.0, 2.38 / (2 * d) ** 0.5 * (0.5 + draws.uniform))
        evolved = moving.position + gamma[:, None] * (about - beside)
        evolves = draws.kind < 0.5
        proposal = jnp.where(evolves[:, None], evolved, stretched)
        log_density = densities(proposal, target)
        volume = jnp.where(evolves, 0.0, (d - 1) * jnp.log(factor))
        log_ratio = volume + log_density - moving.log_density
        # A walker of no density accepts anything better: -inf minus -inf is no number.
        accept = draws.log_uniform < log_ratio
        return EnsembleState(
            jnp.where(accept[:, None], proposal, moving.position),
            jnp.where(accept, log_density, moving.log_density),
        ), accept

    def advance(
        draws: Draws, state: EnsembleState, target: Any
    ) -> tuple[EnsembleState, EnsembleInfo]:
        half = state.position.shape[0] // 2
        first, second = (
            EnsembleState(*(x[part] for x in state)) for part in (slice(half), slice(half, None))
        )
        first_draws, second_draws = (Draws(*(x[i] for x in draws)) for i in range(2))
        first, one = move(first_draws, first, second.position, target)
        second, two = move(second_draws, second, first.position, target)
        state = EnsembleState(*(jnp.concatenate(x) for x in zip(first, second, strict=True)))
        return state, EnsembleInfo(jnp.concatenate([one, two]).mean())

    def step(key: Array, state: EnsembleState, target: Any) -> tuple[EnsembleState, EnsembleInfo]:
        return advance(draw(key, state.position.shape[0] // 2), state, target)

    def many(
        key: Array, state: EnsembleState, target: Any, n: int
    ) -> tuple[EnsembleState, EnsembleInfo]:
        # All numbers at once: drawn one step at a time, on a CPU, they cost more than the moves.
        half = state.position.shape[0] // 2
        all_draws = jax.vmap(lambda key: draw(key, half))(jax.random.split(key, n))

        def one(state: EnsembleState, draws: Draws) -> tuple[EnsembleState, EnsembleInfo]:
            return advance(draws, state, target)

        state, info = jax.lax.scan(one, state, all_draws)
        return state, EnsembleInfo(info.acceptance.mean())

    def run(key: Array, position: Array, target: Any) -> tuple[EnsembleState, EnsembleInfo]:
        burn_key, keep_key = jax.random.split(key)
        state, _ = many(burn_key, init(position, target), target, n_burn)

        def block(
            state: EnsembleState, key: Array
        ) -> tuple[EnsembleState, tuple[EnsembleState, EnsembleInfo]]:
            state, info = many(key, state, target, keep_every)
            return state, (state, info)

        _, (kept, info) = jax.lax.scan(block, state, jax.random.split(keep_key, n_kept))
        return kept, info

    return Ensemble(init, step, run)


def disperse(
    key: Array, latents: Float[Array, "start d"], log_density: Float[Array, " start"]
) -> Float[Array, "walker d"]:
    """Walkers to begin with, about the best of the latents where an optimiser ended.

    Args:
      key: PRNG key.
      latents: (n_starts, d) in [-1, 1].
      log_density: (n_starts,) theirs; worse ones are drawn ever less, less so than they deserve.

    Returns:
      (N_WALKERS, d): drawn latents, each moved by a hundredth of the box or so.
    """
    draw_key, move_key = jax.random.split(key)
    drawn = jax.random.categorical(draw_key, 0.25 * log_density, shape=(N_WALKERS,))
    shift = 0.01 * jax.random.normal(move_key, (N_WALKERS, latents.shape[1]))
    moved = latents[drawn] + shift
    return jnp.where(jnp.abs(moved) > 1, latents[drawn] - jnp.sign(moved) * jnp.abs(shift), moved)


def effective_samples(
    kept: Float[Array, "n_kept walker d"],
) -> Float[Array, ""]:
    """Number of independent samples that the kept states are worth.

    From the correlation between one kept state of a walker and its next, of the worst parameter:
    N (1 - rho) / (1 + rho), between 1 and N.
    """
    n = kept.shape[0] * kept.shape[1]
    centred = kept - kept.mean(axis=(0, 1), keepdims=True)
    variance = jnp.square(centred).mean(axis=(0, 1))
    product = (centred[1:] * centred[:-1]).mean(axis=(0, 1))
    rho = jnp.where(variance > 0, product / jnp.where(variance > 0, variance, 1.0), 1.0).max()
    rho = jnp.clip(rho, 0.0, 1.0)
    return jnp.clip(n * (1 - rho) / (1 + rho), 1.0, n)
