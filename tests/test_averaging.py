"""Averaging fine spectra to the model's grid, against sums done by hand."""

import itertools

import numpy as np
import pytest

from exogan_jax.files.averaging import average, averaged_spectrum
from exogan_jax.files.spectra import read_spectrum
from exogan_jax.layout import PUBLISHED

GRID = PUBLISHED.wavelength_um


def fine(n=4000, resolution=1000.0, low=0.6, seed=0):
    """A simulated spectrum with n points at R = 1,000, two a resolution element."""
    rng = np.random.default_rng(seed)
    w = low * np.exp(np.arange(n) / (2 * resolution))
    half = w / (4 * resolution)
    truth = 0.014 + 3e-4 * np.sin(5 * w)
    sigma = 1e-4 * rng.uniform(0.5, 2, n)
    return w, half, truth + sigma * rng.normal(size=n), sigma


def by_hand(w, depth, sigma):
    """Inverse-variance means, one bin of the grid after the other."""
    ascending = np.sort(GRID)
    middle = np.sqrt(ascending[1:] * ascending[:-1])
    edges = [ascending[0] ** 2 / middle[0], *middle, ascending[-1] ** 2 / middle[-1]]
    depths, sigmas = [], []
    for low, high in itertools.pairwise(edges):
        mine = (w >= low) & (w < high)
        if mine.any():
            total = (1 / sigma[mine] ** 2).sum()
            depths.append((depth[mine] / sigma[mine] ** 2).sum() / total)
            sigmas.append(1 / np.sqrt(total))
    return np.array(depths), np.array(sigmas)


def test_4000_points_equal_the_average_by_hand():
    w, half, depth, sigma = fine()
    result = average(w, half, depth, sigma, None, GRID)
    depths, sigmas = by_hand(w, depth, sigma)
    assert len(result.depth) == len(depths) and 195 < len(depths) < 205
    np.testing.assert_allclose(result.depth, depths, rtol=1e-12)
    np.testing.assert_allclose(result.sigma, sigmas, rtol=1e-12)
    # Each average covers its pixels, and so about the grid's bin.
    centre = result.wavelength_um[1:-1]
    nearest = GRID[np.argmin(np.abs(GRID[:, None] - centre), axis=0)]
    assert np.all(np.abs(centre / nearest - 1) < 1e-3)
    np.testing.assert_allclose(result.half_width_um[1:-1] / centre, 0.005, rtol=0.06)


def test_each_instrument_by_itself_and_in_any_order():
    a, b = fine(1000, seed=1), fine(1000, seed=2)
    both = [np.concatenate(pair) for pair in zip(a, b, strict=True)]
    names = np.array(["NRS1"] * 1000 + ["NRS2"] * 1000)
    order = np.random.default_rng(3).permutation(2000)
    result = average(*(x[order] for x in both), names[order], GRID)
    for one, name in ((a, "NRS1"), (b, "NRS2")):
        mine = np.unique(result.group[names[order] == name])
        depths, sigmas = by_hand(one[0], one[2], one[3])
        np.testing.assert_allclose(result.depth[mine], depths, rtol=1e-12)
        np.testing.assert_allclose(result.sigma[mine], sigmas, rtol=1e-12)
    together = average(*both, None, GRID)
    assert len(together.depth) == len(result.depth) / 2


def test_the_mean_is_within_its_error_of_the_truth():
    w, half, depth, sigma = fine(seed=4)
    result = average(w, half, depth, sigma, None, GRID)
    truth = 0.014 + 3e-4 * np.sin(5 * result.wavelength_um)
    flat = np.abs(result.wavelength_um) < 4  # wider bins than this average the sine away
    chi2 = np.mean(((result.depth - truth) / result.sigma)[flat] ** 2)
    n = flat.sum()
    assert abs(chi2 - 1) < 4 * np.sqrt(2 / n)


