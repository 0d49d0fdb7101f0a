"""Priors as objects and as text, and what a model can use of them."""

import math

import numpy as np
import pytest
from fake_results import OTHER
from hypothesis import given
from hypothesis import strategies as st

import exogan_jax
from exogan_jax.layout import PUBLISHED
from exogan_jax.parameters import UNITS, Parameter, Parameters
from exogan_jax.retrieval import priors
from exogan_jax.retrieval.priors import Fixed, LogUniform, Normal, Uniform, parse, resolve

PARAMETERS = PUBLISHED.parameters


def only(given, parameters=PARAMETERS):
    """The prior of the one parameter that has one, and its name."""
    ((name, prior),) = priors.by_name(resolve(given, parameters), parameters).items()
    return name, prior


@pytest.mark.parametrize(
    ("text", "prior"),
    [
        ("0.28+-0.03", Normal(0.28, 0.03)),
        (" 0.28 ± 0.03 ", Normal(0.28, 0.03)),
        ("0.28 +/- 3e-2 M_E", Normal(0.28, 0.03, "M_E")),
        ("-3.5+-.5", Normal(-3.5, 0.5)),
        ("normal:0.28,0.03", Normal(0.28, 0.03)),
        ("700..1200", Uniform(700, 1200)),
        ("-8..-2", Uniform(-8, -2)),
        ("0.5..1.5 R_J", Uniform(0.5, 1.5, "R_J")),
        ("uniform:700,1200K", Uniform(700, 1200, "K")),
        ("log:0.1..1", LogUniform(0.1, 1)),
        ("LogUniform: 1e-1, 1", LogUniform(0.1, 1)),
        ("1.27", Fixed(1.27)),
        ("-4", Fixed(-4)),
        ("fixed:1e27 kg", Fixed(1e27, "kg")),
        ("-2 dex(bar)", Fixed(-2, "dex(bar)")),
    ],
)
def test_text_is_read_and_written(text, prior):
    assert parse(text) == prior and type(parse(text)) is type(prior)
    assert parse(str(prior)) == prior and type(parse(str(prior))) is type(prior)


numbers = st.floats(-1e6, 1e6)


@given(numbers, numbers, st.sampled_from([None, "M_E", "dex(Pa)"]))
def test_every_prior_survives_its_text(a, b, unit):
    made = [Normal(a, abs(b) + 1e-3, unit), Fixed(a, unit)]
    if a < b:
        made.append(Uniform(a, b, unit))
    if 0 < a < b:
        made.append(LogUniform(a, b, unit))
    for prior in made:
        assert parse(str(prior)) == prior


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "is no prior"),
        ("heavy", "is no prior: write 0.28"),
        ("0.28+0.03-0.02", "is no prior"),
        ("1,2", "is no prior"),
        ("gauss:1,2", "is no prior"),
        ("normal:1", "is no prior"),
        ("normal:1..2", "is no prior"),
        ("uniform:1+-2", "is no prior"),
        ("log:1", "is no prior"),
        ("fixed:1,2", "is no prior"),
        ("1..2..3", "is no prior"),
        ("1 +- 0", "sigma must be above 0, got 0"),
        ("1 +- -0.1", "sigma must be above 0"),
        ("nan", "value must be a finite number"),
        ("1 +- nan", "sigma must be a finite number"),
        ("0..inf", "high must be a finite number"),
        ("2..1", "must ascend, got 2 to 1"),
        ("1..1", "must ascend"),
        ("log:0..1", "must begin above 0"),
    ],
)
def test_what_is_no_prior_is_said(text, cause):
    with pytest.raises(ValueError, match=cause):
        parse(text)
    with pytest.raises(ValueError, match=f"mass: .*{cause}"):
        priors.parse_named(f"mass={text}")
    with pytest.raises(ValueError, match=f"mass: .*{cause}"):
        resolve({"mass": text}, PARAMETERS)


def test_a_name_is_needed():
    assert priors.parse_named(" temperature = 700..1200") == ("temperature", Uniform(700, 1200))
    for text in ("700..1200", "=3", ""):
        with pytest.raises(ValueError, match="is not name=prior"):
            priors.parse_named(text)


def test_parameters_go_by_name_or_by_what_they_are():
    for name in ("planet_mass", "mass"):
        assert only({name: "1.1+-0.1"}) == ("planet_mass", Normal(1.1, 0.1))
    assert only({"h2o": Uniform(-5, -3)}) == ("log10_h2o", Uniform(-5, -3))
    assert only({"temperature": 1500}) == ("temperature", Fixed(1500))
    with pytest.raises(ValueError, match=r"no parameter 'weight'; there are .*planet_mass"):
        resolve({"weight": 1.0}, PARAMETERS)
    with pytest.raises(ValueError, match="two priors of planet_mass"):
        resolve({"mass": 1.0, "planet_mass": 1.0}, PARAMETERS)
    assert resolve(None, PARAMETERS) == resolve({}, PARAMETERS) == (None,) * 7


