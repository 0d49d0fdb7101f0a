"""Opacities fitted to spectra: a Levenberg-Marquardt per wavelength, all wavelengths at once.

At one wavelength a spectrum's depth depends on that wavelength's opacities only, so a fit of 129
numbers to hundreds of depths stands at each. The Jacobian is written out (it costs as much as the
depth); `tests/test_calibrate.py` compares it with automatic differentiation, and the depth with
`transit_depth`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from data_prep import grid
from exogan_jax.atmosphere import H2_MASS, HE_H2_RATIO, HE_MASS
from exogan_jax.physics.hydrostatic import chords
from exogan_jax.physics.interpolate import interpolation_weights

#: Depths within this of the model count fully, far ones ever less (Cauchy's loss) [ppm]. It starts
#: wide: a fit that begins with the narrow one takes a missing band for a handful of outliers.
FIRST_SCALE_PPM = 100.0
SCALE_PPM = 1.0


class Geometry(NamedTuple):
    """What depends on the planets and not on the opacities."""

    column: Float[Array, "n layer p"]  # amagat m, shared out to the table's pressures
    total: Float[Array, "n layer"]  # amagat m
    squared: Float[Array, "n layer"]  # amagat^2 m, times the fraction of H2 squared
    ring: Float[Array, "n layer"]  # depth of each layer if opaque
    disc: Float[Array, " n"]  # depth of the planet without atmosphere
    mixing: Float[Array, "n gas"]
    scatterers: Float[Array, "n gas+2"]


class Bins(NamedTuple):
    """What depends on the wavelength and is not fitted."""

    depth: Float[Array, "w n"]
    rayleigh: Float[Array, "w gas+2"]  # m^-1 amagat^-1


def geometry(
    theta: Float[Array, "n 7"],
    log10_pressure: Float[Array, " p"],
    molar_mass: Float[Array, " gas"],
    n_layers: int = 100,
) -> Geometry:
    """The planets' layers, with H2 and He at fixed fractions as in the published set."""

    def one(theta: Float[Array, "7"]) -> Geometry:
        mixing = 10.0 ** theta[:4]
        background = jnp.array([1.0, HE_H2_RATIO]) / (1 + HE_H2_RATIO)
        mean_mass = mixing @ molar_mass + background @ jnp.array([H2_MASS, HE_MASS])
        radius = theta[5] * grid.JUPITER_RADIUS_M
        layers = chords(
            theta[4] * grid.JUPITER_MASS_KG, radius, jnp.full(n_layers, theta[6]), mean_mass
        )
        column = layers.path * layers.density[None, :]
        disc = jnp.square(radius / grid.SUN_RADIUS_M)
        return Geometry(
            column=column @ interpolation_weights(log10_pressure, jnp.log10(layers.pressure)),
            total=column.sum(1),
            squared=(column * layers.density[None, :]).sum(1) * background[0] ** 2,
            ring=disc * 2 * layers.radius * layers.thickness / jnp.square(radius),
            disc=disc,
            mixing=mixing,
            scatterers=jnp.concatenate([mixing, background]),
        )

    return jax.vmap(one)(theta)


def depth_and_jacobian(
    x: Float[Array, " q"],
    rayleigh: Float[Array, " gas+2"],
    layers: Geometry,
    g_weight: Float[Array, " g"],
) -> tuple[Float[Array, " n"], Float[Array, "n q"]]:
    """Depths at one wavelength and their derivatives.

    Args:
      x: natural log of the absorption [m^-1 amagat^-1], (gas, g, pressure) in a row, then that of
        the collision-induced absorption of the H2/He mixture [m^-1 amagat^-2 of H2].
      rayleigh: scattering [m^-1 amagat^-1].
      layers: of n planets.
      g_weight: quadrature weights.
    """
    n, n_layers, n_pressure = layers.column.shape
    n_gases, n_g = layers.mixing.shape[1], g_weight.size
    absorption = jnp.exp(x[:-1]).reshape(n_gases * n_g, n_pressure)
    cia = jnp.exp(x[-1])
    mixing = jnp.repeat(layers.mixing, n_g, axis=1)[:, None, :]
    tau = (layers.column.reshape(-1, n_pressure) @ absorption.T).reshape(n, n_layers, -1) * mixing
    point = jnp.exp(-tau).reshape(n, n_layers, n_gases, n_g) * g_weight[None, None, None, :]
    gas = point.sum(-1)
    scattering = (layers.scatterers @ rayleigh)[:, None]
    continuum = jnp.exp(-layers.total * scattering - layers.squared * cia)
    transmission = continuum * gas.prod(-1)
    depth = layers.disc + (layers.ring * (1 - transmission)).sum(1)
    # Product of the other gases, without a division that could be 0/0.
    others = jnp.stack([jnp.delete(gas, i, axis=-1).prod(-1) for i in range(n_gases)], axis=-1)
    slope = (layers.ring * continuum)[..., None] * others
    slope = (slope[..., None] * point).reshape(n, n_layers, -1) * mixing
    jacobian = jnp.einsum("nlq,nlp->nqp", slope, layers.column) * absorption[None]
    by_cia = (layers.ring * transmission * layers.squared).sum(1) * cia
    return depth, jnp.concatenate([jacobian.reshape(n, -1), by_cia[:, None]], axis=1)


