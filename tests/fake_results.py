"""Small results for the tests of files and figures, made without a GAN."""

import numpy as np

from exogan_jax.layout import PUBLISHED, Layout
from exogan_jax.parameters import Parameter, Parameters
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.result import Retrieval

TRUTH = np.array([-3.0, -5.0, -4.5, -6.0, 1.1, 1.2, 1450.0])

#: A third problem: five parameters, other units and scales, 120 ascending wavelengths.
OTHER = Layout(
    wavelength_um=0.8 * 1.02 ** np.arange(120.0),
    sections=(0, 30, 70, 120),
    parameters=Parameters(
        (
            Parameter("log10_nh3", "gas", "dex", r"$\log_{10}$ NH$_3$", -10.0, -2.0),
            Parameter("mass", "mass", "M_E", r"$M$ [M$_\oplus$]", 1.0, 300.0, "log10"),
            Parameter("radius", "radius", "R_E", r"$R$ [R$_\oplus$]", 1.0, 20.0),
            Parameter("temperature", "temperature", "K", r"$T$ [K]", 300.0, 3000.0),
            Parameter("log10_cloud", "cloud_top", "dex(bar)", r"$\log_{10} p$ [bar]", -6.0, 2.0),
        )
    ),
    depth_range=(1e-3, 0.03),
)
OTHER_TRUTH = np.array([-4.0, 20.0, 4.0, 800.0, -2.0])


def make_observation(n: int = 12, half_width: float = 0.01) -> Observation:
    wavelength = np.linspace(1.1, 1.7, n)
    depth = 0.0145 + 2e-4 * np.sin(9 * wavelength)
    return Observation(wavelength, np.full(n, half_width), depth, np.full(n, 5e-5))


def make_retrieval(
    *names: str, n_samples: int = 16, seed: int = 0, layout: Layout = PUBLISHED
) -> Retrieval:
    """Of `names`, about `TRUTH` or `OTHER_TRUTH`, as the layout has it."""
    rng = np.random.default_rng(seed)
    n, d = len(names), len(layout.parameters)
    centre, spread = OTHER_TRUTH, np.array([0.5, 2.0, 0.1, 50.0, 1.0])
    if layout == PUBLISHED:
        centre, spread = TRUTH, np.array([0.3, 0.5, 1.0, 0.4, 0.1, 0.01, 60.0])
    weights = rng.dirichlet(np.ones(n_samples), n)
    spectrum = 0.0145 + 2e-4 * np.sin(9 * layout.wavelength_um)
    noise = 1e-5 * rng.normal(size=(n, n_samples, 1))
    return Retrieval(
        names=names,
        layout=layout,
        samples=(centre + spread * rng.normal(size=(n, n_samples, d))).astype(np.float32),
        weights=weights,
        log_evidence=np.full(n, np.nan),
        log_evidence_error=np.full(n, np.nan),
        efficiency=np.full(n, np.nan),
        predictive_p=np.full(n, 0.4),
        divergence=np.full(n, np.nan),
        reduced_chi2=rng.uniform(0.5, 1.5, n),
        effective_sample_size=1 / np.sum(weights**2, axis=1),
        acceptance=rng.uniform(0.2, 0.4, n),
        flags=("",) * n,
        depth=(spectrum + noise).astype(np.float32),
        aspa=rng.uniform(0.2, 0.8, (n, layout.side, layout.side)).astype(np.float32),
        loss=rng.normal(size=(n, n_samples)).astype(np.float32),
    )
