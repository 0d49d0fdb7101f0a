"""What a generator errs by, learned from samples: a network whose last layer is off."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax.retrieval.correction import fit_correction, no_correction, shift

D, K, HIDDEN = 4, 30, 12


@pytest.fixture
def anchor():
    rng = np.random.default_rng(0)
    return 0.2 + rng.normal(size=(800, D)) @ np.diag([0.3, 0.01, 0.1, 1e-3]) @ rng.normal(
        size=(D, D)
    )


def network(anchor):
    """Features, bent; levels, and what those are off by."""
    rng = np.random.default_rng(1)
    inner, bias = rng.normal(size=(D, HIDDEN)), rng.normal(size=HIDDEN)
    last, wrong = rng.normal(size=(2, HIDDEN, K))
    feature = np.tanh(anchor @ inner + bias)
    return 5 + feature @ last, 0.02 + 0.1 * feature @ wrong


def shifts(correction, anchor, level):
    run = jax.vmap(lambda a, y: shift(correction, a, y))
    return np.asarray(run(jnp.float32(anchor), jnp.float32(level)))


def test_the_error_of_a_last_layer_is_taken_away(anchor):
    level, off = network(anchor)
    correction, left = fit_correction(anchor[:600], level[:600], off[:600])
    rms = np.sqrt(np.square(shifts(correction, anchor, level)[600:] - off[600:]).mean(axis=0))
    # What it leaves of samples that it never saw is what it says: little.
    assert np.all(rms < 0.002 * off.std(axis=0))
    assert np.all((left < 0.004 * off.std(axis=0)) & (left > 0.2 * rms))


def test_few_points_leave_the_parameters_to_tell(anchor):
    """Two levels do not tell four parameters."""
    level, off = network(anchor)
    level, off = level[:, :2], off[:, :2]
    _, left = fit_correction(anchor, level, off)
    _, without = fit_correction(np.repeat(anchor[:, :1], D, axis=1), level, off)
    assert np.all(left < 0.25 * off.std(axis=0)) and left[0] < 0.7 * without[0]


def test_what_nothing_follows_is_said_to_be_left(anchor):
    noise = np.random.default_rng(2).normal(0, 0.01, (800, K))
    _, left = fit_correction(anchor, network(anchor)[0], noise)
    np.testing.assert_allclose(left, 0.01, rtol=0.15)


def test_samples_that_do_not_exist_or_repeat_are_left_out(anchor):
    level, off = network(anchor)
    gone = off.copy()
    gone[::7] = np.nan
    correction, left = fit_correction(anchor, level, gone)
    assert all(np.all(np.isfinite(x)) for x in (*correction, left))
    same, told = fit_correction(*(np.concatenate([x, x[:200]]) for x in (anchor, level, gone)))
    np.testing.assert_array_equal(same.coefficient, correction.coefficient)
    np.testing.assert_array_equal(told, left)
    n_terms = 1 + D + K
    for few, enough in ((2 * n_terms - 1, False), (2 * n_terms, True)):
        off_of_few = np.where(np.arange(800)[:, None] < few, off, np.nan)
        assert (fit_correction(anchor, level, off_of_few) is not None) == enough


def test_a_fixed_parameter_does_no_harm(anchor):
    fixed = anchor.copy()
    fixed[:, 2] = 0.3
    level, off = network(fixed)
    correction, left = fit_correction(fixed, level, off)
    found = shifts(correction, fixed, level)
    assert np.all(np.abs(found - off).max(axis=0) < 0.1 * off.std(axis=0)) and np.all(left < 0.05)


def test_it_goes_no_further_than_the_samples(anchor):
    level, off = network(anchor)
    correction, _ = fit_correction(anchor, level, off)
    middle = [jnp.float32(x.mean(axis=0)) for x in (anchor, level)]
    away = [jnp.float32(x.std(axis=0) * 40) for x in (anchor, level)]
    far, further = (
        shift(correction, *(m + factor * a for m, a in zip(middle, away, strict=True)))
        for factor in (1.0, 5.0)
    )
    np.testing.assert_allclose(far, further, rtol=1e-3, atol=1e-5)


def test_nothing_shifts_nothing_and_vmap_agrees(anchor):
    level, off = network(anchor)
    nothing = no_correction(D, K)
    assert np.all(np.asarray(shift(nothing, jnp.ones(D), jnp.ones(K))) == 0)
    gradient = jax.grad(lambda a: shift(nothing, a, jnp.zeros(K)).sum())(jnp.zeros(D))
    assert np.all(np.asarray(gradient) == 0)
    correction, _ = fit_correction(anchor, level, off)
    assert jax.tree.map(np.shape, correction) == jax.tree.map(np.shape, nothing)
    a, y = jnp.float32(anchor[:5]), jnp.float32(level[:5])
    together = jax.jit(jax.vmap(lambda a, y: shift(correction, a, y)))(a, y)
    np.testing.assert_allclose(together[3], shift(correction, a[3], y[3]), rtol=1e-3, atol=1e-5)
