"""Coordinates in which an ensemble moves: `flat.to_flat` of a place of the prior's box, where the
box has no walls; for spectra drawn as levels, the coordinates of `straight` replace mass and
radius: the scale height's less that which fits best with all others, the radius's less that which
does with all others and this scale height.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Array, Bool, Float

from exogan_jax.gan.altitude import Depths
from exogan_jax.gan.model import Model
from exogan_jax.gan.npe import from_normal, to_normal
from exogan_jax.retrieval.asked_scale import BestFit, asked, asked_radius, rest
from exogan_jax.retrieval.compared import Target
from exogan_jax.retrieval.flat import from_flat, log_share, to_flat
from exogan_jax.retrieval.importance import Chart
from exogan_jax.retrieval.latent_prior import latent_at
from exogan_jax.retrieval.levels import LevelTarget
from exogan_jax.retrieval.straight import bend, of_scaled, places, put, scaled, straighten


class Coordinates(NamedTuple):
    """Of ONE target."""

    #: place (d,) -> position (d,), and the logarithm of the share of the box that a unit of it has
    position: Callable[[Float[Array, " d"]], tuple[Float[Array, " d"], Float[Array, ""]]]
    #: The inverse: position (d,) -> place, and the same logarithm
    place: Callable[[Float[Array, " d"]], tuple[Float[Array, " d"], Float[Array, ""]]]
    #: Coordinates (d,) whose distribution depends little on the others: differences from what fits
    #: best with those.
    apart: Bool[np.ndarray | Array, " d"]
    normal: Chart  # the same with those of `npe.to_normal` in place of the flat ones
    #: `place`, and the levels there, which the map draws on its way for nearly the same radius;
    #: None where the networks draw none. Levels change by the logarithm of the radius at most.
    #: Errors s of the data leave less than s / (2 depth) of that open, which in depth are h s: of
    #: a scale height h of 0.01 radii, a hundredth of the errors.
    drawn: Callable[[Float[Array, " d"]], tuple[Array, Array, Float[Array, " k"]]] | None = None


def _normal(is_flat: Bool[np.ndarray | Array, " d"]) -> Chart:
    """From flat coordinates to normal ones."""

    def volume(position: Array, u: Array) -> Array:
        return jnp.where(is_flat, log_share(position) - norm.logpdf(u), 0.0).sum(axis=-1)

    def to(position: Array) -> tuple[Array, Array]:
        u = jnp.where(is_flat, to_normal(from_flat(position)), position)
        return u, volume(position, u)

    def back(u: Array) -> tuple[Array, Array]:
        position = jnp.where(is_flat, to_flat(from_normal(u)), u)
        return position, -volume(position, u)

    return Chart(to, back)


def flat_coordinates(d: int) -> Coordinates:
    """Of a box of d dimensions."""

    def position_of(place: Array) -> tuple[Array, Array]:
        u = to_flat(place)
        return u, log_share(u).sum()

    def place_of(u: Array) -> tuple[Array, Array]:
        return from_flat(u), log_share(u).sum()

    return Coordinates(position_of, place_of, np.zeros(d, bool), _normal(np.ones(d, bool)))


def coordinates_of(model: Model, target: Target, best: Float[Array, " d"]) -> Coordinates:
    """Those that suit a target: mass and radius as differences from the scale height and the radius
    that fit the data best.

    Args:
      model: the networks.
      target: the observation's.
      best: a place that fits.
    """
    if not isinstance(target.depth, LevelTarget):
        return flat_coordinates(best.size)
    drawing, prior = model.drawing, target.prior
    generate = model.at_points(target.depth.point)

    @jax.jit
    def depths_of(latent: Array) -> Depths:
        depths = generate(latent)
        assert isinstance(depths, Depths)
        return depths

    mass, radius = places(drawing)
    middle = straighten(latent_at(prior, best), drawing)
    fixed = jnp.asarray(prior.half) == 0
    is_one = np.isin(np.arange(fixed.size), (mass, radius))
    straight = is_one & ~fixed[mass] & ~fixed[radius]
    half = jnp.where(fixed, 1.0, prior.half)

    def by_others(latent: Array) -> tuple[Array, BestFit]:
        """The scaled scale height that fits best, whatever a latent's own mass and radius."""
        other, _ = bend(jnp.where(is_one, middle, latent), drawing)
        depths = depths_of(other)
        found = asked(depths, target.depth, drawing)
        found = found._replace(apparent=found.apparent * depths.theta[radius])
        return scaled(found.height, found.apparent, drawing)[0], found

    def by_height(latent: Array, scaled_height: Array, found: BestFit) -> tuple[Array, Array]:
        """The scaled radius that fits best with the latent's others and this scale height, and the
        levels nearly there; those of the latent itself where mass or radius is fixed.
        """
        height, _ = of_scaled((scaled_height, jnp.zeros(())), drawing)
        nearly = scaled(height, found.apparent * rest(height, found.level), drawing)
        other, _ = bend(put(latent, drawing, nearly), drawing)
        depths = depths_of(jnp.where(straight.any(), other, latent))
        exactly = depths.theta[radius] * asked_radius(depths, target.depth, drawing)
        return scaled(height, exactly, drawing)[1], depths.level

    def share_of_box(u: Array, volume: Array) -> Array:
        # A place of the box has the density 1/2 a dimension.
        density = jnp.where(straight, -jnp.log(2 * half), log_share(u)).sum()
        return density + jnp.where(straight.any(), volume, 0.0)

    def position_of(place: Array) -> tuple[Array, Array]:
        latent, u = latent_at(prior, place), to_flat(place)
        height, found = by_others(latent)
        own = straighten(latent, drawing)
        asked_for = height, by_height(latent, own[mass], found)[0]
        _, volume = bend(own, drawing)
        off = own - put(jnp.zeros_like(own), drawing, asked_for)
        return jnp.where(straight, off, u), share_of_box(u, volume)

    @jax.jit  # traced once, as `compared`'s densities
    def drawn(position: Array) -> tuple[Array, Array, Array]:
        u = jnp.where(straight, 0.0, position)
        latent = latent_at(prior, from_flat(u))
        height, found = by_others(latent)
        height = position[mass] + height
        best_radius, level = by_height(latent, height, found)
        own = height, position[radius] + best_radius
        bent, volume = bend(jnp.where(straight, put(latent, drawing, own), latent), drawing)
        place = jnp.where(straight, (bent - prior.centre) / half, from_flat(u))
        return place, share_of_box(u, volume), level

    def place_of(position: Array) -> tuple[Array, Array]:
        return drawn(position)[:2]

    return Coordinates(jax.jit(position_of), place_of, straight, _normal(~straight), drawn)
