"""The judgement of a generator, on generators whose quality is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax import grid
from exogan_jax.files.records import Spectra
from exogan_jax.physics.opacity import load_opacities
from exogan_jax.physics.prior import sample_prior, simulate
from experiments.candidates import parse
from experiments.training.quality import _nearest, consistency_ppm, novelty, prior_distance

N = 10_000


@pytest.fixture(scope="module")
def theta():
    return np.asarray(sample_prior(jax.random.key(0), N))


def test_samples_of_the_prior_have_its_distribution(theta):
    numbers = prior_distance(theta)
    # 1.95 / sqrt(n) is exceeded by one of a thousand marginals.
    assert numbers["ks"] < 1.95 / np.sqrt(N) * 1.2
    assert numbers["pairs_covered"] == 1.0


def test_a_shifted_marginal_has_its_known_distance(theta):
    shifted = theta.copy()
    width = grid.UPPER[2] - grid.LOWER[2]
    shifted[:, 2] = np.minimum(shifted[:, 2] + 0.3 * width, grid.UPPER[2])
    assert prior_distance(shifted)["ks"] == pytest.approx(0.3, abs=0.02)


def test_a_dropped_mode_is_seen_in_the_pairs(theta):
    scaled = (theta - grid.LOWER) / (np.asarray(grid.UPPER) - grid.LOWER)
    kept = theta[~((scaled[:, 0] > 0.5) & (scaled[:, 6] > 0.5))]
    assert prior_distance(kept)["pairs_covered"] == pytest.approx(0.75)


def test_consistency_is_the_offset_from_the_forward_model(theta):
    table, few = load_opacities(), jnp.asarray(theta[:4])
    depth = np.asarray(simulate(few, table))
    offset = np.array([0.0, 1e-5, 2e-5, 5e-5], np.float32)[:, None]
    found = consistency_ppm(Spectra(depth + offset, np.asarray(few)), table)
    np.testing.assert_allclose(found, [0, 10, 20, 50], atol=0.3)


def test_novelty_is_one_for_new_spectra_and_zero_for_copies():
    rng = np.random.default_rng(0)
    low, high = np.asarray(grid.LOWER), np.asarray(grid.UPPER)

    def spectra(n):
        theta = rng.uniform(low, high, (n, 7)).astype(np.float32)
        return Spectra(rng.uniform(0.01, 0.02, (n, 515)).astype(np.float32), theta)

    train, held_out = spectra(200), spectra(50)
    from exogan_jax import aspa

    def encode(x):
        return np.asarray(jax.vmap(aspa.encode)(*map(jnp.asarray, x)))

    assert novelty(encode(spectra(50)), train, held_out) == pytest.approx(1, abs=0.1)
    assert novelty(encode(train)[:50], train, held_out) < 0.05


def test_nearest_is_the_smallest_distance():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(5, 3)), rng.normal(size=(7, 3))
    expected = np.linalg.norm(a[:, None] - b[None], axis=-1).min(axis=1)
    np.testing.assert_allclose(_nearest(a, b), expected)


def test_candidates_are_named_with_their_starts_and_steps():
    assert parse("compact") == ("compact", True, None)
    assert parse("runs/a.safetensors:anywhere:600") == ("runs/a.safetensors", False, 600)
    with pytest.raises(SystemExit, match="neither `anywhere` nor a number"):
        parse("compact:0")
