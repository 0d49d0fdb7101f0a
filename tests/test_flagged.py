"""Flags from end to end, with a generator of levels that knows nothing but opaque clouds."""

import dataclasses

import jax
import numpy as np
import pytest
from test_catalogue import OPTIONS
from tiny_model import random_model

from exogan_jax import api
from exogan_jax.files.opacities import load_opacities
from exogan_jax.files.physics import physics_of
from exogan_jax.gan.model import LevelError, Model
from exogan_jax.gan.nets import networks
from exogan_jax.layout import Layout
from exogan_jax.parameters import Parameter, Parameters
from exogan_jax.physics.forward import forward_model
from exogan_jax.physics.observation import Observation
from exogan_jax.physics.problem import problem_model
from exogan_jax.retrieval import answers
from exogan_jax.retrieval.compared import LIKELIHOODS
from exogan_jax.retrieval.forward_check import true_spectrum
from exogan_jax.retrieval.latent_prior import latent_prior
from exogan_jax.retrieval.residuals import compared_bins, flat_chi2, residuals
from exogan_jax.retrieval.side_by_side import retrieve_all

pytestmark = pytest.mark.optax
LAYOUT = Layout(
    wavelength_um=0.3015 * 1.01 ** np.arange(160, 120, -1, dtype=np.float64),
    sections=(0, 20, 40),
    parameters=Parameters(
        [
            Parameter("water", "h2o", "dex", "H2O", -9.0, -7.0),
            Parameter("mass", "mass", "M_J", "M", 0.5, 2.0),
            Parameter("radius", "radius", "R_J", "R", 0.5, 1.5),
            Parameter("temperature", "temperature", "K", "T", 500.0, 2000.0),
        ]
    ),
    depth_range=(1e-3, 0.05),
)
W, D = LAYOUT.n_wavelength, len(LAYOUT.parameters)
CLOUD = 0.01  # Pa; little is above
SIGMA = 2e-5
THETA = np.array([-8.0, 1.5, 1.0, 1000.0])
WET = THETA + np.array([5.0, 0.0, 0.0, 0.0])  # more water than the model knows of


@pytest.fixture(scope="module")
def model(cloudy) -> Model:
    options = {"width": 4, "depth": 0, "n_components": 1, "molar_mass": (18.01,), "latent_dim": D}
    nets = networks("altitude", LAYOUT, **options)
    variables = nets.generator.init(jax.random.key(0), np.zeros((1, D), np.float32))
    depth = np.asarray(true_spectrum(cloudy, THETA), np.float32)
    values = LAYOUT.pack(depth, np.asarray(THETA, np.float32))
    levels = nets.generator.drawing.draw(values)[:W]
    np.testing.assert_allclose(levels, np.log(1e6 / CLOUD), atol=0.5)
    held = {"mean": levels, "basis": np.zeros((1, W), np.float32)}
    return Model(
        layout=LAYOUT,
        network="altitude",
        options=tuple(sorted(options.items())),
        generator=variables | {"batch_stats": {"whitening": held}},
        discriminator=nets.discriminator.init(
            jax.random.key(1), np.zeros((1, *nets.shape), np.float32)
        ),
        error=LevelError(np.zeros((0, W)), np.full(W, 1e-3)),
    )


@pytest.fixture(scope="module")
def clear():
    """The forward model without clouds."""
    return problem_model(load_opacities("planets"), LAYOUT)


@pytest.fixture(scope="module")
def cloudy():
    """That of the generator's world."""
    return problem_model(load_opacities("planets"), LAYOUT, cloud_top_pressure=CLOUD)


def observe(depth: np.ndarray, seed: int = 0) -> Observation:
    noise = SIGMA * np.random.default_rng(seed).normal(size=W)
    return Observation(LAYOUT.wavelength_um, np.zeros(W), depth + noise, np.full(W, SIGMA))


@pytest.fixture(scope="module")
def asked(clear, cloudy):
    large = THETA * [1, 1, 1.85, 1]
    spectra = [true_spectrum(physics, t) for physics, t in ((cloudy, THETA), (clear, WET))]
    spectra.append(true_spectrum(cloudy, large))
    return [observe(depth, i) for i, depth in enumerate(spectra)]