@jax.jit
def residuals(
    x: Float[Array, "w q"], bins: Bins, layers: Geometry, g_weight: Float[Array, " g"]
) -> Float[Array, "w n"]:
    """Model minus published depth [ppm]."""

    def one(args: tuple[Array, Bins]) -> Array:
        x, bin_ = args
        return (depth_and_jacobian(x, bin_.rayleigh, layers, g_weight)[0] - bin_.depth) * 1e6

    return jax.lax.map(one, (x, bins))


@jax.jit
def _normal_equations(
    x: Float[Array, "w q"],
    bins: Bins,
    layers: Geometry,
    g_weight: Float[Array, " g"],
    scale: Float[Array, ""],
) -> tuple[Float[Array, "w n"], Float[Array, "w q q"], Float[Array, "w q"]]:
    def one(args: tuple[Array, Bins]) -> tuple[Array, Array, Array]:
        x, bin_ = args
        depth, jacobian = depth_and_jacobian(x, bin_.rayleigh, layers, g_weight)
        residual, jacobian = (depth - bin_.depth) * 1e6, jacobian * 1e6
        weight = 1 / (scale**2 + residual**2)
        return residual, (jacobian * weight[:, None]).T @ jacobian, jacobian.T @ (weight * residual)

    return jax.lax.map(one, (x, bins))


def prior_covariance(
    log10_pressure: Float[np.ndarray, " p"], n_gases: int, n_g: int
) -> Float[np.ndarray, "q q"]:
    """How far the log opacities may move from where they start, and how alike.

    A gas's level at a wavelength may shift by 3 (natural log), the shape of its k-distribution by
    0.7 and the slope in pressure by 0.5, both smooth (over 1.5 g-points, 1.5 decades), the rest by
    0.3 and 0.05; collision-induced absorption by 1. Gases are independent.
    """
    pressures = np.subtract.outer(log10_pressure, log10_pressure)
    points = np.subtract.outer(np.arange(n_g), np.arange(n_g))
    smooth_p, smooth_g = np.exp(-0.5 * (pressures / 1.5) ** 2), np.exp(-0.5 * (points / 1.5) ** 2)
    all_p, all_g = np.ones_like(smooth_p), np.ones_like(smooth_g)
    gas = 3.0**2 * np.kron(all_g, all_p)
    gas += 0.7**2 * np.kron(smooth_g, all_p) + 0.5**2 * np.kron(all_g, smooth_p)
    gas += 0.3**2 * np.kron(smooth_g, smooth_p) + 0.05**2 * np.eye(len(gas))
    out = np.eye(n_gases * len(gas) + 1)
    out[:-1, :-1] = np.kron(np.eye(n_gases), gas)
    return out


def fit(
    start: Float[np.ndarray, "w q"],
    covariance: Float[np.ndarray, "q q"],
    bins: Bins,
    layers: Geometry,
    g_weight: Float[np.ndarray, " g"],
    n_iterations: int,
    report: Callable[[int, Float[np.ndarray, "w n"]], None],
) -> Float[np.ndarray, "w q"]:
    """Most probable log opacities: Cauchy's loss of the residuals, a Gaussian prior at the start.

    Args:
      start: starting point and mean of the prior, as `depth_and_jacobian`'s `x`.
      covariance: of the prior.
      bins, layers, g_weight: the data.
      n_iterations: of Levenberg and Marquardt; the loss narrows over the first half of them.
      report: called after each iteration with its number and the residuals in ppm.
    """
    precision = np.linalg.inv(covariance)
    weights = jnp.asarray(g_weight, jnp.float32)

    def evaluate(x: np.ndarray, scale: float) -> list[np.ndarray]:
        data = _normal_equations(jnp.asarray(x, jnp.float32), bins, layers, weights, scale)
        residual, hessian, gradient = (np.asarray(a, np.float64) for a in data)
        pull = (x - start) @ precision
        cost = 0.5 * np.log1p((residual / scale) ** 2).sum(1) + 0.5 * ((x - start) * pull).sum(1)
        return [x, residual, hessian + precision, gradient + pull, cost]

    shares = np.minimum(np.arange(n_iterations) / max(n_iterations // 2, 1), 1.0)
    scales = FIRST_SCALE_PPM * (SCALE_PPM / FIRST_SCALE_PPM) ** shares
    now = evaluate(start.copy(), scales[0])
    damping = np.full(len(start), 1e-2)
    diagonal = partial(np.einsum, "wii->wi")
    for iteration, scale in enumerate(scales):
        if iteration and scale != scales[iteration - 1]:
            now = evaluate(now[0], scale)
        x, _, hessian, gradient, cost = now
        scaled = hessian + damping[:, None, None] * (
            diagonal(hessian)[:, :, None] * np.eye(hessian.shape[1])
        )
        step = np.linalg.solve(scaled, -gradient[:, :, None])[:, :, 0]
        trial = evaluate(x + np.clip(step, -2, 2), scale)
        better = trial[4] < cost
        for old, new in zip(now, trial, strict=True):
            old[better] = new[better]
        damping = np.clip(np.where(better, damping * 0.3, damping * 4), 1e-6, 1e4)
        report(iteration, now[1])
    return now[0]
