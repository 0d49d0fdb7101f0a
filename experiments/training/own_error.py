"""The generator's own error, on noise-free spectra that it never saw."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from exogan_jax.api import retrieve
from exogan_jax.files.records import Spectra
from exogan_jax.gan.anchor import anchored_latents
from exogan_jax.gan.model import GeneratorError, LevelError, Model
from exogan_jax.layout import Values
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.result import Retrieval

_NORMAL_68 = 0.6827  # share of a normal distribution within one sigma
_FEW = 5.0  # pixels' errors of so many sigma are cut: a few spectra must not stand for all
_FAR = 2.0  # spectra that are off by more, in units of the usual error, count as if by so much
_N_MODES = 16  # of what a generator of levels errs by; they leave a tenth of the variance


def inpainted(model: Model, spectra: Spectra, n_starts: int, n_steps: int) -> Retrieval:
    """What the paper's inpainting makes of complete, noise-free spectra without parameters."""
    wavelength = model.layout.wavelength_um
    zero, sigma = np.zeros(len(wavelength)), np.full(len(wavelength), 1e-6)
    observations = [Observation(wavelength, zero, d, sigma) for d in np.asarray(spectra.depth)]
    return retrieve(observations, model, n_starts=n_starts, n_steps=n_steps, likelihood="paper")


def measure_error(
    model: Model, key: jax.Array, held_out: Spectra, anchored: bool
) -> tuple[GeneratorError | LevelError, dict[str, float]]:
    """The error, as the likelihood takes it, and numbers for the card.

    An anchored generator draws the spectra at their parameters; any other one is fitted to
    them. Neighbouring points err together; a chi-square that counts them as independent would be
    too sure. So a pixel's error is multiplied by the root of its correlation length, and one of
    levels is told by its principal components.
    """
    if isinstance(model.error, LevelError):
        again = jax.random.clone(key)  # the same latents
        return level_error(model, key, held_out), level_numbers(model, again, held_out)
    error = pixel_error(model, key, held_out, anchored)
    bounds = np.median(np.stack([error.low, error.high])) * 1e6
    return error, {
        "pixel, median, with correlation": float(np.median(error.pixel)),
        "section bounds, median [ppm]": float(bounds),
    }


def level_differences(
    model: Model, key: jax.Array, held_out: Spectra
) -> tuple[Float[np.ndarray, "n w"], Float[np.ndarray, "n w"], Float[np.ndarray, "n w"]]:
    """Generated minus true levels; the same in scale heights; and of the depths."""
    layout, drawing = model.layout, model.drawing
    n = layout.n_wavelength

    def one(z: Array, values: Values) -> tuple[Array, Array, Array]:
        drawn, true = model.generate(z), drawing.draw(values)
        found, wanted = (drawing.depths(x[:n], x[n:]) for x in (drawn, true))
        height = drawing.scale(values.theta).height
        radii = jnp.sqrt(jnp.stack([found.depth, wanted.depth]))
        disc = jnp.sqrt(drawing.scale(values.theta).disc)
        return (
            drawn[:n] - true[:n],
            (radii[0] - radii[1]) / disc / height,
            found.depth - wanted.depth,
        )

    free = jax.random.uniform(key, (len(held_out.theta), model.networks.latent_dim), minval=-1.0)
    target = jax.jit(jax.vmap(layout.pack))(*map(jnp.asarray, held_out))
    z = anchored_latents(free, target.theta, layout.parameters)
    run = jax.jit(lambda z, t: jax.lax.map(lambda x: one(*x), (z, t), batch_size=256))
    return tuple(np.asarray(x) for x in run(z, target))  # type: ignore[return-value]


