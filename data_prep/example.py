"""Makes the bundled example: a simulated spectrum at R = 100, 0.6-5.3 um, with noise of 60 ppm,
with the opacities of real planets.

python -m data_prep.example
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import exogan_jax as xg
from data_prep import grid
from exogan_jax.files.par import truth_of
from exogan_jax.files.spectra import write_spectrum

THETA = np.array([-3.3, -5.0, -4.0, -6.0, 1.1, 1.25, 1450.0])
SIGMA = 6e-5
SEED = 2018


def main() -> None:
    """Writes the asset, with the parameters in the `.par` file beside it."""
    model = xg.forward_model(xg.load_opacities("physical"), grid.PARAMETERS)
    depth = np.asarray(model(THETA), np.float64)
    seen = (grid.WAVELENGTH_UM > 0.6) & (grid.WAVELENGTH_UM < 5.3)
    noise = np.random.default_rng(SEED).normal(size=seen.sum())
    observation = xg.Observation(
        np.round(grid.WAVELENGTH_UM[seen], 5),
        np.zeros(seen.sum()),
        np.round(depth[seen] + SIGMA * noise, 8),
        np.full(seen.sum(), SIGMA),
    )
    path = Path(xg.__file__).parent / "assets" / "example.dat"
    write_spectrum(path, observation, truth=truth_of(THETA, grid.PARAMETERS))
    print(f"{path}: {seen.sum()} points")


if __name__ == "__main__":
    main()
