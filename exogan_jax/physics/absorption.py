"""The area that an atmosphere hides: what the forward model spends its time on.

Written for how XLA compiles: the exponents are sums of products, not matrix products, so that on a
CPU they, the exponentials and the products of the gases become one loop whose numbers stay in the
registers. Layers come last, side by side. The slopes are written out, as matrix products.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float, Int

from exogan_jax.physics.exponential import LOG2_E, exp2_of_negative

_SIDE_BY_SIDE = 8  # layers are padded to a multiple
#: Products written out; more are looped over, gas by gas, or left to a matrix product. Programs
#: of more take long to compile.
_MOST_PRODUCTS, _MOST_NODES = 512, 24


class Lines(NamedTuple):
    """Absorption of gases whose lines overlap at random, so that their transmissions multiply."""

    column: Float[Array, "n layer"]  # of each row's opacity, amagat m
    mixing: Float[Array, " gas"]
    table: Float[Array, "t n gas g w"]  # m^-1 amagat^-1
    node: Int[Array, ""]  # the table is taken between this one of t and the next,
    fraction: Float[Array, ""] | None  # this far on the way; None: at it
    g_weight: Float[Array, " g"]


class Continuum(NamedTuple):
    """Absorption that is smooth in wavelength: its optical depths add."""

    column: Float[Array, "m layer"]
    opacity: Float[Array, "m w"]


def hidden_area(
    area: Float[Array, " layer"], lines: Lines, continuum: Continuum
) -> Float[Array, " w"]:
    """Sum of the layers' areas, each times the share of light that it takes out.

    Args:
      area: of each layer, in any unit.
      lines, continuum: what absorbs along the path that grazes each layer.

    Returns:
      (w,) in the unit of `area`. Differentiable in every array.
    """
    more = -area.size % _SIDE_BY_SIDE
    area, *columns = (
        jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, more)])
        for x in (area, lines.column, continuum.column)
    )
    lines, continuum = lines._replace(column=columns[0]), continuum._replace(column=columns[1])
    return _hidden(area, lines, continuum)


@jax.custom_jvp
def _hidden(area: Array, lines: Lines, continuum: Continuum) -> Array:
    n, n_gases, n_g, _ = lines.table.shape[1:]
    opacity = _opacity(lines)
    if n > _MOST_NODES or n * n_gases * n_g > _MOST_PRODUCTS:
        transmission = functools.reduce(jnp.multiply, _by_gas(lines, opacity))
    else:
        gases = (_of_gas(lines, opacity[:, i], lines.mixing[i]) for i in range(n_gases))
        transmission = functools.reduce(jnp.multiply, gases)
    return (1 - transmission * _of_continuum(continuum)) @ area


def _opacity(lines: Lines) -> Float[Array, "n gas g w"]:
    low = lines.table[lines.node]
    if lines.fraction is None:
        return low
    return low * (1 - lines.fraction) + lines.table[lines.node + 1] * lines.fraction


def _by_gas(lines: Lines, opacity: Float[Array, "n gas g w"]) -> list[Float[Array, "w layer"]]:
    """Transmission of each gas, one after the other, so that none is computed twice.

    What a step needs and what it makes are handed on from step to step: XLA would put the slices
    of the whole into its innermost loop, and then computes no two numbers side by side.
    """
    first, *others = zip(jnp.moveaxis(opacity, 1, 0), lines.mixing, strict=True)
    if not others:
        return [_of_gas(lines, *first)]
    following = jax.tree.map(lambda *x: jnp.stack(x), *others, first)
    nothing = jnp.zeros((opacity.shape[-1], lines.column.shape[-1]), opacity.dtype)
    (_, last), before = jax.lax.scan(
        lambda now, then: ((then, _of_gas(lines, *now[0])), now[1]), (first, nothing), following
    )
    return [*before[1:], last]


def _of_gas(
    lines: Lines, opacity: Float[Array, "n g w"], mixing: Float[Array, ""]
) -> Float[Array, "w layer"]:
    terms = [
        lines.g_weight[g] * _transmission(lines.column, opacity[:, g], mixing)
        for g in range(lines.g_weight.size)
    ]
    return functools.reduce(jnp.add, terms)


def _of_continuum(continuum: Continuum) -> Float[Array, "w layer"]:
    one = jnp.ones((), continuum.column.dtype)
    return _transmission(continuum.column, continuum.opacity, one)


def _transmission(
    column: Float[Array, "n layer"], opacity: Float[Array, "n w"], mixing: Float[Array, ""]
) -> Float[Array, "w layer"]:
    if len(column) > _MOST_NODES:
        depth = _matmul(opacity, column)
    else:
        products = (k[:, None] * c[None, :] for k, c in zip(opacity, column, strict=True))
        depth = functools.reduce(jnp.add, products)
    return exp2_of_negative(depth * (-LOG2_E * mixing))


def _matmul(a: Float[Array, "n a"], b: Float[Array, "n b"]) -> Float[Array, "a b"]:
    """Sum over the first axis: of these, XLA transposes none, nor does it in the slopes."""
    return jax.lax.dot_general(a, b, (((0,), (0,)), ((), ())))


@functools.partial(_hidden.defjvp, symbolic_zeros=True)
def _jvp(
    primals: tuple[Array, Lines, Continuum], tangents: tuple[Any, Lines, Continuum]
) -> tuple[Array, Array]:
    def is_zero(x: Any) -> bool:
        return isinstance(x, SymbolicZero)

    area, lines, continuum = primals
    d_area, d_lines, d_continuum = jax.tree.map(
        lambda x: None if is_zero(x) else x, tangents, is_leaf=is_zero
    )
    opacity = _opacity(lines)
    each, smooth = _by_gas(lines, opacity), _of_continuum(continuum)
    behind = [jnp.ones_like(smooth)]
    for gas in each[:0:-1]:
        behind.append(behind[-1] * gas)
    rest, transmission = [], smooth
    for gas, after in zip(each, behind[::-1], strict=True):
        rest.append(transmission * after)
        transmission = transmission * gas

    d_hidden = jnp.zeros_like(smooth)
    if d_continuum.column is not None:
        d_hidden += transmission * _matmul(continuum.opacity, d_continuum.column)
    if d_continuum.opacity is not None:
        d_hidden += transmission * _matmul(d_continuum.opacity, continuum.column)
    steep = d_opacity = None
    if d_lines.fraction is not None:
        steep = lines.table[lines.node + 1] - lines.table[lines.node]
    if d_lines.table is not None:
        d_opacity = _opacity(lines._replace(table=d_lines.table))
    for i, others in enumerate(rest):
        d_hidden += others * _d_gas(lines, d_lines, i, opacity, steep, d_opacity)
    d_out = d_hidden @ area
    if d_area is not None:
        d_out += (1 - transmission) @ d_area
    return (1 - transmission) @ area, d_out


def _d_gas(
    lines: Lines,
    d_lines: Lines,
    i: int,
    opacity: Float[Array, "n gas g w"],
    steep: Float[Array, "n gas g w"] | None,
    d_opacity: Float[Array, "n gas g w"] | None,
) -> Float[Array, "w layer"]:
    """By how much less light one gas lets through.

    Args:
      lines, d_lines: None in the place of what does not change.
      i: the gas.
      opacity: at the temperature.
      steep: its slope in `Lines.fraction`, where this changes.
      d_opacity: how it changes otherwise.
    """
    n, _, n_g, n_w = opacity.shape
    column = lines.mixing[i] * lines.column
    d_column = jnp.zeros_like(column)
    if d_lines.column is not None:
        d_column += lines.mixing[i] * d_lines.column
    if d_lines.mixing is not None:
        d_column += d_lines.mixing[i] * lines.column
    rows, by = [opacity[:, i].reshape(n, -1)], [d_column]
    if steep is not None and d_lines.fraction is not None:
        rows.append(steep[:, i].reshape(n, -1))
        by.append(d_lines.fraction * column)
    d_depth = _matmul(jnp.concatenate(rows), jnp.concatenate(by))
    if d_opacity is not None:
        d_depth += _matmul(d_opacity[:, i].reshape(n, -1), column)
    light = _transmission(lines.column, rows[0], lines.mixing[i]).reshape(n_g, n_w, -1)
    out = (lines.g_weight[:, None, None] * light * d_depth.reshape(light.shape)).sum(0)
    if d_lines.g_weight is not None:
        out -= jnp.tensordot(d_lines.g_weight, light, axes=1)
    return out
