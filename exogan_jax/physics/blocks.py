"""Functions that jax.vmap maps in blocks, where all at once would leave a CPU's cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, PyTree


def in_blocks(function: Callable[..., Array], size: int) -> Callable[..., Array]:
    """The same function, which jax.vmap maps over `size` at a time on a CPU, and all at once on
    other devices.

    Derivatives are those of the function itself: mapped, they are not in blocks.

    Args:
      function: of pytrees of arrays. It closes over no traced array.
      size: at least 1.
    """
    function = jax.jit(function)  # traced once for all uses below

    @custom_vmap
    def mapped(*arguments: PyTree) -> Array:
        return function(*arguments)

    @mapped.def_vmap
    def _(n: int, batched: Any, *arguments: PyTree) -> tuple[Array, bool]:
        moving, whole = _split(arguments, jax.tree.leaves(batched))
        one = jax.vmap(lambda moving: function(*whole(moving)))

        def blocks(moving: list[Array]) -> Array:
            n_blocks = -(-n // size)
            even = -(-n // n_blocks)  # the last block is padded by a few
            if n_blocks == 1:
                return one(moving)
            rows = jnp.arange(n_blocks * even).reshape(n_blocks, even) % n
            filled = [x[rows] for x in moving]
            # A block is handed from step to step: XLA would read a slice of the whole inside its
            # innermost loop, and then computes no two numbers side by side.
            first, following = [x[0] for x in filled], [jnp.roll(x, -1, 0) for x in filled]
            _, out = jax.lax.scan(lambda now, then: (then, one(now)), first, following)
            return out.reshape(n_blocks * even, *out.shape[2:])[:n]

        return jax.lax.platform_dependent(moving, cpu=blocks, default=one), True

    @jax.custom_jvp
    def differentiable(*arguments: PyTree) -> Array:
        return mapped(*arguments)

    def jvp(primals: tuple[PyTree, ...], tangents: tuple[PyTree, ...]) -> tuple[Array, Array]:
        given = jax.tree.leaves(tangents, is_leaf=lambda x: isinstance(x, SymbolicZero))
        moves = [not isinstance(x, SymbolicZero) for x in given]
        moving, whole = _split(primals, moves)
        change = [x for x, m in zip(given, moves, strict=True) if m]
        return jax.jvp(lambda moving: function(*whole(moving)), (moving,), (change,))

    differentiable.defjvp(jvp, symbolic_zeros=True)
    return differentiable


def _split(
    arguments: tuple[PyTree, ...], moves: list[bool]
) -> tuple[list[Array], Callable[[list[Array]], tuple[PyTree, ...]]]:
    """The leaves that move, and what puts others in their place."""
    leaves, tree = jax.tree.flatten(arguments)

    def whole(moving: list[Array]) -> tuple[PyTree, ...]:
        place = iter(moving)
        filled = [next(place) if m else x for x, m in zip(leaves, moves, strict=True)]
        result: tuple[PyTree, ...] = jax.tree.unflatten(tree, filled)
        return result

    return [x for x, m in zip(leaves, moves, strict=True) if m], whole
