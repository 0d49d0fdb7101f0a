"""The forward model's inner loop, against the formula written with matrix products."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax.physics import absorption
from exogan_jax.physics.absorption import Continuum, Lines, hidden_area
from exogan_jax.physics.blocks import in_blocks
from exogan_jax.physics.exponential import exp2_of_negative


def inputs(n=4, n_gases=3, n_g=2, n_w=5, n_layers=13, dtype=np.float32):
    rng = np.random.default_rng(0)

    def numbers(*shape):
        return jnp.asarray(rng.uniform(0.1, 1, shape), dtype)

    lines = Lines(
        numbers(n, n_layers),
        numbers(n_gases),
        numbers(3, n, n_gases, n_g, n_w),
        jnp.asarray(1),
        numbers(),
        numbers(n_g),
    )
    return numbers(n_layers), lines, Continuum(numbers(2, n_layers), numbers(2, n_w))


def plainly(area, lines, continuum):
    table = lines.table[1] * (1 - lines.fraction) + lines.table[2] * lines.fraction
    depth = jnp.einsum("nl,i,nigw->igwl", lines.column, lines.mixing, table)
    gases = jnp.einsum("g,igwl->iwl", lines.g_weight, jnp.exp(-depth)).prod(0)
    smooth = jnp.exp(-jnp.einsum("ml,mw->wl", continuum.column, continuum.opacity))
    return (1 - gases * smooth) @ area


@pytest.mark.parametrize("most", [{}, {"_MOST_PRODUCTS": 1}, {"_MOST_NODES": 1}])
def test_all_ways_hide_what_the_formula_says(most, monkeypatch):
    for name, value in most.items():
        monkeypatch.setattr(absorption, name, value)
    given = inputs()
    np.testing.assert_allclose(hidden_area(*given), plainly(*given), rtol=1e-6)


def test_slopes_in_every_array_are_those_of_the_formula():
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        given = inputs(dtype=np.float64)

        def both(of):
            def total(area, lines, continuum):
                return (of(area, lines, continuum) * jnp.arange(1.0, 6.0)).sum()

            return jax.jit(jax.grad(total, (0, 1, 2), allow_int=True))(*given)

        ours, theirs = (jax.tree.leaves(both(of)) for of in (hidden_area, plainly))
        compared = 0
        for a, b in zip(ours, theirs, strict=True):
            if a.dtype == jnp.float64:
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
                compared += 1
        assert compared == 8


def test_the_exponential_is_the_library_s():
    y = jnp.asarray(np.linspace(-140, 0, 100_001), jnp.float32)
    ours = np.asarray(jax.jit(exp2_of_negative)(y), np.float64)
    exact = np.exp2(np.asarray(y, np.float64))
    normal = exact > 2.0**-125
    np.testing.assert_allclose(ours[normal], exact[normal], rtol=3e-7)
    assert ours[~normal].max() < 3e-38 and ours[-1] == 1
    assert np.isnan(exp2_of_negative(jnp.asarray([jnp.nan], jnp.float32)))[0]


@pytest.mark.parametrize("n", [1, 3, 4, 7, 10])
def test_blocks_change_nothing(n):
    def function(x, y):
        return jnp.sin(x["a"]) * y

    blocked = in_blocks(function, 3)
    x, y = {"a": jnp.linspace(0.0, 3.0, 2 * n).reshape(n, 2)}, jnp.asarray([2.0, 3.0])
    mapped = jax.jit(jax.vmap(blocked, (0, None)))
    np.testing.assert_allclose(mapped(x, y), jax.vmap(function, (0, None))(x, y), rtol=1e-6)
    slope = jax.vmap(jax.grad(lambda x, y: blocked(x, y).sum()), (0, None))(x, y)
    np.testing.assert_allclose(slope["a"], jnp.cos(x["a"]) * y[None], rtol=1e-5)
    tangent = jax.jvp(lambda y: mapped(x, y), (y,), (jnp.ones_like(y),))[1]
    np.testing.assert_allclose(tangent, jnp.sin(x["a"]), rtol=1e-5, atol=1e-6)
