"""Small results for the tests of files and figures, made without a GAN."""

import numpy as np

from exogan_jax import grid
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.results import Retrieval

TRUTH = np.array([-3.0, -5.0, -4.5, -6.0, 1.1, 1.2, 1450.0])


def make_observation(n: int = 12, half_width: float = 0.01) -> Observation:
    wavelength = np.linspace(1.1, 1.7, n)
    depth = 0.0145 + 2e-4 * np.sin(9 * wavelength)
    return Observation(wavelength, np.full(n, half_width), depth, np.full(n, 5e-5))


def make_retrieval(*names: str, n_samples: int = 16, seed: int = 0) -> Retrieval:
    rng = np.random.default_rng(seed)
    n = len(names)
    spread = np.array([0.3, 0.5, 1.0, 0.4, 0.1, 0.01, 60.0])
    weights = rng.dirichlet(np.ones(n_samples), n)
    spectrum = 0.0145 + 2e-4 * np.sin(9 * grid.WAVELENGTH_UM)
    noise = 1e-5 * rng.normal(size=(n, n_samples, 1))
    return Retrieval(
        names=names,
        samples=(TRUTH + spread * rng.normal(size=(n, n_samples, 7))).astype(np.float32),
        weights=weights,
        log_evidence=np.full(n, np.nan),
        reduced_chi2=rng.uniform(0.5, 1.5, n),
        effective_sample_size=1 / np.sum(weights**2, axis=1),
        flags=("",) * n,
        depth=(spectrum + noise).astype(np.float32),
        aspa=rng.uniform(0.2, 0.8, (n, 33, 33)).astype(np.float32),
        loss=rng.normal(size=(n, n_samples)).astype(np.float32),
    )
