"""Adam along the principal axes of the gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.training.soap import scale_by_soap

pytestmark = pytest.mark.optax  # its schedules and its Adam promote types


def quadratic(params, rows, columns):
    """A bowl that is narrow along directions that no entry of the matrix lies along."""
    return 0.5 * jnp.sum(jnp.square(rows @ params["kernel"] @ columns)) + jnp.sum(
        jnp.square(params["bias"])
    )


def problem(condition=30.0, shape=(6, 9)):
    rng = np.random.default_rng(3)
    sides = []
    for n in shape:
        q = np.linalg.qr(rng.normal(size=(n, n)))[0]
        sides.append(jnp.asarray(q @ np.diag(np.geomspace(1, 1 / condition, n)) @ q.T, jnp.float32))
    kernel = jnp.asarray(rng.normal(size=shape), jnp.float32)
    return {"kernel": kernel, "bias": jnp.ones(shape[1])}, tuple(sides)


def descend(optimizer, params, loss, n_steps):
    def one(carry, _):
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), loss(params)

    (params, state), losses = jax.lax.scan(
        one, (params, optimizer.init(params)), None, length=n_steps
    )
    return params, state, losses


def with_rate(scaling, rate=0.03, n_steps=400):
    schedule = optax.cosine_decay_schedule(rate, n_steps)
    return optax.chain(scaling, optax.scale_by_learning_rate(schedule))


def test_a_bowl_askew_is_descended_further_than_by_adam():
    params, sides = problem()

    def loss(p):
        return quadratic(p, *sides)

    soap, _, _ = descend(with_rate(scale_by_soap()), params, loss, 400)
    adam, _, _ = descend(with_rate(optax.scale_by_adam(0.95, 0.95)), params, loss, 400)
    assert loss(soap) < 0.1 * loss(adam) < loss(params)


def test_vectors_move_as_by_adam_after_a_first_step_that_stands():
    params = {"bias": jnp.array([1.0, -2.0, 3.0])}
    gradients = jnp.asarray(np.random.default_rng(1).normal(size=(5, 3)), jnp.float32)
    soap, adam = scale_by_soap(0.9, 0.99), optax.scale_by_adam(0.9, 0.99)
    ours, theirs = soap.init(params), adam.init(params)
    for i, gradient in enumerate(gradients):
        step, ours = soap.update({"bias": gradient}, ours)
        expected, theirs = adam.update({"bias": gradient}, theirs)
        if i == 0:
            np.testing.assert_array_equal(step["bias"], 0)
        else:
            np.testing.assert_allclose(step["bias"], expected["bias"], rtol=1e-5)


def test_turning_the_problem_turns_the_steps():
    """What tells it from Adam: no direction is singled out."""
    rng = np.random.default_rng(7)
    turn = [jnp.asarray(np.linalg.qr(rng.normal(size=(n, n)))[0], jnp.float32) for n in (4, 4)]
    gradients = jnp.asarray(rng.normal(size=(8, 4, 4)) * [1, 2, 3, 4], jnp.float32)
    optimizer = scale_by_soap(measure_every=1, turn_every=3)
    plain = turned = optimizer.init(jnp.zeros((4, 4)))
    for gradient in gradients:
        step, plain = optimizer.update(gradient, plain)
        other, turned = optimizer.update(turn[0] @ gradient @ turn[1], turned)
        np.testing.assert_allclose(turn[0] @ step @ turn[1], other, atol=2e-3)
    assert float(jnp.abs(step).max()) > 0.1


def test_axes_are_orthonormal_and_find_the_covariances_own():
    params, sides = problem(shape=(5, 7))
    optimizer = with_rate(scale_by_soap(turn_every=2), rate=0.0)  # the gradient stays
    _, state, _ = descend(optimizer, params, lambda p: quadratic(p, *sides), 40)
    gradient = jax.grad(lambda p: quadratic(p, *sides))(params)["kernel"]
    _, kernel = state[0].moments  # bias first
    for side, g in ((kernel.rows, gradient), (kernel.columns, gradient.T)):
        n = len(side.axes)
        np.testing.assert_allclose(side.axes.T @ side.axes, np.eye(n), atol=1e-5)
        found = side.axes.T @ (g @ g.T) @ side.axes
        np.testing.assert_allclose(found, np.diag(np.diag(found)), atol=1e-3 * found.max())
        assert (np.diff(np.diag(found)) < 1e-3 * found.max()).all()  # the largest first


@pytest.mark.parametrize("shape", [(3, 3, 2, 4), (4, 3000)])
def test_kernels_of_convolutions_and_long_sides_are_not_turned(shape):
    state = scale_by_soap().init(jnp.zeros(shape))
    (moments,) = state.moments
    assert moments.columns is None
    assert (moments.rows is None) == (len(shape) == 4)


def test_jit_agrees():
    params, sides = problem()
    optimizer = scale_by_soap(turn_every=2)
    gradient = jax.grad(lambda p: quadratic(p, *sides))(params)
    state = compiled = optimizer.init(params)
    update = jax.jit(optimizer.update)
    for _ in range(4):
        step, state = optimizer.update(gradient, state)
        same, compiled = update(gradient, compiled)
    for a, b in zip(jax.tree.leaves(step), jax.tree.leaves(same), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
