"""4,000 pixels at R = 1,000 in a file, and the same averaged by hand, give the same answer."""

import itertools

import jax
import numpy as np
import pytest

from exogan_jax import Observation, load_model, load_opacities, retrieve, simulate
from exogan_jax.files.averaging import averaged_spectrum
from exogan_jax.files.spectra import read_spectrum
from exogan_jax.physics.problem import problem_model
from exogan_jax.retrieval.weighted import weighted_quantile

pytestmark = [pytest.mark.optax, pytest.mark.slow]
N, SIGMA = 4000, 2e-4
#: H2O, CO2, CO, CH4, Na, K, mass, radius, temperature, cloud, haze: an ordinary hot Saturn.
THETA = np.array([[-3, -5, -4, -7, -6, -7, 0.4, 1.2, 1100, 3.5, 0]])


def by_hand(grid, w, depth, sigma):
    """An observation in the grid's own bins, each the inverse-variance mean of its pixels."""
    grid = np.sort(grid)
    edges = np.sqrt(grid[1:] * grid[:-1])
    rows = []
    for middle, (low, high) in zip(grid[1:-1], itertools.pairwise(edges), strict=True):
        mine = (w >= low) & (w < high)
        if mine.any():
            weight = sigma[mine] ** -2.0
            mean = np.sum(weight * depth[mine]) / weight.sum()
            rows.append((middle, (high - low) / 2, mean, weight.sum() ** -0.5))
    return Observation(*np.array(rows).T)


def test_pixels_and_their_averages_give_one_answer(tmp_path):
    model = load_model("planets")
    physics = problem_model(load_opacities("planets"), model.layout)
    grid = np.asarray(model.layout.wavelength_um, np.float64)
    order = np.argsort(grid)
    smooth = np.asarray(jax.jit(simulate)(physics, THETA)[0], np.float64)[order]
    # Pixels of R = 1,000, two a resolution element, over whole bins of the grid from 0.6 to 5.3 um,
    # with errors that grow to the red.
    middle = np.sqrt(grid[order][1:] * grid[order][:-1])
    low, high = (np.log(middle[np.argmin(np.abs(middle - x))]) for x in (0.6, 5.3))
    w = np.exp(low + (high - low) * (np.arange(N) + 0.5) / N)
    rng = np.random.default_rng(4)
    sigma = SIGMA * (0.6 + w / 5.3) * rng.uniform(0.8, 1.25, N)
    depth = np.interp(w, grid[order], smooth) + sigma * rng.normal(size=N)
    rows = [f"{a!r},{b!r},{c!r}" for a, b, c in np.c_[w, 1e6 * depth, 1e6 * sigma].tolist()]
    path = tmp_path / "pixels.csv"
    path.write_text("\n".join(["wavelength (um),depth (ppm),error (ppm)", *rows]))
    read = averaged_spectrum(read_spectrum(path, grid, star_radius=1.0), grid)
    hand = by_hand(grid, w, depth, sigma)
    n = len(hand.depth)
    assert f"averaged from 4000 to {n} points" in read.notes[-1] and 210 < n < 230
    np.testing.assert_allclose(read.observation.depth, hand.depth, rtol=1e-9)
    np.testing.assert_allclose(read.observation.sigma, hand.sigma, rtol=1e-9)
    np.testing.assert_allclose(read.observation.wavelength_um, hand.wavelength_um, rtol=1e-3)
    found = {
        name: retrieve([observation], model, exact=False, seed=seed)[0]
        for name, observation, seed in (
            ("pixels", read.observation, 1),
            ("hand", hand, 1),
            ("again", hand, 2),
        )
    }
    quantiles = {k: weighted_quantile(v.samples, v.weights) for k, v in found.items()}
    width = (quantiles["hand"][2] - quantiles["hand"][0]) / 2

    def shift(a, b):
        return np.abs(quantiles[a] - quantiles[b]) / width

    noise = shift("again", "hand")  # the same data, other random numbers
    moved = shift("pixels", "hand")
    print(f"shift {moved.mean():.3f}, {moved.max():.3f} at most; of another seed "
          f"{noise.mean():.3f}, {noise.max():.3f} [posterior widths]")  # fmt: skip
    assert moved.max() < 2 * noise.max() and moved.mean() < 1.5 * noise.mean()
    assert noise.max() < 0.5  # or nothing is tested
    assert abs(found["pixels"].reduced_chi2 - found["hand"].reduced_chi2) < 0.02
