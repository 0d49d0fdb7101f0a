"""Offsets and sizes of errors, integrated out: against the integrals themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from exogan_jax.retrieval.instruments import (
    SCALE,
    SHAPE,
    energy,
    instruments,
    log_constant,
    nothing_free,
    scaled,
    whiten,
)

NAMES = ["a"] * 4 + ["b"] * 3 + ["c"] * 2
USABLE = np.array([True] * 8 + [False])
RNG = np.random.default_rng(0)
SIGMA = RNG.uniform(0.5, 2.0, 9)
DATA = RNG.normal(size=9) * SIGMA + np.array([0, 0, 0, 0, 3, 3, 3, -2, 0])
RESIDUAL = np.where(USABLE, DATA / SIGMA, 0.0)
INVERSE = np.where(USABLE, 1 / SIGMA, 0.0)


def log_likelihood(free):
    """Of the residuals, normalised."""
    found = whiten(RESIDUAL, INVERSE, free)
    normal = -np.log(np.sqrt(2 * np.pi) * SIGMA[USABLE]).sum()
    return normal + log_constant(free) - energy(found.residual, free) - found.log_volume


def test_offsets_are_a_covariance():
    free = instruments(NAMES, USABLE, 2.5, inflate=False)
    covariance = np.diag(SIGMA**2)
    for name in "bc":  # a has the most bins
        member = np.array(NAMES) == name
        covariance += 2.5**2 * np.outer(member, member)
    expected = stats.multivariate_normal.logpdf(
        DATA[USABLE], np.zeros(8), covariance[np.ix_(USABLE, USABLE)]
    )
    assert log_likelihood(free) == pytest.approx(expected, rel=1e-6)
    assert expected - log_likelihood(nothing_free(9)) > 1


def test_free_errors_are_an_integral():
    free = instruments(None, USABLE, 0.0, inflate=True)
    prior = stats.invgamma(SHAPE, scale=SCALE)

    def density(log_a):
        a = np.exp(log_a)
        errors = SIGMA[USABLE] * np.sqrt(a)
        return np.exp(stats.norm.logpdf(DATA[USABLE], scale=errors).sum()) * prior.pdf(a) * a

    expected = np.log(integrate.quad(density, -10, 10)[0])
    assert log_likelihood(free) == pytest.approx(expected, rel=1e-5)
    assert prior.ppf([0.05, 0.95]) == pytest.approx([0.42, 5.6], rel=0.02)


def test_both_are_the_integral_over_offsets_scaled_with_the_errors():
    one = [0, 1, 2, 3, 4, 5, 6]
    names, usable = NAMES[:7], np.full(7, True)
    free = instruments(names, usable, 2.5, inflate=True)
    found = whiten(RESIDUAL[one], INVERSE[one], free)
    value = log_constant(free) - energy(found.residual, free) - found.log_volume
    value -= np.log(np.sqrt(2 * np.pi) * SIGMA[one]).sum()
    prior = stats.invgamma(SHAPE, scale=SCALE)

    def of(rows, offset):
        covariance = np.diag(SIGMA[rows] ** 2) + offset**2

        def density(log_a):
            a = np.exp(log_a)
            normal = stats.multivariate_normal(np.zeros(len(rows)), a * covariance)
            return normal.pdf(DATA[rows]) * prior.pdf(a) * a

        return np.log(integrate.quad(density, -8, 8)[0])

    assert value == pytest.approx(of(one[:4], 0.0) + of(one[4:], 2.5), rel=1e-5)


def test_scaled_residuals_are_the_energys_roots():
    free = instruments(NAMES, USABLE, 2.5, inflate=True)
    found = whiten(RESIDUAL, INVERSE, free).residual
    assert 0.5 * np.square(scaled(found, free)).sum() == pytest.approx(energy(found, free))
    # Large residuals count less than their squares.
    assert energy(10 * found, free) < 0.2 * 0.5 * np.square(10 * found).sum()
    zero = scaled(jnp.zeros(9), free)
    assert np.all(np.isfinite(zero)) and np.all(np.asarray(zero) == 0)


def test_padding_and_nothing_free_change_nothing():
    free = instruments(NAMES, USABLE, 2.5, inflate=True, n_bins=12, n_instruments=5)
    residual, inverse = (np.pad(x, (0, 3)) for x in (RESIDUAL, INVERSE))
    plain = instruments(NAMES, USABLE, 2.5, inflate=True)
    padded, own = whiten(residual, inverse, free), whiten(RESIDUAL, INVERSE, plain)
    np.testing.assert_allclose(padded.residual[:9], own.residual, rtol=1e-6)
    assert padded.log_volume == pytest.approx(float(own.log_volume))
    found = energy(padded.residual, free) - log_constant(free)
    assert found == pytest.approx(energy(own.residual, plain) - log_constant(plain), rel=1e-5)
    nothing = instruments(NAMES, USABLE, 0.0, inflate=False)
    same = whiten(RESIDUAL, INVERSE, nothing)
    np.testing.assert_array_equal(same.residual, RESIDUAL)
    assert same.log_volume == 0 and log_constant(nothing) == 0


def test_jit_vmap_and_gradients_agree_with_numpy():
    free = instruments(NAMES, USABLE, 2.5, inflate=True)
    many = np.stack([RESIDUAL, 2 * RESIDUAL]).astype(np.float32)

    def value(residual):
        found = whiten(residual, jnp.float32(INVERSE), free)
        return energy(found.residual, free) + found.log_volume

    together = jax.jit(jax.vmap(value))(jnp.asarray(many))
    numpy = whiten(many.astype(np.float64), INVERSE, free)
    expected = energy(numpy.residual, free) + numpy.log_volume
    np.testing.assert_allclose(together, expected, rtol=1e-4)
    np.testing.assert_allclose(value(jnp.asarray(many[1])), expected[1], rtol=1e-4)
    assert np.all(np.isfinite(jax.grad(value)(jnp.asarray(many[0]))))
    assert np.all(np.isfinite(jax.grad(value)(jnp.zeros(9))))
