"""Made-up observations of generated arrays, for the encoder: any window, gaps, bins and errors."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from exogan_jax import aspa, grid
from exogan_jax.gan.model import GeneratorError
from exogan_jax.retrieval.encode import Evidence
from exogan_jax.retrieval.likelihood import UNIT

_SECTION = jnp.repeat(
    jnp.arange(grid.N_SECTIONS),
    jnp.diff(jnp.asarray(grid.SECTION_EDGES)),
    total_repeat_length=grid.N_WAVELENGTH,
)
_LOG_WAVELENGTH = jnp.log(jnp.asarray(grid.WAVELENGTH_UM, jnp.float32))


class Design(NamedTuple):
    """What an observer chose."""

    seen: Float[Array, "515"]  # 1 where a bin lies
    bin: Float[Array, "515"]  # number of the bin, 0 to 514
    sigma: Float[Array, "515"]  # error of each bin by its number, in UNIT


def design(key: Array) -> Design:
    """One observation's bins and errors.

    A third see the whole grid; the others a window from anywhere, of a tenth of its wavelength or
    more. A third lose single points, a third a gap. Half have bins of 2 to 32 points. Errors are
    log-uniform between 1 and 1000 ppm, with a trend and a scatter.
    """
    keys = jax.random.split(key, 9)
    whole, low, width, gap, gap_width, lost = (jax.random.uniform(k) for k in keys[:6])
    x = (_LOG_WAVELENGTH - _LOG_WAVELENGTH.min()) / jnp.ptp(_LOG_WAVELENGTH)
    begin = 0.9 * low
    end = begin + 0.02 + (0.98 - begin) * width**2
    window = (x >= begin) & (x <= end) | (whole < 1 / 3)
    in_gap = jnp.abs(x - begin - 3 * gap * (end - begin)) < 0.2 * gap_width * (end - begin)
    kept = jax.random.uniform(keys[6], x.shape) > jnp.maximum(0.0, lost - 0.7)
    seen = window & ~in_gap & kept
    k = jax.random.split(keys[7], 3)
    points = jnp.where(
        jax.random.bernoulli(k[0]), jnp.exp2(jax.random.uniform(k[1], maxval=5.0)).astype(int), 1
    )
    bins = (jnp.arange(x.size) + jax.random.randint(k[2], (), 0, 32)) // points
    bins = bins - bins[0]
    k = jax.random.split(keys[8], 4)
    log_sigma = jax.random.uniform(k[0], minval=jnp.log(1e-6), maxval=jnp.log(1e-3))
    place = jnp.minimum(jnp.arange(x.size) * points / x.size, 1.0)
    trend = jnp.clip(jax.random.normal(k[1]), -3, 3) * (place - 0.5)
    scatter = 0.5 * jax.random.uniform(k[2]) * jax.random.normal(k[3], x.shape)
    sigma = jnp.exp(log_sigma + trend + scatter) / UNIT
    # The first point is seen where nothing else is.
    seen = seen | ((~seen).all() & (jnp.arange(x.size) == x.size // 2))
    return Design(seen.astype(jnp.float32), bins, sigma)


def observe(
    key: Array, array: Float[Array, "33 33"], plan: Design, error: GeneratorError
) -> Evidence:
    """ONE observation of a generated array, with the errors that `likelihood.depth_loss` assumes:
    the observer's and the generator's own.
    """
    low_key, high_key, noise_key = jax.random.split(key, 3)
    low, high = aspa.section_bounds(array)
    low = low + error.low * jax.random.normal(low_key, low.shape)
    high = high + error.high * jax.random.normal(high_key, high.shape)
    pixels = array[:23, :23].reshape(-1)[: grid.N_WAVELENGTH]
    reference = (low.mean() + high.mean()) / 2
    depth = (low[_SECTION] + (high - low)[_SECTION] * pixels - reference) / UNIT
    n = grid.N_WAVELENGTH

    def mean_of_bins(values: Array) -> Array:
        return jax.ops.segment_sum(plan.seen * values, plan.bin, n) / jnp.maximum(count, 1.0)

    count = jax.ops.segment_sum(plan.seen, plan.bin, n)
    binned = mean_of_bins(depth)[plan.bin]
    hidden = plan.seen == 0
    top = jax.ops.segment_max(jnp.where(hidden, -jnp.inf, binned), _SECTION, grid.N_SECTIONS)
    bottom = jax.ops.segment_min(jnp.where(hidden, jnp.inf, binned), _SECTION, grid.N_SECTIONS)
    span = jnp.where(jnp.isfinite(top), top - bottom, 0.0)
    own = mean_of_bins(jnp.asarray(error.pixel) * span[_SECTION])
    sigma = jnp.sqrt(jnp.square(plan.sigma) + jnp.square(own))
    noisy = (mean_of_bins(depth) + sigma * jax.random.normal(noise_key, (n,)))[plan.bin]
    information = (plan.seen / jnp.maximum(count, 1.0)[plan.bin]) / jnp.square(sigma)[plan.bin]
    # Bluer than the ASPA's first point nothing counts.
    information = information.at[grid.N_ENCODED :].set(0.0)
    return Evidence(jnp.where(information > 0, noisy, 0.0), information, reference)
