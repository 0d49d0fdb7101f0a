"""A prior in the latent, against densities known otherwise, and through the whole retrieval of a
linear generator, whose posterior is known.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fake_results import OTHER
from scipy import stats
from test_fitting import SIGMA, TRUTH, exact, latents, observe
from tiny_model import LAYOUT, D, linear_map, linear_model, random_model

from exogan_jax.api import retrieve
from exogan_jax.gan.npe import Encoder, Proposal, latent_at, to_normal
from exogan_jax.retrieval import fitting
from exogan_jax.retrieval.compared import LIKELIHOODS
from exogan_jax.retrieval.encode import n_features
from exogan_jax.retrieval.latent_prior import latent_at as at_place
from exogan_jax.retrieval.latent_prior import latent_prior, log_weight, shape_within, theta_of
from exogan_jax.retrieval.priors import Fixed, LogUniform, Normal, Uniform, resolve
from exogan_jax.retrieval.settings import Settings
from exogan_jax.retrieval.side_by_side import retrieve_all

pytestmark = pytest.mark.optax
PARAMETERS = LAYOUT.parameters
WIDTH = PARAMETERS.upper - PARAMETERS.lower
LONG = {"n_starts": 8, "n_steps": 50, "n_burn": 100, "n_samples": 4096}
SHORT = {"n_starts": 4, "n_steps": 3, "n_burn": 40, "keep_every": 20, "n_kept": 2}
SHORT |= {"n_draws": 4096, "n_samples": 512}


@pytest.fixture(scope="module")
def model():
    return linear_model()


def arrays(given, parameters=PARAMETERS, latent_dim=None):
    return latent_prior(resolve(given, parameters), parameters, latent_dim or len(parameters))


@pytest.mark.parametrize(
    ("name", "prior", "density"),
    [
        ("temperature", Normal(900, 200), stats.norm(900, 200).pdf),
        ("temperature", Normal(250, 100), stats.norm(250, 100).pdf),
        ("temperature", LogUniform(500, 2000), lambda x: 1 / x),
        ("temperature", Uniform(500, 2000), np.ones_like),
        ("mass", Normal(40, 10), stats.norm(40, 10).pdf),
        ("mass", Normal(5, 3), stats.norm(5, 3).pdf),
        ("mass", LogUniform(2, 50), lambda x: 1 / x),
        ("mass", Uniform(2, 50), np.ones_like),
        ("log10_nh3", Normal(-4, 0.5), stats.norm(-4, 0.5).pdf),
    ],
)
def test_weight_and_box_make_the_density_of_the_parameter(name, prior, density):
    """On either scale: density(theta) = density(place) / (d theta / d place)."""
    parameters = OTHER.parameters
    i, made = parameters.index(name), arrays({name: prior}, parameters)
    place = np.zeros((2001, 5), np.float32)
    place[:, i] = np.linspace(-1, 1, 2001)
    latent = jax.vmap(lambda x: at_place(made, x))(place)
    theta = np.asarray(jax.vmap(lambda z: theta_of(z, parameters))(latent), np.float64)[:, i]
    weight = jax.jit(jax.vmap(lambda z: log_weight(made, z, parameters)))(latent)
    found = np.exp(np.asarray(weight, np.float64)) / np.gradient(theta, 1e-3)
    inner = slice(1, -1)
    ratio = found[inner] / density(theta[inner])
    kept = density(theta[inner]) > 1e-6 * density(theta[inner]).max()
    np.testing.assert_allclose(ratio[kept], np.median(ratio), rtol=5e-3)
    low, high = parameters.lower[i], parameters.upper[i]
    if isinstance(prior, Normal):
        low, high = max(low, prior.mean - 6 * prior.sigma), min(high, prior.mean + 6 * prior.sigma)
    else:
        low, high = prior.low, prior.high
    np.testing.assert_allclose([theta[0], theta[-1]], [low, high], rtol=1e-4)


def test_without_a_prior_nothing_is_done():
    made = arrays(None)
    z = np.random.default_rng(0).uniform(-1, 1, D).astype(np.float32)
    np.testing.assert_array_equal(at_place(made, z), z)
    assert float(log_weight(made, z, PARAMETERS)) == 0
    mean = jnp.array([0.3, -2.0, 0.1])
    precision = jnp.array([[3.0, 0, 0], [1, 2, 0], [0.5, -1, 40]])
    shape = shape_within(Proposal(mean, precision), made, PARAMETERS)
    np.testing.assert_array_equal(shape.mean, mean)
    np.testing.assert_allclose(shape.spread @ precision, np.eye(3), atol=1e-5)
    # Latents of no parameter, and latents too short for one each, are left alone.
    longer = arrays({"temperature": 900}, latent_dim=6)
    np.testing.assert_array_equal(longer.half, [1, 1, 0, 1, 1, 1])
    assert float(log_weight(arrays(None, latent_dim=2), z[:2], PARAMETERS)) == 0


def test_priors_are_vmapped():
    given = [{"temperature": "900+-50"}, {"radius": "0.6..1"}, {"h2o": -4}, None]
    made = [arrays(one) for one in given]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *made)
    places = np.random.default_rng(1).uniform(-1, 1, (4, D)).astype(np.float32)

    def both(prior, place):
        latent = at_place(prior, place)
        return latent, log_weight(prior, latent, PARAMETERS)

    together = jax.jit(jax.vmap(both))(stacked, places)
    for i, prior in enumerate(made):
        for one, many in zip(both(prior, places[i]), together, strict=True):
            np.testing.assert_allclose(one, many[i], rtol=1e-5, atol=1e-6)


def test_a_proposal_is_joined_with_the_prior_as_normals_are():
    """Against the conditional of a normal distribution, near the middle, where all is linear."""
    mean = np.array([0.3, -0.2, 0.1])
    root = np.tril(np.random.default_rng(2).normal(size=(3, 3))) + 4 * np.eye(3)
    proposal = Proposal(jnp.asarray(mean, jnp.float32), jnp.asarray(root, jnp.float32))
    covariance = np.linalg.inv(root.T @ root)
    middle = (PARAMETERS.lower + PARAMETERS.upper)[2] / 2  # the temperature at which u is 0
    steep = 2 / np.sqrt(2 * np.pi)  # d latent / d u there
    cases = [
        (Normal(middle, 0.05 * WIDTH[2]), 0.0, 0.1 / steep),
        (Fixed(middle), 0.0, 0.0),
        (Normal(middle - 0.2 * WIDTH[2], 0.2 * WIDTH[2]), -0.4 / steep, 0.4 / steep),
    ]
    for prior, known, error in cases:
        made = arrays({"temperature": prior})
        shape = jax.jit(lambda p, m: shape_within(p, m, PARAMETERS))(proposal, made)
        gain = covariance[:, 2] / (covariance[2, 2] + error**2)
        expected = mean + gain * (known - mean[2])
        left = covariance - np.outer(gain, covariance[2])
        spread = np.asarray(shape.spread, np.float64)
        np.testing.assert_allclose(shape.mean[:2], expected[:2], atol=0.01)
        np.testing.assert_allclose((spread @ spread.T)[:2, :2], left[:2, :2], rtol=0.03, atol=2e-4)
        # The coordinate of the temperature itself: places of the box that is left.
        draws = np.random.default_rng(3).normal(size=(4000, 3)).astype(np.float32)
        places = jax.vmap(lambda x, shape=shape: latent_at(x, shape))(draws)
        theta = jax.vmap(lambda x, m=made: theta_of(at_place(m, x), PARAMETERS))(places)
        u = np.asarray(to_normal(PARAMETERS.to_anchor(theta)))[:, 2]
        np.testing.assert_allclose(np.median(u), expected[2], atol=0.03)
        np.testing.assert_allclose(u.std(), np.sqrt(left[2, 2]), rtol=0.1, atol=2e-6)


def test_moments_with_normal_priors_are_the_exact_ones(model):
    """Priors as precise as the data: linear algebra gives the product of the two."""
    observation = observe(0)
    mean, covariance = exact(observation)
    scale = np.sqrt(np.diag(covariance))
    # One and two sigma off the data's, in latent units.
    centre, sigma = mean + np.array([1.0, -2.0, 0.0]) * scale, np.array([1.0, 0.7, np.inf]) * scale
    theta = PARAMETERS.from_anchor(centre)
    given = {
        "log10_h2o": Normal(theta[0], sigma[0] * WIDTH[0] / 2),
        "radius": Normal(theta[1], sigma[1] * WIDTH[1] / 2),
    }
    precision = np.linalg.inv(covariance) + np.diag(sigma**-2)
    wanted = np.linalg.inv(precision)
    middle = wanted @ (np.linalg.solve(covariance, mean) + np.diag(sigma**-2) @ centre)
    found = retrieve(observation, model, priors=given, **LONG)[0]
    z, size = latents(found.samples), found.effective_sample_size
    assert size > 300 and 0.2 < found.acceptance < 0.8
    spread = np.sqrt(np.diag(wanted))
    assert np.all(np.abs(middle - mean)[:2] > 8 * spread[:2] / np.sqrt(size))  # it matters
    assert np.all(np.abs(z.mean(axis=0) - middle) < 4 * spread / np.sqrt(size))
    error = np.sqrt(np.outer(spread**2, spread**2) * 2 / size)
    assert np.all(np.abs(np.cov(z, rowvar=False) - wanted) < 4 * error)
    # The loss is the likelihood's alone.
    model_depth = 0.011 + 0.002 * z @ linear_map().T
    chi2 = np.square((observation.depth - model_depth) / SIGMA).sum(axis=1)
    np.testing.assert_allclose(found.loss, chi2 / 2, rtol=2e-2)


def test_modes_see_the_prior(model, monkeypatch):
    """Where starts climb to modes, walkers begin at the posterior: nothing is burnt here."""

    def residuals(model, target):
        def of(latent):
            depth = 0.011 + 0.002 * jnp.asarray(linear_map(), jnp.float32) @ latent
            return (depth - jnp.asarray(observation.depth, jnp.float32)) / SIGMA

        return of

    observation = observe(0)
    changed = LIKELIHOODS["gaussian"]._replace(residuals=residuals)
    monkeypatch.setitem(LIKELIHOODS, "gaussian", changed)
    monkeypatch.setattr(fitting, "has_modes", lambda *of: True)
    mean, covariance = exact(observation)
    scale = np.sqrt(np.diag(covariance))
    for shift, sigma in ((2.0, 0.7 * scale[2]), (2.0, 0.0)):
        centre = mean[2] + shift * scale[2]
        value = PARAMETERS.from_anchor(np.array([0, 0, centre]))[2]
        prior = Normal(value, sigma * WIDTH[2] / 2) if sigma else Fixed(value)
        gain = covariance[:, 2] / (covariance[2, 2] + sigma**2)
        wanted = mean + gain * (centre - mean[2])
        spread = np.sqrt(np.diag(covariance - np.outer(gain, covariance[2])).clip(0))
        few = {
            "n_starts": 6,
            "n_steps": 5,
            "n_burn": 0,
            "keep_every": 1,
            "n_kept": 1,
            "n_draws": 512,
        }
        found = retrieve(observation, model, priors={"temperature": prior}, **few)[0]
        z = latents(found.samples)
        assert np.all(np.abs(z.mean(axis=0) - wanted) < 4 * spread / 8 + 1e-5)
        np.testing.assert_allclose(z.std(axis=0)[:2], spread[:2], rtol=0.35)


def test_a_fixed_value_and_a_range_are_kept(model):
    observation = observe(1)
    mean, covariance = exact(observation)
    scale = np.sqrt(np.diag(covariance))
    held = mean[2] + 1.5 * scale[2]
    fixed = float(PARAMETERS.from_unit(np.array([0.5, 0.5, (held + 1) / 2]))[2])
    found = retrieve(observation, model, priors={"temperature": fixed}, **LONG)[0]
    np.testing.assert_allclose(found.samples[:, 2], fixed, rtol=1e-6)
    # The others: the conditional distribution.
    gain = covariance[:2, 2] / covariance[2, 2]
    middle = mean[:2] + gain * (held - mean[2])
    spread = np.sqrt(np.diag(covariance[:2, :2] - np.outer(gain, covariance[2, :2])))
    z, size = latents(found.samples)[:, :2], found.effective_sample_size
    assert np.all(np.abs(z.mean(axis=0) - middle) < 4 * spread / np.sqrt(size))
    # Half of the marginal: a half-normal beyond its middle.
    edge = PARAMETERS.from_anchor(mean)[2]
    found = retrieve(observation, model, priors={"temperature": Uniform(edge, 3000)}, **LONG)[0]
    samples, size = found.samples[:, 2], found.effective_sample_size
    assert samples.min() >= edge * (1 - 1e-6) and samples.max() <= 3000
    sigma = scale[2] * WIDTH[2] / 2
    expected, error = stats.halfnorm(edge, sigma).mean(), stats.halfnorm(edge, sigma).std()
    assert abs(samples.mean() - expected) < 4 * error / np.sqrt(size)


def test_the_fit_sees_the_prior(model):
    """Data that tell nothing: the starts end at the prior's middle; without it, elsewhere."""
    blind = observe(0)._replace(sigma=np.full(60, 1.0))
    settings = Settings(n_starts=8, n_steps=300, rate=0.03).for_model(False)

    def ends(given):
        made = arrays(given)
        target = LIKELIHOODS["gaussian"].target(blind, model, made)
        run = jax.jit(lambda key: fitting.fit(key, model, target, settings))
        fitted = run(jax.random.key(3))
        return fitted, latents(
            np.asarray(jax.vmap(lambda x: theta_of(at_place(made, x), PARAMETERS))(fitted.place))
        )

    fitted, z = ends({"temperature": Normal(1200, 100)})
    middle = 2 * (1200 - 300) / 2700 - 1
    assert np.all(np.abs(z[:, 2] - middle) < 0.02)
    assert np.all(np.abs(fitted.log_weight) < 0.1)
    _, z = ends(None)
    assert np.all(np.abs(z[:, 2] - middle) > 0.1)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_what_is_fitted_is_in_its_unit_of_minus_log_likelihood(model, name):
    """So that data and prior keep their proportion: near the optimum, by differences."""
    compared = LIKELIHOODS[name]
    target = compared.target(observe(0), model, arrays(None))
    z = np.random.default_rng(4).uniform(-0.3, 0.3, (2, D)).astype(np.float32)
    if name == "gaussian":  # robust: only where all residuals are small
        exactly = observe(0)._replace(depth=0.011 + 0.002 * linear_map() @ z[0])
        target = compared.target(exactly, model, arrays(None))
        z[1] = z[0] + 0.01
    drawings = [model.generate(x) for x in z]
    fit = [float(compared.fit_loss(model, drawing, target)) for drawing in drawings]
    energy = [float(compared.energy(model, drawing, target)) for drawing in drawings]
    np.testing.assert_allclose(fit[1] - fit[0], compared.unit * (energy[1] - energy[0]), rtol=0.02)


