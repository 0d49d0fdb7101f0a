"""How good a generator is, on spectra that it never saw. These numbers choose the checkpoint."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from exogan_jax.files.records import Spectra
from exogan_jax.folding import reduce
from exogan_jax.gan.model import LevelError, Model
from exogan_jax.layout import Layout
from exogan_jax.parameters import Parameters
from exogan_jax.physics.forward import ForwardModel, simulate
from experiments.training.own_error import inpainted, level_numbers


def _areas(layout: Layout) -> dict[str, slice]:
    """The independent pixels of an array by what they hold."""
    bounds = layout.inner**2
    parameters = bounds + 2 * layout.n_sections
    return {
        "spectrum": slice(bounds),
        "bounds": slice(bounds, parameters),
        "parameters": slice(parameters, None),
    }


def reconstruction(
    model: Model, held_out: Spectra, n_starts: int = 16, n_steps: int = 150
) -> dict[str, float]:
    """A short inpainting: errors of the best latent and of the parameters.

    Returns:
      `depth_ppm`, median over spectra of the rms; `aspa_<area>`, rms of the independent pixels of
      each of `_areas`; `error_<parameter>`, mean absolute error of the medians; `parameter_error`,
      the mean of these in units of the prior's width.
    """
    layout = model.layout
    found = inpainted(model, held_out, n_starts, n_steps)
    arrays = jnp.asarray(found.aspa)
    depth = jax.vmap(lambda x: layout.unpack(layout.values(x))[0])(arrays)
    pixels = jax.vmap(lambda x: reduce(layout, x))(arrays)
    target = jax.vmap(lambda d, t: layout.vector(layout.pack(d, t)))(*map(jnp.asarray, held_out))
    rms = np.sqrt(np.mean((np.asarray(depth) - held_out.depth) ** 2, axis=1))
    out = {"depth_ppm": float(np.median(rms)) * 1e6}
    difference = np.asarray(pixels - target)
    for name, area in _areas(layout).items():
        out[f"aspa_{name}"] = float(np.sqrt(np.mean(difference[:, area] ** 2)))
    medians, parameters = found.quantiles()[:, 1], layout.parameters
    errors = np.abs(medians - held_out.theta).mean(axis=0)
    out |= {f"error_{name}": float(e) for name, e in zip(parameters.names, errors, strict=True)}
    return out | {"parameter_error": width_errors(medians, held_out.theta, parameters)}


def width_errors(
    found: Float[ArrayLike, "n d"], truth: Float[ArrayLike, "n d"], parameters: Parameters
) -> float:
    """Mean absolute error in units of the prior's width, on each parameter's scale."""
    off = parameters.to_unit(np.asarray(found, np.float64))
    off -= parameters.to_unit(np.asarray(truth, np.float64))
    return float(np.abs(off).mean())


def generated(model: Model, key: jax.Array, n: int) -> tuple[jax.Array, Spectra]:
    """Drawings of uniform latents (n, ...), and their spectra."""
    z = jax.random.uniform(key, (n, model.networks.latent_dim), minval=-1.0, maxval=1.0)

    def one(model: Model, z: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        drawing = model.generate(z)
        return drawing, model.layout.unpack(model.values(drawing))

    run = jax.jit(lambda m, z: jax.lax.map(lambda x: one(m, x), z, batch_size=256))
    drawings, (depth, theta) = run(model, z)
    return drawings, Spectra(np.asarray(depth), np.asarray(theta))


def prior_distance(theta: Float[np.ndarray, "n d"], parameters: Parameters) -> dict[str, float]:
    """How far generated parameters are from the prior, uniform within the bounds.

    Returns:
      `ks`, the largest Kolmogorov-Smirnov distance of a marginal; `pairs_covered`, the smallest
      share, over pairs of parameters, of the cells of a 10 x 10 grid that hold any.
    """
    scaled = np.clip(parameters.to_unit(theta), 0, 1)
    n = len(scaled)
    ordered = np.sort(scaled, axis=0)
    steps = np.arange(n + 1)[:, None] / n
    ks = np.maximum(np.abs(ordered - steps[:-1]), np.abs(ordered - steps[1:])).max()
    cells = np.minimum((scaled * 10).astype(int), 9)
    covered = [
        len(np.unique(cells[:, i] * 10 + cells[:, j])) / 100
        for i in range(len(parameters))
        for j in range(i)
    ]
    return {"ks": float(ks), "pairs_covered": float(min(covered))}


def consistency_ppm(spectra: Spectra, physics: ForwardModel) -> Float[np.ndarray, " n"]:
    """Rms difference of generated spectra from the forward model at their own parameters, ppm."""
    bounds = physics.parameters
    theta = np.clip(spectra.theta, bounds.lower, bounds.upper).astype(np.float32)
    expected = np.asarray(jax.jit(simulate)(physics, jnp.asarray(theta)))
    return np.sqrt(np.mean((np.asarray(spectra.depth) - expected) ** 2, axis=1)) * 1e6


def _nearest(
    arrays: Float[np.ndarray, "n p"], among: Float[np.ndarray, "m p"]
) -> Float[np.ndarray, " n"]:
    squares = np.sum(arrays**2, axis=1)[:, None] + np.sum(among**2, axis=1)[None]
    return np.sqrt(np.maximum(squares - 2 * arrays @ among.T, 0).min(axis=1))


def novelty(
    arrays: Float[np.ndarray, "n side side"],
    train: Spectra,
    held_out: Spectra,
    layout: Layout,
    n: int = 4096,
) -> float:
    """Distance of generated arrays to the nearest training array, over that of held-out spectra.

    About 1 for a generator that is neither off nor repeats its training set; 0 for one that does.
    """
    encode = jax.jit(jax.vmap(lambda d, t: layout.image(layout.pack(d, t))))

    def flat(x: np.ndarray | jax.Array) -> np.ndarray:
        return np.asarray(x).reshape(len(x), -1)

    known = flat(encode(*(jnp.asarray(x[:n]) for x in train)))
    unseen = flat(encode(*map(jnp.asarray, held_out)))
    return float(np.median(_nearest(flat(arrays), known)) / np.median(_nearest(unseen, known)))


def quality(
    model: Model,
    key: jax.Array,
    train: Spectra,
    held_out: Spectra,
    physics: ForwardModel,
    n: int,
) -> tuple[dict[str, float], np.ndarray]:
    """All of the above.

    Args:
      model: what to judge; its error need not be known.
      key: of the generated samples.
      train: training spectra.
      held_out: others.
      physics: what made both.
      n: spectra to inpaint, 0 for none; 10,000 parameters are generated.

    Returns:
      the numbers by name, and 32 generated arrays to look at.
    """
    key, own_key = jax.random.split(key)
    drawings, spectra = generated(model, key, 10_000)
    arrays = np.asarray(jax.jit(jax.vmap(model.image))(drawings[:256]))
    some = Spectra(*(x[:256] for x in spectra))
    numbers = reconstruction(model, Spectra(*(x[:n] for x in held_out))) if n else {}
    if isinstance(model.error, LevelError):
        numbers |= level_numbers(model, own_key, held_out)
    numbers |= prior_distance(np.asarray(spectra.theta), model.layout.parameters)
    numbers["consistency_ppm"] = float(np.median(consistency_ppm(some, physics)))
    unseen = Spectra(*(x[:256] for x in held_out))
    numbers["novelty"] = novelty(arrays, train, unseen, model.layout)
    return numbers, arrays[:32]
