"""The compact dense pair, which works on the independent pixels of an array (`Layout.vector`), and
its whitening.

Most of an ASPA's variance is that of a few numbers (the planet's radius, the scale height); what
tells one gas from another is far smaller. Trained on plain pixels, a discriminator sees the first
and hardly the second. Whitening is a fixed linear change of the coordinates in which both networks
work, from the training set's principal components: every component counts alike, down to a floor.
It is a part of training only: `fold` merges it into the first and last layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float


class Whitening(NamedTuple):
    """values = mean + coordinates @ basis; coordinates = (values - mean) @ inverse."""

    mean: Float[Array, " v"]
    basis: Float[Array, "k v"]
    inverse: Float[Array, "v k"]


def fit_whitening(
    values: Float[np.ndarray, "n v"], floor: float = 1e-3, n_components: int | None = None
) -> Whitening:
    """Principal components of a training set.

    Args:
      values: (n, v) independent pixels of encoded spectra.
      floor: smallest spread, in pixel values, that is worth resolving; components of less are not
        magnified further. 1e-3 of a published normalisation pixel is 30 ppm of depth.
      n_components: the k largest are kept; None for all.
    """
    values = np.asarray(values, np.float64)
    mean = values.mean(axis=0)
    variance, vectors = np.linalg.eigh(np.cov(values, rowvar=False))
    largest = slice(0 if n_components is None else -n_components, None)
    variance, vectors = variance[largest], vectors[:, largest]
    scale = np.sqrt(np.maximum(variance, 0.0) + floor**2)
    return Whitening(
        jnp.asarray(mean, jnp.float32),
        jnp.asarray(vectors.T * scale[:, None], jnp.float32),
        jnp.asarray(vectors / scale, jnp.float32),
    )


def whitened_gradient(gradient: Float[Array, "n v"], whitening: Whitening) -> Float[Array, "n v"]:
    """Gradient with respect to the whitened coordinates, from that with respect to the pixels."""
    return gradient @ whitening.basis.T


class _Whitened(nn.Module):
    """Holds the whitening among the batch statistics: data, carried along and not trained."""

    size: int

    def setup(self) -> None:
        size = self.size
        self.mean = self.variable("batch_stats", "mean", jnp.zeros, (size,))
        self.basis = self.variable("batch_stats", "basis", jnp.eye, size)
        self.inverse = self.variable("batch_stats", "inverse", jnp.eye, size)

    def colour(self, coordinates: Float[Array, "n v"]) -> Float[Array, "n v"]:
        return self.mean.value[None, :] + coordinates @ self.basis.value

    def whiten(self, values: Float[Array, "n v"]) -> Float[Array, "n v"]:
        return (values - self.mean.value[None, :]) @ self.inverse.value


class CompactGenerator(nn.Module):
    """A dense residual generator of the independent pixels of an array.

    Strips of equal pixels (normalisation, parameters) are equal by construction. Smooth
    activations, so that the optimisation of z sees smooth gradients. No batch normalisation.

    Attributes:
      n_vector: number of pixels v.
      width: features of the hidden layers.
      depth: number of residual layers.
      whitened: the last layer draws whitened coordinates (in training).
      dtype: compute dtype; parameters and result are float32.
    """

    n_vector: int
    width: int = 512
    depth: int = 3
    whitened: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, z: Float[Array, "n latent_dim"], train: bool = False) -> Float[Array, "n v"]:
        """Pixels (n, v) in [0, 1] from latents (n, latent_dim)."""
        del train  # the same in training and in use
        x = nn.Dense(self.width, dtype=self.dtype, name="first")(z)
        for _ in range(self.depth):
            x = x + nn.Dense(self.width, dtype=self.dtype)(nn.silu(x))
        values = nn.Dense(self.n_vector, dtype=self.dtype, name="last")(nn.silu(x))
        values = values.astype(jnp.float32)
        if self.whitened:
            values = _Whitened(self.n_vector, name="whitening").colour(values)
        return jnp.clip(values, 0.0, 1.0)


class CompactDiscriminator(nn.Module):
    """A dense residual discriminator of the independent pixels of an array.

    Attributes:
      width, depth, whitened, dtype: as for `CompactGenerator`; here the first layer is whitened.
    """

    width: int = 512
    depth: int = 3
    whitened: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, values: Float[Array, "n v"], train: bool = False) -> Float[Array, " n"]:
        """Logits (n,) of pixels (n, v)."""
        del train  # the same in training and in use
        if self.whitened:
            values = _Whitened(values.shape[1], name="whitening").whiten(values)
        x = nn.Dense(self.width, dtype=self.dtype, name="first")(values)
        for _ in range(self.depth):
            x = x + nn.Dense(self.width, dtype=self.dtype)(_leaky(x))
        return nn.Dense(1, dtype=self.dtype, name="last")(_leaky(x))[:, 0].astype(jnp.float32)


def _leaky(x: Array) -> Array:
    return nn.leaky_relu(x, 0.2)


def whitened_difference(
    whitening: Whitening, power: float = 0.0
) -> Callable[[Float[Array, "n v"]], Float[Array, "n v"]]:
    """A function from differences of pixels to whitened coordinates, for `losses.anchor_loss`.

    Args:
      whitening: its floor is the smallest difference that counts.
      power: coordinates are weighted with their spread to this power. 0 asks for the same relative
        accuracy of all, 1 for the same absolute one; the mean square of the weights is 1.
    """
    spread = jnp.linalg.norm(whitening.basis, axis=1)
    weight = spread**power
    matrix = whitening.inverse * (weight / jnp.sqrt(jnp.mean(weight**2)))[None, :]
    return lambda difference: difference @ matrix


def fold_last(params: dict[str, Any], whitening: Whitening) -> dict[str, Any]:
    """Parameters of a generator that is not whitened, but computes the same."""
    # In double precision: the inverse magnifies, and the products are exact there.
    mean, basis, _ = (np.asarray(x, np.float64) for x in whitening)
    last = {name: np.asarray(x, np.float64) for name, x in params["last"].items()}
    return params | {"last": _layer(last["kernel"] @ basis, last["bias"] @ basis + mean)}


def fold_first(params: dict[str, Any], whitening: Whitening) -> dict[str, Any]:
    """Parameters of a discriminator that is not whitened, but computes the same."""
    mean, _, inverse = (np.asarray(x, np.float64) for x in whitening)
    first = {name: np.asarray(x, np.float64) for name, x in params["first"].items()}
    kernel = inverse @ first["kernel"]
    return params | {"first": _layer(kernel, first["bias"] - mean @ kernel)}


def _layer(kernel: np.ndarray, bias: np.ndarray) -> dict[str, Array]:
    return {"kernel": jnp.asarray(kernel, jnp.float32), "bias": jnp.asarray(bias, jnp.float32)}