def test_the_best_start_is_the_most_probable(model):
    """Starts that do not move, and a prior that rules: not the one of the best likelihood."""
    prior = arrays({"temperature": Normal(1200, 30)})
    settings = Settings(n_starts=64, n_steps=1, rate=1e-6).for_model(False)
    weak = observe(2)._replace(sigma=np.full(60, 0.01))
    target = LIKELIHOODS["gaussian"].target(weak, model, prior)
    fitted = jax.jit(lambda key: fitting.fit(key, model, target, settings))(jax.random.key(0))
    latent = np.asarray(jax.vmap(lambda x: at_place(prior, x))(fitted.place))
    best = np.argmin(fitted.energy - fitted.log_weight)
    assert best != np.argmin(fitted.energy)
    np.testing.assert_allclose(
        model.values(fitted.best).theta[2], theta_of(latent[best], PARAMETERS)[2], rtol=1e-4
    )


def test_starts_and_walkers_begin_in_the_box_that_is_left(model):
    few = {"n_steps": 1, "n_burn": 0, "n_kept": 1, "keep_every": 1, "n_starts": 16}
    few |= {"n_draws": 512, "n_samples": 512}
    found = retrieve(observe(3), model, priors={"temperature": "2000..2100"}, **few)[0]
    assert found.samples[:, 2].min() >= 1999.9 and found.samples[:, 2].max() <= 2100.1
    # An encoder that is sure of something else is told.
    network = Encoder(latent_dim=D, width=8, depth=1)
    example = np.zeros((1, n_features(LAYOUT.n_wavelength)), np.float32)
    variables = network.init(jax.random.key(2), example)
    mean = np.asarray(to_normal(jnp.asarray(TRUTH, jnp.float32)))
    bias = np.concatenate([mean, np.full(3, 3.0), np.zeros(3)]).astype(np.float32)
    variables["params"]["last"]["bias"] = bias
    sure = replace(model, encoder=variables, encoder_options=(("depth", 1), ("width", 8)))
    for text, low, high in (("2000..2100", 2000, 2100), ("2050+-10", 1990, 2110)):
        found = retrieve(observe(3), sure, priors={"temperature": text}, **few)[0]
        assert found.samples[:, 2].min() >= low - 0.1 and found.samples[:, 2].max() <= high + 0.1
    # Near the prior's middle, not somewhere in its box of +-6 sigma.
    assert found.samples[:, 2].std() < 20 and abs(found.samples[:, 2].mean() - 2050) < 15


