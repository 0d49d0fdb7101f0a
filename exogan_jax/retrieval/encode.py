"""What the encoder sees of an observation: on the grid, whatever its bins and errors were.

The bins' depths are carried back to the grid with the weights that the likelihood gives them: at
every grid point the mean of the depths that bear on it, and how well they fix it. Points that
nothing bears on have neither.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from exogan_jax.gan.model import Model
from exogan_jax.gan.npe import Proposal, Shape, latent_at
from exogan_jax.retrieval.inpaint import Coordinates
from exogan_jax.retrieval.levels import LevelTarget
from exogan_jax.retrieval.likelihood import UNIT, DepthTarget


class CarriedBack(NamedTuple):
    """An observation carried back to the grid."""

    depth: Float[Array, " w"]  # above `reference`, in likelihood.UNIT; 0 where unseen
    information: Float[Array, " w"]  # 1/s^2, UNIT^-2; 0 where unseen
    reference: Float[Array, ""]


def carry_back(target: DepthTarget | LevelTarget, n_wavelength: int) -> CarriedBack:
    """ONE target on the grid of `n_wavelength` points."""
    weight = jnp.asarray(target.weight)
    if isinstance(target, DepthTarget):
        weight = weight.at[target.crossing].add(target.crossing_weight)
    rows = jnp.stack([weight, weight * target.depth]) @ target.operator.T
    # Points of no weight, which pad, add nothing to the first.
    information, weighted = jnp.zeros((2, n_wavelength)).at[:, target.point].add(rows)
    seen = information > 0
    depth = jnp.where(seen, weighted / jnp.where(seen, information, 1.0), 0.0)
    return CarriedBack(depth, information, target.reference)


def n_features(n_wavelength: int) -> int:
    """Length of the encoder's input."""
    return 3 * n_wavelength + 3


def features(observed: CarriedBack, radius: tuple[float, float]) -> Float[Array, " f"]:
    """The encoder's input, numbers of order 1 (`n_features`,): for each grid point the depth in
    units of the observation's own spread, the same in units of its error (compressed), and the
    error in units of the spread; then the mean radius, the spread, and the whole information.

    Args:
      observed: from `carry_back`.
      radius: mean and spread that scale the mean radius, see `npe.Encoder`.
    """
    depth, information, reference = observed
    total = jnp.maximum(information.sum(), 1e-12)
    mean = (information * depth).sum() / total
    spread = jnp.sqrt((information * jnp.square(depth - mean)).sum() / total) + 1e-3
    seen = information > 0
    shape = jnp.where(seen, (depth - mean) / spread, 0.0)
    precision = spread * jnp.sqrt(information)
    mean_radius = jnp.sqrt(jnp.maximum(reference + UNIT * mean, 0.0))  # R_sun
    size = (mean_radius - radius[0]) / radius[1]
    return jnp.concatenate(
        [
            jnp.clip(shape, -5, 5),
            jnp.arcsinh(shape * precision) / 3,
            jnp.log1p(precision) / 3,
            jnp.stack([size, jnp.log(spread), 0.2 * jnp.log(total)]),
        ]
    )


def propose(model: Model, target: DepthTarget | LevelTarget) -> Proposal:
    """What a model's encoder says of ONE target."""
    observed = carry_back(target, model.layout.n_wavelength)
    return model.propose(features(observed, model.encoder_network.radius))


def proposal_coordinates(latent_dim: int) -> Coordinates:
    """Coordinates of an inpainting whose target is (target, `Shape`): it starts at samples of the
    proposal, and steps in units of its spread.
    """

    def start(key: Array, target: tuple[object, Shape]) -> Array:
        del target
        return jax.random.normal(key, (latent_dim,))

    def latent(position: Array, target: tuple[object, Shape]) -> Array:
        return latent_at(position, target[1])

    return Coordinates(start, latent, lambda position: position)
