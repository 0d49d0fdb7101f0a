"""Algebra of small triangular matrices, by matrix products.

JAX's own calls LAPACK on a CPU, and a program in which two such calls of many matrices run at once
waits for ever where there are two cores: each call occupies a thread of the pool that it waits for
(jaxlib 0.10.2, `ParallelBatchMap`). For a dozen rows or so, these are as fast.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.default_matmul_precision("highest")
def cholesky(matrix: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """Lower triangular L, L @ L.T = matrix, which is positive definite; callers vmap."""
    row = jnp.arange(matrix.shape[0])

    def column(j: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        rest, root = state
        own = jnp.where(row >= j, rest[:, j], 0.0) / jnp.sqrt(rest[j, j])
        return rest - own[:, None] * own[None], root.at[:, j].set(own)

    return jax.lax.fori_loop(0, row.size, column, (matrix, jnp.zeros_like(matrix)))[1]


@jax.default_matmul_precision("highest")
def inverse(lower: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """Inverse of a lower triangular matrix."""
    identity = jnp.eye(lower.shape[0], dtype=lower.dtype)

    def row(i: Array, done: Array) -> Array:
        return done.at[i].set((identity[i] - lower[i] @ done) / lower[i, i])

    return jax.lax.fori_loop(0, lower.shape[0], row, jnp.zeros_like(lower))


@jax.default_matmul_precision("highest")
def factor(rows: Float[Array, "n d"]) -> Float[Array, "d d"]:
    """Upper triangular R, R.T @ R = rows.T @ rows, without forming the product, which would lose
    too many digits: by Gram and Schmidt's modified method, whose R is as good as Householder's
    (Bjoerck 1967, BIT 7, 1). The columns are independent; the diagonal is positive.
    """
    column = jnp.arange(rows.shape[1])

    def project(j: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        left, triangle = state
        norm = jnp.sqrt(jnp.square(left[:, j]).sum())
        unit = left[:, j] / norm
        along = jnp.where(column > j, unit @ left, 0.0)
        return left - unit[:, None] * along[None], triangle.at[j].set(along.at[j].set(norm))

    empty = jnp.zeros((column.size, column.size), rows.dtype)
    return jax.lax.fori_loop(0, column.size, project, (rows, empty))[1]
