"""Altitudes of the layers, and how they change with the planet."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax.physics.hydrostatic import _stack

N = 100
RADIUS, GRAVITY = 8.3e7, 4.2


def planet(extent, dtype):
    """Layers of a temperature that rises; thicknesses at the surface's gravity sum to `extent` of
    the radius.
    """
    rising = np.linspace(0.6, 1.4, N)
    log_ratio = np.linspace(0.2, 0.3, N)
    energy = rising * extent * RADIUS * GRAVITY / (rising @ log_ratio)
    return tuple(jnp.asarray(x, dtype) for x in (energy, log_ratio, GRAVITY, RADIUS))


def test_an_isothermal_atmosphere_is_as_high_as_its_gravity_allows():
    # d(1 / (R + z)) is constant for each unit of log pressure, where gravity falls as 1 / r^2.
    n = 20_000
    log_ratio, energy = np.full(n, 20.0 / n), np.full(n, 1.2e6)
    with jax.enable_x64(True):
        given = map(jnp.asarray, (energy, log_ratio, GRAVITY, RADIUS))
        found, thickness = map(np.asarray, _stack(*given))
    scale = 1.2e6 / GRAVITY / RADIUS
    exact = RADIUS / (1 - scale * np.arange(n) * 20.0 / n) - RADIUS
    np.testing.assert_allclose(found, exact, rtol=2e-4)
    np.testing.assert_allclose(np.cumsum(thickness)[:-1], found[1:], rtol=1e-12)


@pytest.mark.parametrize("extent", [0.003, 0.2, 0.85])
def test_changes_are_those_of_the_layers_one_by_one(extent):
    with jax.enable_x64(True):
        arguments = planet(extent, jnp.float64)
        key = jax.random.key(0)
        change = tuple(
            x * jax.random.normal(k, x.shape)
            for x, k in zip(arguments, jax.random.split(key, 4), strict=True)
        )
        found = jax.jvp(_stack, arguments, change)
        plain = jax.jvp(_stack.fun, arguments, change)
        np.testing.assert_allclose(found[0], plain[0], rtol=1e-13)
        for ours, theirs in zip(found[1], plain[1], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max())

        def top(function):
            return jax.grad(
                lambda *x: function(*x)[1] @ jnp.arange(N, dtype=jnp.float64), argnums=(0, 1, 2, 3)
            )

        for ours, theirs in zip(top(_stack)(*arguments), top(_stack.fun)(*arguments), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max())


def test_float32_and_batches():
    arguments = planet(0.85, jnp.float32)
    run = jax.jit(jax.grad(lambda *x: _stack(*x)[0].sum(), argnums=(2, 3)))
    plain = jax.grad(lambda *x: _stack.fun(*x)[0].sum(), argnums=(2, 3))(*arguments)
    np.testing.assert_allclose(run(*arguments), plain, rtol=2e-4)
    other = planet(0.2, jnp.float32)
    many = [jnp.stack(pair) for pair in zip(arguments, other, strict=True)]
    each = zip(run(*arguments), run(*other), jax.vmap(run)(*many), strict=True)
    for one, two, both in each:
        np.testing.assert_allclose(both, [one, two], rtol=1e-5)
