"""Makes the bundled example: a Saturn of 1,100 K with a cloud at 30 mbar, much like WASP-39 b, at
R = 100, 0.6-5.3 um, with noise of 60 ppm.

python -m data_prep.example
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import exogan_jax as xg
from exogan_jax.files.headers import model_layout
from exogan_jax.files.par import truth_of
from exogan_jax.files.spectra import write_spectrum

#: By role: log10 of mixing ratios, M_J, R_J, K, log10 of Pa, log10 of H2's scattering.
PLANET = {
    "h2o": -3.0,
    "co2": -5.0,
    "co": -3.5,
    "ch4": -8.0,
    "na": -5.5,
    "k": -7.0,
    "mass": 0.28,
    "radius": 1.2,
    "temperature": 1100.0,
    "cloud_top": 3.5,
    "haze_strength": 0.5,
}
STAR_RADIUS = 0.9  # R_sun
SIGMA = 6e-5
SEED = 2018


def main() -> None:
    """Writes the asset, with the parameters in the `.par` file beside it."""
    layout = model_layout()
    theta = np.array([PLANET[role] for role in layout.parameters.roles])
    forward = xg.forward_model(xg.load_opacities(), layout.parameters)
    grid = np.asarray(forward.wavelength_um, np.float64)
    depth = np.asarray(forward(theta), np.float64) / STAR_RADIUS**2  # in this star's disc
    seen = (grid > 0.6) & (grid < 5.3)
    noise = np.random.default_rng(SEED).normal(size=seen.sum())
    observation = xg.Observation(
        np.round(grid[seen], 5),
        np.zeros(seen.sum()),
        np.round(depth[seen] + SIGMA * noise, 8) * STAR_RADIUS**2,
        np.full(seen.sum(), SIGMA * STAR_RADIUS**2),
    )
    path = Path(xg.__file__).parent / "assets" / "example.dat"
    truth = truth_of(theta, layout.parameters)
    write_spectrum(path, observation, star_radius=STAR_RADIUS, truth=truth)
    print(f"{path}: {seen.sum()} points")


if __name__ == "__main__":
    main()
