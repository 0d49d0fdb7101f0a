"""Importance sampling about samples, of densities whose integral and moments are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.stats import norm
from scipy import stats
from tiny_model import LAYOUT

from exogan_jax.gan.npe import from_normal, to_normal
from exogan_jax.retrieval.density import Density
from exogan_jax.retrieval.importance import (
    Drawn,
    at_power,
    draw,
    integral,
    nothing,
    resample,
    resampled,
)
from exogan_jax.retrieval.latent_prior import (
    latent_at,
    latent_prior,
    log_norm,
    log_weight,
    theta_of,
)
from exogan_jax.retrieval.moves import flat_coordinates
from exogan_jax.retrieval.priors import LogUniform, Normal, Uniform, resolve

PARAMETERS = LAYOUT.parameters
D = 4


def dense(log_likelihood):
    """A density without a volume of its own."""
    return lambda x: Density(log_likelihood(x), jnp.zeros(()))


def gaussian(x):
    return -0.5 * jnp.square(x / jnp.array([0.1, 0.5, 1.0, 0.3])).sum() + 2.5


LOG_Z = 2.5 + np.log(0.1 * 0.5 * 0.3) + 0.5 * D * np.log(2 * np.pi)


def banana(x):
    """A normal distribution along a parabola: its volume is the normal one's."""
    return gaussian(x.at[1].add(-1.5 * (x[2] ** 2 - 1)))


def draws(key, n):
    return jax.random.normal(key, (n, D)) * jnp.array([[0.1, 0.5, 1.0, 0.3]])


@pytest.mark.parametrize("density", [gaussian, banana])
def test_integrals_are_known_to_their_stated_errors(density):
    def one(key):
        sample_key, draw_key = jax.random.split(key)
        x = draws(sample_key, 256)
        if density is banana:
            x = x.at[:, 1].add(1.5 * (x[:, 2] ** 2 - 1))
        return integral(draw(draw_key, x, x, dense(density), 4096).log_weight)

    keys = jax.random.split(jax.random.key(0), 40)
    found = jax.jit(jax.vmap(one))(jax.random.clone(keys))
    off = (np.asarray(found.log) - LOG_Z) / np.asarray(found.error)
    assert np.median(found.error) < 0.05 and np.all(np.asarray(found.error) < 0.3)
    assert 0.5 < np.sqrt(np.mean(off**2)) < 1.6 and np.abs(off).max() < 5
    assert abs(np.mean(np.asarray(found.log)) - LOG_Z) < 0.03
    np.testing.assert_allclose(jax.jit(one)(keys[3]).log, found.log[3], atol=1e-3)


def test_where_the_samples_lie_matters_little():
    """States of an ensemble that is not there yet: too narrow, and off."""
    sigma = jnp.array([0.1, 0.5, 1.0, 0.3])
    x = 0.7 * draws(jax.random.key(1), 512) + 0.3 * sigma[None]
    drawn = draw(jax.random.key(2), x, x, dense(gaussian), 16_384)
    found = integral(drawn.log_weight)
    assert abs(float(found.log) - LOG_Z) < 4 * float(found.error) < 0.5
    chosen = resample(jax.random.key(3), drawn.log_weight, 4000)
    y = np.asarray(drawn.position)[np.asarray(chosen)]
    error = np.asarray(sigma) / np.sqrt(float(found.effective))
    assert np.all(np.abs(y.mean(axis=0)) < 4 * error)
    np.testing.assert_allclose(y.std(axis=0), sigma, rtol=0.15)


