"""SOAP (Vyas et al. 2024, arXiv:2409.11321): Adam along the principal axes of the gradients.

A dense layer's gradients (m, n) have covariances of their rows (m, m) and columns (n, n). Adam's
moments are kept, and its step is made, along the eigenvectors of both; these turn slowly, so that
they are only looked at now and then. It stands in for `optax.scale_by_adam` where a network must be
as exact as that of `planets`: configs/planets.py has the numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

_LONGEST = 2048  # sides beyond are not turned: their covariances would outweigh the network


class Side(NamedTuple):
    """One side of a matrix of gradients."""

    covariance: Float[Array, "n n"]  # running mean, of the rows or columns
    axes: Float[Array, "n n"]  # its eigenvectors, a column each, the largest first


class Moments(NamedTuple):
    """What is remembered of one array of parameters."""

    mean: Array  # of the gradients, along the axes
    square: Array  # of their squares, along the axes
    rows: Side | None  # None where it is not turned
    columns: Side | None


class SoapState(NamedTuple):
    """State of `scale_by_soap`."""

    made: Array  # (), int32, steps
    moments: tuple[Moments, ...]  # in the order of the parameters' leaves


def scale_by_soap(
    b1: float = 0.95,
    b2: float = 0.95,
    eps: float = 1e-8,
    measure_every: int = 2,
    turn_every: int = 20,
) -> optax.GradientTransformation:
    """Adam's steps along the principal axes of the gradients; of vectors, plain Adam's.

    Args:
      b1: decay of the mean gradient.
      b2: decay of its square and of the covariances.
      eps: added to the root of the mean square.
      measure_every: steps from one gradient that counts in the covariances to the next.
      turn_every: steps from one turn of the axes to the next, each one power iteration. The first
        step only finds the axes, and changes nothing.
    """

    def init(params: Any) -> SoapState:
        return SoapState(jnp.zeros((), jnp.int32), tuple(map(_begin, jax.tree.leaves(params))))

    def update(updates: Any, state: SoapState, params: Any = None) -> tuple[Any, SoapState]:
        del params
        gradients, structure = jax.tree.flatten(updates)
        measured = state.made % measure_every == 0
        turned = (state.made % turn_every == 0) & (state.made > 0)
        number = (state.made + 1).astype(jnp.float32)
        steps, moments = [], []
        for gradient, old in zip(gradients, state.moments, strict=True):
            new = jax.lax.cond(measured, _measure, lambda _, kept, __: kept, gradient, old, b2)
            new = jax.lax.cond(state.made == 0, _find, lambda kept: kept, new)
            along = _along(gradient, new)
            new = new._replace(
                mean=b1 * new.mean + (1 - b1) * along,
                square=b2 * new.square + (1 - b2) * jnp.square(along),
            )
            rms = jnp.sqrt(new.square / (1 - b2**number))
            step = _back(new.mean / (1 - b1**number) / (rms + eps), new)
            steps.append(jnp.where(state.made == 0, 0.0, step))
            moments.append(jax.lax.cond(turned, _turn, lambda kept: kept, new))
        return jax.tree.unflatten(structure, steps), SoapState(state.made + 1, tuple(moments))

    return optax.GradientTransformation(init, update)


def _begin(x: Array) -> Moments:
    def side(axis: int) -> Side | None:
        if x.ndim != 2 or x.shape[axis] > _LONGEST:
            return None
        n = x.shape[axis]
        return Side(jnp.zeros((n, n)), jnp.eye(n))

    return Moments(jnp.zeros_like(x), jnp.zeros_like(x), side(0), side(-1))


def _along(x: Array, moments: Moments) -> Array:
    """A matrix along the axes."""
    if moments.rows is not None:
        x = moments.rows.axes.T @ x
    return x if moments.columns is None else x @ moments.columns.axes


def _back(x: Array, moments: Moments) -> Array:
    """Inverse of `_along`."""
    if moments.rows is not None:
        x = moments.rows.axes @ x
    return x if moments.columns is None else x @ moments.columns.axes.T


def _each_side(moments: Moments, change: Callable[[Side, int], Side]) -> Moments:
    """With the sides that are turned changed, by what they are and their axis."""
    sides = moments.rows, moments.columns
    rows, columns = (None if old is None else change(old, i) for i, old in enumerate(sides))
    return moments._replace(rows=rows, columns=columns)


def _measure(gradient: Array, moments: Moments, decay: float) -> Moments:
    """The covariances with one gradient more."""

    def side(old: Side, axis: int) -> Side:
        x = gradient.T if axis else gradient
        return old._replace(covariance=decay * old.covariance + (1 - decay) * x @ x.T)

    return _each_side(moments, side)


def _find(moments: Moments) -> Moments:
    """The axes of the first covariances."""

    def side(old: Side, _: int) -> Side:
        return old._replace(axes=jnp.linalg.eigh(old.covariance)[1][:, ::-1])

    return _each_side(moments, side)


def _turn(moments: Moments) -> Moments:
    """The axes nearer to the covariances' by one power iteration; the mean gradient goes with them,
    the mean squares stay with the axes that they are of (algorithm 4 of the paper).
    """
    mean, square = _back(moments.mean, moments), moments.square
    sides = []
    for i, old in enumerate((moments.rows, moments.columns)):
        if old is not None:
            image = old.covariance @ old.axes
            order = jnp.argsort(-jnp.sum(old.axes * image, axis=0))
            old = old._replace(axes=jnp.linalg.qr(image[:, order])[0])
            square = jnp.take(square, order, axis=i)
        sides.append(old)
    turned = moments._replace(rows=sides[0], columns=sides[1], square=square)
    return turned._replace(mean=_along(mean, turned))
