"""What a generator errs by, learned from samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax.retrieval.correction import fit_correction, no_correction, shift

D, K = 4, 7


@pytest.fixture
def anchor():
    rng = np.random.default_rng(0)
    return 0.2 + rng.normal(size=(400, D)) @ np.diag([0.3, 0.01, 0.1, 1e-3]) @ rng.normal(
        size=(D, D)
    )


def quadratic(anchor, seed=1):
    rng = np.random.default_rng(seed)
    linear, square = rng.normal(size=(D, K)), rng.normal(size=(D, D, K))
    return 0.02 + 0.1 * anchor @ linear + 0.1 * np.einsum("ni,nj,ijk->nk", anchor, anchor, square)


def test_a_quadratic_error_is_taken_away(anchor):
    off = quadratic(anchor)
    correction, left = fit_correction(anchor[:300], off[:300])
    found = jax.vmap(lambda a: shift(correction, a))(jnp.float32(anchor[300:]))
    # What it leaves of samples that it never saw is what it says: little.
    rms = np.sqrt(np.square(found - off[300:]).mean(axis=0))
    assert np.all(rms < 0.03 * off.std(axis=0))
    assert np.all((left < 0.05 * off.std(axis=0)) & (left > 0.2 * rms))


def test_what_no_polynomial_follows_is_said_to_be_left(anchor):
    noise = np.random.default_rng(2).normal(0, 0.01, (400, K))
    _, left = fit_correction(anchor, noise)
    np.testing.assert_allclose(left, 0.01, rtol=0.15)


def test_samples_that_do_not_exist_are_left_out(anchor):
    off = quadratic(anchor)
    off[::7] = np.nan
    correction, left = fit_correction(anchor, off)
    assert all(np.all(np.isfinite(x)) for x in (*correction, left))
    few = np.where(np.arange(400)[:, None] < 29, quadratic(anchor), np.nan)
    assert fit_correction(anchor, few) is None


def test_a_fixed_parameter_does_no_harm(anchor):
    fixed = anchor.copy()
    fixed[:, 2] = 0.3
    off = quadratic(fixed)
    correction, left = fit_correction(fixed, off)
    found = jax.vmap(lambda a: shift(correction, a))(jnp.float32(fixed))
    assert np.all(np.abs(found - off).max(axis=0) < 0.1 * off.std(axis=0)) and np.all(left < 0.05)


def test_it_goes_no_further_than_the_samples(anchor):
    correction, _ = fit_correction(anchor, quadratic(anchor))
    at = jnp.float32(anchor.mean(axis=0))
    away = jnp.float32(anchor.std(axis=0) * 20)
    far, further = (shift(correction, at + factor * away) for factor in (1.0, 5.0))
    np.testing.assert_allclose(far, further, rtol=1e-3, atol=1e-6)


def test_nothing_shifts_nothing_and_vmap_agrees(anchor):
    nothing = no_correction(D, K)
    assert np.all(np.asarray(shift(nothing, jnp.ones(D))) == 0)
    gradient = jax.grad(lambda a: shift(nothing, a).sum())(jnp.zeros(D))
    assert np.all(np.asarray(gradient) == 0)
    correction, _ = fit_correction(anchor, quadratic(anchor))
    points = jnp.float32(anchor[:5])
    together = jax.jit(jax.vmap(lambda a: shift(correction, a)))(points)
    np.testing.assert_allclose(together[3], shift(correction, points[3]), rtol=1e-4, atol=1e-6)
