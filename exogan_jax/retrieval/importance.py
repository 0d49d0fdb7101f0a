"""Independent samples of a density and its integral, by importance sampling: draws of a
distribution made of samples (`kernels`), each weighted by the density over the distribution's own.

An ensemble's states need only tell where a posterior lies, not be independent samples of it: draws
about them cost as much as moves, and do not depend on each other.

One target; callers vmap over targets, and jit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int

from exogan_jax.retrieval.density import Density, cleared, tempered
from exogan_jax.retrieval.kernels import Kernels, broad, draws, kernels, log_density
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
    log_weight: Float[Array, " m"]  # -inf where the density is zero


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
) -> Drawn:
    """Draws about samples.

    Args:
      key: PRNG key.
      samples: (n, d) of where the density lies, in coordinates without walls.
      wide: (m, d) of something wider: a draw there has a large weight where the samples miss a
        part of the density, and shows it.
      density_fn: of ONE point, not normalised; -inf, or no number, where it is zero.
      n_draws: rounded up to a multiple of 512.
      other: coordinates in which half of the draws are made. What is thin and straight in one kind
        has soft edges in the other.
    """
    charts = [_SAME] if other is None else [_SAME, other]
    mixtures = [mixture for chart in charts for mixture in _mixtures(chart, samples, wide)]
    sizes = [size // len(charts) for _ in charts for size in _SHARES]
    shares = jnp.asarray(sizes, samples.dtype) / sum(sizes)

    def block(number: Array) -> Drawn:
        which, noise = jax.random.split(jax.random.fold_in(key, number))
        share = jax.random.uniform(which, (sum(sizes),))
        unit = unit_normal(noise, (sum(sizes), samples.shape[1]), samples.dtype)
        each, first = [], 0
        for (chart, mixture), size in zip(mixtures, sizes, strict=True):
            own = slice(first, first + size)
            chosen = (share[own] * mixture.centre.shape[0]).astype(int)
            each.append(chart.back(draws(mixture, chosen, unit[own]))[0])
            first += size
        position = jnp.concatenate(each)
        density = cleared(jax.vmap(density_fn)(position))
        of_mixtures = jnp.stack([_density(*mixture, position) for mixture in mixtures])
        proposed = logsumexp(of_mixtures, axis=0, b=shares[:, None])
        return Drawn(position, density, density.log - proposed)

    n_blocks = _blocks(n_draws)
    blocks = jax.lax.map(block, jnp.arange(n_blocks))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), blocks)


def _mixtures(
    chart: Chart, samples: Float[Array, "n d"], wide: Float[Array, "m d"]
) -> list[tuple[Chart, Kernels]]:
    """What is drawn from in one kind of coordinates."""
    samples, wide = chart.to(samples)[0], chart.to(wide)[0]
    found = [kernels(samples, width) for width in _WIDTHS]
    found += [broad(samples, _BROAD), kernels(wide, _WIDTHS[0])]
    return [(chart, mixture) for mixture in found]


def _density(chart: Chart, mixture: Kernels, position: Float[Array, "n d"]) -> Float[Array, " n"]:
    there, volume = chart.to(position)
    return log_density(mixture, there) + volume


def _blocks(n_draws: int) -> int:
    return -(-n_draws // sum(_SHARES))


def nothing(d: int, n_draws: int) -> Drawn:
    """As many draws without a weight, worth none."""
    n = _blocks(n_draws) * sum(_SHARES)
    never = jnp.full(n, -jnp.inf)
    return Drawn(jnp.zeros((n, d)), Density(never, jnp.zeros(n)), never)


def at_power(drawn: Drawn, power: float) -> Float[Array, " m"]:
    """Log weights (m,) of draws with the likelihood to a power."""
    exists = jnp.isfinite(drawn.density.log)
    log = jnp.where(exists, drawn.density.log, 0.0)
    rise = tempered(drawn.density, power) - log
    return jnp.where(exists, drawn.log_weight + rise, -jnp.inf)


def integral(log_weight: Float[Array, " m"]) -> Integral:
    """The density's integral, by the mean weight."""
    log = logsumexp(log_weight) - jnp.log(log_weight.size)
    share = jnp.exp(log_weight - jnp.where(jnp.isfinite(log), log, 0.0))
    effective = jnp.square(share.sum()) / jnp.maximum(jnp.square(share).sum(), 1e-30)
    error = jnp.sqrt(1 / jnp.maximum(effective, 1e-30) - 1 / log_weight.size)
    return Integral(log, error, effective)


def resample(key: Array, log_weight: Float[Array, " m"], n: int) -> Int[Array, " n"]:
    """Which of weighted samples make n of equal weights: each as often as its weight says, up to
    one.
    """
    total = jnp.cumsum(jax.nn.softmax(log_weight))
    at = (jax.random.uniform(key) + jnp.arange(n, dtype=total.dtype)) / n
    return jnp.clip(jnp.searchsorted(total, at * total[-1]), 0, log_weight.size - 1)