def test_units_of_a_kind_are_converted():
    name, prior = only({"mass": "340+-20 M_E"})
    assert name == "planet_mass" and prior.unit is None
    np.testing.assert_allclose(prior.numbers, np.array([340, 20]) * 5.9722e24 / 1.898e27)
    _, prior = only({"mass": Fixed(1.898e27, "kg")})
    np.testing.assert_allclose(prior.value, 1.0)
    _, prior = only({"radius": "log:11..16 R_E"})
    assert type(prior) is LogUniform
    np.testing.assert_allclose(prior.numbers, np.array([11, 16]) * 6.3781e6 / 6.9911e7)
    assert only({"mass": "1.1+-0.1 M_J"}) == only({"mass": "1.1+-0.1"})
    # Logarithms of a quantity are shifted; their error is not.
    _, prior = only({"cloud_top": Normal(3, 0.2, "dex(Pa)")}, OTHER.parameters)
    np.testing.assert_allclose(prior.numbers, [-2, 0.2])
    assert only({"nh3": "-4 dex"}, OTHER.parameters)[1] == Fixed(-4)
    known = sorted(unit for kind in priors._KINDS for unit in kind)
    assert known == sorted(UNITS)


@pytest.mark.parametrize(
    ("name", "text", "units"),
    [
        ("mass", "1 R_J", "M_J, M_E, kg"),
        ("mass", "1 stone", "M_J, M_E, kg"),
        ("mass", "1 dex(kg)", "M_J, M_E, kg"),
        ("h2o", "-3 bar", "dex"),
        ("temperature", "1000 dex", "K"),
    ],
)
def test_other_units_are_refused(name, text, units):
    with pytest.raises(ValueError, match=f"^{name}: unit .* does not suit; give it in {units}$"):
        resolve({name: text}, PARAMETERS)
    with pytest.raises(ValueError, match=r"give it in dex\(Pa\), dex\(bar\)$"):
        resolve({"cloud_top": "0.1 bar"}, OTHER.parameters)


def test_ranges_are_cut_to_the_models_bounds():
    assert only({"mass": "0.1..1"})[1] == Uniform(0.8, 1)
    assert only({"mass": "log:1..10"})[1] == LogUniform(1, 2)
    assert only({"mass": "0.7+-0.05"})[1] == Normal(0.7, 0.05)  # two sigma below


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("mass", "0.1..0.8", r"0.1 to 0.8 is outside of the model's bounds, 0.8 to 2 M_J"),
        ("mass", "log:2..3", "outside of the model's bounds"),
        ("mass", "0.28+-0.03", r"0.28 \+- 0.03 is 17.3 sigma outside of the model's bounds"),
        ("mass", "2.5+-0.1", "5.0 sigma outside"),
        ("mass", "0.79", "0.79 is outside of the model's bounds, 0.8 to 2 M_J"),
        ("mass", "2.01", "outside"),
        ("mass", "100 M_E", "0.31.* is outside of"),
        ("mass", "1.1 +- 1e-7", "too narrow .* fix the value"),
        ("mass", "1..1.0000001", "too narrow"),
        ("mass", "1.9999999..3", "too narrow"),
        ("h2o", "log:0.1..1", "logarithms already"),
    ],
)
def test_what_the_model_cannot_hold_is_refused(name, text, cause):
    with pytest.raises(ValueError, match=f"^{name}: .*{cause}"):
        resolve({name: text}, PARAMETERS)


def test_narrow_is_meant_on_the_parameters_scale():
    wide = Parameters([Parameter("p", "cloud_top", "Pa", "p", 1e-3, 1e7, "log10")])
    assert only({"p": "1+-0.1"}, wide)[1] == Normal(1, 0.1)
    assert only({"p": "0.1..1"}, wide)[1] == Uniform(0.1, 1)


def test_each_observation_may_have_its_own():
    mass, names = {"mass": 1.0}, ["a", "b"]
    one = priors.resolve_each([mass, None], names, PARAMETERS)
    assert one == [resolve(mass, PARAMETERS), (None,) * 7]
    assert priors.resolve_each(mass, names, PARAMETERS) == [resolve(mass, PARAMETERS)] * 2
    with pytest.raises(ValueError, match="1 priors for 2 observations"):
        priors.resolve_each([mass], names, PARAMETERS)
    with pytest.raises(ValueError, match=r"^b: prior of mass: 3 is outside"):
        priors.resolve_each([mass, {"mass": 3}], names, PARAMETERS)


def test_the_package_shows_them():
    assert exogan_jax.priors is priors
    assert set(exogan_jax._MODULES) <= set(exogan_jax.__all__)
    assert math.isclose(exogan_jax.priors.Normal(1, 2).sigma, 2)
