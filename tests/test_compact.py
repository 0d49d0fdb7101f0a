import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax import aspa
from exogan_jax.folding import expand, reduce
from exogan_jax.gan.compact import (
    fit_whitening,
    fold_first,
    fold_last,
    whitened_difference,
    whitened_gradient,
)
from exogan_jax.gan.nets import networks
from exogan_jax.layout import PUBLISHED

N = PUBLISHED.n_vector


@pytest.fixture(scope="module")
def values():
    # Correlated values of very different spread, as an ASPA's are.
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(40, N)) * np.geomspace(0.1, 1e-5, 40)[:, None]
    return (0.5 + rng.normal(size=(3000, 40)) @ mixing).astype(np.float32)


def test_vector_agrees_with_the_encoding():
    rng = np.random.default_rng(1)
    depth = jnp.asarray(rng.uniform(0.01, 0.02, 515), jnp.float32)
    theta = jnp.array([-3.0, -4.0, -5.0, -6.0, 1.2, 1.1, 1500.0])
    image = aspa.encode(depth, theta)
    vector = PUBLISHED.vector(PUBLISHED.pack(depth, theta))
    assert vector.shape == (564,)
    np.testing.assert_allclose(expand(PUBLISHED, vector), image, atol=1e-6)
    np.testing.assert_allclose(reduce(PUBLISHED, image), vector, atol=1e-6)
    np.testing.assert_allclose(vector[-1], -theta[0] / 8, rtol=1e-6)


def test_reduce_inverts_expand():
    vectors = jax.random.uniform(jax.random.key(0), (3, N))
    there_and_back = jax.vmap(lambda v: reduce(PUBLISHED, expand(PUBLISHED, v)))
    np.testing.assert_allclose(there_and_back(vectors), vectors, atol=1e-5)


def test_whitened_coordinates_are_uncorrelated_down_to_the_floor(values):
    floor = 1e-3
    whitening = fit_whitening(values, floor)
    coordinates = (values - np.asarray(whitening.mean)) @ np.asarray(whitening.inverse)
    covariance = np.cov(coordinates, rowvar=False)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 1e-2
    assert covariance.diagonal().max() < 1.01
    raw = np.linalg.eigvalsh(np.cov(values, rowvar=False))
    expected = np.sort(raw / (raw + floor**2))
    np.testing.assert_allclose(np.sort(covariance.diagonal()), expected, atol=1e-2)
    back = np.asarray(whitening.mean) + coordinates @ np.asarray(whitening.basis)
    np.testing.assert_allclose(back, values, atol=1e-4)


def test_gradient_in_whitened_coordinates_follows_the_chain_rule(values):
    whitening = fit_whitening(values)
    direction = jax.random.normal(jax.random.key(1), (N,))

    def score(pixels):
        return jnp.sin(3 * pixels) @ direction

    def of_coordinates(coordinates):
        return score(whitening.mean[None] + coordinates @ whitening.basis).sum()

    coordinates = 0.1 * jax.random.normal(jax.random.key(2), (2, N))
    pixels = whitening.mean[None] + coordinates @ whitening.basis
    by_pixel = jax.grad(lambda x: score(x).sum())(pixels)
    np.testing.assert_allclose(
        whitened_gradient(by_pixel, whitening),
        jax.grad(of_coordinates)(coordinates),
        rtol=1e-3,
        atol=1e-4,
    )


def test_folding_changes_nothing_that_is_computed(values):
    whitening, finer = fit_whitening(values), fit_whitening(values, 1e-4)
    whitened = networks("compact", PUBLISHED, width=16, depth=1, whitened=True)
    plain = networks("compact", PUBLISHED, width=16, depth=1)
    g = whitened.generator.init(jax.random.key(0), jnp.zeros((1, 100)))
    d = whitened.discriminator.init(jax.random.key(1), jnp.zeros((1, N)))
    z = jax.random.uniform(jax.random.key(2), (4, 100), minval=-1.0)
    drawn = whitened.generator.apply(
        {"params": g["params"], "batch_stats": {"whitening": finer._asdict()}}, z
    )
    logits = whitened.discriminator.apply(
        {"params": d["params"], "batch_stats": {"whitening": whitening._asdict()}}, drawn
    )
    folded_g, folded_d = fold_last(g["params"], finer), fold_first(d["params"], whitening)
    np.testing.assert_allclose(plain.generator.apply({"params": folded_g}, z), drawn, atol=1e-5)
    np.testing.assert_allclose(
        plain.discriminator.apply({"params": folded_d}, drawn), logits, rtol=1e-2, atol=1e-2
    )


def test_whitened_difference_weighs_by_spread(values):
    whitening = fit_whitening(values, 1e-3)
    spread = np.linalg.norm(np.asarray(whitening.basis), axis=1)
    step = jnp.diag(jnp.asarray([1.0, 2.0, 3.0])) @ whitening.basis[-3:]  # three coordinates move
    plain = np.asarray(whitened_difference(whitening)(step))
    np.testing.assert_allclose(plain[:, -3:], np.diag([1.0, 2.0, 3.0]), atol=1e-3)
    weighted = np.asarray(whitened_difference(whitening, 0.5)(step))
    expected = np.sqrt(spread[-3:] / spread.mean()) * [1.0, 2.0, 3.0]
    np.testing.assert_allclose(np.diag(weighted[:, -3:]), expected, rtol=1e-2)


def test_the_largest_components_alone_are_those_of_all(values):
    whole, few = fit_whitening(values), fit_whitening(values, n_components=5)
    for name in ("basis", "inverse"):
        rows = getattr(whole, name) if name == "basis" else getattr(whole, name).T
        some = getattr(few, name) if name == "basis" else getattr(few, name).T
        assert some.shape == (5, N)
        np.testing.assert_allclose(some, rows[-5:], rtol=1e-5, atol=1e-6)
