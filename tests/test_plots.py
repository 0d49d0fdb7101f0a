"""Figures: they show the right numbers, survive poor samples, and touch no global state."""

import dataclasses
import io
import warnings

import matplotlib
import numpy as np
import pytest
from fake_results import OTHER, OTHER_TRUTH, TRUTH, make_observation, make_retrieval
from matplotlib.figure import Figure

from exogan_jax import aspa
from exogan_jax.files import plots
from exogan_jax.layout import PUBLISHED
from exogan_jax.physics.observation import Observation

with warnings.catch_warnings():  # corner imports ArviZ, which warns of its own future
    warnings.simplefilter("ignore")
    import corner  # noqa: F401

POSTERIOR = make_retrieval("a", n_samples=64)[0]
OTHERS = make_retrieval("b", n_samples=64, layout=OTHER)[0]
WAVELENGTH, PARAMETERS = PUBLISHED.wavelength_um, PUBLISHED.parameters


def having(samples, weights, depth=None):
    """The posterior with other samples."""
    weights = np.asarray(weights, np.float64)
    return dataclasses.replace(
        POSTERIOR,
        samples=samples,
        weights=weights,
        effective_sample_size=float(1 / np.sum(weights**2)),
        depth=POSTERIOR.depth[: len(weights)] if depth is None else depth,
    )


SAMPLES, WEIGHTS = POSTERIOR.samples, POSTERIOR.weights


def render(figure: Figure) -> bytes:
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=30)
    return image.getvalue()


@pytest.fixture(autouse=True)
def same_settings():
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before


def full_observation() -> tuple[np.ndarray, Observation]:
    depth = 0.0145 + 2e-4 * np.sin(9 * np.log(WAVELENGTH))
    zero = np.zeros_like(depth)
    return depth, Observation(np.array(WAVELENGTH), zero, depth, zero + 1e-5)


def test_aspa_panels_show_input_mask_and_completion():
    array = np.linspace(0, 1, 33 * 33).reshape(33, 33)
    mask = np.asarray(aspa.mask("wfc3"))
    figure = plots.plot_aspa(array, mask, array[::-1])
    images = [ax.images[0].get_array() for ax in figure.axes[:3]]
    np.testing.assert_array_equal(images[0], array)
    np.testing.assert_array_equal(np.ma.getmaskarray(images[1]), mask == 0)
    np.testing.assert_array_equal(images[2], array[::-1])
    hidden = plots.plot_aspa(np.ma.masked_array(array, mask == 0), mask, array)
    shown = hidden.axes[0].images[0].get_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(shown), mask == 0)
    assert render(figure) == render(plots.plot_aspa(array, mask, array[::-1]))
    render(plots.plot_aspa(None, mask, array))


def test_aspa_of_a_full_observation_is_the_encoded_one():
    depth, observation = full_observation()
    expected = np.asarray(aspa.encode(depth.astype(np.float32), TRUTH.astype(np.float32)))
    array, mask = plots.aspa_panels(POSTERIOR, observation, TRUTH)
    known = np.isfinite(array)
    np.testing.assert_allclose(array[known], expected[known], atol=2e-5)
    parameters = np.asarray(aspa.mask("parameters")) == 0
    assert known[parameters].all() and not mask[parameters].any()
    assert (~known).sum() == 5  # the bluest points, which are in no published array
    unknown, _ = plots.aspa_panels(POSTERIOR, observation)
    assert np.isnan(unknown[parameters]).all()


def test_aspa_of_a_partial_observation_shows_its_points():
    array, mask = plots.aspa_panels(POSTERIOR, make_observation(12, 0.0))
    assert mask.sum() == 12 and np.isfinite(array).sum() == 12


@pytest.mark.parametrize("observation", [make_observation(), full_observation()[1]])
def test_spectrum_figure(observation):
    truth = full_observation()[0]
    figure = plots.plot_spectrum(POSTERIOR, observation, truth)
    top, bottom = figure.axes
    low, high = bottom.get_xlim()
    assert low < 0.3015 and high > 50.17 and bottom.get_xscale() == "log"
    assert top.get_ylim()[0] < 100 * observation.depth.min()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(labels) == ["68 %", "95 %", "completed, median", "observed", "truth"]
    again = plots.plot_spectrum(POSTERIOR, observation, truth)
    assert render(figure) == render(again)


def test_residuals_are_in_ppm_of_the_binned_median():
    depth, observation = full_observation()
    shifted = observation._replace(depth=depth + 1e-4)
    figure = plots.plot_spectrum(
        having(SAMPLES[:3], np.full(3, 1 / 3), np.tile(depth, (3, 1))), shifted
    )
    points = figure.axes[1].containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(points, 100, rtol=1e-6)


def test_one_huge_error_does_not_flatten_the_spectrum():
    observation = make_observation(100)
    observation.sigma[3] = 0.1
    figure = plots.plot_spectrum(POSTERIOR, observation)
    assert np.ptp(figure.axes[0].get_ylim()) < 0.1  # percent
    assert figure.axes[1].get_ylim()[1] < 2000  # ppm


