"""The networks: the paper's DCGAN (Zingales & Waldmann 2018, section 3.2; Radford et al. 2016), and
by name the compact pair of `compact`.

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
from exogan_jax.gan.compact import CompactDiscriminator, CompactGenerator

LATENT_DIM = 100
SIZE = 33
_SIZES = (3, 5, 9, 17, SIZE)  # side of the image after each layer of the DCGAN

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
        """Arrays (n, 33, 33) in [0, 1] from latents (n, latent_dim)."""
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
        """Logits (n,) of arrays (n, 33, 33)."""
        norm = partial(_batch_norm, train, self.axis_name, self.dtype)
        x = _leaky(_Conv(self.width, dtype=self.dtype)(aspa[..., None]))
        for factor in (2, 4, 8):
            x = _leaky(norm()(_Conv(factor * self.width, dtype=self.dtype)(x)))
        x = x.reshape(x.shape[0], -1)
        return nn.Dense(1, kernel_init=_NORMAL, dtype=self.dtype)(x)[:, 0].astype(jnp.float32)


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
    latent_dim: int = LATENT_DIM,
    width: int = 512,
    depth: int = 3,
    discriminator_width: int | None = None,
    whitened: bool = False,
    dtype: Any = jnp.float32,
) -> Networks:
    generator = CompactGenerator(width, depth, whitened, dtype)
    discriminator = CompactDiscriminator(discriminator_width or width, depth, whitened, dtype)
    return Networks(generator, discriminator, latent_dim)


_BUILDERS: dict[str, Callable[..., Networks]] = {"paper": _paper, "compact": _compact}


def networks(name: str, **options: Any) -> Networks:
    """A pair of networks by name.

    Args:
      name: `paper` (options `latent_dim`, `width`, `axis_name`, `dtype`) or `compact` (options
        `latent_dim`, `width`, `depth`, `discriminator_width`, `whitened`, `dtype`).
      **options: see the attributes of the classes; the defaults are the paper's.

    Raises:
      ValueError: unknown name.
    """
    if name not in _BUILDERS:
        raise ValueError(f"unknown networks {name!r}: choose one of {', '.join(_BUILDERS)}")
    return _BUILDERS[name](**options)
