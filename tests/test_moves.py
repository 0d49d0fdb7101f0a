"""The coordinates of the walkers, of the shipped generator: an exact change of variables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax import Observation, load_model
from exogan_jax.gan.npe import to_normal
from exogan_jax.retrieval.compared import LIKELIHOODS
from exogan_jax.retrieval.latent_prior import latent_at, latent_prior
from exogan_jax.retrieval.moves import coordinates_of
from exogan_jax.retrieval.priors import resolve
from exogan_jax.retrieval.straight import places

SIGMA = 5e-5


@pytest.fixture(scope="module")
def model():
    return load_model("planets")


POINTS = np.arange(150, 250, 8)


@pytest.fixture(scope="module")
def seen(model):
    """The spectrum of a planet."""
    d = len(model.layout.parameters)
    latent = jnp.asarray(0.6 * np.random.default_rng(1).uniform(-1, 1, d), jnp.float32)
    depth, _ = model.layout.unpack(model.values(model.generate(latent)))
    return Observation(
        model.layout.wavelength_um[POINTS],
        np.zeros(POINTS.size),
        np.asarray(depth)[POINTS],
        np.full(POINTS.size, SIGMA),
    )


@pytest.fixture(scope="module", params=[None, {"planet_mass": "0.2..2"}, {"planet_radius": 1.2}])
def problem(request, model, seen):
    """Coordinates for the spectrum, and places (n, d) of the box."""
    parameters = model.layout.parameters
    prior = latent_prior(resolve(request.param, parameters), parameters, len(parameters))
    rng = np.random.default_rng(2)
    target = LIKELIHOODS["gaussian"].target(seen, model, prior)
    best = jnp.asarray(0.5 * rng.uniform(-1, 1, len(parameters)), jnp.float32)
    near = 0.5 * rng.uniform(-1, 1, (6, len(parameters)))
    near[:, np.asarray(prior.half) == 0] = 0  # of what is fixed there is one place
    return coordinates_of(model, target, best), jnp.asarray(near, jnp.float32), prior


def free(prior):
    return np.flatnonzero(np.asarray(prior.half) > 0)


def test_there_and_back(problem):
    coordinates, near, prior = problem
    position, forth = jax.jit(jax.vmap(coordinates.position))(near)
    place, back = jax.jit(jax.vmap(coordinates.place))(position)
    kept = free(prior)
    np.testing.assert_allclose(place[:, kept], near[:, kept], atol=2e-3)
    np.testing.assert_allclose(forth, back, atol=2e-3)
    assert np.ptp(np.asarray(position), axis=0)[kept].min() > 0.05


def test_volumes_are_those_of_the_jacobian(problem):
    coordinates, near, prior = problem
    position, volume = jax.jit(jax.vmap(coordinates.position))(near)
    jacobian = jax.jit(jax.vmap(jax.jacfwd(lambda x: coordinates.place(x)[0])))(position)
    kept = free(prior)
    fixed = near.shape[1] - len(kept)
    matrix = np.asarray(jacobian, np.float64)[:, kept[:, None], kept[None]]
    _, log_det = np.linalg.slogdet(matrix)
    # A place of the box has the density 1/2 a dimension, and so has, at 0, what is fixed.
    np.testing.assert_allclose(volume, log_det - (len(kept) + fixed) * np.log(2), atol=0.02)


def test_normal_ones_are_the_same_places(model, problem):
    coordinates, near, _ = problem
    position, _ = jax.vmap(coordinates.position)(near)
    u, volume = coordinates.normal.to(position)
    back, minus = coordinates.normal.back(u)
    np.testing.assert_allclose(back, position, atol=1e-5)
    np.testing.assert_allclose(minus, -volume, atol=1e-4)
    others = ~np.asarray(coordinates.apart)
    np.testing.assert_allclose(u[:, others], to_normal(near[:, others]), atol=1e-3)
    np.testing.assert_array_equal(u[:, ~others], position[:, ~others])
    jacobian = jax.vmap(jax.jacfwd(lambda x: coordinates.normal.to(x)[0]))(position)
    _, log_det = np.linalg.slogdet(np.asarray(jacobian, np.float64))
    np.testing.assert_allclose(volume, log_det, atol=0.02)


def test_other_parameters_do_not_hang_on_the_two(model, problem):
    """The Jacobian is triangular."""
    coordinates, near, prior = problem
    mass, radius = places(model.drawing)
    pair = np.array([i for i in (mass, radius) if i in free(prior)])
    x, _ = coordinates.position(near[0])
    before, after = (latent_at(prior, coordinates.place(y)[0]) for y in (x, x.at[pair].add(0.01)))
    others = np.array([i for i in range(x.size) if i not in (mass, radius)])
    np.testing.assert_allclose(before[others], after[others], atol=1e-5)
    assert np.all(before[pair] != after[pair])


def test_mass_and_radius_are_apart_where_both_are_free(model, problem):
    coordinates, _, prior = problem
    pair = places(model.drawing)
    both = set(pair) <= set(free(prior))
    assert set(np.flatnonzero(coordinates.apart)) == (set(pair) if both else set())


@pytest.mark.parametrize("problem", [None, {"planet_mass": "0.2..2"}], indirect=True)
def test_whatever_the_scale_height_planets_look_as_large(model, seen, problem):
    """A sheet that is thin in the radius is straight: also where a scale height is another, and the
    levels with it.
    """
    coordinates, near, prior = problem
    mass, radius = places(model.drawing)
    x, _ = coordinates.position(near[0])
    share = seen.depth**3 / (seen.depth**3).sum()
    size = share @ seen.depth**-0.5
    made = []
    for off in (-0.1, 0.0, 0.1):  # of which 0.1 is a factor of 2 or more
        place, _ = coordinates.place(x.at[radius].set(0.0).at[mass].set(off))
        drawn = model.generate(latent_at(prior, place))
        depth, theta = model.layout.unpack(model.values(drawn))
        made.append((float(share @ depth[POINTS] ** -0.5 / size) - 1, float(theta[radius])))
    assert all(abs(off) < 1e-4 for off, _ in made)
    sizes = [radius for _, radius in made]
    assert sizes[0] > 1.01 * sizes[1] > 1.01**2 * sizes[2]


def test_levels_are_nearly_those_of_the_place(model, problem):
    """Of a radius that is off by a part of itself they are off by as much; exactly where mass or
    radius is fixed.
    """
    coordinates, near, prior = problem
    pair = list(places(model.drawing))
    x, _ = jax.vmap(coordinates.position)(near)
    target = jnp.asarray(POINTS)
    both = len(set(pair) & set(free(prior))) == 2
    for off in (0.0, 0.002):
        at = x.at[:, pair].set(jnp.array([0.0, off])) if both else x
        place, volume, level = jax.jit(jax.vmap(coordinates.drawn))(at)
        expected = jax.vmap(coordinates.place)(at)
        np.testing.assert_array_equal(place, expected[0])
        np.testing.assert_array_equal(volume, expected[1])
        drawn = jax.vmap(lambda y: model.at_points(target)(latent_at(prior, y)).level)(place)
        # 0.002 of the radius' coordinate is as much of its logarithm, to a half.
        assert np.abs(level - drawn).max() < (3e-3 + 2 * off if both else 1e-4)
