"""Simulated spectra of the paper's experiments: what was seen, and what is true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from exogan_jax.parameters import Parameter, Parameters
from exogan_jax.physics.forward import ForwardModel, forward_model, simulate
from exogan_jax.physics.observation import Observation
from experiments.evaluate import TEST_SEED, as_observations, simulated

#: Of the 11 steps of the paper's noise, in depth.
NOISE = tuple(1e-5 * i for i in range(11))
WFC3_UM, PRISM_UM = (1.1, 1.7), (0.6, 5.3)
CLOUD_TOPS_PA = 1e5, 1e4, 1e3, 1e2
COLD_K, HOT_K = (600.0, 900.0), (2100.0, 3000.0)  # outside of the training's 1000-2000 K
BAND_SIGMA, BAND_WIDTH = 200e-6, 0.05  # of an unseen gas: depth, and width over wavelength


class Spectra(NamedTuple):
    """Observations of one case of a study."""

    observations: list[Observation]
    truth: Float[np.ndarray, "n d"]


def planets(
    physics: ForwardModel,
    n: int,
    sigma: float = 0.0,
    range_um: tuple[float, float] = (0.0, np.inf),
) -> Spectra:
    """Planets of the prior, as `evaluate.simulated` makes them: always the same."""
    observations, theta = simulated(n, physics, TEST_SEED, sigma, *range_um)
    return Spectra(observations, np.asarray(theta, np.float64))


def _noise_free(physics: ForwardModel, depth: np.ndarray, truth: np.ndarray) -> Spectra:
    wavelength = np.asarray(physics.wavelength_um, np.float64)
    return Spectra(as_observations(wavelength, depth), truth)


def _depths(physics: ForwardModel, theta: np.ndarray) -> np.ndarray:
    return np.asarray(jax.jit(simulate)(physics, np.asarray(theta, np.float32)), np.float64)


def accuracy(physics: ForwardModel, n: int) -> Iterator[tuple[str, Spectra]]:
    """Spectra without noise, all of the grid, parameters masked."""
    yield "noise-free", planets(physics, n)


def noise(physics: ForwardModel, n: int) -> Iterator[tuple[str, Spectra]]:
    """The same planets with more and more noise."""
    for sigma in NOISE:
        yield f"{1e6 * sigma:.0f} ppm", planets(physics, n, sigma)


def wfc3(physics: ForwardModel, n: int) -> Iterator[tuple[str, Spectra]]:
    """All but the WFC3 masked: what 1.1-1.7 um tell of the rest."""
    for sigma in (0.0, 50e-6):
        yield f"{1e6 * sigma:.0f} ppm", planets(physics, n, sigma, WFC3_UM)


def prism(physics: ForwardModel, n: int) -> Iterator[tuple[str, Spectra]]:
    """As NIRSpec's PRISM sees them."""
    yield "0.6-5.3 um, 30 ppm", planets(physics, n, 30e-6, PRISM_UM)


def clouds(physics: ForwardModel, n: int) -> Iterator[tuple[str, Spectra]]:
    """Planets with a cloud deck, of which the model knows nothing."""
    top = Parameter("log10_cloud", "cloud_top", "dex(Pa)", r"$\log_{10} p$", -1.0, 7.0)
    parameters = Parameters((*physics.parameters, top))
    cloudy = forward_model(physics.table, parameters, **dict(physics.options))
    theta = planets(physics, n).truth
    for pascal in CLOUD_TOPS_PA:
        with_top = np.column_stack([theta, np.full(n, np.log10(pascal))])
        yield f"{pascal / 100:g} mbar", _noise_free(physics, _depths(cloudy, with_top), theta)


def gases(physics: ForwardModel, n: int) -> Iterator[tuple[str, Spectra]]:
    """Planets with a band of a gas that the model does not know, somewhere in 1-5 um."""
    observations, theta = planets(physics, n)
    depth = np.stack([one.depth for one in observations])
    rng = np.random.default_rng(TEST_SEED)
    wavelength = np.asarray(physics.wavelength_um, np.float64)
    centre = np.exp(rng.uniform(np.log(1.0), np.log(5.0), (n, 1)))
    band = np.exp(-0.5 * np.square((wavelength / centre - 1) / BAND_WIDTH))
    yield "a band of 200 ppm", _noise_free(physics, depth + BAND_SIGMA * band, theta)


def temperatures(physics: ForwardModel, n: int) -> Iterator[tuple[str, Spectra]]:
    """Planets colder and hotter than those of the training."""
    theta = planets(physics, n).truth
    at = physics.parameters.roles.index("temperature")
    for low, high in (COLD_K, HOT_K):
        outside = theta.copy()
        outside[:, at] = np.random.default_rng(TEST_SEED).uniform(low, high, n)
        yield f"{low:.0f}-{high:.0f} K", _noise_free(physics, _depths(physics, outside), outside)
