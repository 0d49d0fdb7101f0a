import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exogan_jax.layout import PUBLISHED
from exogan_jax.physics import observation as module
from exogan_jax.physics.observation import Observation, check

GRID = PUBLISHED.wavelength_um


def binning_operator(centres, halves, grid=GRID):
    return module.binning_operator(centres, halves, grid)


def observation(**changes) -> Observation:
    fields = {
        "wavelength_um": np.array([1.2, 1.4, 1.6]),
        "half_width_um": np.array([0.05, 0.0, 0.01]),
        "depth": np.full(3, 0.0145),
        "sigma": np.full(3, 1e-4),
    } | changes
    return Observation(**fields)


@given(
    st.floats(0.31, 45.0),
    st.floats(0.0, 0.3),
    st.floats(-1, 1),
    st.floats(-1, 1),
)
@settings(max_examples=100, deadline=None)
def test_bins_of_a_straight_line_are_exact(centre, relative_half_width, a, b):
    half = centre * relative_half_width
    half = min(half, centre - GRID[-1], GRID[0] - centre)
    operator = binning_operator(np.array([centre]), np.array([half]))
    np.testing.assert_allclose(operator.sum(axis=1), 1.0, rtol=1e-9)
    line = a + b * GRID
    np.testing.assert_allclose(operator @ line, a + b * centre, rtol=1e-7, atol=1e-7)


def test_zero_width_at_a_grid_point_takes_its_value():
    operator = binning_operator(GRID, np.zeros(515))
    np.testing.assert_allclose(operator, np.eye(515), atol=1e-9)


def test_wide_bin_is_the_mean_of_the_interpolant():
    spectrum = np.sin(GRID)
    fine = 4.0 + 2.0 * (np.arange(200_000) + 0.5) / 200_000
    expected = np.interp(fine, GRID[::-1], spectrum[::-1]).mean()
    value = binning_operator(np.array([5.0]), np.array([1.0])) @ spectrum
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_bins_off_the_grid_get_no_weight():
    operator = binning_operator(np.array([0.2, 60.0, 1.0]), np.array([0.0, 1.0, 0.0]))
    assert operator[:2].sum() == 0 and abs(operator[2].sum() - 1) < 1e-12


def test_ascending_and_descending_models_agree():
    centres, halves = np.array([1.0, 3.3]), np.array([0.1, 0.0])
    down = binning_operator(centres, halves)
    up = binning_operator(centres, halves, GRID[::-1])
    np.testing.assert_allclose(down, up[:, ::-1])


def test_good_observation_passes_and_becomes_float64():
    checked = check(observation(depth=np.full(3, 0.0145, np.float32)))
    assert all(x.dtype == np.float64 for x in checked[:4]) and checked.instrument is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": np.array([0.01, np.nan, 0.01])}, "point 2: depth is not finite"),
        ({"sigma": np.array([1e-4, 1e-4, 0.0])}, "point 3: error is not positive"),
        ({"sigma": np.array([1e-4, -1e-4, 1e-4])}, "point 2: error is not positive"),
        ({"depth": np.array([1.45, 1.45, 1.45])}, "not % or ppm"),
        ({"depth": np.array([-1e-4, 0.01, 0.01])}, "not a relative depth"),
        ({"wavelength_um": np.array([1200.0, 1400.0, 1600.0])}, "in nm, convert"),
        ({"wavelength_um": np.array([12000.0, 14000.0, 16000.0])}, "Angstrom, convert"),
        ({"half_width_um": np.array([-0.1, 0.1, 0.1])}, "negative bin width"),
        ({"sigma": np.full(2, 1e-4)}, "of one length"),
        ({name: np.zeros(0) for name in Observation._fields[:4]}, "no data points"),
    ],
)
def test_bad_observations_are_named(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        check(observation(**changes), "planet b", GRID)
    assert str(error.value).startswith("planet b: ") and "\n" not in str(error.value)


def test_quantities_are_converted():
    from astropy import units as u

    plain = check(observation())
    quantities = observation(
        wavelength_um=[1200.0, 1400.0, 1600.0] * u.nm,
        half_width_um=[500.0, 0.0, 100.0] * u.Angstrom,
        depth=[1.45, 1.45, 1.45] * u.percent,
        sigma=np.full(3, 0.01) * u.percent,
    )
    for ours, theirs in zip(plain[:4], check(quantities)[:4], strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-12)
    with pytest.raises(ValueError, match="planet b: depth is in m; give it as a fraction"):
        check(observation(depth=np.full(3, 0.0145) * u.m), "planet b")
    with pytest.raises(ValueError, match="wavelength_um is in s; give it in um"):
        check(observation(wavelength_um=[1.2, 1.4, 1.6] * u.s))


def test_masked_values_are_named():
    depth = np.ma.masked_array(np.full(3, 0.0145), [False, True, False])
    with pytest.raises(ValueError, match="point 2: depth is masked"):
        check(observation(depth=depth))
    assert check(observation(depth=np.ma.masked_array(np.full(3, 0.0145)))).depth.shape == (3,)


def test_instruments_are_one_name_or_one_a_point():
    assert check(observation(instrument="NIRSpec")).instrument == ("NIRSpec",) * 3
    names = np.array(["a", "b", "b"])
    assert check(observation(instrument=names)).instrument == ("a", "b", "b")
    with pytest.raises(ValueError, match="2 instruments for 3 points"):
        check(observation(instrument=["a", "b"]))
