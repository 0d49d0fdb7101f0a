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


def climb(latent: Float[Array, " d"], residuals: Residuals, n_steps: int = N_STEPS) -> Modes:
    """The mode to which ONE latent leads; callers vmap over starts."""

    def of(u: Array) -> Array:
        return residuals(from_normal(u))

    def cost(u: Array, r: Array) -> Array:
        return 0.5 * (jnp.square(r).sum() + jnp.square(u).sum())

    def step(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        u, damping = state
        r, jacobian = _linear(of, u)
        triangle = _triangle(jacobian, 1 + damping)
        downhill = -(r @ jacobian + u)
        move = _solve(triangle, downhill)
        proposal = jnp.clip(u + move, -_FURTHEST, _FURTHEST)
        better = cost(proposal, of(proposal)) < cost(u, r)
        u = jnp.where(better, proposal, u)
        return (u, jnp.where(better, 0.2 * damping, 8 * damping)), None

    u = jnp.clip(to_normal(latent), -_FURTHEST, _FURTHEST)
    (u, _), _ = jax.lax.scan(step, (u, jnp.asarray(_DAMPING)), length=n_steps)
    r, jacobian = _linear(of, u)
    triangle = _triangle(jacobian, 1.0)
    spread = inverse(triangle.T).T
    log_volume = -jnp.log(jnp.diagonal(triangle)).sum()
    return Modes(u, spread, log_volume - cost(u, r))


def _linear(of: Residuals, u: Float[Array, " d"]) -> tuple[Array, Array]:
    """Residuals (n,) and their slopes (n, d), of one evaluation."""
    r, push = jax.linearize(of, u)
    return r, jax.vmap(push, out_axes=1)(jnp.eye(u.size, dtype=u.dtype))


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
    key: Array, modes: Modes, log_density: Callable[[Array], Array], n: int
) -> Float[Array, "n d"]:
    """Latents from the modes' normal distributions, better ones drawn more often.

    Where a posterior is curved, its normal approximation is poor. A draw of too low a density is
    moved back towards its mode until it is acceptable.

    Args:
      key: PRNG key.
      modes: with a leading axis of starts.
      log_density: of ONE latent.
      n: number of latents.
    """
    choose_key, normal_key = jax.random.split(key)
    usable = jnp.isfinite(modes.log_evidence)
    usable &= jnp.isfinite(jax.vmap(log_density)(from_normal(modes.centre)))
    weight = jnp.where(usable | ~usable.any(), modes.log_evidence, -jnp.inf)
    chosen = jax.random.categorical(choose_key, _TEMPERED * weight, shape=(n,))
    unit = jax.random.normal(normal_key, (n, modes.centre.shape[1]))
    moved = jnp.einsum("nij,nj->ni", modes.spread[chosen], unit)

    def at(share: Array | float) -> Array:
        return from_normal(jnp.clip(modes.centre[chosen] + share * moved, -_FURTHEST, _FURTHEST))

    density = jax.vmap(log_density)
    enough = density(at(0.0)) - _DEPTH * modes.centre.shape[1]

    def draw_back(share: Array, _: None) -> tuple[Array, None]:
        low = ~(density(at(share)) > enough)
        return jnp.where(low[:, None], _BACK * share, share), None

    share, _ = jax.lax.scan(draw_back, jnp.ones((n, 1)), length=_TIMES)
    return at(share)