@pytest.mark.parametrize("half", [0.0, 0.005, 0.05])
def test_coarse_bins_photometry_and_lone_points_stay(half):
    w = np.array([1.0, 1.02, 1.5, 1.5, 3.6, 4.5])
    halves = np.full(6, half) * w
    depth, sigma = np.linspace(0.014, 0.015, 6), np.full(6, 1e-4)
    result = average(w, halves, depth, sigma, None, GRID)
    np.testing.assert_array_equal(result.wavelength_um, w)
    np.testing.assert_array_equal(result.half_width_um, halves)
    np.testing.assert_array_equal(result.depth, depth)


def test_pixels_without_widths_are_known_by_their_distance():
    w, _, depth, sigma = fine()
    result = average(w, 0 * w, depth, sigma, None, GRID)
    np.testing.assert_allclose(result.depth, by_hand(w, depth, sigma)[0], rtol=1e-12)
    assert np.all(result.half_width_um > 0)


def test_a_spectrum_is_averaged_with_a_note(tmp_path):
    w, half, depth, sigma = fine(600)
    names = np.where(np.arange(600) % 2 == 0, "even", "odd")
    lines = ["wl (um),half_width (um),depth,err_low,err_up,instrument"]
    lines += [
        f"{a!r},{b!r},{c!r},{0.8 * d!r},{1.2 * d!r},{e}"
        for a, b, c, d, e in zip(w.tolist(), half.tolist(), depth.tolist(), sigma.tolist(), names,
                                 strict=True)
    ]  # fmt: skip
    path = tmp_path / "pixels.csv"
    path.write_text("\n".join(lines))
    spectrum = read_spectrum(path, star_radius=0.9)
    assert len(spectrum.observation.depth) == 600
    averaged = averaged_spectrum(spectrum, GRID)
    n = len(averaged.observation.depth)
    assert 58 < n < 66 and set(averaged.instrument) == {"even", "odd"}
    assert f"averaged from 600 to {n} points" in averaged.notes[-1]
    even = int(np.sum(averaged.instrument == "even"))
    assert f"each instrument (even 300 to {even}, odd 300 to {n - even})" in averaged.notes[-1]
    even = averaged.instrument == "even"
    depths, sigmas = by_hand(w[::2], depth[::2], sigma[::2])
    np.testing.assert_allclose(averaged.observation.depth[even], 0.81 * depths, rtol=1e-9)
    np.testing.assert_allclose(averaged.observation.sigma[even], 0.81 * sigmas, rtol=1e-9)
    np.testing.assert_allclose(averaged.two_sided[1] / averaged.observation.sigma, 1.2, rtol=1e-9)
    assert averaged_spectrum(averaged, GRID) is averaged  # nothing is finer any more


def test_odd_spectra_lose_no_point_and_no_weight():
    """Instruments of one point, wavelengths that are there twice, falling order, no widths."""
    w, half, depth, sigma = fine(300)
    names = np.array(["NRS1"] * 300, dtype="<U8")
    names[[17]], names[[200]] = "one", "other"
    order = np.argsort(-w)
    w, half, depth, sigma = (
        np.concatenate([x[order], x[order][40:45]]) for x in (w, half, depth, sigma)
    )
    names = np.concatenate([names[order], names[order][40:45]])
    for widths in (half, 0 * half):
        result = average(w, widths, depth, sigma, names, GRID)
        np.testing.assert_allclose((result.sigma**-2.0).sum(), (sigma**-2.0).sum(), rtol=1e-12)
        mean = (result.depth * result.sigma**-2.0).sum()
        np.testing.assert_allclose(mean, (depth * sigma**-2.0).sum(), rtol=1e-12)
        assert (
            np.all(np.diff(result.wavelength_um) >= 0) and np.isfinite(result.half_width_um).all()
        )
        for name in ("one", "other"):
            (mine,) = np.flatnonzero(names == name)
            assert np.sum(result.group == result.group[mine]) == 1
            assert result.depth[result.group[mine]] == depth[mine]
            assert result.wavelength_um[result.group[mine]] == w[mine]