def test_the_papers_samples_are_weighted_with_the_prior(model):
    options = {"likelihood": "paper", "n_starts": 32, "n_steps": 3, "rate": 1e-3}
    found = retrieve(observe(0), model, priors={"temperature": "1500+-200"}, **options)[0]
    deviation = (found.samples[:, 2] - 1500) / 200
    kept = found.weights > 1e-6
    constant = (np.log(found.weights) + found.loss + deviation**2 / 2)[kept]
    assert kept.sum() > 3
    np.testing.assert_allclose(constant, constant[0], atol=2e-3)


def test_each_observation_has_its_own_and_nothing_recompiles(model):
    observations, names = [observe(seed) for seed in range(3)], list("abc")
    mass = {"temperature": "1500+-30", "radius": 1.2}
    retrieve(observations, model, names=names, **SHORT)
    compiled = retrieve_all.program._cache_size()
    own = retrieve(
        observations, model, names=names, priors=[None, mass, {"h2o": "-5..-4"}], **SHORT
    )
    same = retrieve(observations, model, names=names, priors=mass, **SHORT)
    none = retrieve(observations, model, names=names, **SHORT)
    assert retrieve_all.program._cache_size() == compiled
    np.testing.assert_array_equal(own[0].samples, none[0].samples)
    np.testing.assert_array_equal(own[1].samples, same[1].samples)
    assert np.any(own[2].samples != none[2].samples)
    np.testing.assert_allclose(same.samples[:, :, 1], 1.2, rtol=1e-6)
    inside = own[2].samples[:, 0]
    assert inside.min() >= -5.00001 and inside.max() <= -3.99999


def test_a_model_without_an_anchor_takes_none(model):
    assert model.networks.anchored and not random_model().networks.anchored
    with pytest.raises(ValueError, match="takes no priors: its latents are not anchored"):
        retrieve(observe(0), random_model(), priors={"temperature": 900}, **SHORT)
    retrieve(observe(0), random_model(), priors={}, **SHORT)
    with pytest.raises(ValueError, match=r"^temperature: 9000 is outside"):
        retrieve(observe(0), model, priors={"temperature": 9000})
