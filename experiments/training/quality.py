"""How good a generator is, on spectra that it never saw. These numbers choose the checkpoint."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from exogan_jax import aspa, grid
from exogan_jax.api import retrieve
from exogan_jax.files.records import Spectra
from exogan_jax.gan.anchor import anchored_latents
from exogan_jax.gan.model import GeneratorError, Model
from exogan_jax.physics.observation import Observation
from exogan_jax.physics.opacity import OpacityTable
from exogan_jax.physics.prior import simulate
from exogan_jax.retrieval.results import Retrieval


def _areas() -> dict[str, np.ndarray]:
    """The ASPA's pixels by what they hold: the spectrum, its sections' bounds, the parameters."""
    spectrum, bounds = np.zeros((2, aspa.SIZE, aspa.SIZE), np.bool_)
    spectrum[:23, :23] = True
    bounds[:23, 23:30] = bounds[23:30, :23] = True
    return {"spectrum": spectrum, "bounds": bounds, "parameters": ~(spectrum | bounds)}


def inpainted(model: Model, spectra: Spectra, n_starts: int, n_steps: int) -> Retrieval:
    """What the paper's inpainting makes of complete, noise-free spectra without parameters."""
    zero, sigma = np.zeros(grid.N_WAVELENGTH), np.full(grid.N_WAVELENGTH, 1e-6)
    observations = [
        Observation(grid.WAVELENGTH_UM, zero, d, sigma) for d in np.asarray(spectra.depth)
    ]
    return retrieve(observations, model, n_starts=n_starts, n_steps=n_steps, likelihood="paper")


def reconstruction(
    model: Model, held_out: Spectra, n_starts: int = 16, n_steps: int = 150
) -> dict[str, float]:
    """A short inpainting: errors of the best latent and of the parameters.

    Returns:
      `depth_ppm`, median over spectra of the rms; `aspa_<area>`, rms of the pixels of each of
      `_areas`; `error_<parameter>`, mean absolute error of the medians; `parameter_error`, the mean
      of these in units of the prior's width.
    """
    found = inpainted(model, held_out, n_starts, n_steps)
    target = np.asarray(jax.vmap(aspa.encode)(*map(jnp.asarray, held_out)))
    depth = np.asarray(jax.vmap(lambda x: aspa.decode(x)[0])(jnp.asarray(found.aspa)))
    rms = np.sqrt(np.mean((depth - held_out.depth) ** 2, axis=1))
    out = {"depth_ppm": float(np.median(rms)) * 1e6}
    for name, area in _areas().items():
        out[f"aspa_{name}"] = float(np.sqrt(np.mean((found.aspa - target)[:, area] ** 2)))
    errors = np.abs(found.quantiles()[:, 1] - held_out.theta).mean(axis=0)
    out |= {f"error_{name}": float(e) for name, e in zip(grid.PARAMETERS, errors, strict=True)}
    width = np.asarray(grid.UPPER) - np.asarray(grid.LOWER)
    return out | {"parameter_error": float(np.mean(errors / width))}


def generated(model: Model, key: jax.Array, n: int) -> tuple[np.ndarray, Spectra]:
    """Arrays (n, 33, 33) of uniform latents, and what they decode to."""
    z = jax.random.uniform(key, (n, model.networks.latent_dim), minval=-1.0, maxval=1.0)
    arrays = jax.jit(lambda m, z: jax.lax.map(m.generate, z, batch_size=256))(model, z)
    depth, theta = jax.jit(jax.vmap(aspa.decode))(arrays)
    return np.asarray(arrays), Spectra(np.asarray(depth), np.asarray(theta))


def prior_distance(theta: Float[np.ndarray, "n 7"]) -> dict[str, float]:
    """How far generated parameters are from the uniform prior.

    Returns:
      `ks`, the largest Kolmogorov-Smirnov distance of a marginal; `pairs_covered`, the smallest
      share, over pairs of parameters, of the cells of a 10 x 10 grid that hold any.
    """
    low, high = np.asarray(grid.LOWER), np.asarray(grid.UPPER)
    scaled = np.clip((theta - low) / (high - low), 0, 1)
    n = len(scaled)
    ordered = np.sort(scaled, axis=0)
    steps = np.arange(n + 1)[:, None] / n
    ks = np.maximum(np.abs(ordered - steps[:-1]), np.abs(ordered - steps[1:])).max()
    cells = np.minimum((scaled * 10).astype(int), 9)
    covered = [
        len(np.unique(cells[:, i] * 10 + cells[:, j])) / 100
        for i in range(grid.N_PARAMETERS)
        for j in range(i)
    ]
    return {"ks": float(ks), "pairs_covered": float(min(covered))}


