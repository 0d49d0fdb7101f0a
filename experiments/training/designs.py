"""Made-up observations of spectra, for the encoder: any window, gaps, bins and errors."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from exogan_jax.gan.altitude import Depths
from exogan_jax.gan.model import GeneratorError, LevelError
from exogan_jax.layout import Layout, Values
from exogan_jax.retrieval.encode import CarriedBack
from exogan_jax.retrieval.likelihood import UNIT


class Design(NamedTuple):
    """What an observer chose, on a grid of w points."""

    seen: Float[Array, " w"]  # 1 where a bin lies
    bin: Int[Array, " w"]  # number of the bin, 0 to w - 1
    sigma: Float[Array, " w"]  # error of each bin by its number, in UNIT


#: What instruments see [um]: HST's STIS and WFC3, Spitzer's two bands, JWST's modes, Ariel, and
#: several together.
WINDOWS = (
    (0.29, 0.57), (0.53, 1.03), (0.8, 1.15), (1.1, 1.7), (3.16, 3.93), (3.97, 5.02),
    (0.6, 5.3), (0.6, 2.83), (0.97, 1.89), (1.66, 3.17), (2.87, 5.27), (2.42, 4.03), (3.88, 5.0),
    (5.0, 12.0), (0.5, 7.8), (0.5, 15.0),
)  # fmt: skip
_MOST_WINDOWS = 4  # of one observation


def design(key: Array, layout: Layout) -> Design:
    """One observation's bins and errors: half of any window, half of instruments'."""
    which, one_key, other_key = jax.random.split(key, 3)
    any_window = window_design(one_key, layout)
    of_instruments = instrument_design(other_key, layout)
    chosen = jax.random.bernoulli(which)
    return jax.tree.map(lambda a, b: jnp.where(chosen, a, b), any_window, of_instruments)


def instrument_design(key: Array, layout: Layout) -> Design:
    """Half are plain: one of `WINDOWS`, one point per bin, one error between 5 and 300 ppm. The
    others are one to four of them, each of bins of its own and of errors that differ by a factor of
    1.6 or so. A third of these lose single points, a third have errors that scatter.

    Few made-up observations were as regular as real ones: of these, the encoder's intervals held 72
    to 77 % of the temperatures and radii, not 68 %, since most of what it learnt from is harder.
    """
    n, k = layout.n_wavelength, _MOST_WINDOWS
    plain_key, key = jax.random.split(key)
    plain = jax.random.bernoulli(plain_key)
    keys = jax.random.split(key, 9)
    low, high = jnp.asarray(WINDOWS, jnp.float32)[
        jax.random.randint(keys[0], (k,), 0, len(WINDOWS))
    ].T
    among = jax.random.choice(keys[1], jnp.array([1, 1, 1, 1, 2, 2, 3, 4]))
    among = jnp.arange(k) < jnp.where(plain, 1, among)
    wavelength = jnp.asarray(layout.wavelength_um, jnp.float32)
    inside = (wavelength[:, None] > low[None]) & (wavelength[:, None] < high[None]) & among[None]
    window = jnp.where(inside.any(axis=1), jnp.argmax(inside, axis=1), k)
    points = jnp.exp2(jax.random.uniform(keys[2], (k,), maxval=5.0)).astype(int)
    single = plain | jax.random.bernoulli(keys[3], 0.6, (k,))
    points = jnp.append(jnp.where(single, 1, points), 1)
    place = jnp.arange(n)
    begins = jnp.append(True, window[1:] != window[:-1])
    since = place - jax.lax.cummax(jnp.where(begins, place, 0))
    bins = jnp.cumsum(begins | (since % points[window] == 0)) - 1
    lost = jnp.maximum(0.0, jax.random.uniform(keys[4]) - 0.7)
    kept = plain | (jax.random.uniform(keys[5], (n,)) > lost)
    seen = inside.any(axis=1) & kept
    log_sigma = jax.random.uniform(keys[6], minval=jnp.log(5e-6), maxval=jnp.log(3e-4))
    own = jnp.append(0.5 * jax.random.normal(keys[7], (k,)), 0.0)
    scatter, each = jax.random.split(keys[8])
    size = jnp.where(plain, 0.0, 0.3 * jnp.maximum(0.0, jax.random.uniform(scatter) - 0.67))
    sigma = jnp.exp(log_sigma + own[window] + size * jax.random.normal(each, (n,))) / UNIT
    sigma = jax.ops.segment_max(sigma, bins, n)
    return Design(_something(seen), bins, jnp.where(jnp.isfinite(sigma), sigma, 1.0))


def window_design(key: Array, layout: Layout) -> Design:
    """Of any window.

    A third see the whole grid; the others a window from anywhere, of a tenth of its wavelength or
    more. A third lose single points, a third a gap. Half have bins of 2 to 32 points. Errors are
    log-uniform between 1 and 1000 ppm, with a trend and a scatter.
    """
    log_wavelength = jnp.asarray(np.log(layout.wavelength_um), jnp.float32)
    keys = jax.random.split(key, 9)
    whole, low, width, gap, gap_width, lost = (jax.random.uniform(k) for k in keys[:6])
    x = (log_wavelength - log_wavelength.min()) / jnp.ptp(log_wavelength)
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
    return Design(_something(seen), bins, sigma)


def _something(seen: Bool[Array, " w"]) -> Float[Array, " w"]:
    """1 where a point is seen; one in the middle, where nothing else is."""
    middle = jnp.arange(seen.size) == seen.size // 2
    return (seen | ((~seen).all() & middle)).astype(jnp.float32)


def observe(
    key: Array,
    spectrum: Values | Depths,
    plan: Design,
    error: GeneratorError | LevelError,
    layout: Layout,
) -> CarriedBack:
    """ONE observation of a spectrum, with the errors that the likelihood assumes: the observer's
    and the generator's own; of levels, these go with the slope, which is 0 where it is simulated.

    A target of levels tells the encoder the observer's alone (`levels.level_target`): the others go
    with the planet's scale height, and would give it away.
    """
    own_key, noise_key = jax.random.split(key)
    if isinstance(spectrum, Depths):
        assert isinstance(error, LevelError)
        together = jax.random.normal(own_key, (len(error.modes),)) @ jnp.asarray(error.modes)
        depth = spectrum.depth + spectrum.slope * together
        own = spectrum.slope * jnp.asarray(error.level)
    else:
        assert isinstance(error, GeneratorError)
        depth, own = _with_other_bounds(own_key, spectrum, plan, error, layout)
    reference = depth.mean()
    binned, count = _mean_of_bins((depth - reference) / UNIT, plan)
    own, _ = _mean_of_bins(own / UNIT, plan)
    sigma = jnp.sqrt(jnp.square(plan.sigma) + jnp.square(own))
    noisy = (binned + sigma * jax.random.normal(noise_key, binned.shape))[plan.bin]
    told = plan.sigma if isinstance(spectrum, Depths) else sigma
    information = (plan.seen / jnp.maximum(count, 1.0)[plan.bin]) / jnp.square(told)[plan.bin]
    if isinstance(spectrum, Values):  # what an array does not hold counts nothing
        information = information.at[layout.n_usable :].set(0.0)
    return CarriedBack(jnp.where(information > 0, noisy, 0.0), information, reference)


def _mean_of_bins(x: Array, plan: Design) -> tuple[Array, Array]:
    """Mean of what is seen of each bin, by its number, and how many points that are."""
    count = jax.ops.segment_sum(plan.seen, plan.bin, x.size)
    return jax.ops.segment_sum(plan.seen * x, plan.bin, x.size) / jnp.maximum(count, 1.0), count


def _with_other_bounds(
    key: Array, values: Values, plan: Design, error: GeneratorError, layout: Layout
) -> tuple[Array, Array]:
    """Depths of sections that have other bounds, by the generator's error, and its error of the
    pixels, in depth: it goes with the range that is seen of a section.
    """
    low_key, high_key = jax.random.split(key)
    low = values.low + error.low * jax.random.normal(low_key, values.low.shape)
    high = values.high + error.high * jax.random.normal(high_key, values.high.shape)
    depth = layout.to_points(low) + layout.to_points(high - low) * values.pixels
    section = jnp.asarray(layout.section_of_point)
    binned, _ = _mean_of_bins(depth, plan)
    hidden, on_grid = plan.seen == 0, binned[plan.bin]
    top = jax.ops.segment_max(jnp.where(hidden, -jnp.inf, on_grid), section, layout.n_sections)
    bottom = jax.ops.segment_min(jnp.where(hidden, jnp.inf, on_grid), section, layout.n_sections)
    span = jnp.where(jnp.isfinite(top), top - bottom, 0.0)
    return depth, jnp.asarray(error.pixel) * layout.to_points(span)