def test_draws_are_weighted_as_they_say():
    x = draws(jax.random.key(1), 256)
    holes = lambda x: jnp.where(x[0] > 0, jnp.where(x[1] > 0, gaussian(x), jnp.nan), -jnp.inf)  # noqa: E731
    drawn = draw(jax.random.key(4), x, x, dense(holes), 1000)
    assert drawn.position.shape == (1024, D)
    inside = np.all(np.asarray(drawn.position)[:, :2] > 0, axis=1)
    np.testing.assert_array_equal(np.isfinite(drawn.log_weight), inside)
    expected = jax.vmap(gaussian)(drawn.position)
    np.testing.assert_allclose(
        np.asarray(drawn.density.log)[inside], expected[inside], rtol=1e-3, atol=1e-5
    )
    found = integral(drawn.log_weight)
    assert abs(float(found.log) - (LOG_Z - np.log(4))) < 4 * float(found.error)
    none = nothing(D, 1000)
    assert jax.tree.map(jnp.shape, none) == jax.tree.map(jnp.shape, drawn)
    found = integral(none.log_weight)
    assert found.log == -np.inf and found.effective == 0 and np.isfinite(found.error)


@pytest.mark.parametrize("plenty", [500.0, 3000.0])
def test_no_more_are_drawn_than_are_plenty(plenty):
    x = draws(jax.random.key(1), 512)

    def one(key):
        return draw(key, x, x, dense(gaussian), 16_384, plenty=plenty)

    keys = jax.random.split(jax.random.key(8), 3)
    drawn = jax.jit(jax.vmap(one))(keys)
    for i in range(3):
        number, log_weight = int(drawn.number[i]), np.asarray(drawn.log_weight[i])
        assert log_weight.size == 16_384 and number % 512 == 0
        assert np.all(log_weight[number:] == -np.inf) and np.any(log_weight[number - 512 :] > -9)
        found = integral(drawn.log_weight[i], drawn.number[i])
        assert abs(float(found.log) - LOG_Z) < 4 * float(found.error) < 0.2
        before = integral(drawn.log_weight[i][: number - 512])
        assert float(before.effective) < plenty <= float(found.effective)
        np.testing.assert_allclose(found, integral(drawn.log_weight[i][:number]), rtol=1e-4)
    alone = jax.jit(one)(keys[1])
    assert alone.number == drawn.number[1]
    np.testing.assert_allclose(alone.log_weight, drawn.log_weight[1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("spread", [0.0, 0.7, 1.5])
def test_what_resampled_ones_are_worth(spread):
    """As the scatter of their means over many sets says."""
    m, n = 2000, 400

    def one(key):
        x_key, w_key, key = jax.random.split(key, 3)
        x = jax.random.normal(x_key, (m,))
        log_weight = spread * jax.random.normal(w_key, (m,))
        return x[resample(key, log_weight, n)].mean(), resampled(log_weight, n)

    means, worth = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(2), 3000))
    np.testing.assert_allclose(np.mean(np.asarray(worth)) * np.var(means), 1, atol=0.1)
    assert np.max(worth) < 1.001 * n and (spread > 0 or np.min(worth) > 0.999 * n)


def test_one_sample_is_worth_one():
    log_weight = jnp.array([0.0, -jnp.inf, -jnp.inf])
    np.testing.assert_allclose(resampled(log_weight, 100), 1, rtol=1e-5)


def test_wide_samples_show_what_the_others_miss():
    """A half of a density, far from the samples: without wide ones it is not missed at all."""
    shift = jnp.array([0.0, 0.0, 14.0, 0.0])

    def two(x):
        return jnp.logaddexp(gaussian(x), gaussian(x - shift))

    x = draws(jax.random.key(5), 512)
    wide = 1.5 * draws(jax.random.key(6), 512).at[::2].add(shift[None])
    alone = integral(draw(jax.random.key(7), x, x, dense(two), 16_384).log_weight)
    shown = integral(draw(jax.random.key(7), x, wide, dense(two), 16_384).log_weight)
    assert abs(float(alone.log) - LOG_Z) < 0.1 and float(alone.error) < 0.02
    assert abs(float(shown.log) - (LOG_Z + np.log(2))) < 4 * float(shown.error)
    assert float(shown.error) > 3 * float(alone.error)