@pytest.fixture(scope="module")
def found(model, cloudy, asked):
    names = ["known", "clear", "large"]
    return api.retrieve(asked, model, names=names, physics=cloudy, chunk=1, **OPTIONS)


def test_what_the_generator_knows_is_only_said_to_be_featureless(found):
    assert found[0].flags == "featureless" and 0.4 < found[0].reduced_chi2 < 1.8


def test_what_it_does_not_know_is_a_misfit_with_structure(found):
    flags = found[1].flags.split(",")
    assert {"poor_fit", "structured_residuals"} <= set(flags) and "featureless" not in flags


def test_a_planet_larger_than_the_models_is_at_the_bound(found):
    assert "at_bound:radius" in found[2].flags.split(",")
    assert all("at_bound:radius" not in found[i].flags for i in (0, 1))


def test_the_chi_square_is_of_the_datas_errors_alone(found, asked):
    for one, observation in zip(found, asked, strict=True):
        chi2 = np.square((observation.depth - one.depth) / SIGMA).sum(axis=1)
        # A start may have been better than all samples, by little.
        least = chi2.min() / (W - D)
        assert 0.9 * least < one.reduced_chi2 <= least * (1 + 1e-5)


def test_samples_are_within_the_bounds(found):
    samples = found.samples.astype(np.float64)
    assert np.all(samples >= LAYOUT.parameters.lower)
    assert np.all(samples <= LAYOUT.parameters.upper)


def test_physics_tells_a_generator_that_is_off(model, clear, asked, found):
    assert "generator_off" not in found[0].flags
    fast = {"names": list(found.names), "exact": False, "chunk": 1} | OPTIONS
    compiled = retrieve_all.program._cache_size()
    off = api.retrieve(asked, model, physics=clear, **fast)
    assert retrieve_all.program._cache_size() == compiled  # the exact answer's
    assert all("generator_off" in flags for flags in off.flags)
    # Opacities that are not known, and nothing else said: not checked.
    none = api.retrieve(asked, model, **fast)
    assert "generator_off" not in "".join(none.flags) and none.flags[0] == found.flags[0]
    np.testing.assert_array_equal(off.samples, none.samples)
    assert physics_of(model) is None
    known = dataclasses.replace(model, opacities="planets")
    again = api.retrieve(asked, known, **fast)
    assert again.flags == off.flags


def test_samples_are_weighted_to_the_forward_models(model, cloudy, asked, found, monkeypatch):
    one = {"names": found.names[:1], "physics": cloudy, "chunk": 1} | OPTIONS
    plain = api.retrieve(asked[0], model, exact=False, **one)[0]
    assert np.isnan(plain.efficiency)
    monkeypatch.setattr(answers, "is_enough", lambda answer: True)  # weights alone
    known = api.retrieve(asked[0], model, **one)[0]
    np.testing.assert_array_equal(plain.samples, known.samples)
    # The generator draws this planet at all parameters nearly as the forward model does.
    assert 0.3 < known.effective_sample_size / plain.effective_sample_size <= 1
    assert known.efficiency == pytest.approx(known.effective_sample_size / 512)
    assert 0.01 < known.predictive_p < 0.99 and found[1].predictive_p < 1e-4
    assert np.isnan(plain.divergence) and 0 <= known.divergence < 0.2
    # Depth by depth: the same likelihood, written out.
    normalisation = W * np.log(SIGMA * np.sqrt(2 * np.pi))
    for i in (0, 100, 300):
        made = true_spectrum(cloudy, known.samples[i])
        chi2 = np.square((asked[0].depth - made) / SIGMA).sum()
        assert known.loss[i] == pytest.approx(chi2 / 2, rel=1e-3, abs=1e-2)
    ratio = plain.loss.astype(np.float64) - known.loss
    expected = np.exp(ratio - ratio.max()) * plain.weights
    np.testing.assert_allclose(known.weights, expected / expected.sum(), rtol=1e-4, atol=1e-9)
    # The best sample's likelihood is more than the evidence, by the volume that the data leave.
    assert plain.log_evidence < -plain.loss.min() - normalisation
    assert plain.log_evidence > -plain.loss.min() - normalisation - 30
    assert 0 < plain.log_evidence_error < known.log_evidence_error < 3


