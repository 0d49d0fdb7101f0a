"""The evidence of a target that was sampled: the integral of its likelihood over the prior."""

from __future__ import annotations

import jax
from jaxtyping import Array, Float

from exogan_jax.parameters import Parameters
from exogan_jax.retrieval.ensemble import LogDensity
from exogan_jax.retrieval.exact import Bridge, bridge
from exogan_jax.retrieval.latent_prior import LatentPrior, log_norm
from exogan_jax.retrieval.moves import normal_coordinates


def evidence(
    key: Array,
    place: Float[Array, "n latent_dim"],
    log_density: LogDensity,
    prior: LatentPrior,
    parameters: Parameters,
    effective: Float[Array, ""],
) -> Bridge:
    """Of ONE target, by a bridge in the coordinates of `npe.to_normal`, where the box has no walls.

    Args:
      key: PRNG key.
      place: samples, places of the prior's box.
      log_density: of ONE place: log likelihood plus `latent_prior.log_weight`.
      prior: the target's.
      parameters: the problem's.
      effective: number of independent samples.
    """
    coordinates = normal_coordinates()

    def of(u: Array) -> Array:
        place, volume = coordinates.place(u)
        return log_density(place) + volume

    found = bridge(key, jax.vmap(coordinates.position)(place), of, effective)
    return found._replace(log_evidence=found.log_evidence - log_norm(prior, parameters))
