"""A trained pair of networks with what a retrieval needs to know about it."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from exogan_jax.gan.encoder import Encoder, Proposal
from exogan_jax.gan.nets import Networks, networks


class GeneratorError(NamedTuple):
    """The generator's own 1-sigma errors, measured on spectra that it never saw."""

    # Of the normalised spectrum, as a share of its section's range.
    pixel: Float[Array | np.ndarray, "515"]
    low: Float[Array | np.ndarray, "14"]  # of each section's minimum depth
    high: Float[Array | np.ndarray, "14"]  # of each section's maximum depth


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("generator", "discriminator", "error", "encoder"),
    meta_fields=("name", "network", "options", "encoder_options"),
)
@dataclasses.dataclass(frozen=True)
class Model:
    """A trained generator and discriminator, and an encoder if there is one, as a pytree.

    `generate` and `score` act on one latent and one array: vmap for more.
    """

    name: str
    network: str  # "paper" or "compact", see `nets.networks`
    options: tuple[tuple[str, Any], ...]  # keyword arguments of `nets.networks`
    generator: Any  # Flax variables
    discriminator: Any
    error: GeneratorError
    encoder: Any = None  # Flax variables; None: there is none
    encoder_options: tuple[tuple[str, Any], ...] = ()  # keyword arguments of `encoder.Encoder`

    @property
    def networks(self) -> Networks:
        """The Flax modules."""
        return networks(self.network, **dict(self.options))

    def generate(self, latent: Float[Array, " latent_dim"]) -> Float[Array, "33 33"]:
        """The ASPA of a latent in [-1, 1]^latent_dim."""
        return self.networks.generator.apply(self.generator, latent[None], train=False)[0]

    def score(self, aspa: Float[Array, "33 33"]) -> Float[Array, ""]:
        """The discriminator's logit of an ASPA: high for arrays like the training set's."""
        return self.networks.discriminator.apply(self.discriminator, aspa[None], train=False)[0]

    @property
    def encoder_network(self) -> Encoder:
        """The encoder's Flax module."""
        return Encoder(self.networks.latent_dim, **dict(self.encoder_options))

    def propose(self, features: Float[Array, " f"]) -> Proposal:
        """The encoder's distribution of the latent, from `retrieval.encode.features`."""
        proposal = self.encoder_network.apply(self.encoder, features[None])
        assert isinstance(proposal, Proposal)
        return Proposal(proposal.mean[0], proposal.precision[0])