def test_draws_in_other_coordinates_have_softer_edges():
    """A box that its prior fills: in flat coordinates, draws fall beyond its walls."""
    flat = flat_coordinates(8)

    def density(position):
        place, volume = flat.place(position)
        return Density(jnp.where(jnp.all(jnp.abs(place) <= 1), volume, -jnp.inf), volume)

    x, _ = jax.vmap(flat.position)(jax.random.uniform(jax.random.key(0), (512, 8), minval=-1))
    for other, least in ((None, 0.0), (flat.normal, 0.25)):
        found = integral(draw(jax.random.key(1), x, x, density, 8192, other).log_weight)
        assert abs(float(found.log)) < 4 * float(found.error) + 0.01
        assert float(found.effective) > least * 8192
    alone = integral(draw(jax.random.key(1), x, x, density, 8192).log_weight)
    assert float(found.effective) > 1.5 * float(alone.effective)


def test_draws_in_other_coordinates_keep_what_is_straight():
    """A thin sheet of two dimensions, near a wall: bent where the prior is normal."""
    flat = flat_coordinates(2)

    def density(position):
        place, volume = flat.place(position)
        thin = -0.5 * jnp.square((place[1] - 0.6 - 0.3 * place[0]) / 1e-3)
        along = -0.5 * jnp.square((place[0] - 0.8) / 0.1)
        return Density(thin + along + volume, volume)

    along = stats.truncnorm((-1 - 0.8) / 0.1, (1 - 0.8) / 0.1, 0.8, 0.1)
    one = along.rvs(512, random_state=np.random.default_rng(0))
    two = 0.6 + 0.3 * one + 1e-3 * np.random.default_rng(1).normal(size=512)
    place = jnp.asarray(np.column_stack([one, two]), jnp.float32)
    x, _ = jax.vmap(flat.position)(place)
    # A place of the box has the density 1/2 a dimension.
    expected = np.log(2 * np.pi * 1e-3 * 0.1 * stats.norm.cdf(2)) - 2 * np.log(2)
    found = integral(draw(jax.random.key(1), x, x, density, 8192, flat.normal).log_weight)
    assert abs(float(found.log) - expected) < 4 * float(found.error) + 0.01
    assert float(found.effective) > 2000

    def bent(u):
        position, volume = flat.normal.back(u[None])
        at = density(position[0])
        return Density(at.log + volume[0], at.log_volume + volume[0])

    u, _ = flat.normal.to(x)
    worse = integral(draw(jax.random.key(1), u, u, bent, 8192).log_weight)
    assert float(worse.effective) < 0.5 * float(found.effective)


@pytest.mark.parametrize("power", [1.0, 0.4])
def test_weights_of_a_power_of_the_likelihood(power):
    """A normal likelihood of width 0.5 under a normal prior of width 2, of known integrals."""

    def density(x):
        volume = norm.logpdf(x, 0, 2).sum()
        return Density(norm.logpdf(x, 1, 0.5).sum() + volume, volume)

    spread = (power / 0.5**2 + 1 / 2**2) ** -0.5
    x = 1 + jax.random.normal(jax.random.key(0), (512, D))
    drawn = draw(jax.random.key(1), x, x, density, 8192)
    log_weight = at_power(drawn, power)
    found = integral(log_weight)
    # The power of a normal density is a wider one, times what is left of its norm.
    wider = 0.5 / power**0.5
    left = (1 - power) / 2 * np.log(2 * np.pi) + np.log(wider) - power * np.log(0.5)
    expected = D * (left + norm.logpdf(1.0, 0, np.hypot(2, wider)))
    assert abs(float(found.log) - expected) < 4 * float(found.error) < 0.2
    chosen = np.asarray(resample(jax.random.key(2), log_weight, 4000))
    spreads = np.asarray(drawn.position)[chosen].std(axis=0)
    np.testing.assert_allclose(spreads, spread, rtol=0.1)
    if power == 1:
        np.testing.assert_allclose(log_weight, drawn.log_weight, atol=1e-5)


