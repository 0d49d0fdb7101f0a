"""Each parameter's prior by itself, against closed forms."""

import numpy as np
import pytest

from exogan_jax.parameters import Parameter, Parameters
from exogan_jax.retrieval.marginals import clipped, marginals, shares
from exogan_jax.retrieval.priors import LogUniform, Normal, Uniform, resolve

PARAMETERS = Parameters(
    [
        Parameter("log10_h2o", "gas", "dex", "H2O", -12.0, -0.523),
        Parameter("mass", "mass", "M_J", "M", 0.02, 12.0, "log10"),
        Parameter("temperature", "temperature", "K", "T", 300.0, 3000.0),
    ]
)
FLAT = 1 / np.sqrt(12)


def of(**priors):
    return marginals(resolve(priors, PARAMETERS), PARAMETERS)


def test_without_priors_they_are_the_models_bounds():
    prior = of()
    np.testing.assert_array_equal(prior.low, PARAMETERS.lower)
    np.testing.assert_array_equal(prior.high, PARAMETERS.upper)
    np.testing.assert_allclose(prior.spread, FLAT, rtol=1e-3)
    assert prior.ends_low.all() and prior.ends_high.all()


def test_a_normal_is_as_wide_as_it_is():
    prior = of(temperature=Normal(1500, 100))
    np.testing.assert_allclose([prior.low[2], prior.high[2]], [900, 2100], rtol=1e-5)
    np.testing.assert_allclose(prior.spread[2] * 1200, 100, rtol=1e-3)
    assert not prior.ends_low[2] and not prior.ends_high[2] and prior.ends_low[:2].all()
    # The model's bounds cut this one.
    hot = of(temperature=Normal(2900, 100))
    assert hot.ends_high[2] and not hot.ends_low[2] and hot.high[2] == pytest.approx(3000)


def test_ranges_on_a_logarithmic_scale():
    # Uniform in the mass: of u, the share of ln(m / 1) / ln 10, the density is exp(u ln 10).
    prior, logarithmic = of(mass=Uniform(1, 10)), of(mass=LogUniform(1, 10))
    mass = 1 + 9 * (np.arange(100_000) + 0.5) / 100_000
    np.testing.assert_allclose(prior.spread[1], np.log10(mass).std(), rtol=1e-3)
    np.testing.assert_allclose(logarithmic.spread[1], FLAT, rtol=1e-3)
    assert (prior.low[1], prior.high[1]) == (1, 10) and prior.ends_low[1] and prior.ends_high[1]


def test_a_fixed_one_has_no_width():
    prior = of(temperature="1234.5")
    assert prior.low[2] == prior.high[2] == 1234.5 and prior.spread[2] == 0
    assert not prior.ends_low[2] and not prior.ends_high[2]


def test_shares_run_from_end_to_end():
    prior = of(mass="1..10", temperature="1000")
    samples = np.array([[-12.0, 1.0, 1000.0], [-0.523, 10.0, 1000.0], [-6.2615, 10**0.5, 1000.0]])
    expected = [[0, 0, 0], [1, 1, 0], [0.5, 0.5, 0]]
    np.testing.assert_allclose(shares(samples, prior, PARAMETERS), expected, atol=1e-12)


def test_no_sample_leaves_the_bounds_in_any_precision():
    far = np.array([[-99.0, 0.0, 0.0], [99.0, 99.0, 9999.0]], np.float32)
    inside = np.array([[-3.0, 1.0, 1000.0]], np.float32)
    prior = of(temperature="500..600")
    for samples in (far, inside, far.astype(np.float64)):
        cut = clipped(samples, prior, PARAMETERS)
        assert cut.dtype == samples.dtype
        assert np.all(cut.astype(np.float64) >= PARAMETERS.lower)
        assert np.all(cut.astype(np.float64) <= PARAMETERS.upper)
        assert cut[:, 2].min() >= 500 and cut[:, 2].max() <= 600
    np.testing.assert_array_equal(clipped(inside, of(), PARAMETERS), inside)
    np.testing.assert_allclose(clipped(far, of(), PARAMETERS)[1], PARAMETERS.upper, rtol=1e-6)
