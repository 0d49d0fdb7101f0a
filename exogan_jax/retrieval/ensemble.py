"""Sampling a density with an ensemble of walkers, by three moves in equal shares: the stretch of
Goodman & Weare (2010, CAMCoS 5, 65), differential evolution (ter Braak 2006, Stat. Comput. 16, 239;
Nelson et al. 2014, ApJS 210, 11), and draws from the other walkers' own distribution
(`retrieval.kernels`), parallel as in Foreman-Mackey et al. (2013, PASP 125, 306).

The starts of an inpainting end at optima: their spread says how well the optimiser did, not how
well the data constrain the latent. From there, walkers sample the likelihood over the latent.
They move along lines between walkers and to where others are, so that neither gradients nor scales
are needed: latents that the data fix to a thousandth and latents that they do not see mix alike.
One accepted draw of the third kind forgets where its walker was; there must be many walkers for it.

One target; callers vmap over targets, and jit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from exogan_jax.retrieval.kernels import draws as kernel_draws
from exogan_jax.retrieval.kernels import kernels
from exogan_jax.retrieval.kernels import log_density as kernel_density
from exogan_jax.retrieval.normals import unit_normal

#: On six PRISM-like posteriors of eleven parameters, the same number of likelihoods (96,000) were
#: worth 80-190 independent samples with 64 walkers and the first two moves, 180-500 with 128 and
#: 340-560 with 256 and all three; draws are accepted in 2, 5 and 7 %.
N_WALKERS = 256
_WIDTH = 0.6  # of the kernels; 0.4 is accepted in a tenth as many
_STRETCH = 2.0  # largest factor by which a move stretches a pair's distance (Goodman & Weare)


class EnsembleState(NamedTuple):
    """Where the walkers are."""

    position: Float[Array, "walker d"]
    log_density: Float[Array, " walker"]


class Draws(NamedTuple):
    """The random numbers of one move of half of the walkers (n,)."""

    one: Array  # walkers of the other half, about or along which to move
    other: Array  # others of them
    uniform: Array
    kind: Array  # uniform: which move
    log_uniform: Array  # to accept
    unit: Array  # (n, d) unit normal


class EnsembleInfo(NamedTuple):
    """Diagnostics of one step."""

    acceptance: Float[Array, "*steps"]  # share of the walkers that moved


#: position (d,) -> log density up to a constant; -inf, or no number, where it is zero.
LogDensity = Callable[[Float[Array, " d"]], Float[Array, ""]]


def init(position: Float[Array, "walker d"], log_density_fn: LogDensity) -> EnsembleState:
    """Walkers at positions, their number even and well above d."""
    return begin(position, jax.vmap(log_density_fn)(position))


def begin(
    position: Float[Array, "walker d"], log_density: Float[Array, " walker"]
) -> EnsembleState:
    """The same, where the log densities are known; no number where a density is zero."""
    return EnsembleState(position, jnp.where(jnp.isfinite(log_density), log_density, -jnp.inf))


def step(
    key: Array, state: EnsembleState, log_density_fn: LogDensity, n_steps: int = 1
) -> tuple[EnsembleState, EnsembleInfo]:
    """Moves every walker `n_steps` times: the halves in turn, each along lines of the other."""
    half = state.position.shape[0] // 2

    def one(
        halves: tuple[EnsembleState, EnsembleState], draws: Draws
    ) -> tuple[tuple[EnsembleState, EnsembleState], Array]:
        moving, resting = halves
        moved, accept = _move(draws, moving, resting.position, log_density_fn)
        return (resting, moved), accept.mean()  # the other half is next

    first = EnsembleState(*(x[:half] for x in state))
    second = EnsembleState(*(x[half:] for x in state))
    halves, accepted = jax.lax.scan(one, (first, second), _draw(key, 2 * n_steps, first.position))
    joined = (jnp.concatenate(pair) for pair in zip(*halves, strict=True))
    return EnsembleState(*joined), EnsembleInfo(accepted.mean())


def run(
    key: Array,
    state: EnsembleState,
    log_density_fn: LogDensity,
    *,
    n_burn: int,
    n_kept: int,
    keep_every: int,
) -> tuple[EnsembleState, EnsembleInfo]:
    """Samples from where the walkers begin.

    Args:
      key: PRNG key.
      state: where they begin.
      log_density_fn: of ONE target; callers vmap.
      n_burn: steps before the first state is kept, rounded up to a multiple of `keep_every`.
      n_kept: states kept.
      keep_every: steps between them.

    Returns:
      the kept states, (n_kept, n_walkers, ...), and the acceptance of each block of `keep_every`
      steps that ends with one.
    """

    def block(
        state: EnsembleState, number: Array
    ) -> tuple[EnsembleState, tuple[EnsembleState, EnsembleInfo]]:
        state, info = step(jax.random.fold_in(key, number), state, log_density_fn, keep_every)
        return state, (state, info)

    n_blocks = -(-n_burn // keep_every) + n_kept
    _, blocks = jax.lax.scan(block, state, jnp.arange(n_blocks))
    kept, info = jax.tree.map(lambda x: x[-n_kept:], blocks)
    return kept, info


def walk(
    key: Array,
    state: EnsembleState,
    resting: Float[Array, "walker d"],
    log_density_fn: LogDensity,
    n_steps: int,
) -> tuple[EnsembleState, EnsembleInfo]:
    """Moves walkers about as many others that rest: whatever the number of steps, a move there is
    as likely as one back, by the density.
    """

    def one(state: EnsembleState, draws: Draws) -> tuple[EnsembleState, Array]:
        moved, accept = _move(draws, state, resting, log_density_fn)
        return moved, accept.mean()

    state, accepted = jax.lax.scan(one, state, _draw(key, n_steps, state.position))
    return state, EnsembleInfo(accepted.mean())


def _draw(key: Array, n_moves: int, position: Float[Array, "n d"]) -> Draws:
    """The numbers of many moves (n_moves, n), at once: drawn one move at a time, on a CPU, they
    cost more than the moves.
    """
    n, d = position.shape
    uniform_key, unit_key = jax.random.split(key)
    tiny = jnp.finfo(jnp.float32).tiny
    uniform = jax.random.uniform(uniform_key, (5, n_moves, n), minval=tiny)
    one = (uniform[0] * n).astype(int)
    jump = 1 + (uniform[1] * (n - 1)).astype(int)
    unit = unit_normal(unit_key, (n_moves, n, d), position.dtype)
    return Draws(one, (one + jump) % n, uniform[2], uniform[3], jnp.log(uniform[4]), unit)


def _move(
    draws: Draws, moving: EnsembleState, resting: Array, log_density_fn: LogDensity
) -> tuple[EnsembleState, Array]:
    """Half of the walkers, moved about, along or among the others; which of them did."""
    d = moving.position.shape[1]
    about, beside = resting[draws.one], resting[draws.other]
    factor = jnp.square((_STRETCH - 1) * draws.uniform + 1) / _STRETCH
    stretched = about + factor[:, None] * (moving.position - about)
    # A full jump now and then goes from one mode to another.
    gamma = jnp.where(draws.kind < 0.03, 1.0, 2.38 / (2 * d) ** 0.5 * (0.5 + draws.uniform))
    evolved = moving.position + gamma[:, None] * (about - beside)
    others = kernels(resting, _WIDTH)
    drawn = kernel_draws(others, draws.one, draws.unit)
    evolves, is_drawn = draws.kind < 1 / 3, draws.kind > 2 / 3
    proposal = jnp.where(evolves[:, None], evolved, stretched)
    proposal = jnp.where(is_drawn[:, None], drawn, proposal)
    proposal, log_density = init(proposal, log_density_fn)
    of_kernels = kernel_density(others, moving.position) - kernel_density(others, drawn)
    volume = jnp.where(evolves, 0.0, (d - 1) * jnp.log(factor))
    volume = jnp.where(is_drawn, of_kernels, volume)
    # A walker of no density accepts anything better: -inf minus -inf is no number.
    accept = draws.log_uniform < volume + log_density - moving.log_density
    return EnsembleState(
        jnp.where(accept[:, None], proposal, moving.position),
        jnp.where(accept, log_density, moving.log_density),
    ), accept


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
    shift = 0.01 * unit_normal(move_key, (N_WALKERS, latents.shape[1]))
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
