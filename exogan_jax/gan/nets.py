"""The networks: the paper's DCGAN (Zingales & Waldmann 2018, section 3.2; Radford et al. 2016) and
a compact dense pair that draws the independent values of an ASPA only.

Every generator maps z (n, latent_dim) in [-1, 1] to arrays (n, 33, 33) in [0, 1]; every
discriminator maps arrays (n, 33, 33) to logits (n,). Both are called as
`module.apply(variables, x, train=False)`; `train=True` uses and updates batch statistics
(`mutable=["batch_stats"]`), if the network has any.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from exogan_jax.gan import layers

LATENT_DIM = 100
SIZE = 33
_SIZES = (3, 5, 9, 17, SIZE)  # side of the image after each layer of the DCGAN


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


_NORMAL = nn.initializers.normal(0.02)


def _leaky(x: Array) -> Array:
    return nn.leaky_relu(x, 0.2)


class _Conv(nn.Module):
    """5x5 convolution of stride 2 with a bias, or its transpose where `out_size` is given."""

    features: int
    out_size: int | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "n h w cin"]) -> Float[Array, "n h2 w2 cout"]:
        channels = x.shape[-1]
        pair = (channels, self.features) if self.out_size is None else (self.features, channels)
        kernel = self.param("kernel", _NORMAL, (5, 5, *pair), jnp.float32).astype(self.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        x = x.astype(self.dtype)
        if self.out_size is None:
            out = layers.conv_stride2(x, kernel)
        else:
            out = layers.conv_transpose_stride2(x, kernel, (self.out_size, self.out_size))
        return out + bias.astype(self.dtype)[None, None, None, :]


def _batch_norm(train: bool, axis_name: str | None, dtype: Any) -> Callable[[Array], Array]:
    return nn.BatchNorm(
        use_running_average=not train,
        momentum=0.9,
        epsilon=1e-5,
        dtype=dtype,
        # Statistics are shared between replicas in training only: inference needs no axis.
        axis_name=axis_name if train else None,
    )


class Generator(nn.Module):
    """The DCGAN's generator: linear to 3 x 3 x 8 width, then four transposed convolutions.

    Attributes:
      width: channels of the last hidden layer; the paper's 64 makes 512, 256, 128, 64, 1.
      axis_name: mapped axis over which batch normalisation shares its statistics in training.
      dtype: compute dtype; parameters and result are float32.
    """

    width: int = 64
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, z: Float[Array, "n latent_dim"], train: bool = False
    ) -> Float[Array, "n 33 33"]:
        norm = partial(_batch_norm, train, self.axis_name, self.dtype)
        features = [8 * self.width, 4 * self.width, 2 * self.width, self.width]
        x = nn.Dense(9 * features[0], kernel_init=_NORMAL, dtype=self.dtype)(z)
        x = nn.relu(norm()(x.reshape(-1, _SIZES[0], _SIZES[0], features[0])))
        for channels, size in zip(features[1:], _SIZES[1:], strict=False):
            x = nn.relu(norm()(_Conv(channels, size, self.dtype)(x)))
        x = _Conv(1, SIZE, self.dtype)(x)
        return nn.sigmoid(x[..., 0].astype(jnp.float32))


class Discriminator(nn.Module):
    """The DCGAN's discriminator: four convolutions of stride 2, then linear to one logit.

    The logit sees all 3 x 3 x 8 width features of its own image (the published code mixed the
    images of a batch here).

    Attributes:
      width: channels of the first layer; the paper's 64 makes 64, 128, 256, 512.
      axis_name, dtype: as for `Generator`.
    """

    width: int = 64
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, aspa: Float[Array, "n 33 33"], train: bool = False) -> Float[Array, " n"]:
        norm = partial(_batch_norm, train, self.axis_name, self.dtype)
        x = _leaky(_Conv(self.width, dtype=self.dtype)(aspa[..., None]))
        for factor in (2, 4, 8):
            x = _leaky(norm()(_Conv(factor * self.width, dtype=self.dtype)(x)))
        x = x.reshape(x.shape[0], -1)
        return nn.Dense(1, kernel_init=_NORMAL, dtype=self.dtype)(x)[:, 0].astype(jnp.float32)


class CompactGenerator(nn.Module):
    """A dense residual generator of the 564 independent values of an ASPA.

    Strips of equal pixels (normalisation, parameters) are equal by construction. Smooth
    activations, so that the optimisation of z sees smooth gradients. No batch normalisation.

    Attributes:
      width: features of the hidden layers.
      depth: number of residual layers.
      dtype: compute dtype; parameters and result are float32.
    """

    width: int = 512
    depth: int = 3
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, z: Float[Array, "n latent_dim"], train: bool = False
    ) -> Float[Array, "n 33 33"]:
        del train  # the same in training and in use
        x = nn.Dense(self.width, dtype=self.dtype)(z)
        for _ in range(self.depth):
            x = x + nn.Dense(self.width, dtype=self.dtype)(nn.silu(x))
        values = nn.Dense(N_ASPA_VALUES, dtype=self.dtype)(nn.silu(x))
        return expand_values(nn.sigmoid(values.astype(jnp.float32)))


class CompactDiscriminator(nn.Module):
    """A dense residual discriminator of the 564 independent values of an ASPA.

    Attributes:
      width, depth, dtype: as for `CompactGenerator`.
    """

    width: int = 512
    depth: int = 3
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, aspa: Float[Array, "n 33 33"], train: bool = False) -> Float[Array, " n"]:
        del train  # the same in training and in use
        x = nn.Dense(self.width, dtype=self.dtype)(2 * reduce_values(aspa) - 1)
        for _ in range(self.depth):
            x = x + nn.Dense(self.width, dtype=self.dtype)(_leaky(x))
        return nn.Dense(1, dtype=self.dtype)(_leaky(x))[:, 0].astype(jnp.float32)


class Networks(NamedTuple):
    """A generator and a discriminator that belong together."""

    generator: nn.Module  # z (n, latent_dim) -> (n, 33, 33)
    discriminator: nn.Module  # (n, 33, 33) -> logits (n,)
    latent_dim: int


def _paper(
    latent_dim: int = LATENT_DIM,
    width: int = 64,
    axis_name: str | None = None,
    dtype: Any = jnp.float32,
) -> Networks:
    return Networks(
        Generator(width, axis_name, dtype), Discriminator(width, axis_name, dtype), latent_dim
    )


def _compact(
    latent_dim: int = LATENT_DIM, width: int = 512, depth: int = 3, dtype: Any = jnp.float32
) -> Networks:
    return Networks(
        CompactGenerator(width, depth, dtype), CompactDiscriminator(width, depth, dtype), latent_dim
    )


_BUILDERS: dict[str, Callable[..., Networks]] = {"paper": _paper, "compact": _compact}


def networks(name: str, **options: Any) -> Networks:
    """A pair of networks by name.

    Args:
      name: `paper` (options `latent_dim`, `width`, `axis_name`, `dtype`) or `compact` (options
        `latent_dim`, `width`, `depth`, `dtype`).
      **options: see the attributes of the classes; the defaults are the paper's.

    Raises:
      ValueError: unknown name.
    """
    if name not in _BUILDERS:
        raise ValueError(f"unknown networks {name!r}: choose one of {', '.join(_BUILDERS)}")
    return _BUILDERS[name](**options)
