"""Algebra of triangular matrices, against NumPy's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax import load_model
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval import answers, side_by_side
from exogan_jax.retrieval.compared import LIKELIHOODS
from exogan_jax.retrieval.latent_prior import latent_prior
from exogan_jax.retrieval.settings import Settings
from exogan_jax.triangular import cholesky, factor, inverse

ROWS = np.random.default_rng(0).normal(size=(3, 40, 6)) * np.geomspace(1, 1e-3, 6)
COVARIANCE = np.einsum("sni,snj->sij", ROWS, ROWS)


def close(found, expected, rtol):
    """To a share of each row's and column's own size."""
    scale = np.sqrt(np.abs(np.einsum("sii->si", expected @ np.swapaxes(expected, 1, 2))))
    assert np.all(np.abs(found - expected) <= rtol * scale[:, :, None])


def test_cholesky_is_numpys():
    scaled = COVARIANCE / np.sqrt(
        np.einsum("sii,sjj->sij", COVARIANCE, COVARIANCE)
    )  # as correlations
    close(jax.vmap(cholesky)(jnp.float32(scaled)), np.linalg.cholesky(scaled), 1e-5)


def test_inverse_is_numpys():
    lower = np.linalg.cholesky(COVARIANCE)
    found = np.asarray(jax.vmap(inverse)(jnp.float32(lower)), np.float64)
    identity = np.broadcast_to(np.eye(6), found.shape)
    np.testing.assert_allclose(found @ lower, identity, atol=2e-5)
    assert np.all(found[:, *np.triu_indices(6, 1)] == 0)


def test_factor_is_numpys_where_the_product_has_no_digits_left():
    """Two nearly parallel columns: their product's determinant is 1e-10 of its size."""
    rows = ROWS / np.geomspace(1, 1e-3, 6)
    rows[:, :, 5] = rows[:, :, 0] + 1e-5 * rows[:, :, 5]
    expected = np.linalg.qr(rows, mode="r")
    expected *= np.sign(np.einsum("sii->si", expected))[:, :, None]
    found = jax.vmap(factor)(jnp.float32(rows))
    close(found, expected, 1e-2)
    np.testing.assert_allclose(found[:, 5, 5], expected[:, 5, 5], rtol=2e-2)
    assert np.all(np.asarray(found)[:, *np.tril_indices(6, -1)] == 0)


def test_jit_and_vmap_agree():
    for function, one in ((cholesky, COVARIANCE), (inverse, COVARIANCE), (factor, ROWS)):
        together = jax.jit(jax.vmap(function))(jnp.float32(one))
        np.testing.assert_allclose(together[1], function(jnp.float32(one[1])), rtol=2e-4, atol=1e-6)


@pytest.mark.optax
@pytest.mark.parametrize("name", ["planets", pytest.param("published", marks=pytest.mark.slow)])
def test_retrievals_call_no_lapack(name):
    """Two calls at once of a program on two cores would wait for ever."""
    model = load_model(name)
    grid = model.layout.wavelength_um[100:140]
    seen = Observation(grid, np.zeros(40), np.full(40, 0.01), np.full(40, 1e-4))
    settings = Settings(n_starts=2).for_model(has_encoder=True)
    prior = latent_prior(
        (None,) * len(model.layout.parameters), model.layout.parameters, model.networks.latent_dim
    )
    target = LIKELIHOODS["gaussian"].target(seen, model, prior)
    targets = jax.tree.map(lambda x: jnp.stack([x, x]), target)
    keys = answers.keys_of(["a", "b"], 0)
    program = side_by_side.retrieve_all.program.lower(
        keys, model, targets, settings=settings
    ).as_text()
    assert "stablehlo.while" in program
    for call in ("lapack", "triangular_solve", "stablehlo.cholesky"):
        assert call not in program
