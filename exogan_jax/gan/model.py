"""A trained pair of networks with what a retrieval needs to know about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from exogan_jax.gan.altitude import Depths, Drawing
from exogan_jax.gan.nets import Networks, networks
from exogan_jax.gan.npe import Encoder, Proposal
from exogan_jax.layout import Layout, Values


class LevelError(NamedTuple):
    """A generator of levels' own error, measured on spectra that it never saw."""

    #: What it errs by at many wavelengths together: the errors are normal numbers times these rows.
    modes: Float[Array | np.ndarray, "m w"]
    level: Float[Array | np.ndarray, " w"]  # 1-sigma error of the rest, each point's own


class GeneratorError(NamedTuple):
    """A generator of pixels' own 1-sigma errors, measured on spectra that it never saw."""

    # Of the normalised spectrum, as a share of its section's range.
    pixel: Float[Array | np.ndarray, " w"]
    low: Float[Array | np.ndarray, " section"]  # of each section's minimum depth
    high: Float[Array | np.ndarray, " section"]  # of each section's maximum depth


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("generator", "discriminator", "error", "encoder"),
    meta_fields=("layout", "network", "options", "encoder_options"),
    drop_fields=("name", "opacities"),  # so that one program serves models of all names
)
@dataclasses.dataclass(frozen=True)
class Model:
    """A trained generator and discriminator, and an encoder if there is one, as a pytree.

    `generate`, `values` and `score` act on one: vmap for more. What a generator draws is an array,
    its independent pixels, or levels and parameters, as its networks have it.
    """

    layout: Layout  # of the problem, whose bounds it was trained in
    network: str  # see `nets.networks`
    options: tuple[tuple[str, Any], ...]  # keyword arguments of `nets.networks`
    generator: Any  # Flax variables
    discriminator: Any
    error: GeneratorError | LevelError  # of levels where the networks draw these
    encoder: Any = None  # Flax variables; None: no encoder
    encoder_options: tuple[tuple[str, Any], ...] = ()  # keyword arguments of `npe.Encoder`
    name: str = dataclasses.field(default="", compare=False)
    #: Name of the table that its training spectra came from; "": not known.
    opacities: str = dataclasses.field(default="", compare=False)

    @property
    def networks(self) -> Networks:
        """The Flax modules."""
        return networks(self.network, self.layout, **dict(self.options))

    @property
    def drawing(self) -> Drawing:
        """What networks that draw levels draw; other networks have none."""
        drawing = self.networks.generator.drawing
        assert isinstance(drawing, Drawing)
        return drawing

    def generate(self, latent: Float[Array, " latent_dim"]) -> Float[Array, "..."]:
        """What the generator draws of a latent in [-1, 1]^latent_dim."""
        return self.networks.generator.apply(self.generator, latent[None], train=False)[0]

    def some(self, drawing: Float[Array, "..."], points: Int[Array, " k"]) -> Values | Depths:
        """What is compared with data of a drawing: `Values` with the pixels (k,) of some of the
        spectrum's points, or their `Depths`, as its networks have it.
        """
        return self.networks.some(drawing, points)

    def at_points(
        self, points: Int[Array, " k"]
    ) -> Callable[[Float[Array, " latent_dim"]], Values | Depths]:
        """A generator of some of the spectrum's points: latent -> `some` of what it draws.

        It costs less where the network allows: make it once, outside of a loop over latents.
        """
        part = self.networks.at_points(self.generator, points)
        return lambda latent: part(latent[None])

    def values(self, drawing: Float[Array, "..."]) -> Values:
        """The numbers that a drawing stands for."""
        return self.networks.values(drawing)

    def image(self, drawing: Float[Array, "..."]) -> Float[Array, "side side"]:
        """A drawing as an array."""
        return self.networks.image(drawing)

    def score(self, drawing: Float[Array, "..."]) -> Float[Array, ""]:
        """The discriminator's logit of a drawing: high for those like the training set's."""
        return self.networks.discriminator.apply(self.discriminator, drawing[None], train=False)[0]

    @property
    def encoder_network(self) -> Encoder:
        """The encoder's Flax module."""
        return Encoder(self.networks.latent_dim, **dict(self.encoder_options))

    @property
    def has_flow(self) -> bool:
        """Whether there is an encoder whose normal distribution a flow bends."""
        return self.encoder is not None and self.encoder_network.n_layers > 0

    def propose(self, features: Float[Array, " f"]) -> Proposal:
        """The encoder's distribution of the latent, from `retrieval.encode.features`."""
        proposal = self.encoder_network.apply(self.encoder, features[None])
        assert isinstance(proposal, Proposal)
        return jax.tree.map(lambda x: x[0], proposal)