def level_numbers(model: Model, key: jax.Array, held_out: Spectra) -> dict[str, float]:
    """Errors over all spectra and wavelengths: median and 95 %, in scale heights and ppm; of the
    sections' bounds in ppm; and the mean absolute error of the levels, by which a checkpoint is
    chosen.
    """
    level, heights, depth = level_differences(model, key, held_out)
    sizes = {"scale_heights": np.abs(heights), "ppm": np.abs(depth) * 1e6}
    true = np.asarray(held_out.depth)
    bounds = []
    for points in model.layout.section_slices:
        for extreme in (np.min, np.max):
            off = extreme((true + depth)[:, points], axis=1) - extreme(true[:, points], axis=1)
            bounds.append(np.abs(off) * 1e6)
    sizes["bounds_ppm"] = np.stack(bounds)
    numbers: dict[str, float] = {}
    for name, values in sizes.items():
        middle, most = np.quantile(values, [0.5, 0.95])
        numbers |= {f"own_error_{name}": float(middle), f"own_error_{name}_95": float(most)}
    return numbers | {"level_error": float(np.abs(level).mean())}


def level_error(model: Model, key: jax.Array, held_out: Spectra) -> LevelError:
    """Of the levels: at each wavelength the range that holds 68 % of the errors, most of it by the
    principal components of errors in such units.
    """
    level, _, _ = level_differences(model, key, held_out)
    sigma = _smooth(np.quantile(np.abs(level), _NORMAL_68, axis=0))
    scaled = level / sigma
    far = np.sqrt(np.mean(np.square(scaled), axis=1, keepdims=True)) / _FAR
    scaled = scaled / np.maximum(far, 1)  # a few spectra must not stand for all
    size = np.sqrt(np.mean(np.square(scaled), axis=0))
    values, vectors = np.linalg.eigh(np.cov((scaled / size).T, bias=True))
    modes = np.sqrt(values[-_N_MODES:, None]) * vectors.T[-_N_MODES:]
    rest = np.sqrt(np.maximum(1 - np.square(modes).sum(axis=0), 1e-4))
    return LevelError(*(jnp.asarray(x * sigma, jnp.float32) for x in (modes[::-1], rest)))


def pixel_error(model: Model, key: jax.Array, held_out: Spectra, anchored: bool) -> GeneratorError:
    """Of the pixels, the rms at a wavelength; of the sections' bounds, theirs."""
    layout = model.layout
    target = jax.jit(jax.vmap(layout.pack))(*map(jnp.asarray, held_out))
    n = len(held_out.theta)
    if anchored:
        free = jax.random.uniform(key, (n, model.networks.latent_dim), minval=-1.0)
        z = anchored_latents(free, target.theta, layout.parameters)
        found = jax.jit(jax.vmap(lambda z: model.values(model.generate(z))))(z)
    else:
        arrays = jnp.asarray(inpainted(model, held_out, 16, 600).aspa)
        found = jax.vmap(layout.values)(arrays)
    usable = layout.n_usable
    pixels = np.asarray(found.pixels - target.pixels)[:, :usable]
    pixel = _smooth(np.sqrt(np.mean(pixels**2, axis=0)))
    pixel = pixel * _correlation(pixels / pixel)
    pixel = np.pad(pixel, (0, layout.n_wavelength - usable), mode="edge")
    pairs = ((found.low, target.low), (found.high, target.high))
    bounds = [np.sqrt(np.mean((np.asarray(a) - np.asarray(b)) ** 2, axis=0)) for a, b in pairs]
    return GeneratorError(*(jnp.asarray(x, jnp.float32) for x in (pixel, *bounds)))


def _smooth(error: Float[np.ndarray, " w"]) -> Float[np.ndarray, " w"]:
    """Rms over nine neighbours."""
    padded = np.pad(error, 4, mode="edge")
    return np.sqrt(np.convolve(padded**2, np.full(9, 1 / 9), mode="valid"))


def _correlation(scaled: Float[np.ndarray, "n w"]) -> float:
    """Root of the correlation length of errors in units of their own size."""
    scaled = np.clip(scaled, -_FEW, _FEW)
    length = 1.0
    for lag in range(1, min(40, scaled.shape[1])):
        correlation = np.mean(scaled[:, lag:] * scaled[:, :-lag]) / np.mean(scaled**2)
        if correlation < 0.05:
            break
        length += 2 * float(correlation)
    return float(np.sqrt(length))
