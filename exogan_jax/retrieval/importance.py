"""Independent samples of a density and its integral, by importance sampling: draws of a
distribution made of samples (`kernels`), each weighted by the density over the distribution's own.

An ensemble's states need only tell where a posterior lies, not be independent samples of it: draws
about them cost as much as moves, and do not depend on each other.

One target; callers vmap over targets, and jit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int

from exogan_jax.retrieval.density import Density, cleared, tempered
from exogan_jax.retrieval.kernels import Kernels, broad, draws, kernels, log_density, spread
from exogan_jax.retrieval.normals import unit_normal

#: Widths of kernels, in that of the samples. 32,768 draws on eight PRISM-like posteriors of eleven
#: parameters are worth 1,006-3,730 independent ones at 0.65, 1,187-3,296 at 0.85: which is better
#: differs, and together they do not fail where one does.
_WIDTHS = 0.65, 0.85
#: Of one normal distribution of them all: states that do not reach into a posterior's tails yet.
_BROAD = 1.5
_SHARES = 192, 192, 32, 96  # of the four, in draws side by side


#: Points (n, d) -> the same in other coordinates, and the log of the volume (n,) that a unit of
#: volume has there.
Change = Callable[[Float[Array, "n d"]], tuple[Float[Array, "n d"], Float[Array, " n"]]]


class Chart(NamedTuple):
    """Coordinates for draws."""

    to: Change
    back: Change  # the inverse


_SAME = Chart(*2 * (lambda x: (x, jnp.zeros(x.shape[0], x.dtype)),))


class Drawn(NamedTuple):
    """Weighted samples."""

    position: Float[Array, "m d"]
    density: Density
    log_weight: Float[Array, " m"]  # -inf where the density is zero, and where none was drawn
    number: Int[Array, ""]  # of draws, the first of the m


class Integral(NamedTuple):
    """Of a density."""

    log: Float[Array, ""]
    error: Float[Array, ""]  # 1 sigma of the logarithm
    effective: Float[Array, ""]  # independent samples that the weighted ones are worth


def draw(
    key: Array,
    samples: Float[Array, "n d"],
    wide: Float[Array, "m d"],
    density_fn: Callable[[Float[Array, " d"]], Density],
    n_draws: int,
    other: Chart | None = None,
    plenty: float = jnp.inf,
) -> Drawn:
    """Draws about samples.

    Args:
      key: PRNG key.
      samples: (n, d) of where the density lies, in coordinates without walls.
      wide: (m, d) of something wider: a draw there has a large weight where the samples miss a
        part of the density, and shows it.
      density_fn: of ONE point, not normalised; -inf, or no number, where it is zero.
      n_draws: the most, rounded up to a multiple of 512.
      other: coordinates in which half of the draws are made. What is thin and straight in one kind
        has soft edges in the other.
      plenty: so many independent samples are enough: no more are drawn.
    """
    charts = (_SAME,) if other is None else (_SAME, other)
    mixtures = _mixtures(charts, samples, wide)
    sizes = [size // len(charts) for size in _SHARES]
    each, d = sum(sizes), samples.shape[1]
    at_once = len(charts) * each
    shares = jnp.asarray(sizes, samples.dtype)[:, None, None] / at_once

    def block(number: Array) -> tuple[Array, Density, Array]:
        which, noise = jax.random.split(jax.random.fold_in(key, number))
        share = jax.random.uniform(which, (len(charts), each))
        unit = unit_normal(noise, (len(charts), each, d), samples.dtype)
        drawn, first = [], 0
        for mixture, size in zip(mixtures, sizes, strict=True):
            own = slice(first, first + size)
            chosen = (share[:, own] * mixture.centre.shape[1]).astype(int)
            drawn.append(jax.vmap(draws)(mixture, chosen, unit[:, own]))
            first += size
        there = jnp.concatenate(drawn, axis=1)
        pairs = zip(charts, there, strict=True)
        position = jnp.concatenate([chart.back(one)[0] for chart, one in pairs])
        density = cleared(jax.vmap(density_fn)(position))
        there, volume = _in(charts, position)
        of_mixtures = jnp.stack([jax.vmap(log_density)(one, there) + volume for one in mixtures])
        proposed = logsumexp(of_mixtures, axis=(0, 1), b=shares)
        return position, density, density.log - proposed

    def more(so_far: Drawn) -> Drawn:
        at = so_far.number
        old = so_far.position, so_far.density, so_far.log_weight
        position, density, log_weight = jax.tree.map(
            lambda x, new: jax.lax.dynamic_update_slice_in_dim(x, new, at, axis=0),
            old,
            block(at // at_once),
        )
        return Drawn(position, density, log_weight, at + at_once)

    def is_short(so_far: Drawn) -> Array:
        few = integral(so_far.log_weight, so_far.number).effective < plenty
        return few & (so_far.number < so_far.log_weight.size)

    return jax.lax.while_loop(is_short, more, nothing(d, n_draws))


def _in(
    charts: Sequence[Chart], x: Float[Array, "n d"]
) -> tuple[Float[Array, "chart n d"], Float[Array, "chart n"]]:
    """Points in all kinds of coordinates, and the log of the volume that a unit has there."""
    there, volume = zip(*(chart.to(x) for chart in charts), strict=True)
    return jnp.stack(there), jnp.stack(volume)


def _mixtures(
    charts: Sequence[Chart], samples: Float[Array, "n d"], wide: Float[Array, "m d"]
) -> list[Kernels]:
    """What is drawn from, each in all kinds of coordinates: side by side, which are one program to
    compile.
    """
    normal, wider = (jax.vmap(spread)(_in(charts, x)[0]) for x in (samples, wide))
    found = [jax.vmap(partial(kernels, width=width))(normal) for width in _WIDTHS]
    found.append(jax.vmap(partial(broad, width=_BROAD))(normal))
    return [*found, jax.vmap(partial(kernels, width=_WIDTHS[0]))(wider)]


def nothing(d: int, n_draws: int) -> Drawn:
    """As many draws without a weight, worth none."""
    n = -(-n_draws // sum(_SHARES)) * sum(_SHARES)
    never = jnp.full(n, -jnp.inf)
    return Drawn(jnp.zeros((n, d)), Density(never, jnp.zeros(n)), never, jnp.asarray(0))


def at_power(drawn: Drawn, power: float) -> Float[Array, " m"]:
    """Log weights (m,) of draws with the likelihood to a power."""
    exists = jnp.isfinite(drawn.density.log)
    log = jnp.where(exists, drawn.density.log, 0.0)
    rise = tempered(drawn.density, power) - log
    return jnp.where(exists, drawn.log_weight + rise, -jnp.inf)


def integral(
    log_weight: Float[Array, " m"], number: int | Int[Array, ""] | None = None
) -> Integral:
    """The density's integral, by the mean weight.

    Args:
      log_weight: (m,) of draws.
      number: of draws, if fewer than m; the others' weights are none.
    """
    m = jnp.maximum(log_weight.size if number is None else number, 1)
    log = logsumexp(log_weight) - jnp.log(m)
    share = jnp.exp(log_weight - jnp.where(jnp.isfinite(log), log, 0.0))
    effective = jnp.square(share.sum()) / jnp.maximum(jnp.square(share).sum(), 1e-30)
    error = jnp.sqrt(1 / jnp.maximum(effective, 1e-30) - 1 / m)
    return Integral(log, error, effective)


def resample(key: Array, log_weight: Float[Array, " m"], n: int) -> Int[Array, " n"]:
    """Which of weighted samples make n of equal weights: each as often as its weight says, up to
    one.
    """
    total = jnp.cumsum(jax.nn.softmax(log_weight))
    # Of n equally spaced places between 0 and 1, how many lie before the end of each share; to
    # search for each place takes a loop, which is longer to compile.
    before = jnp.floor(n * (total / total[-1]) - jax.random.uniform(key)).astype(int) + 1
    passed = jnp.zeros(n, int).at[before].add(1, mode="drop")
    return jnp.minimum(jnp.cumsum(passed), log_weight.size - 1)


def resampled(log_weight: Float[Array, " m"], n: int) -> Float[Array, ""]:
    """Independent samples that the n of `resample` are worth: their mean varies as that of the
    weighted ones does, and by how often each is taken, which is its weight's share or 1 more. Where
    no weight is more than 1/n, those that are taken differ, and are worth n.
    """
    share = jax.nn.softmax(log_weight)
    part = n * share - jnp.floor(n * share)
    worth = 1 / (jnp.square(share).sum() + (part * (1 - part)).sum() / n**2)
    return jnp.minimum(worth, n)  # rounding, else
