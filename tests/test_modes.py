"""Modes of problems whose posterior is known, and draws from them."""

import jax
import jax.numpy as jnp
import numpy as np

from exogan_jax.gan.npe import from_normal, to_normal
from exogan_jax.retrieval.modes import Modes, climb, draw

D = 4
#: Seen a thousandfold better in one direction than in another; the last is not seen at all.
MATRIX = np.random.default_rng(0).normal(size=(20, D)) * [300.0, 5.0, 0.3, 0.0]
TRUTH = np.array([0.4, -0.3, 1.0, 0.0])
DATA = MATRIX @ TRUTH
HESSIAN = MATRIX.T @ MATRIX + np.eye(D)
MEAN = np.linalg.solve(HESSIAN, MATRIX.T @ DATA)


def linear(latent):
    return jnp.asarray(MATRIX, jnp.float32) @ to_normal(latent) - jnp.asarray(DATA, jnp.float32)


def density_of(residuals):
    return lambda latent: -0.5 * jnp.square(residuals(latent)).sum()


def test_linear_problem_has_its_mean_covariance_and_evidence():
    modes = jax.jit(lambda z: climb(z, linear))(jnp.full(D, 0.7))
    np.testing.assert_allclose(modes.centre, MEAN, atol=2e-4)
    covariance = modes.spread @ modes.spread.T
    expected = np.linalg.inv(HESSIAN)
    np.testing.assert_allclose(
        jnp.sqrt(jnp.diagonal(covariance)), np.sqrt(np.diag(expected)), rtol=2e-3
    )
    cost = 0.5 * (np.square(MATRIX @ MEAN - DATA).sum() + MEAN @ MEAN)
    log_evidence = -0.5 * np.linalg.slogdet(HESSIAN)[1] - cost
    np.testing.assert_allclose(modes.log_evidence, log_evidence, rtol=1e-3)


def test_a_curved_problem_is_climbed_from_afar():
    def curved(latent):  # a valley in which the second follows the square of the first
        u = to_normal(latent)
        return jnp.stack([1e2 * (u[1] - jnp.square(u[0])), 20 * (u[0] - 1.2), u[2], u[3]])

    starts = from_normal(jax.random.normal(jax.random.key(0), (8, D)))
    modes = jax.jit(jax.vmap(lambda z: climb(z, curved, 100)))(starts)
    np.testing.assert_allclose(modes.centre[:, 0], 1.2, atol=0.02)
    np.testing.assert_allclose(modes.centre[:, 1], jnp.square(modes.centre[:, 0]), atol=2e-3)


def test_vmap_over_starts_agrees_with_one_alone():
    starts = jnp.asarray([[0.1, 0.2, 0.3, 0.4], [-0.5, 0.5, 0.0, 0.9]])
    together = jax.vmap(lambda z: climb(z, linear))(starts)
    alone = climb(starts[1], linear)
    np.testing.assert_allclose(together.centre[1], alone.centre, atol=1e-4)
    np.testing.assert_allclose(together.log_evidence[1], alone.log_evidence, rtol=1e-3)


def test_each_step_is_the_textbooks_and_the_first_look_is_none():
    """Levenberg and Marquardt's on a bent problem, in float64 by hand."""

    def bent(z):
        u = to_normal(z)
        return jnp.concatenate([3 * (u[:1] - jnp.square(u[1:2]) - 1), u[1:] - 0.5])

    def by_hand(u, n_steps):
        damping = 1e-2
        for _ in range(n_steps):
            r = np.append(3 * (u[0] - u[1] ** 2 - 1), u[1:] - 0.5)
            slope = np.zeros((D, D))
            slope[0, :2] = 3, -6 * u[1]
            slope[1:, 1:] = np.eye(D - 1)
            move = np.linalg.solve(slope.T @ slope + (1 + damping) * np.eye(D), -(slope.T @ r + u))
            there = u + move
            r_there = np.append(3 * (there[0] - there[1] ** 2 - 1), there[1:] - 0.5)
            better = r_there @ r_there + there @ there < r @ r + u @ u
            u, damping = (there, 0.2 * damping) if better else (u, 8 * damping)
        return u

    begin = np.array([-0.5, 1.2, 0.0, 0.3])
    for n_steps in (0, 1, 2, 5):
        found = climb(from_normal(jnp.asarray(begin, jnp.float32)), bent, n_steps)
        np.testing.assert_allclose(found.centre, by_hand(begin, n_steps), atol=2e-4)


def test_a_start_of_no_number_is_no_mode():
    found = climb(jnp.zeros(D), lambda z: linear(z) * jnp.nan)
    assert float(found.log_evidence) == -np.inf and np.isfinite(found.centre).all()


def modes_of(residuals, latent) -> Modes:
    return jax.tree.map(lambda x: x[None], climb(jnp.asarray(latent), residuals))


def drawn(key, modes, density, n):
    """Latents; `draw` also says what it found their densities to be."""
    at_centre = jax.vmap(density)(from_normal(modes.centre))
    latents, of_latents = jax.jit(lambda key: draw(key, modes, at_centre, density, n))(key)
    np.testing.assert_allclose(of_latents, jax.vmap(density)(latents), rtol=1e-3, atol=1e-2)
    return latents


def test_draws_of_a_linear_problem_are_its_posterior():
    modes = modes_of(linear, [0.0] * D)
    latents = drawn(jax.random.key(1), modes, density_of(linear), 4000)
    u = np.asarray(to_normal(latents), np.float64)
    sigma = np.sqrt(np.diag(np.linalg.inv(HESSIAN)))
    np.testing.assert_allclose((u.mean(axis=0) - MEAN) / sigma, 0, atol=0.08)
    np.testing.assert_allclose(u.std(axis=0) / sigma, 1, atol=0.08)


def test_draws_that_fall_too_low_are_drawn_back():
    def curved(latent):
        u = to_normal(latent)
        return jnp.concatenate([1e4 * (u[1:2] - jnp.square(u[:1])), 0.1 * u])

    modes, density = modes_of(curved, [0.3, 0.1, 0.0, 0.0]), density_of(curved)
    latents = drawn(jax.random.key(2), modes, density, 200)
    top = density(from_normal(modes.centre[0]))
    assert float(jax.vmap(density)(latents).min()) > float(top) - 1.5 * D
    assert np.asarray(to_normal(latents)).std(axis=0)[2] > 0.05  # not all the way


def test_better_modes_are_drawn_more_often_and_impossible_ones_never():
    centre = jnp.asarray([[-1.0] * D, [1.0] * D, [2.0] * D])
    spread = jnp.broadcast_to(0.01 * jnp.eye(D), (3, D, D))
    modes = Modes(centre, spread, jnp.asarray([0.0, 4.0, 50.0]))

    def density(latent):
        return jnp.where(to_normal(latent)[0] > 1.5, -jnp.inf, 0.0)

    u = to_normal(drawn(jax.random.key(3), modes, density, 2000))[:, 0]
    shares = [float((jnp.abs(u - at) < 0.5).mean()) for at in (-1.0, 1.0, 2.0)]
    np.testing.assert_allclose(shares, [1 / (1 + np.e**2), 1 / (1 + np.e**-2), 0.0], atol=0.03)
