"""Modes of a posterior: Levenberg-Marquardt from where a fit ended, and a normal distribution about
each mode, from which a sampler starts.

In the coordinates u of `npe.to_normal` the prior is unit normal, so that finding the mode is a
least-squares problem: residuals of the data in units of their errors, and u itself. Nothing leaves
the box, and directions that the data do not constrain keep the prior's spread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from exogan_jax.gan.npe import from_normal, to_normal
from exogan_jax.retrieval.normals import unit_normal
from exogan_jax.triangular import factor, inverse

N_STEPS = 30
_FURTHEST = 4.5  # of u: float32 knows no latents nearer to the box's walls
_DAMPING = 1e-2  # of the first step
#: Modes are drawn by their evidence to this power: the normal approximation is rough, and an extra
#: walker does no harm.
_TEMPERED = 0.5
#: A draw may lie this far below its mode, in log density per dimension; a normal one lies 0.5.
_DEPTH = 1.5
_BACK, _TIMES = 0.6, 12  # drawn back by this factor, so many times at most

#: latent (d,) -> residuals (n,): half their squares' sum is -log likelihood
Residuals = Callable[[Float[Array, " d"]], Float[Array, " n"]]


class Modes(NamedTuple):
    """Normal distributions of u."""

    centre: Float[Array, "*start d"]
    spread: Float[Array, "*start d d"]  # centre + spread @ (unit normal) are samples
    log_evidence: Float[Array, "*start"]  # of each alone, up to a constant


class _Climber(NamedTuple):
    """Where ONE start is."""

    u: Float[Array, " d"]
    residual: Float[Array, " n"]
    slope: Float[Array, "n d"]
    cost: Float[Array, ""]
    damping: Float[Array, ""]


def climb(latent: Float[Array, " d"], residuals: Residuals, n_steps: int = N_STEPS) -> Modes:
    """The mode to which ONE latent leads; callers vmap over starts."""

    def of(u: Array) -> Array:
        return residuals(from_normal(u))

    def step(at: _Climber, _: None) -> tuple[_Climber, None]:
        move = _solve(_triangle(at.slope, 1 + at.damping), -(at.residual @ at.slope + at.u))
        # The first step only looks at where it is: all evaluations are one, to the compiler.
        move = jnp.where(jnp.isinf(at.cost), 0.0, move)
        u = jnp.clip(at.u + move, -_FURTHEST, _FURTHEST)
        residual, push = jax.linearize(of, u)
        slope = jax.vmap(push, out_axes=1)(jnp.eye(u.size, dtype=u.dtype))
        cost = 0.5 * (jnp.square(residual).sum() + jnp.square(u).sum())
        better = cost < at.cost
        there = _Climber(u, residual, slope, cost, 0.2 * at.damping)
        here = at._replace(damping=8 * at.damping)
        return jax.tree.map(lambda a, b: jnp.where(better, a, b), there, here), None

    u = jnp.clip(to_normal(latent), -_FURTHEST, _FURTHEST)
    n = jax.eval_shape(of, u).size
    nothing = jnp.zeros(n, u.dtype), jnp.zeros((n, u.size), u.dtype)
    begin = _Climber(u, *nothing, jnp.asarray(jnp.inf, u.dtype), jnp.asarray(5 * _DAMPING, u.dtype))
    end, _ = jax.lax.scan(step, begin, length=n_steps + 1)
    triangle = _triangle(end.slope, 1.0)
    spread = inverse(triangle.T).T
    log_volume = -jnp.log(jnp.diagonal(triangle)).sum()
    return Modes(end.u, spread, log_volume - end.cost)


def _triangle(jacobian: Float[Array, "n d"], precision: float | Array) -> Float[Array, "d d"]:
    """Upper triangular R, R.T @ R = J.T @ J + precision x identity, of directions that may differ a
    thousandfold.
    """
    identity = jnp.sqrt(jnp.asarray(precision, jacobian.dtype)) * jnp.eye(jacobian.shape[1])
    return factor(jnp.concatenate([jacobian, identity]))


def _solve(triangle: Float[Array, "d d"], right: Float[Array, " d"]) -> Float[Array, " d"]:
    spread = inverse(triangle.T)
    return (spread @ right) @ spread


def draw(
    key: Array,
    modes: Modes,
    at_centre: Float[Array, " start"],
    log_density: Callable[[Array], Array],
    n: int,
) -> tuple[Float[Array, "n d"], Float[Array, " n"]]:
    """Latents from the modes' normal distributions, better ones drawn more often, and their
    densities.

    Where a posterior is curved, its normal approximation is poor. A draw of too low a density is
    moved back towards its mode until it is acceptable.

    Args:
      key: PRNG key.
      modes: with a leading axis of starts.
      at_centre: log density of each mode's centre.
      log_density: of ONE latent.
      n: number of latents.
    """
    choose_key, normal_key = jax.random.split(key)
    usable = jnp.isfinite(modes.log_evidence) & jnp.isfinite(at_centre)
    weight = jnp.where(usable | ~usable.any(), modes.log_evidence, -jnp.inf)
    chosen = jax.random.categorical(choose_key, _TEMPERED * weight, shape=(n,))
    unit = unit_normal(normal_key, (n, modes.centre.shape[1]))
    moved = jnp.einsum("nij,nj->ni", modes.spread[chosen], unit)

    enough = at_centre[chosen] - _DEPTH * modes.centre.shape[1]

    def draw_back(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        share, density = state
        low = ~(density > enough)
        share = jnp.where(low, _BACK * share, share)
        u = jnp.clip(modes.centre[chosen] + share[:, None] * moved, -_FURTHEST, _FURTHEST)
        return (share, jax.vmap(log_density)(from_normal(u))), None

    # Of no density: the first look is at the draws themselves.
    begin = jnp.full(n, 1 / _BACK), jnp.full(n, -jnp.inf)
    (share, density), _ = jax.lax.scan(draw_back, begin, length=_TIMES + 1)
    u = jnp.clip(modes.centre[chosen] + share[:, None] * moved, -_FURTHEST, _FURTHEST)
    return from_normal(u), density
