import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exogan_jax.parameters import PUBLISHED, Parameter, Parameters

OTHER = Parameters(
    [
        Parameter("log10_so2", "gas", "dex", "SO2", -12.0, -0.5),
        Parameter("mass", "mass", "M_E", "M", 1.0, 4000.0, "log10"),
        Parameter("cloud", "cloud_top", "dex(Pa)", "P", -1.0, 7.0),
        Parameter("temperature", "temperature", "K", "T", 300.0, 3000.0),
    ]
)


def test_published_bounds_are_those_of_the_training_set():
    mass, radius = PUBLISHED[4], PUBLISHED[5]
    np.testing.assert_allclose(
        [mass.lower * mass.in_si, mass.upper * mass.in_si], [1.5184e27, 3.796e27]
    )
    np.testing.assert_allclose(
        [radius.lower * radius.in_si, radius.upper * radius.in_si], [5.59288e7, 1.048665e8]
    )
    assert PUBLISHED.gases == ("h2o", "co2", "co", "ch4") and PUBLISHED.units[4:] == (
        "M_J",
        "R_J",
        "K",
    )
    np.testing.assert_array_equal(PUBLISHED.lower[:4], -8.0)
    assert not PUBLISHED.lower.flags.writeable


def test_a_gas_is_named_by_its_role_or_its_name():
    assert OTHER.gases == ("so2",) and OTHER[0].role == "so2"
    assert OTHER[1].gas is None and OTHER.index_of_role("cloud_top") == 2
    assert OTHER.index_of_role("radius") is None and OTHER.index("mass") == 1
    with pytest.raises(ValueError, match="no parameter 'radius'"):
        OTHER.index("radius")


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
@settings(max_examples=100, deadline=None)
def test_unit_interval_and_back(share):
    share = np.array(share)
    theta = OTHER.from_unit(share)
    rounding = 1e-12 * np.abs(OTHER.upper)
    assert np.all((theta >= OTHER.lower - rounding) & (theta <= OTHER.upper + rounding))
    np.testing.assert_allclose(OTHER.to_unit(theta), share, atol=1e-12)


def test_a_log_scale_is_uniform_in_the_logarithm():
    middle = OTHER.from_unit(np.full(4, 0.5))
    np.testing.assert_allclose(middle, [-6.25, np.sqrt(4000.0), 3.0, 1650.0])
    np.testing.assert_allclose(OTHER.to_unit(OTHER.lower), 0.0, atol=1e-12)
    np.testing.assert_allclose(OTHER.to_unit(OTHER.upper), 1.0)


def test_anchors_are_the_box_from_minus_one_to_one_and_back():
    np.testing.assert_allclose(OTHER.to_anchor(OTHER.lower), -1.0, atol=1e-12)
    np.testing.assert_allclose(OTHER.to_anchor(OTHER.upper), 1.0)
    anchor = np.random.default_rng(0).uniform(-1, 1, (7, len(OTHER)))
    np.testing.assert_allclose(OTHER.to_anchor(OTHER.from_anchor(anchor)), anchor, atol=1e-12)


def test_jit_vmap_and_numpy_agree_with_finite_gradients():
    theta = OTHER.sample(jax.random.key(0), 20)
    batch = jax.jit(jax.vmap(OTHER.to_unit))(theta)
    np.testing.assert_allclose(batch, OTHER.to_unit(np.asarray(theta, np.float64)), atol=1e-5)
    np.testing.assert_allclose(batch[3], OTHER.to_unit(theta[3]), atol=1e-6)
    np.testing.assert_allclose(jax.vmap(OTHER.from_unit)(batch), theta, rtol=1e-4)
    gradient = jax.jacfwd(OTHER.from_unit)(jnp.full(4, 0.5))
    assert bool(jnp.isfinite(gradient).all())
    np.testing.assert_allclose(
        np.diag(gradient), [11.5, np.sqrt(4000) * np.log(4000), 8.0, 2700.0], rtol=1e-4
    )


def test_samples_are_uniform_on_their_scale_and_within_the_bounds():
    theta = np.asarray(OTHER.sample(jax.random.key(1), 20_000))
    assert np.all(theta >= OTHER.lower.astype(np.float32))
    assert np.all(theta <= OTHER.upper.astype(np.float32))
    share = np.sort(OTHER.to_unit(theta.astype(np.float64)), axis=0)
    middles = (np.arange(20_000) + 0.5) / 20_000
    assert np.abs(share - middles[:, None]).max() < 0.015


def test_json_and_hash():
    again = Parameters.from_json(OTHER.to_json())
    assert again == OTHER and hash(again) == hash(OTHER) and again != PUBLISHED
    with pytest.raises(ValueError, match="not a list of parameters"):
        Parameters.from_json([{"name": "x"}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": "stone"}, "unknown unit 'stone'"),
        ({"scale": "sqrt"}, "linear, log10"),
        ({"lower": 3.0, "upper": 2.0}, "not ascending"),
        ({"lower": 0.0, "scale": "log10"}, "not positive"),
        ({"upper": np.inf}, "finite"),
    ],
)
def test_impossible_parameters_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PUBLISHED[4], **change)


def test_names_and_roles_are_distinct():
    with pytest.raises(ValueError, match="two parameters have the name"):
        Parameters([PUBLISHED[0], PUBLISHED[0]])
    with pytest.raises(ValueError, match="two parameters have the role 'mass'"):
        Parameters([PUBLISHED[4], dataclasses.replace(PUBLISHED[4], name="m")])
    with pytest.raises(ValueError, match="at least one"):
        Parameters([])
