"""The compact dense pair, which draws the independent values of an ASPA only, and its whitening.

Most of an ASPA's variance is that of a few numbers (the planet's radius, the scale height); what
tells one gas from another is far smaller. Trained on plain pixels, a discriminator sees the first
and hardly the second. Whitening is a fixed linear change of the coordinates in which both networks
work, from the training set's principal components: every component counts alike, down to a floor.
It is a part of training only: `fold` merges it into the first and last layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

#: Pixels of an encoded ASPA that are not copies of another: 529 of area 1 (the spectrum and its
#: padding), maximum and minimum of 14 sections, 7 parameters. See `aspa.encode`.
N_ASPA_VALUES = 564


def expand_values(values: Float[Array, "n 564"]) -> Float[Array, "n 33 33"]:
    """Lays the independent values of an ASPA out as an array: every strip is one value.

    Args:
      values: (n, 564): area 1 row by row; maxima, then minima of the sections; CO2, CO, CH4;
        mass, radius, temperature; H2O.
    """
    n = values.shape[0]
    area1, high, low, gases, planet, h2o = jnp.split(values, (529, 543, 557, 560, 563), axis=1)
    # Slices and broadcasts: their gradients are sums, where that of an index would be a scatter.
    bars = jnp.concatenate(  # (n, 14, 23)
        [
            jnp.broadcast_to(high[:, :, None], (n, 14, 12)),
            jnp.broadcast_to(low[:, :, None], (n, 14, 11)),
        ],
        axis=2,
    )
    columns = [bars[:, :7], jnp.broadcast_to(gases[:, :, None], (n, 3, 23))]
    rows = [bars[:, 7:], jnp.broadcast_to(planet[:, :, None], (n, 3, 23))]
    right = jnp.concatenate(columns, axis=1).transpose(0, 2, 1)
    top = jnp.concatenate([area1.reshape(n, 23, 23), right], axis=2)
    corner = jnp.broadcast_to(h2o[:, :, None], (n, 10, 10))
    bottom = jnp.concatenate([jnp.concatenate(rows, axis=1), corner], axis=2)
    return jnp.concatenate([top, bottom], axis=1)


def reduce_values(aspa: Float[Array, "n 33 33"]) -> Float[Array, "n 564"]:
    """Inverse of `expand_values`: the mean of every group of pixels that should be equal.

    A mean, and not one pixel of the group, so that the gradient of a logit reaches every pixel.
    """
    columns = aspa[:, :23, 23:].transpose(0, 2, 1)
    rows = aspa[:, 23:, :23]
    bars = jnp.concatenate([columns[:, :7], rows[:, :7]], axis=1)
    return jnp.concatenate(
        [
            aspa[:, :23, :23].reshape(-1, 529),
            bars[:, :, :12].mean(axis=2),
            bars[:, :, 12:].mean(axis=2),
            columns[:, 7:].mean(axis=2),
            rows[:, 7:].mean(axis=2),
            aspa[:, 23:, 23:].mean(axis=(1, 2))[:, None],
        ],
        axis=1,
    )


class Whitening(NamedTuple):
    """values = mean + coordinates @ basis; coordinates = (values - mean) @ inverse."""

    mean: Float[Array, "564"]
    basis: Float[Array, "564 564"]
    inverse: Float[Array, "564 564"]


def fit_whitening(values: Float[np.ndarray, "n 564"], floor: float = 1e-3) -> Whitening:
    """Principal components of a training set.

    Args:
      values: (n, 564) independent values of encoded spectra, see `reduce_values`.
      floor: smallest spread, in pixel values, that is worth resolving; components of less are not
        magnified further. 1e-3 of a normalisation pixel is 30 ppm of depth.
    """
    values = np.asarray(values, np.float64)
    mean = values.mean(axis=0)
    variance, vectors = np.linalg.eigh(np.cov(values, rowvar=False))
    scale = np.sqrt(np.maximum(variance, 0.0) + floor**2)
    return Whitening(
        jnp.asarray(mean, jnp.float32),
        jnp.asarray(vectors.T * scale[:, None], jnp.float32),
        jnp.asarray(vectors / scale, jnp.float32),
    )


def whitened_gradient(
    gradient: Float[Array, "n 33 33"], whitening: Whitening
) -> Float[Array, "n 564"]:
    """Gradient with respect to the whitened coordinates, from that with respect to the pixels."""
    # The adjoint of the layout sums over each group of equal pixels.
    example = jnp.zeros((gradient.shape[0], N_ASPA_VALUES), gradient.dtype)
    (by_value,) = jax.linear_transpose(expand_values, example)(gradient)
    return by_value @ whitening.basis.T


class _Whitened(nn.Module):
    """Holds the whitening among the batch statistics: data, carried along and not trained."""

    def setup(self) -> None:
        size = N_ASPA_VALUES
        self.mean = self.variable("batch_stats", "mean", jnp.zeros, (size,))
        self.basis = self.variable("batch_stats", "basis", jnp.eye, size)
        self.inverse = self.variable("batch_stats", "inverse", jnp.eye, size)

    def colour(self, coordinates: Float[Array, "n 564"]) -> Float[Array, "n 564"]:
        return self.mean.value[None, :] + coordinates @ self.basis.value

    def whiten(self, values: Float[Array, "n 564"]) -> Float[Array, "n 564"]:
        return (values - self.mean.value[None, :]) @ self.inverse.value


class CompactGenerator(nn.Module):
    """A dense residual generator of the 564 independent values of an ASPA.

    Strips of equal pixels (normalisation, parameters) are equal by construction. Smooth
    activations, so that the optimisation of z sees smooth gradients. No batch normalisation.

    Attributes:
      width: features of the hidden layers.
      depth: number of residual layers.
      whitened: the last layer draws whitened coordinates (in training, see `set_whitening`).
      dtype: compute dtype; parameters and result are float32.
    """

    width: int = 512
    depth: int = 3
    whitened: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, z: Float[Array, "n latent_dim"], train: bool = False
    ) -> Float[Array, "n 33 33"]:
        """Arrays (n, 33, 33) in [0, 1] from latents (n, latent_dim)."""
        del train  # the same in training and in use
        x = nn.Dense(self.width, dtype=self.dtype, name="first")(z)
        for _ in range(self.depth):
            x = x + nn.Dense(self.width, dtype=self.dtype)(nn.silu(x))
        values = nn.Dense(N_ASPA_VALUES, dtype=self.dtype, name="last")(nn.silu(x))
        values = values.astype(jnp.float32)
        if self.whitened:
            values = _Whitened(name="whitening").colour(values)
        return expand_values(jnp.clip(values, 0.0, 1.0))


class CompactDiscriminator(nn.Module):
    """A dense residual discriminator of the 564 independent values of an ASPA.

    Attributes:
      width, depth, whitened, dtype: as for `CompactGenerator`; here the first layer is whitened.
    """

    width: int = 512
    depth: int = 3
    whitened: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, aspa: Float[Array, "n 33 33"], train: bool = False) -> Float[Array, " n"]:
        """Logits (n,) of arrays (n, 33, 33)."""
        del train  # the same in training and in use
        values = reduce_values(aspa)
        if self.whitened:
            values = _Whitened(name="whitening").whiten(values)
        x = nn.Dense(self.width, dtype=self.dtype, name="first")(values)
        for _ in range(self.depth):
            x = x + nn.Dense(self.width, dtype=self.dtype)(_leaky(x))
        return nn.Dense(1, dtype=self.dtype, name="last")(_leaky(x))[:, 0].astype(jnp.float32)


def _leaky(x: Array) -> Array:
    return nn.leaky_relu(x, 0.2)


def set_whitening(stats: dict[str, Any], whitening: Whitening) -> dict[str, Any]:
    """The batch statistics of a whitened network, with this whitening in them."""
    return stats | {"whitening": whitening._asdict()}


def whitened_difference(
    whitening: Whitening, power: float = 0.0
) -> Callable[[Float[Array, "n 33 33"]], Float[Array, "n 564"]]:
    """A function from differences of arrays to whitened coordinates, for `losses.anchor_loss`.

    Args:
      whitening: its floor is the smallest difference that counts.
      power: coordinates are weighted with their spread to this power. 0 asks for the same relative
        accuracy of all, 1 for the same absolute one; the mean square of the weights is 1.
    """
    spread = jnp.linalg.norm(whitening.basis, axis=1)
    weight = spread**power
    matrix = whitening.inverse * (weight / jnp.sqrt(jnp.mean(weight**2)))[None, :]
    return lambda difference: reduce_values(difference) @ matrix


def fold(
    generator: dict[str, Any],
    discriminator: dict[str, Any],
    generator_whitening: Whitening,
    discriminator_whitening: Whitening,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters of the pair without whitening that computes the same.

    Args:
      generator: parameters of a whitened `CompactGenerator`.
      discriminator: parameters of a whitened `CompactDiscriminator`.
      generator_whitening, discriminator_whitening: theirs.
    """

    def layer(kernel: np.ndarray, bias: np.ndarray) -> dict[str, Array]:
        return {"kernel": jnp.asarray(kernel, jnp.float32), "bias": jnp.asarray(bias, jnp.float32)}

    # In double precision: the inverse magnifies, and the products are exact there.
    mean, basis, _ = (np.asarray(x, np.float64) for x in generator_whitening)
    last = {name: np.asarray(x, np.float64) for name, x in generator["last"].items()}
    folded = layer(last["kernel"] @ basis, last["bias"] @ basis + mean)
    mean, _, inverse = (np.asarray(x, np.float64) for x in discriminator_whitening)
    first = {name: np.asarray(x, np.float64) for name, x in discriminator["first"].items()}
    kernel = inverse @ first["kernel"]
    return (
        generator | {"last": folded},
        discriminator | {"first": layer(kernel, first["bias"] - mean @ kernel)},
    )
