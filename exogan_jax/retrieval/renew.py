"""From the generator's posterior of ONE observation to the exact one, where weights alone leave few
samples: by a power of the weights at a time, the samples moving on in between.

Each sample walks some steps through what the (corrected) generator takes for the posterior, which
costs little, and where it ends the forward model says whether it may stay: by the ratio of the true
density to the generator's, there and where it was (Liu 2001, Monte Carlo Strategies in Scientific
Computing, 9.4.3; the delayed acceptance of Christen & Fox 2005, J. Comput. Graph. Stat. 14, 795).
Such a round leaves the true density as it is, whatever the generator errs by: errors only cost
acceptance.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from exogan_jax.gan.model import Model
from exogan_jax.physics.forward import ForwardModel
from exogan_jax.retrieval import ensemble
from exogan_jax.retrieval.compared import Target, of_drawing
from exogan_jax.retrieval.confirm import correct
from exogan_jax.retrieval.density import Density
from exogan_jax.retrieval.fitting import drawn_at
from exogan_jax.retrieval.forward_check import true_depths
from exogan_jax.retrieval.latent_prior import latent_at, log_weight
from exogan_jax.retrieval.lightly import Lightly
from exogan_jax.retrieval.marginals import Marginals, clipped
from exogan_jax.retrieval.residuals import Bins, missed
from exogan_jax.retrieval.sampling import likelihood, posterior
from exogan_jax.retrieval.settings import Settings

_STEPS = 8  # of a walk


class Samples(NamedTuple):
    """Samples of equal weights, and what is known of each."""

    place: Float[np.ndarray, "n latent_dim"]
    theta: Float[np.ndarray, "n d"]  # within the prior's ends
    depth: Float[np.ndarray, "n w"]  # as generated
    true: Float[np.ndarray, "n k"]  # the forward model's, at the bins' points
    energy: Float[np.ndarray, " n"]  # -log of the density that they come from, but for the prior
    true_energy: Float[np.ndarray, " n"]  # the forward model's
    family: Int[np.ndarray, " n"]  # of one number: descended from one sample

    def pick(self, chosen: Int[np.ndarray, " m"] | slice) -> Samples:
        """Some of them."""
        return Samples(*(x[chosen] for x in self))


class Problem(NamedTuple):
    """What ONE observation's samples move by."""

    model: Model
    target: Target  # with the generator as it is
    bins: Bins
    prior: Marginals
    physics: ForwardModel
    settings: Settings
    begun: float = 1.0  # power of the generator's likelihood that the samples come from


class Walked(NamedTuple):
    """Ends of walks through the generator's posterior."""

    place: Float[Array, "n latent_dim"]
    theta: Float[Array, "n d"]
    depth: Float[Array, "n w"]
    energy: Float[Array, " n"]  # of the generator as it is
    began: Float[Array, " n"]  # energies of the corrected one: where the walks began
    ended: Float[Array, " n"]


@partial(Lightly, static="settings")
def _walk(
    key: Array,
    model: Model,
    target: Target,
    corrected: Target,
    begun: Float[Array, ""],
    power: Float[Array, ""],
    place: Float[Array, "n latent_dim"],
    resting: Float[Array, "n latent_dim"],
    best: Float[Array, " latent_dim"],
    *,
    settings: Settings,
) -> Walked:
    # One spectrum serves both: the same points, to the compiler.
    corrected = corrected._replace(depth=corrected.depth._replace(point=target.depth.point))
    plain, better = (likelihood(model, each, settings) for each in (target, corrected))

    def between(latent: Array) -> tuple[Array, Array]:
        ends = plain(latent), better(latent)
        # A planet that does not exist has none of both, and 0 times that is no number.
        mean = (1 - power) * begun * ends[0] + power * ends[1]
        return jnp.where(jnp.isfinite(ends[0]), mean, -jnp.inf), ends[1]

    def first(place: Array) -> tuple[Array, Array]:
        latent = latent_at(target.prior, place)
        mean, corrected = between(latent)
        return mean + log_weight(target.prior, latent, model.layout.parameters), -corrected

    of = posterior(model, corrected, best, lambda latent: between(latent)[0])
    both = jnp.concatenate([place, resting])
    positions, volume = jax.vmap(of.coordinates.position)(both)
    moving, others = positions[: len(place)], positions[len(place) :]
    density, began = jax.vmap(first)(place)
    volume = volume[: len(place)]
    walkers = ensemble.begin(moving, Density(density + volume, volume))
    state, _ = ensemble.walk(key, walkers, others, of.density, _STEPS)
    end = jnp.clip(jax.vmap(of.coordinates.place)(state.position)[0], -1, 1)
    # What did not move is where it was, to the bit.
    moved = jnp.any(state.position != moving, axis=1)
    end = jnp.where(moved[:, None], end, place)

    fits = of_drawing(settings.likelihood)
    drawing = jax.vmap(lambda place: model.generate(latent_at(target.prior, place)))(end)
    energy, ended = (
        -jax.vmap(lambda one, each=each: fits(model, one, each))(drawing)
        for each in (target, corrected)
    )
    found = drawn_at(model, target, end, drawing)
    return Walked(end, found.theta, found.depth, energy, began, ended)


def move(key: Array, samples: Samples, problem: Problem, power: float) -> tuple[Samples, float]:
    """One round: every sample walks once, the halves in turn, each about the other.

    Args:
      key: PRNG key.
      samples: an even number, in random order, of the density that they come from to the power
        1 - `power` times the forward model's likelihood to the power `power`, and the prior.
      problem: the observation's.
      power: between 0 and 1.

    Returns:
      the samples, and the share that moved.
    """
    half, share = len(samples.energy) // 2, 0.0
    for part in jax.random.split(key, 2):
        walk_key, accept_key = jax.random.split(part)
        moving, resting = samples.pick(slice(half)), samples.pick(slice(half, None))
        # Moves hang on nothing of what moves: a correction fitted to it would hold better where it
        # begins than where it ends.
        best = resting.place[resting.true_energy.argmin()]
        walked = _walk(
            walk_key,
            problem.model,
            problem.target,
            correct(problem.target, resting.theta, resting.depth, resting.true, problem.model),
            np.float32(problem.begun),
            np.float32(power),
            moving.place,
            resting.place,
            best,
            settings=problem.settings,
        )
        walked = jax.tree.map(np.asarray, walked)
        theta = clipped(walked.theta, problem.prior, problem.model.layout.parameters)
        true = true_depths(problem.physics, theta, problem.bins, half)
        ended = Samples(
            walked.place,
            theta,
            walked.depth,
            true,
            problem.begun * walked.energy.astype(np.float64),
            missed(true, problem.bins).energy,
            moving.family,
        )
        missing = moving.true_energy - ended.true_energy - (walked.began - walked.ended)
        uniform = np.asarray(jax.random.uniform(accept_key, (half,)))
        # No number, where nothing exists, is refused.
        accept = np.log(np.maximum(uniform, 1e-30)) < power * missing
        share += float((accept & np.any(ended.place != moving.place, axis=1)).mean()) / 2
        pairs = zip(ended, moving, strict=True)
        kept = (np.where(accept.reshape(-1, *(1,) * (a.ndim - 1)), a, b) for a, b in pairs)
        samples = Samples(*(np.concatenate(x) for x in zip(resting, kept, strict=True)))
    return samples, share