def consistency_ppm(spectra: Spectra, table: OpacityTable) -> Float[np.ndarray, " n"]:
    """Rms difference of generated spectra from the forward model at their own parameters, ppm."""
    theta = np.clip(spectra.theta, grid.LOWER, grid.UPPER).astype(np.float32)
    expected = np.asarray(jax.jit(simulate)(jnp.asarray(theta), table))
    return np.sqrt(np.mean((np.asarray(spectra.depth) - expected) ** 2, axis=1)) * 1e6


def _nearest(
    arrays: Float[np.ndarray, "n p"], among: Float[np.ndarray, "m p"]
) -> Float[np.ndarray, " n"]:
    squares = np.sum(arrays**2, axis=1)[:, None] + np.sum(among**2, axis=1)[None]
    return np.sqrt(np.maximum(squares - 2 * arrays @ among.T, 0).min(axis=1))


def novelty(
    arrays: Float[np.ndarray, "n 33 33"], train: Spectra, held_out: Spectra, n: int = 4096
) -> float:
    """Distance of generated arrays to the nearest training array, over that of held-out spectra.

    About 1 for a generator that is neither off nor repeats its training set; 0 for one that does.
    """
    encode = jax.jit(jax.vmap(aspa.encode))

    def flat(x: np.ndarray | jax.Array) -> np.ndarray:
        return np.asarray(x).reshape(len(x), -1)

    known = flat(encode(*(jnp.asarray(x[:n]) for x in train)))
    unseen = flat(encode(*map(jnp.asarray, held_out)))
    return float(np.median(_nearest(flat(arrays), known)) / np.median(_nearest(unseen, known)))


def quality(
    model: Model, key: jax.Array, train: Spectra, held_out: Spectra, table: OpacityTable, n: int
) -> tuple[dict[str, float], np.ndarray]:
    """All of the above.

    Args:
      model: what to judge; its error need not be known.
      key: of the generated samples.
      train: training spectra.
      held_out: others.
      table: the opacities of both.
      n: spectra to inpaint; 10,000 parameters are generated.

    Returns:
      the numbers by name, and 32 generated arrays to look at.
    """
    arrays, spectra = generated(model, key, 10_000)
    some = Spectra(*(x[:256] for x in spectra))
    numbers = reconstruction(model, Spectra(*(x[:n] for x in held_out)))
    numbers |= prior_distance(np.asarray(spectra.theta))
    numbers["consistency_ppm"] = float(np.median(consistency_ppm(some, table)))
    numbers["novelty"] = novelty(arrays[:256], train, Spectra(*(x[:256] for x in held_out)))
    return numbers, arrays[:32]


def measure_error(
    model: Model, key: jax.Array, held_out: Spectra, anchored: bool
) -> GeneratorError:
    """The generator's own error on noise-free spectra that it never saw (rms).

    An anchored generator is asked for the arrays of their parameters; another one is fitted to
    them. Neighbouring pixels err together; a chi-square that counts them as independent would be
    too sure. So the pixel error is multiplied by the root of its correlation length.
    """
    target = jax.jit(jax.vmap(aspa.encode))(*map(jnp.asarray, held_out))
    n = len(target)
    if anchored:
        free = jax.random.uniform(key, (n, model.networks.latent_dim), minval=-1.0)
        found = jax.jit(jax.vmap(model.generate))(anchored_latents(free, target))
    else:
        found = jnp.asarray(inpainted(model, held_out, 16, 600).aspa)
    pixels = np.asarray(found - target)[:, :23, :23].reshape(n, -1)[:, : grid.N_ENCODED]
    pixel = np.sqrt(np.mean(pixels**2, axis=0))
    padded = np.pad(pixel, 4, mode="edge")
    pixel = np.sqrt(np.convolve(padded**2, np.full(9, 1 / 9), mode="valid"))
    scaled = pixels / pixel
    length = 1.0
    for lag in range(1, 40):
        correlation = np.mean(scaled[:, lag:] * scaled[:, :-lag]) / np.mean(scaled**2)
        if correlation < 0.05:
            break
        length += 2 * float(correlation)
    pixel = np.pad(pixel * np.sqrt(length), (0, grid.N_WAVELENGTH - grid.N_ENCODED), mode="edge")
    pairs = zip(
        jax.vmap(aspa.section_bounds)(found), jax.vmap(aspa.section_bounds)(target), strict=True
    )
    bounds = [np.sqrt(np.mean((np.asarray(a) - np.asarray(b)) ** 2, axis=0)) for a, b in pairs]
    return GeneratorError(*(jnp.asarray(x, jnp.float32) for x in (pixel, *bounds)))
