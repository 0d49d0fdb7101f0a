"""The networks: the paper's DCGAN (Zingales & Waldmann 2018, section 3.2; Radford et al. 2016),
which draws arrays, and by name the dense pairs of `compact`, which draws their independent pixels,
and of `altitude`, which draws how high each wavelength sees.

Every generator maps z (n, latent_dim) in [-1, 1] to what it draws (n, ...); every
discriminator maps that to logits (n,). Both are called as
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

from exogan_jax.folding import expand
from exogan_jax.gan import altitude, layers
from exogan_jax.gan.altitude import AltitudeGenerator, Depths, Drawing
from exogan_jax.gan.compact import CompactDiscriminator, CompactGenerator
from exogan_jax.layout import Layout, Values

LATENT_DIM = 100  # the paper's

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
    """The DCGAN's generator: linear to a small image of 8 width channels, then four transposed
    convolutions, each twice as large.

    Attributes:
      side: of the arrays; the paper's 33 begins at 3 x 3.
      width: channels of the last hidden layer; the paper's 64 makes 512, 256, 128, 64, 1.
      axis_name: mapped axis over which batch normalisation shares its statistics in training.
      dtype: compute dtype; parameters and result are float32.
    """

    side: int
    width: int = 64
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, z: Float[Array, "n latent_dim"], train: bool = False
    ) -> Float[Array, "n side side"]:
        """Arrays (n, side, side) in [0, 1] from latents (n, latent_dim)."""
        sizes = [self.side]  # after each layer, from the last to the first
        for _ in range(4):
            sizes.append(-(-sizes[-1] // 2))
        first, *others = sizes[::-1]
        norm = partial(_batch_norm, train, self.axis_name, self.dtype)
        features = [8 * self.width, 4 * self.width, 2 * self.width, self.width]
        x = nn.Dense(first**2 * features[0], kernel_init=_NORMAL, dtype=self.dtype)(z)
        x = nn.relu(norm()(x.reshape(-1, first, first, features[0])))
        for channels, size in zip(features[1:], others[:-1], strict=True):
            x = nn.relu(norm()(_Conv(channels, size, self.dtype)(x)))
        x = _Conv(1, self.side, self.dtype)(x)
        return nn.sigmoid(x[..., 0].astype(jnp.float32))


class Discriminator(nn.Module):
    """The DCGAN's discriminator: four convolutions of stride 2, then linear to one logit.

    The logit sees all features of its own image (the published code mixed the
    images of a batch here).

    Attributes:
      width: channels of the first layer; the paper's 64 makes 64, 128, 256, 512.
      axis_name, dtype: as for `Generator`.
    """

    width: int = 64
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, arrays: Float[Array, "n side side"], train: bool = False
    ) -> Float[Array, " n"]:
        """Logits (n,) of arrays (n, side, side)."""
        norm = partial(_batch_norm, train, self.axis_name, self.dtype)
        x = _leaky(_Conv(self.width, dtype=self.dtype)(arrays[..., None]))
        for factor in (2, 4, 8):
            x = _leaky(norm()(_Conv(factor * self.width, dtype=self.dtype)(x)))
        x = x.reshape(x.shape[0], -1)
        return nn.Dense(1, kernel_init=_NORMAL, dtype=self.dtype)(x)[:, 0].astype(jnp.float32)


class Networks(NamedTuple):
    """A generator and a discriminator that belong together, and what they draw."""

    generator: nn.Module  # z (n, latent_dim) -> (n, *shape)
    discriminator: nn.Module  # (n, *shape) -> logits (n,)
    latent_dim: int
    shape: tuple[int, ...]  # of one drawing
    draw: Callable[[Values], Array]  # ONE spectrum as the networks see it
    values: Callable[[Array], Values]  # inverse
    image: Callable[[Array], Array]  # ONE drawing -> array (side, side)
    #: drawing, points (k,) -> what is compared there: `Values` with the pixels of the points, or
    #: `Depths` of them
    some: Callable[[Array, Array], Values | Depths]
    #: variables, points (k,) -> (z (1, latent_dim) -> the same)
    at_points: Callable[[Any, Array], Callable[[Array], Values | Depths]]
    #: The first entries of a latent are the parameters, scaled (see `anchor`).
    anchored: bool = False


def _some_pixels(values_of: Callable[[Array], Values], drawing: Array, points: Array) -> Values:
    """`Networks.some` of a drawing of pixels."""
    values = values_of(drawing)
    return values._replace(pixels=values.pixels[points])


def _all_then_some(
    generator: nn.Module, some: Callable[[Array, Array], Values], variables: Any, points: Array
) -> Callable[[Array], Values]:
    """`Networks.at_points` of a generator that cannot draw a part."""
    return lambda z: some(generator.apply(variables, z, train=False)[0], points)


def _paper(
    layout: Layout,
    latent_dim: int = LATENT_DIM,
    width: int = 64,
    axis_name: str | None = None,
    dtype: Any = jnp.float32,
) -> Networks:
    generator = Generator(layout.side, width, axis_name, dtype)
    return Networks(
        generator,
        Discriminator(width, axis_name, dtype),
        latent_dim,
        shape=(layout.side, layout.side),
        draw=layout.image,
        values=layout.values,
        image=lambda array: array,
        some=partial(_some_pixels, layout.values),
        at_points=partial(_all_then_some, generator, partial(_some_pixels, layout.values)),
        anchored=latent_dim == len(layout.parameters),
    )


def _compact(
    layout: Layout,
    latent_dim: int = LATENT_DIM,
    width: int = 512,
    depth: int = 3,
    discriminator_width: int | None = None,
    whitened: bool = False,
    dtype: Any = jnp.float32,
) -> Networks:
    generator = CompactGenerator(layout.n_vector, width, depth, whitened, dtype)

    def at_points(variables: Any, points: Array) -> Callable[[Array], Values]:
        if whitened:
            pixels = partial(_some_pixels, layout.from_vector)
            return _all_then_some(generator, pixels, variables, points)
        # The last layer alone knows of wavelengths: some of its columns are some of the points.
        after = jnp.arange(layout.inner**2, layout.n_vector)
        columns = jnp.concatenate([points, after])
        last = {name: x[..., columns] for name, x in variables["params"]["last"].items()}
        small = variables | {"params": variables["params"] | {"last": last}}
        narrow = generator.clone(n_vector=columns.size)

        def some(z: Array) -> Values:
            vector = narrow.apply(small, z, train=False)[0]
            return layout.from_parts(vector[: points.size], vector[points.size :])

        return some

    return Networks(
        generator,
        CompactDiscriminator(discriminator_width or width, depth, whitened, dtype),
        latent_dim,
        shape=(layout.n_vector,),
        draw=layout.vector,
        values=layout.from_vector,
        image=partial(expand, layout),
        some=partial(_some_pixels, layout.from_vector),
        at_points=at_points,
        anchored=latent_dim == len(layout.parameters),
    )


def _altitude(
    layout: Layout,
    molar_mass: tuple[float, ...],
    background: str = "filling",
    latent_dim: int | None = None,
    n_components: int = 96,
    width: int = 512,
    depth: int = 4,
    discriminator_width: int | None = None,
    discriminator_depth: int = 3,
    whitened: bool = False,
    dtype: Any = jnp.float32,
) -> Networks:
    drawing = Drawing(layout, tuple(molar_mass), background)
    generator = AltitudeGenerator(drawing, n_components, width, depth, dtype)
    n = layout.n_wavelength

    def at_points(variables: Any, points: Array) -> Callable[[Array], Depths]:
        part, k = altitude.at_points(variables, points), points.size
        small = generator.clone(n_points=k)

        def some(z: Array) -> Depths:
            drawn = small.apply(part, z, train=False)[0]
            return drawing.depths(drawn[:k], drawn[k:])

        return some

    return Networks(
        generator,
        CompactDiscriminator(discriminator_width or width, discriminator_depth, whitened, dtype),
        latent_dim or len(layout.parameters),
        shape=(drawing.size,),
        draw=drawing.draw,
        values=drawing.values,
        image=lambda drawn: layout.image(drawing.values(drawn)),
        some=lambda drawn, points: drawing.depths(drawn[:n][points], drawn[n:]),
        at_points=at_points,
        anchored=(latent_dim or len(layout.parameters)) == len(layout.parameters),
    )


_BUILDERS: dict[str, Callable[..., Networks]] = {
    "paper": _paper,
    "compact": _compact,
    "altitude": _altitude,
}


def networks(name: str, layout: Layout, **options: Any) -> Networks:
    """A pair of networks by name.

    Args:
      name: `paper` (options `latent_dim`, `width`, `axis_name`, `dtype`); `compact` (`latent_dim`,
        `width`, `depth`, `discriminator_width`, `whitened`, `dtype`), which draws independent
        pixels; or `altitude` (`molar_mass`, `background`, `latent_dim`, `n_components`, `width`,
        `depth`, `discriminator_width`, `discriminator_depth`, `whitened`, `dtype`), which draws
        levels.
      layout: of the arrays.
      **options: see the attributes of the classes; the defaults are the paper's.

    Raises:
      ValueError: unknown name.
    """
    if name not in _BUILDERS:
        raise ValueError(f"unknown networks {name!r}: choose one of {', '.join(_BUILDERS)}")
    return _BUILDERS[name](layout, **options)
