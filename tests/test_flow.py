"""Splines and the flow that is made of them: both ways, their slopes, and where they begin."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest

from exogan_jax.gan.flow import Flow, spline

D, LAYERS, WIDTH = 5, 4, 16


def numbers(seed, *shape, size=1.0):
    return jnp.asarray(size * np.random.default_rng(seed).normal(size=shape), jnp.float32)


@pytest.fixture(scope="module")
def flow():
    """A flow, its variables and contexts of three, none of them zero."""
    network = Flow(LAYERS, WIDTH, 4)
    context = numbers(0, 3, LAYERS, WIDTH, size=0.5)
    variables = network.init(jax.random.key(0), jnp.zeros((3, D)), context)
    leaves, tree = jax.tree.flatten(variables)
    moved = [x + numbers(i, *x.shape, size=0.2) for i, x in enumerate(leaves)]
    return network, jax.tree.unflatten(tree, moved), context


def test_a_spline_of_zeros_is_the_identity():
    x = jnp.linspace(-8, 8, 101)
    for backwards in (False, True):
        y, log_slope = spline(x, jnp.zeros((101, 11)), backwards)
        np.testing.assert_allclose(y, x, atol=2e-6)
        np.testing.assert_allclose(log_slope, 0, atol=1e-5)


def test_a_spline_rises_from_end_to_end_and_goes_back():
    x = jnp.linspace(-5.99, 5.99, 4001)
    raw = jnp.broadcast_to(numbers(1, 11), (4001, 11))
    y, log_slope = spline(x, raw, False)
    assert bool((jnp.diff(y) > 0).all()) and float(jnp.abs(y - x).max()) > 0.5
    back, opposite = spline(y, raw, True)
    np.testing.assert_allclose(back, x, atol=2e-4)
    np.testing.assert_allclose(opposite, -log_slope, atol=2e-3)
    slope = np.gradient(np.asarray(y, np.float64), np.asarray(x, np.float64))
    np.testing.assert_allclose(np.exp(log_slope)[1:-1], slope[1:-1], rtol=0.03)


def test_the_middle_of_one_bin_is_what_the_paper_says():
    """Eq. 4 of Durkan et al. with k = 1, whose bin is everything and whose end slopes are 1."""
    raw = jnp.zeros(2)
    y, log_slope = spline(jnp.asarray(3.0), raw, False)
    np.testing.assert_allclose([y, log_slope], [3.0, 0.0], atol=1e-6)
    # Two bins of equal width, the lower of three quarters of the height, and a slope of 2 between.
    inner = np.log(np.expm1(2 - 1e-3)) - np.log(np.expm1(1 - 1e-3))
    raw = jnp.asarray([0.0, 0.0, np.log(3.0), 0.0, inner], jnp.float32)
    y, log_slope = spline(jnp.asarray(-3.0), raw, False)
    height, s, d0, d1 = 9.0, 1.5, 1.0, 2.0
    expected = -6 + height * (s / 4 + d0 / 4) / (s + (d0 + d1 - 2 * s) / 4)
    np.testing.assert_allclose(y, expected, rtol=2e-3)
    slope = s**2 * (d1 / 4 + 2 * s / 4 + d0 / 4) / (s + (d0 + d1 - 2 * s) / 4) ** 2
    np.testing.assert_allclose(np.exp(log_slope), slope, rtol=3e-3)


@pytest.mark.parametrize("backwards", [False, True])
def test_steep_splines_have_finite_values_and_gradients(backwards):
    x, raw = numbers(2, 20_000, size=3.0), numbers(3, 20_000, 23, size=15.0)
    value = lambda x, raw: sum(part.sum() for part in spline(x, raw, backwards))  # noqa: E731
    found = jax.jit(jax.value_and_grad(value, argnums=(0, 1)))(x, raw)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(found))


def test_a_fresh_flow_changes_nothing():
    network, context = Flow(LAYERS, WIDTH, 4), numbers(0, 3, LAYERS, WIDTH)
    x = numbers(1, 3, D, size=2.0)
    y, volume = network.apply(network.init(jax.random.key(0), x, context), x, context)
    np.testing.assert_allclose(y, x, atol=1e-5)
    np.testing.assert_allclose(volume, 0, atol=1e-4)


def test_a_flow_goes_back_and_knows_its_volume(flow):
    network, variables, context = flow
    x = numbers(4, 3, D, size=1.5)
    forth = jax.jit(network.apply)
    home = jax.jit(partial(network.apply, backwards=True))
    y, volume = forth(variables, x, context)
    back, opposite = home(variables, y, context)
    # float32 loses a digit more where a bend is steep and far out: in float64 it is exact.
    np.testing.assert_allclose(back, x, atol=3e-3)
    np.testing.assert_allclose(opposite, -volume, atol=3e-3)
    with jax.enable_x64(True):
        exact = jax.tree.map(lambda x: jnp.asarray(np.asarray(x), jnp.float64), variables)
        x64, context64 = (jnp.asarray(np.asarray(a), jnp.float64) for a in (x, context))
        there, grown = forth(exact, x64, context64)
        again, shrunk = home(exact, there, context64)
        np.testing.assert_allclose(again, x64, atol=1e-6)
        np.testing.assert_allclose(shrunk, -grown, atol=1e-6)
        one = jax.jit(lambda x, context: network.apply(exact, x[None], context[None])[0][0])
        jacobian = jax.jit(jax.jacfwd(one))
        for i in range(3):
            _, expected = np.linalg.slogdet(np.asarray(jacobian(x64[i], context64[i])))
            np.testing.assert_allclose(grown[i], expected, atol=1e-6)
            np.testing.assert_allclose(one(x64[i], context64[i]), there[i], atol=1e-9)
    np.testing.assert_allclose(y, there, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(volume, grown, atol=1e-3)
    assert float(jnp.abs(y - x).max()) > 0.3
    # Every coordinate is bent, and the context counts.
    assert bool((jnp.abs(y - x) > 1e-4).any(axis=0).all())
    other, _ = forth(variables, x, context[::-1])
    assert float(jnp.abs(other - y)[0].max()) > 0.01


def test_it_reaches_far_out():
    """Beyond a spline's own reach: where 6 spreads are bent, 13 are, and 25 are not."""
    network = Flow(2, WIDTH, 4)
    context = numbers(0, 1, 2, WIDTH)
    variables = network.init(jax.random.key(0), jnp.zeros((1, 2)), context)
    leaves, tree = jax.tree.flatten(variables)
    variables = jax.tree.unflatten(tree, [x + 0.5 for x in leaves])
    forth, home = jax.jit(network.apply), jax.jit(partial(network.apply, backwards=True))
    for size, bent in ((6.0, True), (13.0, True), (25.0, False)):
        x = jnp.full((1, 2), size)
        y, _ = forth(variables, x, context)
        assert bool((jnp.abs(y - x) > 0.05 * size).any()) == bent
        np.testing.assert_allclose(home(variables, y, context)[0], x, rtol=1e-3)


def test_its_samples_have_its_density(flow):
    """Back to unit normal ones."""
    network, variables, context = flow
    unit = numbers(5, 4000, D)
    drawn, _ = network.apply(variables, unit, context[:1])
    back, _ = network.apply(variables, drawn, context[:1], backwards=True)
    for column in np.asarray(back, np.float64).T:
        assert kstest(column, "norm").pvalue > 1e-4
    assert any(kstest(column, "norm").pvalue < 1e-6 for column in np.asarray(drawn, np.float64).T)
