import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exogan_jax import grid
from exogan_jax.physics.observation import Observation, binning_operator, check


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
    half = min(half, centre - grid.WAVELENGTH_UM[-1], grid.WAVELENGTH_UM[0] - centre)
    operator = binning_operator(np.array([centre]), np.array([half]))
    np.testing.assert_allclose(operator.sum(axis=1), 1.0, rtol=1e-9)
    line = a + b * grid.WAVELENGTH_UM
    np.testing.assert_allclose(operator @ line, a + b * centre, rtol=1e-7, atol=1e-7)


def test_zero_width_at_a_grid_point_takes_its_value():
    operator = binning_operator(grid.WAVELENGTH_UM, np.zeros(515))
    np.testing.assert_allclose(operator, np.eye(515), atol=1e-9)


def test_wide_bin_is_the_mean_of_the_interpolant():
    spectrum = np.sin(grid.WAVELENGTH_UM)
    fine = 4.0 + 2.0 * (np.arange(200_000) + 0.5) / 200_000
    expected = np.interp(fine, grid.WAVELENGTH_UM[::-1], spectrum[::-1]).mean()
    value = binning_operator(np.array([5.0]), np.array([1.0])) @ spectrum
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_bins_off_the_grid_get_no_weight():
    operator = binning_operator(np.array([0.2, 60.0, 1.0]), np.array([0.0, 1.0, 0.0]))
    assert operator[:2].sum() == 0 and abs(operator[2].sum() - 1) < 1e-12


def test_ascending_and_descending_models_agree():
    centres, halves = np.array([1.0, 3.3]), np.array([0.1, 0.0])
    down = binning_operator(centres, halves)
    up = binning_operator(centres, halves, grid.WAVELENGTH_UM[::-1])
    np.testing.assert_allclose(down, up[:, ::-1])


def test_good_observation_passes_and_becomes_float64():
    checked = check(observation(depth=np.full(3, 0.0145, np.float32)))
    assert all(x.dtype == np.float64 for x in checked)


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
        ({name: np.zeros(0) for name in Observation._fields}, "no data points"),
    ],
)
def test_bad_observations_are_named(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        check(observation(**changes), "planet b")
    assert str(error.value).startswith("planet b: ") and "\n" not in str(error.value)
