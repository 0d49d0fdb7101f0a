"""The networks that ship: they draw not pixels, but the altitude that each wavelength probes.

With the parameters known (anchored latents), the planet's disc and scale height h (in radii) follow
in closed form (`atmosphere.scale_of`). In an atmosphere of falling gravity

    depth = disc / (1 - h y)^2

where y, the level, is the logarithm of the ratio of the bottom's pressure to that at the effective
altitude: smooth, and between 0 and 25 for every planet. It is what the network learns, as principal
components; that is a hundred times as accurate as drawing pixels. Spectrum, sections' bounds and
pixels follow by a fixed, differentiable map (`Drawing.values`): it still is a generator of ASPAs.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float, Int

from exogan_jax.atmosphere import Scale, excess, scale_of
from exogan_jax.layout import Layout, Values

#: Levels are cut where the depth is 25 times the disc: what exists stays below 9.
_HIGHEST = 0.8


class Depths(NamedTuple):
    """A spectrum as drawn, or some of its points (k,)."""

    level: Float[Array, " k"]  # as the network has it
    depth: Float[Array, " k"]  # (Rp/R_sun)^2
    slope: Float[Array, " k"]  # change of depth with the level: twice the disc times h, or more
    theta: Float[Array, " d"]
    anchor: Float[Array, " d"]  # theta, scaled to [-1, 1]
    excess: Float[Array, ""]  # 0 where there is such a planet, see `atmosphere.excess`


@dataclasses.dataclass(frozen=True)
class Drawing:
    """What the networks of a problem draw: levels (w,), then theta scaled to [-1, 1] (d,)."""

    layout: Layout
    molar_mass: tuple[float, ...]  # u, of the parameters' gases
    background: str = "filling"  # see `atmosphere.mix`

    @property
    def size(self) -> int:
        """Length of a drawing."""
        return self.layout.n_wavelength + len(self.layout.parameters)

    def scale(self, theta: Float[Array, " d"]) -> Scale:
        """Disc and scale height of ONE planet."""
        return _scale(self, theta)

    def theta(self, anchor: Float[Array, " d"]) -> Float[Array, " d"]:
        """Parameters, from themselves scaled to [-1, 1]."""
        return self.layout.parameters.from_anchor(anchor)

    def draw(self, values: Values) -> Float[Array, " size"]:
        """ONE spectrum as a drawing."""
        depth, theta = self.layout.unpack(values)
        level = self.level(depth, theta)
        return jnp.concatenate([level, self.layout.parameters.to_anchor(theta)])

    def values(self, drawing: Float[Array, " size"]) -> Values:
        """Inverse of `draw`."""
        n = self.layout.n_wavelength
        depths = self.depths(drawing[:n], drawing[n:])
        return self.layout.pack(depths.depth, depths.theta)

    def depths(self, level: Float[Array, " k"], anchor: Float[Array, " d"]) -> Depths:
        """The spectrum at some levels, of parameters scaled to [-1, 1]."""
        theta = self.theta(anchor)
        scale = self.scale(theta)
        rest = 1 - jnp.minimum(scale.height * level, _HIGHEST)
        depth = scale.disc / jnp.square(rest)
        gone = excess(scale, self.background)
        return Depths(level, depth, _slope(scale, depth), theta, anchor, gone)

    def level(self, depth: Float[Array, " k"], theta: Float[Array, " d"]) -> Float[Array, " k"]:
        """Levels of depths."""
        scale = self.scale(theta)
        return (1 - jnp.sqrt(scale.disc / depth)) / scale.height

    def slope(self, depth: Float[Array, " k"], theta: Float[Array, " d"]) -> Float[Array, " k"]:
        """By how much depths change with their levels."""
        return _slope(self.scale(theta), depth)


# Traced once for all places in a program that ask for it, which are dozens.
@partial(jax.jit, static_argnums=0)
def _scale(drawing: Drawing, theta: Float[Array, " d"]) -> Scale:
    masses = np.array(drawing.molar_mass)
    return scale_of(theta, drawing.layout.parameters, masses, drawing.background)


def _slope(scale: Scale, depth: Float[Array, " k"]) -> Float[Array, " k"]:
    return 2 * scale.height * depth * jnp.sqrt(depth / scale.disc)


class AltitudeGenerator(nn.Module):
    """A dense residual generator of levels. Smooth activations, so that the optimisation of z sees
    smooth gradients. No batch normalisation.

    The first entries of its latents are the scaled parameters, which it passes on as they are.

    Attributes:
      drawing: of the problem.
      n_components: principal components of the levels that it draws; their basis, from the training
        set, is held with the batch statistics (see `whitening`).
      width: features of the hidden layers.
      depth: number of residual layers.
      dtype: compute dtype; parameters and result are float32.
      n_points: of the levels; None for all wavelengths, see `at_points`.
    """

    drawing: Drawing
    n_components: int = 96
    width: int = 512
    depth: int = 4
    dtype: Any = jnp.float32
    n_points: int | None = None

    @nn.compact
    def __call__(
        self, z: Float[Array, "n latent_dim"], train: bool = False
    ) -> Float[Array, "n size"]:
        """Drawings (n, size) from latents (n, latent_dim)."""
        del train  # the same in training and in use
        anchor = z[:, : len(self.drawing.layout.parameters)]
        scale = jax.vmap(lambda latent: self.drawing.scale(self.drawing.theta(latent)))(anchor)
        # Of order 1: scale heights of 1e-4 to 0.03 radii, gravities of 1 to 1000 m/s^2.
        known = jnp.stack([jnp.log(scale.height) + 5.5, jnp.log(scale.gravity) - 2.3], axis=1)
        x = jnp.concatenate([z, 0.5 * known], axis=1)
        x = nn.Dense(self.width, dtype=self.dtype, name="first")(x)
        for _ in range(self.depth):
            x = x + nn.Dense(self.width, dtype=self.dtype)(nn.silu(x))
        components = nn.Dense(self.n_components, dtype=self.dtype, name="last")(nn.silu(x))
        n_points = self.n_points or self.drawing.layout.n_wavelength
        levels = Levels(n_points, self.n_components, name="whitening")(
            components.astype(jnp.float32)
        )
        return jnp.concatenate([levels, anchor], axis=1)


class Levels(nn.Module):
    """Levels from their principal components, which are data, carried along and not trained."""

    n_wavelength: int
    n_components: int

    @nn.compact
    def __call__(self, components: Float[Array, "n component"]) -> Float[Array, "n w"]:
        """Levels (n, w)."""
        mean = self.variable("batch_stats", "mean", jnp.zeros, (self.n_wavelength,))
        shape = (self.n_components, self.n_wavelength)
        basis = self.variable("batch_stats", "basis", jnp.zeros, shape)
        return mean.value[None, :] + components @ basis.value


def at_points(variables: dict[str, Any], points: Int[Array, " k"]) -> dict[str, Any]:
    """Variables of a generator of `n_points` = k, some of another one's points."""
    held = variables["batch_stats"]["whitening"]
    some = held | {"mean": held["mean"][points], "basis": held["basis"][:, points]}
    return variables | {"batch_stats": {"whitening": some}}