def test_what_does_not_exist_has_no_weight_at_any_power():
    never = jnp.full(3, -jnp.inf)
    drawn = Drawn(jnp.zeros((3, 1)), Density(never, jnp.zeros(3)), never, jnp.asarray(3))
    assert np.all(np.asarray(at_power(drawn, 0.4)) == -np.inf)


def test_resampling_is_systematic():
    weight = jnp.log(jnp.array([0.5, 0.0, 0.3, 0.2]))
    chosen = np.asarray(resample(jax.random.key(0), weight, 100))
    counts = np.bincount(chosen, minlength=4)
    assert np.all(np.abs(counts - [50, 0, 30, 20]) <= 1) and counts[1] == 0
    both = jax.jit(jax.vmap(lambda w: resample(jax.random.key(0), w, 100)))(
        jnp.stack([weight, weight[::-1]])
    )
    np.testing.assert_array_equal(both[0], chosen)


def of(given):
    return latent_prior(resolve(given, PARAMETERS), PARAMETERS, len(PARAMETERS))


@pytest.mark.parametrize(
    ("given", "mean"),
    [
        ({}, 1.0),
        ({"temperature": Uniform(500, 900)}, 1.0),
        # The integral of the normal over its share of the box: sigma sqrt(2 pi) over 12 sigma.
        ({"temperature": Normal(1500, 50)}, np.sqrt(2 * np.pi) / 12),
        # Cut at its mean by the bound: half of the same over half of the width.
        ({"temperature": Normal(300, 50)}, np.sqrt(2 * np.pi) / 12),
        ({"temperature": LogUniform(500, 2000)}, np.log(4) / 1500),
    ],
)
def test_norms_make_weights_densities(given, mean):
    assert float(log_norm(of(given), PARAMETERS)) == pytest.approx(np.log(mean), abs=2e-3)


def test_the_evidence_of_a_measurement_under_a_prior():
    """Water uniform, the radius uniform, the temperature known before: products of integrals."""
    prior = of({"temperature": Normal(1200, 100)})

    def log_likelihood(theta):
        water, radius, temperature = theta
        return (
            -0.5 * ((water + 4) / 0.3) ** 2
            - 0.5 * ((radius - 0.51) / 0.05) ** 2  # at the wall of the box
            - 0.5 * ((temperature - 1300) / 60) ** 2
        )

    def log_density(u):
        latent = latent_at(prior, from_normal(u))
        theta = theta_of(latent, PARAMETERS)
        of_prior = log_weight(prior, latent, PARAMETERS) + norm.logpdf(u).sum()
        return log_likelihood(theta) + of_prior

    rng = np.random.default_rng(0)
    wall = stats.truncnorm((0.5 - 0.51) / 0.05, (2 - 0.51) / 0.05, 0.51, 0.05)
    spread = 1 / np.hypot(1 / 100, 1 / 60)
    middle = spread**2 * (1200 / 100**2 + 1300 / 60**2)
    n = 1024
    theta = np.column_stack(
        [rng.normal(-4, 0.3, n), wall.rvs(n, random_state=rng), rng.normal(middle, spread, n)]
    )
    latent = PARAMETERS.to_anchor(theta)
    place = jnp.asarray((latent - prior.centre) / prior.half, jnp.float32)
    u = to_normal(place)
    found = integral(draw(jax.random.key(1), u, u, dense(log_density), 8192).log_weight)
    log_evidence = float(found.log - log_norm(prior, PARAMETERS))
    root = np.sqrt(2 * np.pi)
    expected = np.log(0.3 * root / 7) + np.log(0.05 * root * stats.norm.sf(-0.2) / 1.5)
    expected += stats.norm.logpdf(1300, 1200, np.hypot(100, 60)) + np.log(60 * root)
    assert abs(log_evidence - expected) < 4 * float(found.error) + 0.01
    assert float(found.error) < 0.1
