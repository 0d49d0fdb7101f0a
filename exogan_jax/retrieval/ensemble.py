"""Sampling a density with an ensemble of walkers, by three moves in equal shares: the stretch of
Goodman & Weare (2010, CAMCoS 5, 65), differential evolution (ter Braak 2006, Stat. Comput. 16, 239;
Nelson et al. 2014, ApJS 210, 11), and draws from the other walkers' own distribution
(`retrieval.kernels`), parallel as in Foreman-Mackey et al. (2013, PASP 125, 306).

The starts of an inpainting end at optima: their spread says how well the optimiser did, not how
well the data constrain the latent. From there, walkers sample the likelihood over the latent.
They move along lines between walkers and to where others are, so that neither gradients nor scales
are needed: latents that the data fix to a thousandth and latents that they do not see mix alike.
One accepted draw of the third kind forgets where its walker was; there must be many walkers for it.
On their way to the posterior they are annealed (`retrieval.annealing`).

One target; callers vmap over targets, and jit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from exogan_jax.retrieval import annealing
from exogan_jax.retrieval.density import Density, cleared, tempered
from exogan_jax.retrieval.kernels import draws as kernel_draws
from exogan_jax.retrieval.kernels import kernels, spread
from exogan_jax.retrieval.kernels import log_density as kernel_density
from exogan_jax.retrieval.normals import unit_normal

#: On six PRISM-like posteriors of eleven parameters, the same number of likelihoods (96,000) were
#: worth 80-190 independent samples with 64 walkers and the first two moves, 180-500 with 128 and
#: 340-560 with 256 and all three; draws are accepted in 2, 5 and 7 %.
N_WALKERS = 256
_WIDTH = 0.6  # of the kernels; 0.4 is accepted in a tenth as many
_WIDE = 4  # states at powers below 1, of the best PRISM planets' 0.3 to 0.9
_STRETCH = 2.0  # largest factor by which a move stretches a pair's distance (Goodman & Weare)


class EnsembleState(NamedTuple):
    """Where the walkers are."""

    position: Float[Array, "walker d"]
    density: Density


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

    acceptance: Float[Array, ""]  # share of the walkers that moved


class Run(NamedTuple):
    """How far a run is."""

    state: EnsembleState
    power: Float[Array, ""]  # of the likelihood
    kept: EnsembleState  # the last states (n_kept, walker, ...)
    wide: Float[Array, "4 walker d"]  # the last at powers below 1, else where it began
    acceptance: Float[Array, " n_kept"]  # of the blocks of steps that ended with what is kept


#: position (d,) -> density, or no number where it is zero.
DensityFn = Callable[[Float[Array, " d"]], Density]


def init(position: Float[Array, "walker d"], density_fn: DensityFn) -> EnsembleState:
    """Walkers at positions, their number even and well above d."""
    return begin(position, jax.vmap(density_fn)(position))


def begin(position: Float[Array, "walker d"], density: Density) -> EnsembleState:
    """The same, where the densities are known; no number where one is zero."""
    return EnsembleState(position, cleared(density))


def where(mask: Bool[Array, " walker"], new: EnsembleState, old: EnsembleState) -> EnsembleState:
    """The new walkers where a mask is true, the old ones elsewhere."""

    def choose(new: Array, old: Array) -> Array:
        return jnp.where(mask.reshape(-1, *(1,) * (new.ndim - 1)), new, old)

    return jax.tree.map(choose, new, old)


def with_half(state: EnsembleState, half: EnsembleState) -> EnsembleState:
    """Walkers of which every second one, from the first, is one of a half as many."""
    return jax.tree.map(lambda x, new: x.at[::2].set(new), state, half)


def step(
    key: Array,
    state: EnsembleState,
    density_fn: DensityFn,
    n_steps: int = 1,
    power: float | Float[Array, ""] = 1.0,
) -> tuple[EnsembleState, EnsembleInfo]:
    """Moves every walker `n_steps` times, the likelihood to a power: the halves in turn, each along
    lines of the other.
    """
    half = state.position.shape[0] // 2

    def one(
        halves: tuple[EnsembleState, EnsembleState], draws: Draws
    ) -> tuple[tuple[EnsembleState, EnsembleState], Array]:
        moving, resting = halves
        moved, accept = _move(draws, moving, resting.position, density_fn, power)
        return (resting, moved), accept.mean()  # the other half is next

    first = jax.tree.map(lambda x: x[:half], state)
    second = jax.tree.map(lambda x: x[half:], state)
    halves, accepted = jax.lax.scan(one, (first, second), _draw(key, 2 * n_steps, first.position))
    joined = jax.tree.map(lambda *pair: jnp.concatenate(pair), *halves)
    return joined, EnsembleInfo(accepted.mean())


def start(state: EnsembleState, n_kept: int, power: float) -> Run:
    """A run that is to keep `n_kept` states, its likelihood to a power at first."""
    of_zero = jax.tree.map(jnp.zeros_like, state)
    kept = jax.tree.map(lambda x: jnp.broadcast_to(x, (n_kept, *x.shape)), of_zero)
    wide = jnp.broadcast_to(state.position, (_WIDE, *state.position.shape))
    return Run(state, jnp.asarray(power), kept, wide, jnp.zeros(n_kept))


def run(
    key: Array,
    at: Run,
    density_fn: DensityFn,
    n_blocks: int | Int[Array, ""],
    *,
    n_annealed: int,
    keep_every: int,
) -> Run:
    """Walks on, in blocks of `keep_every` steps whose last states are kept.

    Args:
      key: PRNG key.
      at: how far the run is.
      density_fn: of ONE target; callers vmap.
      n_blocks: not fewer than are kept.
      n_annealed: blocks after which the power is 1, if it was less.
      keep_every: steps of a block.
    """

    def block(number: Array, at: Run) -> Run:
        step_key, follow_key = jax.random.split(jax.random.fold_in(key, number))
        state, info = step(step_key, at.state, density_fn, keep_every, at.power)
        wide = jnp.where(at.power < 1, _shifted(at.wide, state.position), at.wide)
        kept = jax.tree.map(_shifted, at.kept, state)
        acceptance = _shifted(at.acceptance, info.acceptance)
        last = number + 1 >= n_annealed
        power, chosen = annealing.follow(follow_key, state.density, at.power, last)
        state = jax.tree.map(lambda x: x[chosen], state)
        return Run(state, power, kept, wide, acceptance)

    return jax.lax.fori_loop(0, n_blocks, block, at)


def _shifted(row: Float[Array, "n ..."], last: Float[Array, "..."]) -> Float[Array, "n ..."]:
    """A row of n with one more at its end, and without its first."""
    return jnp.concatenate([row[1:], last[None]])


def walk(
    key: Array,
    state: EnsembleState,
    resting: Float[Array, "walker d"],
    density_fn: DensityFn,
    n_steps: int,
) -> tuple[EnsembleState, EnsembleInfo]:
    """Moves walkers about as many others that rest: whatever the number of steps, a move there is
    as likely as one back, by the density.
    """

    def one(state: EnsembleState, draws: Draws) -> tuple[EnsembleState, Array]:
        moved, accept = _move(draws, state, resting, density_fn, 1.0)
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
    draws: Draws,
    moving: EnsembleState,
    resting: Array,
    density_fn: DensityFn,
    power: float | Array,
) -> tuple[EnsembleState, Array]:
    """Half of the walkers, moved about, along or among the others; which of them did."""
    d = moving.position.shape[1]
    about, beside = resting[draws.one], resting[draws.other]
    factor = jnp.square((_STRETCH - 1) * draws.uniform + 1) / _STRETCH
    stretched = about + factor[:, None] * (moving.position - about)
    # A full jump now and then goes from one mode to another.
    gamma = jnp.where(draws.kind < 0.03, 1.0, 2.38 / (2 * d) ** 0.5 * (0.5 + draws.uniform))
    evolved = moving.position + gamma[:, None] * (about - beside)
    others = kernels(spread(resting), _WIDTH)
    drawn = kernel_draws(others, draws.one, draws.unit)
    evolves, is_drawn = draws.kind < 1 / 3, draws.kind > 2 / 3
    proposal = jnp.where(evolves[:, None], evolved, stretched)
    proposal = jnp.where(is_drawn[:, None], drawn, proposal)
    proposed = init(proposal, density_fn)
    of_kernels = kernel_density(others, moving.position) - kernel_density(others, drawn)
    volume = jnp.where(evolves, 0.0, (d - 1) * jnp.log(factor))
    volume = jnp.where(is_drawn, of_kernels, volume)
    # A walker of no density accepts anything better: -inf minus -inf is no number.
    better = tempered(proposed.density, power) - tempered(moving.density, power)
    accept = draws.log_uniform < volume + better
    return where(accept, proposed, moving), accept


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
