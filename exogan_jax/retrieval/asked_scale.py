"""The scale height that fits the data best, all other parameters given, and the radius that does
with that scale height or another.

A spectrum of strong features fixes both to a part in a thousand, at values that depend on all
other parameters: the posterior is a thin, bent sheet. With 1/sqrt(depth) = (1 - h y)/R the levels y
that a generator draws from the others give h and R by linear regression. When these are subtracted
from the coordinates of `straight`, the sheet is flat: 32,768 draws about an ensemble (`importance`)
are worth 1,900-4,700 independent samples, instead of 300-860.

Where the data do not fix the scale height, the levels themselves change with it, by half of its
logarithm where gases are seen and not at all where clouds are: a radius asked for by the levels of
ONE scale height bends the sheet once more. Of a featureless WFC3 spectrum, draws so were worth
300-400, and missed a third of the planets lighter than 0.2 M_J; by the levels of a planet's own
scale height, 3,000-6,000.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from exogan_jax.atmosphere import Scale
from exogan_jax.gan.altitude import Depths, Drawing
from exogan_jax.retrieval.correction import shift
from exogan_jax.retrieval.levels import LevelTarget
from exogan_jax.retrieval.likelihood import UNIT
from exogan_jax.retrieval.straight import places

#: Where the data fix the scale height less well than to this fraction, they say nothing about it.
_KNOWN = 0.1
_LEAST = 0.1  # of the reference, the smallest scale height that they ask for


class BestFit(NamedTuple):
    """What fits the data best, other parameters given."""

    height: Float[Array, ""]  # scale height, planet radii
    #: With another scale height h the radius is nearly 1 - h y of the apparent one, which is given
    #: in the radius of the planet that was drawn; y is the mean level that is seen.
    apparent: Float[Array, ""]
    level: Float[Array, ""]


class _Beside(NamedTuple):
    """A planet beside a target's bins (n,)."""

    scale: Scale
    level: Float[Array, " n"]
    inverse_radius: Float[Array, " n"]  # that the data ask for, 1 - h y, in radii of this planet
    weight: Float[Array, " n"]  # 1/variance of these


def _beside(depths: Depths, target: LevelTarget, drawing: Drawing) -> _Beside:
    scale = drawing.scale(depths.theta)
    level = drawing.level(depths.depth, depths.theta)
    level = level + shift(target.correction, depths.anchor, depths.level)
    depth = jnp.maximum(target.depth * UNIT + target.reference, 1e-3 * target.reference)
    weight = target.weight * (depth / UNIT) ** 2 * depth / scale.disc * 4
    return _Beside(scale, level @ target.operator, jnp.sqrt(scale.disc / depth), weight)


@jax.default_matmul_precision("highest")
def asked(depths: Depths, target: LevelTarget, drawing: Drawing) -> BestFit:
    """Scale height and radius of ONE planet's other parameters.

    Args:
      depths: ONE planet as drawn at `target.point`, of any mass and radius: the levels depend on
        them little.
      target: the observation.
      drawing: of the problem.
    """
    scale, level, inverse_radius, weight = _beside(depths, target, drawing)
    total = jnp.maximum(weight.sum(), 1e-30)
    mean_level, mean = ((weight * x).sum() / total for x in (level, inverse_radius))
    off = level - mean_level
    known = 1 / jnp.square(_KNOWN * scale.height)
    # 1/radius falls with the level, by h.
    slope = (weight * off * (mean - inverse_radius)).sum() + known * scale.height
    slope = slope / ((weight * jnp.square(off)).sum() + known)
    slope = jnp.maximum(slope, _LEAST * scale.height)
    at_bottom = jnp.maximum(mean + slope * mean_level, 1e-3)
    return BestFit(slope / at_bottom, 1 / jnp.maximum(mean, 1e-3), mean_level)


def rest(height: Float[Array, ""], level: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Radius at the bottom over those where levels are: 1 - h y, for ONE scale height in radii."""
    return jnp.maximum(1 - height * level, 0.01)


@jax.default_matmul_precision("highest")
def asked_radius(depths: Depths, target: LevelTarget, drawing: Drawing) -> Float[Array, ""]:
    """The radius that the data ask for with ONE planet's scale height, in radii, as it is.

    Args:
      depths: the planet as drawn at `target.point`, its radius nearly right.
      target: the observation.
      drawing: of the problem.

    Returns:
      in that of the planet that was drawn.
    """
    scale, level, inverse_radius, weight = _beside(depths, target, drawing)
    total = jnp.maximum(weight.sum(), 1e-30)
    mean = (weight * inverse_radius).sum() / total
    return (weight * rest(scale.height, level)).sum() / total / jnp.maximum(mean, 1e-3)


@jax.default_matmul_precision("highest")
def radius_left(
    unit: Float[Array, ""], depths: Depths, target: LevelTarget, drawing: Drawing
) -> Float[Array, ""]:
    """A draw of the radius that the data leave to ONE planet of these other parameters, its mass
    among them: what they ask for, give or take their errors and the generator's. The levels are
    taken to stay.

    In radii of a planet r times as large, the scale height is r times as large. So each bin asks
    for 1/r = (1 - h y) + h y', y' being the level drawn there and 1 - h y what its depth says.

    Args:
      unit: a unit normal number.
      depths: the planet as drawn at `target.point`, of a radius that is nearly right.
      target: the observation; of its instruments nothing is free.
      drawing: of the problem.

    Returns:
      in the radius' unit.
    """
    scale, level, inverse_radius, weight = _beside(depths, target, drawing)
    total = jnp.maximum(weight.sum(), 1e-30)
    share = weight / total
    mean = (share * (inverse_radius + scale.height * level)).sum()
    # What is common to bins is known in units of the data's errors.
    modes = jnp.sqrt(target.strength)[:, None] * target.along
    at_bins = share / jnp.sqrt(jnp.maximum(target.weight, 1e-30))
    of_levels = jnp.square(modes @ at_bins).sum()
    of_levels += jnp.square(share * (target.own @ target.operator)).sum()
    sigma = jnp.sqrt(1 / total + jnp.square(scale.height) * of_levels)
    _, radius = places(drawing)
    asked_for = jnp.maximum(mean + sigma * unit, 1e-3)
    return depths.theta[radius] / asked_for