def test_a_generator_that_is_off_is_corrected(model, clear, found):
    """Its clouds are higher than those of the other world."""
    deeper = problem_model(load_opacities("planets"), LAYOUT, cloud_top_pressure=10 * CLOUD)
    seen = observe(true_spectrum(deeper, THETA), 5)
    # What it is off goes with the scale height, which is known.
    known = {"priors": {"temperature": "1000+-20", "mass": "1.5+-0.03"}, "physics": deeper}
    answer = api.retrieve(seen, model, **known, **OPTIONS)[0]
    fast = api.retrieve(seen, model, exact=False, **known, **OPTIONS)[0]
    assert answer.effective_sample_size > 200 and "not_exact" not in answer.flags
    assert "generator_off" in fast.flags and "generator_off" not in answer.flags
    # Spectra and likelihoods are the forward model's.
    i = int(answer.weights.argmax())
    made = true_spectrum(deeper, answer.samples[i])
    np.testing.assert_allclose(answer.depth[i], made, atol=SIGMA)
    chi2 = np.square((seen.depth - made) / SIGMA).sum()
    assert answer.loss[i] == pytest.approx(chi2 / 2, rel=1e-2)


def test_physics_of_another_problem_is_refused(model, clear, asked):
    with pytest.raises(ValueError, match="other wavelengths"):
        api.retrieve(asked, model, physics=clear.at_points(slice(5, None)), **OPTIONS)
    with pytest.raises(ValueError, match="other parameters"):
        table = load_opacities("published")
        other = forward_model(table, Parameters(LAYOUT.parameters.entries[1:]))
        api.retrieve(asked, model, physics=other, **OPTIONS)


def test_shipped_opacities_are_found_once(model):
    known = dataclasses.replace(model, opacities="planets")
    physics = physics_of(known)
    assert physics is physics_of(dataclasses.replace(known, name="another"))
    assert physics.parameters == LAYOUT.parameters
    np.testing.assert_allclose(physics.wavelength_um, LAYOUT.wavelength_um, rtol=1e-6)
    assert physics_of(dataclasses.replace(model, opacities="my_table.nc")) is None
    of_other_wavelengths = dataclasses.replace(random_model(), opacities="planets")
    assert physics_of(of_other_wavelengths) is None


@pytest.mark.parametrize("of_levels", [True, False])
def test_bins_are_those_of_the_likelihood(model, of_levels):
    model = model if of_levels else random_model()
    parameters, grid = model.layout.parameters, np.sort(model.layout.wavelength_um)
    # Two bins in the wrong order, one of two grid points, and one that lies off the grid.
    wavelength = np.array([grid[20], (grid[7] + grid[8]) / 2, 30.0])
    half = np.array([0.0, (grid[8] - grid[7]) / 2, 0.0])
    seen = Observation(wavelength, half, np.array([0.012, 0.011, 0.01]), np.array([1, 2, 3]) * 1e-4)
    prior = latent_prior((None,) * len(parameters), parameters, model.networks.latent_dim)
    for sizes in ((None,) * 3, (16, 64, 16)):
        target = LIKELIHOODS["gaussian"].target(seen, model, prior, *sizes)
        bins = compared_bins(seen, target)
        assert bins.n_ignored == 1
        np.testing.assert_array_equal(bins.wavelength_um, wavelength[[1, 0]])
        spectrum = 0.01 + 1e-3 * model.layout.wavelength_um
        expected = [(0.011 - 0.01 - 1e-3 * wavelength[1]) / 2e-4]
        expected.append((0.012 - 0.01 - 1e-3 * wavelength[0]) / 1e-4)
        np.testing.assert_allclose(residuals(spectrum, bins), expected, atol=1e-4)
        both = residuals(np.stack([spectrum, spectrum + 1e-4]), bins)
        np.testing.assert_allclose(both[1] - both[0], [-0.5, -1.0], atol=1e-4)
        # Of a pair of depths, the squared difference over the sum of the variances.
        np.testing.assert_allclose(flat_chi2(bins), (0.001 / 1e-4) ** 2 / 5, rtol=1e-6)
