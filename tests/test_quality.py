"""The judgement of a generator, on generators whose quality is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax.files.opacities import load_opacities
from exogan_jax.files.records import Spectra
from exogan_jax.layout import PUBLISHED
from exogan_jax.parameters import Parameter, Parameters
from exogan_jax.physics.forward import simulate
from exogan_jax.physics.problem import problem_model
from experiments.candidates import parse
from experiments.evaluate import detectable, published
from experiments.training.quality import (
    _nearest,
    consistency_ppm,
    novelty,
    prior_distance,
    width_errors,
)

N = 10_000
PARAMETERS = PUBLISHED.parameters
LOWER, UPPER = PARAMETERS.lower, PARAMETERS.upper


@pytest.fixture(scope="module")
def theta():
    return np.asarray(PARAMETERS.sample(jax.random.key(0), N))


def test_samples_of_the_prior_have_its_distribution(theta):
    numbers = prior_distance(theta, PARAMETERS)
    # 1.95 / sqrt(n) is exceeded by one of a thousand marginals.
    assert numbers["ks"] < 1.95 / np.sqrt(N) * 1.2
    assert numbers["pairs_covered"] == 1.0


def test_a_shifted_marginal_has_its_known_distance(theta):
    shifted = theta.copy()
    width = UPPER[2] - LOWER[2]
    shifted[:, 2] = np.minimum(shifted[:, 2] + 0.3 * width, UPPER[2])
    assert prior_distance(shifted, PARAMETERS)["ks"] == pytest.approx(0.3, abs=0.02)


def test_a_dropped_mode_is_seen_in_the_pairs(theta):
    scaled = (theta - LOWER) / (UPPER - LOWER)
    kept = theta[~((scaled[:, 0] > 0.5) & (scaled[:, 6] > 0.5))]
    assert prior_distance(kept, PARAMETERS)["pairs_covered"] == pytest.approx(0.75)


def test_consistency_is_the_offset_from_the_forward_model(theta):
    few = jnp.asarray(theta[:4])
    physics = problem_model(load_opacities(), PUBLISHED)
    depth = np.asarray(simulate(physics, few))
    offset = np.array([0.0, 1e-5, 2e-5, 5e-5], np.float32)[:, None]
    found = consistency_ppm(Spectra(depth + offset, np.asarray(few)), physics)
    np.testing.assert_allclose(found, [0, 10, 20, 50], atol=0.3)


@pytest.mark.slow
def test_novelty_is_one_for_new_spectra_and_zero_for_copies():
    rng = np.random.default_rng(0)

    def spectra(n):
        theta = rng.uniform(LOWER, UPPER, (n, 7)).astype(np.float32)
        return Spectra(rng.uniform(0.01, 0.02, (n, 515)).astype(np.float32), theta)

    train, held_out = spectra(200), spectra(50)

    def encode(x):
        encoding = jax.vmap(lambda d, t: PUBLISHED.image(PUBLISHED.pack(d, t)))
        return np.asarray(encoding(*map(jnp.asarray, x)))

    assert novelty(encode(spectra(50)), train, held_out, PUBLISHED) == pytest.approx(1, abs=0.1)
    assert novelty(encode(train)[:50], train, held_out, PUBLISHED) < 0.05


def test_nearest_is_the_smallest_distance():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(5, 3)), rng.normal(size=(7, 3))
    expected = np.linalg.norm(a[:, None] - b[None], axis=-1).min(axis=1)
    np.testing.assert_allclose(_nearest(a, b), expected)


def test_errors_count_on_the_parameters_scale():
    linear = Parameter("a", "mass", "M_J", "a", 1.0, 5.0)
    logarithmic = Parameter("b", "radius", "R_J", "b", 0.1, 10.0, "log10")
    found, truth = np.array([[2.0, 1.0]]), np.array([[3.0, 0.1]])
    expected = (0.25 + 0.5) / 2
    assert width_errors(found, truth, Parameters([linear, logarithmic])) == pytest.approx(expected)


def test_a_gas_shows_where_taking_it_away_changes_the_depth():
    physics = problem_model(load_opacities("published"), PUBLISHED)
    theta = np.array([[-3.0, -8.0, -8.0, -8.0, 1.0, 1.2, 1500.0]])
    shown = {name: bool(rows[0]) for name, rows in detectable(theta, physics).items()}
    assert shown == {name: name == "log10_h2o" for name in PARAMETERS.names[:4]}


def test_archives_are_read_by_name_and_unit(tmp_path):
    columns = {f"log10_{gas}": np.full(2, -4.0) for gas in PARAMETERS.gases}
    columns |= {"planet_mass_kg": np.full(2, 1.898e27), "planet_radius_m": np.full(2, 6.9911e7)}
    wavelength, depth = np.array([1.0, 2.0, 3.0]), np.full((2, 3), 0.01)
    path = tmp_path / "sample.npz"
    temperature = np.array([1000.0, 1500.0])
    np.savez(
        path, wavelength_um=wavelength, transit_depth=depth, temperature_k=temperature, **columns
    )
    observations, theta = published(path, PARAMETERS)
    np.testing.assert_allclose(theta, [[-4, -4, -4, -4, 1, 1, t] for t in temperature])
    assert len(observations) == 2 and observations[0].depth.shape == (3,)


def test_candidates_are_named_with_their_starts_and_steps():
    assert parse("published") == ("published", True, None)
    assert parse("runs/a.safetensors:anywhere:600") == ("runs/a.safetensors", False, 600)
    with pytest.raises(SystemExit, match="neither `anywhere` nor a number"):
        parse("published:0")
