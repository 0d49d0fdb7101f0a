"""The encoder: a neural posterior estimator. From an observation to the latents that could have
made it, as a normal distribution, which a flow bends where there is one (`flow.Flow`); trained on
simulated observations by the likelihood of their latents (Papamakarios & Murray 2016,
arXiv:1605.06376). Its samples are the fast answer, once they are weighted; the normal distribution
gives an inpainting its starts and its coordinates, so that tens of steps do the work of hundreds.

A latent z in [-1, 1]^d is described by u = probit((z + 1) / 2): the uniform prior of z is the unit
normal of u, so that an observation that tells nothing is described exactly, and no normal leaves
the box.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jax.scipy.special import erf, erfinv
from jaxtyping import Array, Float

from exogan_jax.gan.flow import Flow
from exogan_jax.triangular import inverse

_MOST = 8.0  # log of the highest precision: a spread of 3e-4
_EDGE = 2e-6  # of [-1, 1]: float32 has no probit nearer to its ends


def to_normal(latent: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
    """The u of latents in [-1, 1]; at most 4.75 in size."""
    return math.sqrt(2) * erfinv(jnp.clip(latent, _EDGE - 1, 1 - _EDGE))


def from_normal(u: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
    """Inverse of `to_normal`."""
    return erf(math.sqrt(0.5) * u)


class Proposal(NamedTuple):
    """A distribution of u: precision @ (u - mean) is unit normal, or what a flow makes of it."""

    mean: Float[Array, "*batch d"]
    precision: Float[Array, "*batch d d"]  # lower triangular, of positive diagonal
    context: Float[Array, "*batch layer width"] | None = None  # for the flow, if there is one


class Shape(NamedTuple):
    """A `Proposal` by its spread: mean + spread @ (unit normal) are its samples."""

    mean: Float[Array, " d"]
    spread: Float[Array, "d d"]  # inverse of the precision


def shape_of(proposal: Proposal) -> Shape:
    """ONE proposal's, to be made once for many latents."""
    return Shape(proposal.mean, inverse(proposal.precision))


def latent_at(position: Float[Array, " d"], shape: Shape) -> Float[Array, " d"]:
    """The latent at a position in units of ONE proposal's spread: unit normal positions are its
    samples.
    """
    return from_normal(shape.mean + shape.spread @ position)


def standardised(latent: Float[Array, "n d"], proposal: Proposal) -> Float[Array, "n d"]:
    """Latents in units of each one's normal distribution."""
    return jnp.einsum("nij,nj->ni", proposal.precision, to_normal(latent) - proposal.mean)


def negative_log_density(latent: Float[Array, "n d"], proposal: Proposal) -> Float[Array, " n"]:
    """-log of a proposal's normal density of u at latents, without (d/2) log 2 pi: d/2 on average
    for the unit normal at its own samples.
    """
    residual = standardised(latent, proposal)
    return 0.5 * jnp.square(residual).sum(axis=1) - log_determinant(proposal)


def log_determinant(proposal: Proposal) -> Float[Array, "*batch"]:
    """Of the precision."""
    return jnp.log(jnp.diagonal(proposal.precision, axis1=-2, axis2=-1)).sum(axis=-1)


class Encoder(nn.Module):
    """A dense residual network from features of an observation to a `Proposal`.

    Attributes:
      latent_dim: d.
      width: features of the hidden layers.
      depth: number of residual layers.
      radius: mean and spread of the training spectra's sqrt(depth), radii in R_sun, by which the
        features scale a spectrum's own. The default is that of the published problem's shipped
        weights.
      n_layers, flow_width, n_bins: of the flow; without layers there is none.
      dtype: compute dtype; parameters and result are float32.
    """

    latent_dim: int
    width: int = 512
    depth: int = 4
    radius: tuple[float, float] = (0.118, 0.02)
    n_layers: int = 0
    flow_width: int = 128
    n_bins: int = 8
    dtype: Any = jnp.float32

    @property
    def flow(self) -> Flow:
        """From unit normal points to those in units of the normal distribution."""
        return Flow(self.n_layers, self.flow_width, self.n_bins, name="flow")

    @nn.compact
    def __call__(self, features: Float[Array, "n f"]) -> Proposal:
        """Proposals of n observations, see `retrieval.encode.features`."""
        d = self.latent_dim
        x = nn.Dense(self.width, dtype=self.dtype, name="first")(features)
        for _ in range(self.depth):
            y = nn.silu(nn.Dense(self.width, dtype=self.dtype)(nn.silu(x)))
            x = x + nn.Dense(self.width, dtype=self.dtype, kernel_init=nn.initializers.zeros)(y)
        zeros = nn.initializers.zeros  # begins at the prior
        out = nn.Dense(2 * d + d * (d - 1) // 2, dtype=self.dtype, kernel_init=zeros, name="last")(
            nn.silu(x)
        ).astype(jnp.float32)
        mean, log_diagonal, below = jnp.split(out, (d, 2 * d), axis=1)
        rows, columns = jnp.tril_indices(d, -1)
        # Bounded: an outlier in training must not overflow.
        diagonal = jnp.exp(_MOST * jnp.tanh(log_diagonal / _MOST))
        # A row in units of its diagonal: the conditional means that it stands for are of order 1.
        precision = jnp.zeros((out.shape[0], d, d)).at[:, rows, columns].set(below)
        precision = (precision + jnp.eye(d)[None]) * diagonal[:, :, None]
        if not self.n_layers:
            return Proposal(mean, precision)
        size = self.n_layers * self.flow_width
        context = nn.Dense(size, dtype=self.dtype, name="context")(nn.silu(x)).astype(jnp.float32)
        context = context.reshape(-1, self.n_layers, self.flow_width)
        if self.is_initializing():  # its parameters are the encoder's
            self.flow(mean, context)
        return Proposal(mean, precision, context)


def bend(
    network: Encoder,
    variables: Any,
    x: Float[Array, "n d"],
    context: Float[Array, "n layer width"],
    backwards: bool = False,
) -> tuple[Float[Array, "n d"], Float[Array, " n"]]:
    """`Flow.__call__` of the flow that is part of an encoder's variables."""
    own = {"params": variables["params"]["flow"]}
    bent: Any = network.flow.apply(own, x, context, backwards)
    moved, volume = bent
    return moved, volume
