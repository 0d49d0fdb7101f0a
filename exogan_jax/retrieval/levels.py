"""How well a spectrum drawn as levels agrees with an observation's depths and their errors.

Such a generator errs by a part of a scale height, small against most data: a plain chi-square, in
which its own error adds to the data's. In depth, the error of a level is proportional to the
planet's scale height, so the variances depend on theta and their logarithm is in the likelihood.

Most of the error is common to many wavelengths (`LevelError.modes`). Counted as independent, and
larger for it, as it once was, its logarithm took up to 9 off the log likelihood of the puffiest
planets that WFC3's data of 50 ppm allow, and with that half of the posterior.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from exogan_jax.gan.altitude import Depths
from exogan_jax.gan.model import LevelError
from exogan_jax.layout import Layout
from exogan_jax.physics.observation import Observation, binning_operator
from exogan_jax.retrieval.correction import Correction, no_correction, shift
from exogan_jax.retrieval.instruments import Instruments, energy, nothing_free, scaled, whiten
from exogan_jax.retrieval.likelihood import UNIT, pad, touched_points

#: Penalty of a planet that cannot exist, per unit of `Depths.excess`: as much as 100 points that
#: are 4 sigma off.
_EXCESS = 1e3
#: The same as a residual: 3 sigma at 1 % too large an atmosphere.
_WALL = 300.0
#: Added to the logarithm of a variance's factor, so that its root has a slope at 0.
_SMOOTH = 1e-4
_TINY = 1e-30


class LevelTarget(NamedTuple):
    """An observation ready for comparison; points that count nothing have a weight of 0.

    Only the k grid points that its bins touch are compared; there may be more, of no weight.
    """

    point: Int[Array, " k"]  # indices of those grid points
    operator: Float[Array, "k n"]  # takes a model spectrum there to the observation's bins
    depth: Float[Array, " n"]  # above `reference`, in UNIT
    weight: Float[Array, " n"]  # 1/sigma^2, UNIT^-2
    reference: Float[Array, ""]  # depth that all depths are counted from
    own: Float[Array | np.ndarray, " k"]  # 1-sigma error of the generator, in levels
    #: What it errs by together, in units of the data's errors: orthonormal rows, and the variances
    #: along them for a slope of one UNIT a level.
    along: Float[Array | np.ndarray, "m n"]
    strength: Float[Array | np.ndarray, " m"]
    correction: Correction  # of what it draws, where its error is known
    free: Instruments  # what is not known of the instruments; offsets in UNIT


class _Compared(NamedTuple):
    """A spectrum beside a target."""

    residual: Float[Array, " n"]  # in units of all errors; what is common to bins integrated out
    log_factor: Float[Array, " n"]  # of the variances, by the generator's error
    log_volume: Float[Array, ""]  # the same, of what is common


@jax.default_matmul_precision("highest")
def _compared(depths: Depths, target: LevelTarget) -> _Compared:
    """Residuals and what enlarges their variances.

    Row vectors times matrices, so that many spectra side by side are plain matrix products.
    """
    slope = depths.slope / UNIT
    corrected = depths.depth + depths.slope * shift(target.correction, depths.anchor, depths.level)
    above = (corrected - target.reference) / UNIT
    rows = jnp.stack([above, slope * target.own, slope]) @ target.operator
    factor = 1 + target.weight * jnp.square(rows[1])
    # The weights, some of them 0, are under a root of their own: its slope has no bound there.
    inverse_sigma = jnp.sqrt(target.weight) / jnp.sqrt(factor)
    residual = inverse_sigma * (rows[0] - target.depth)
    whitened = whiten(residual, inverse_sigma, target.free)
    # ONE slope for all bins: those of a planet differ by a few per cent.
    square = (target.weight * jnp.square(rows[2]) / factor).sum() / (target.weight.sum() + _TINY)
    larger = 1 + square * target.strength
    along = jnp.asarray(target.along)
    taken = (1 - 1 / jnp.sqrt(larger)) * (along @ whitened.residual)
    volume = whitened.log_volume + 0.5 * jnp.log(larger).sum()
    return _Compared(whitened.residual - taken @ along, jnp.log(factor), volume)


def level_loss(depths: Depths, target: LevelTarget) -> Float[Array, ""]:
    """-log likelihood up to a constant; planets that cannot exist are penalised.

    Args:
      depths: as generated, at `target.point` (k,).
      target: the observation.
    """
    found = _compared(depths, target)
    volume = 0.5 * found.log_factor.sum() + found.log_volume
    return energy(found.residual, target.free) + volume + _EXCESS * depths.excess


def robust_level_loss(depths: Depths, target: LevelTarget) -> Float[Array, ""]:
    """`level_loss` near the optimum, linear in the residuals far from it, as
    `likelihood.robust_depth_loss`.
    """
    residual = _compared(depths, target).residual
    return (jnp.sqrt(1 + jnp.square(residual)) - 1).sum() + _EXCESS * depths.excess


def level_residuals(depths: Depths, target: LevelTarget) -> Float[Array, " 2n+2"]:
    """Residuals whose squares' half sum is `level_loss`, up to a constant: those of the bins, then
    the roots of the logarithms of their variances' factors.
    """
    found = _compared(depths, target)
    volume = jnp.append(found.log_factor, 2 * found.log_volume)
    # Not the excess's root, whose slope has no bound where planets begin to exist.
    rest = jnp.sqrt(volume + _SMOOTH), _WALL * depths.excess[None]
    return jnp.concatenate([scaled(found.residual, target.free), *rest])


def level_density(depths: Depths, target: LevelTarget) -> Float[Array, ""]:
    """Log likelihood up to a constant; -inf for planets that do not exist."""
    return jnp.where(depths.excess > 0, -jnp.inf, -level_loss(depths, target))


def level_target(
    observation: Observation,
    layout: Layout,
    error: LevelError,
    n_points: int | None = None,
    n_touched: int | None = None,
) -> LevelTarget:
    """Prepares an observation for `level_loss`. Bins off the grid count nothing.

    Args:
      observation: as checked by `physics.observation.check`.
      layout: the generator's.
      error: the generator's.
      n_points, n_touched: pad to so many bins and grid points, so that observations stack.
    """
    wavelength, half_width, depth, sigma = (np.asarray(x, np.float64) for x in observation[:4])
    operator = binning_operator(wavelength, half_width, layout.wavelength_um)
    usable = operator.sum(axis=1) > 0.999
    point = touched_points(operator)
    reference = float(np.median(depth))

    n, k = n_points, n_touched
    modes = np.asarray(error.modes, np.float64)
    together = modes[:, point] @ operator[:, point].T
    target = LevelTarget(
        point=pad(point, k).astype(np.int32),
        operator=pad(operator[:, point].T, k, n),
        depth=pad((depth - reference) / UNIT, n),
        weight=pad(np.where(usable, (UNIT / sigma) ** 2, 0.0), n),
        reference=pad(np.array([reference]), 1)[0],
        own=pad(np.asarray(error.level, np.float64)[point], k),
        along=pad(together * np.where(usable, UNIT / sigma, 0.0), None, n),
        strength=np.ones(len(modes), np.float32),
        correction=no_correction(len(layout.parameters), k or point.size),
        free=nothing_free(n or depth.size),
    )
    return with_free(target, target.free)


def with_free(target: LevelTarget, free: Instruments) -> LevelTarget:
    """A target with free offsets or errors of its instruments. The generator's common errors are
    those that are left in the residuals then.
    """
    weight, strength = (np.asarray(x, np.float64) for x in (target.weight, target.strength))
    rows = np.sqrt(strength)[:, None] * np.asarray(target.along)
    left = np.asarray(whiten(rows, np.sqrt(weight), free).residual)
    _, size, along = np.linalg.svd(left, full_matrices=False)
    n_modes = len(target.strength)
    return target._replace(
        along=pad(along, n_modes, None), strength=pad(np.square(size), n_modes), free=free
    )