def one_hot(n):
    return np.eye(1, n)[0]


CASES = {
    "64 samples": (SAMPLES, WEIGHTS, TRUTH),
    "partial truth": (SAMPLES, WEIGHTS, np.where(np.arange(7) < 3, TRUTH, np.nan)),
    "one weight": (SAMPLES, one_hot(64), None),
    "last weight": (SAMPLES[::-1], one_hot(64)[::-1], None),
    "equal samples": (np.tile(SAMPLES[:1], (64, 1)), np.full(64, 1 / 64), TRUTH),
    "one constant parameter": (SAMPLES * [1, 1, 1, 1, 1, 0, 1], WEIGHTS, None),
    "one sample": (SAMPLES[:1], np.ones(1), TRUTH),
    "five samples": (SAMPLES[:5], np.full(5, 0.2), None),
    "far truth": (SAMPLES, WEIGHTS, TRUTH + 5),
}


@pytest.mark.parametrize("case", CASES)
def test_histograms_survive_and_hold_all_the_weight(case):
    samples, weights, truth = CASES[case]
    figure = plots.plot_histograms(having(samples, weights), truth)
    assert len(figure.axes) == 8
    for i, ax in enumerate(figure.axes[:7]):
        low, high = ax.get_xlim()
        assert low < PARAMETERS.lower[i] and high > PARAMETERS.upper[i]
        assert ax.get_xlabel() == PARAMETERS.labels[i] and ax.get_title()
    render(figure)


@pytest.mark.parametrize("case", ["64 samples", "one weight", "equal samples", "one sample"])
def test_corner_survives(case):
    samples, weights, truth = CASES[case]
    figure = plots.plot_corner(having(samples, weights), truth)
    axes = np.reshape(figure.axes, (7, 7))
    assert [ax.get_xlabel() for ax in axes[-1]] == list(PARAMETERS.labels)
    assert all(axes[i, i].get_title() for i in range(7))
    if truth is not None:
        low, high = axes[6, 0].get_xlim()
        assert low < truth[0] < high
    render(figure)


def test_titles_show_median_and_errors():
    samples = np.tile(np.linspace(-5, -3, 201)[:, None], (1, 7))
    figure = plots.plot_histograms(having(samples, np.full(201, 1 / 201)))
    assert figure.axes[0].get_title() == "$-4.00_{-0.68}^{+0.68}$"


@pytest.mark.parametrize(
    ("posterior", "truth"), [(POSTERIOR, TRUTH), (OTHERS, OTHER_TRUTH)], ids=["published", "other"]
)
def test_save_figures(tmp_path, posterior, truth):
    plots.save_figures(tmp_path, posterior, make_observation(), truth)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["aspa.png", "corner.png", "histograms.png", "spectrum.png"]
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")


def test_a_parameter_of_logarithmic_scale_is_drawn_as_its_logarithm():
    labels = list(OTHER.parameters.labels)
    labels[1] = r"$\log_{10}$ " + labels[1]  # the mass, with bounds 1 to 300
    figure = plots.plot_histograms(OTHERS, OTHER_TRUTH)
    axes = figure.axes[:5]
    assert [ax.get_xlabel() for ax in axes] == labels
    low, high = axes[1].get_xlim()
    np.testing.assert_allclose((low, high), (-0.02 * np.log10(300), 1.02 * np.log10(300)))
    dashed = [line.get_xdata()[0] for line in axes[1].lines if line.get_linestyle() == "--"]
    np.testing.assert_allclose(dashed, np.log10(20.0))
    corner_axes = np.reshape(plots.plot_corner(OTHERS, OTHER_TRUTH).axes, (5, 5))
    assert [ax.get_xlabel() for ax in corner_axes[-1]] == labels
    low, high = corner_axes[1, 1].get_xlim()
    assert 1.0 < low < np.log10(20.0) < high < 1.6


def test_the_spectrum_of_another_problem_is_on_its_wavelengths():
    figure = plots.plot_spectrum(OTHERS, make_observation())
    low, high = figure.axes[1].get_xlim()
    assert 0.7 < low < 0.8 and OTHER.wavelength_um[-1] < high < 9
    median = figure.axes[0].lines[-1]
    np.testing.assert_array_equal(median.get_xdata(), OTHER.wavelength_um)
    render(figure)


def test_the_array_of_another_problem():
    depth = 0.0145 + 2e-4 * np.sin(9 * OTHER.wavelength_um)
    observation = Observation(OTHER.wavelength_um, 0 * depth, depth, 0 * depth + 1e-5)
    array, mask = plots.aspa_panels(OTHERS, observation, OTHER_TRUTH)
    assert array.shape == mask.shape == (OTHER.side, OTHER.side)
    theta = np.float32(OTHER_TRUTH)
    expected = np.asarray(OTHER.image(OTHER.pack(np.float32(depth), theta)))
    known = np.isfinite(array)
    np.testing.assert_allclose(array[known], expected[known], atol=2e-5)
    assert known[: OTHER.inner, : OTHER.inner].all()
