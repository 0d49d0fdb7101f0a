"""Posteriors by nested sampling with the forward model itself: the likelihood and the prior of the
answers, and nothing of theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from exogan_jax.parameters import Parameters
from exogan_jax.physics.forward import ForwardModel
from exogan_jax.physics.observation import Observation, binning_operator

_BATCH = 256  # of the forward model
#: Networks of a bound. The forward model takes a quarter of the time of one, a tenth of that of
#: nautilus' four, which save no calls (PRISM, eleven parameters: 144,000 calls, 720 s).
_NETWORKS = 1


class Reference(NamedTuple):
    """Weighted samples of a posterior, and its evidence."""

    theta: Float[np.ndarray, "n d"]
    weight: Float[np.ndarray, " n"]
    log_evidence: float
    error: float
    effective: float  # independent samples that they are worth
    calls: int  # of the likelihood


def made_above(
    physics: ForwardModel, observation: Observation
) -> Callable[[np.ndarray], np.ndarray]:
    """From theta (n, d) to depths (n, bins) above the median one observed, in ppm: no numbers where
    no such planet exists. What the bins touch alone is computed.
    """
    wavelength, half_width, depth = (np.asarray(x) for x in observation[:3])
    operator = binning_operator(wavelength, half_width, np.asarray(physics.wavelength_um))
    touched = np.flatnonzero((operator != 0).any(axis=0))
    few = physics.at_points(touched)
    to_bins = jnp.asarray(operator[:, touched], jnp.float32)
    reference = float(np.median(depth))

    @jax.jit
    @jax.vmap
    def run(theta: jax.Array) -> jax.Array:
        made = to_bins @ (1e6 * (few(theta) - reference))
        return jnp.where(few.exists(theta), made, jnp.nan)

    def of(theta: np.ndarray) -> np.ndarray:
        n = len(theta)
        rows = np.arange(-(-n // _BATCH) * _BATCH).clip(max=n - 1)
        padded = np.asarray(theta, np.float32)[rows].reshape(-1, _BATCH, theta.shape[1])
        return np.concatenate([np.asarray(run(jnp.asarray(part))) for part in padded])[:n]

    return of


def log_likelihood(
    physics: ForwardModel, observation: Observation
) -> Callable[[np.ndarray], np.ndarray]:
    """From theta (n, d) to log likelihoods (n,)."""
    depth, sigma = (np.asarray(x, np.float64) for x in observation[2:4])
    made = made_above(physics, observation)
    data, error = 1e6 * (depth - np.median(depth)), 1e6 * sigma
    normalisation = -float(np.log(np.sqrt(2 * np.pi) * sigma).sum())

    def of(theta: np.ndarray) -> np.ndarray:
        value = -0.5 * np.square((made(theta) - data) / error).sum(axis=1)
        return np.where(np.isnan(value), -1e10, value) + normalisation

    return of


def nested(
    likelihood: Callable[[np.ndarray], np.ndarray],
    parameters: Parameters,
    seed: int,
    n_live: int,
    n_effective: int,
) -> Reference:
    """Weighted samples of the posterior by nautilus (Lange 2023), none of those by which it found
    its bounds: they are not independent of them. The error of the log evidence is not known.
    """
    from nautilus import Sampler

    def prior(unit: np.ndarray) -> np.ndarray:
        return np.asarray(parameters.from_unit(jnp.asarray(unit, jnp.float32)))

    sampler = Sampler(
        prior,
        likelihood,
        len(parameters),
        n_live=n_live,
        n_networks=_NETWORKS,
        vectorized=True,
        seed=seed,
    )
    sampler.run(n_eff=n_effective, discard_exploration=True)
    theta, log_weight, _ = sampler.posterior()
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    size = float(1 / np.square(weight).sum())
    return Reference(theta, weight, sampler.log_z, np.nan, size, sampler.n_like)
