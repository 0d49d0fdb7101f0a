"""Makes the bundled example: a simulated spectrum at R = 100, 0.6-5.3 um, with noise of 60 ppm.

python -m data_prep.example
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import exogan_jax as xg
from exogan_jax.files.spectra import write_spectrum

THETA = np.array([-3.3, -5.0, -4.0, -6.0, 1.1, 1.25, 1450.0])
SIGMA = 6e-5
SEED = 2018


def main() -> None:
    """Writes the asset, with the parameters in the `.par` file beside it."""
    depth = np.asarray(xg.transit_depth(THETA, xg.load_opacities()), np.float64)
    seen = (xg.grid.WAVELENGTH_UM > 0.6) & (xg.grid.WAVELENGTH_UM < 5.3)
    noise = np.random.default_rng(SEED).normal(size=seen.sum())
    observation = xg.Observation(
        np.round(xg.grid.WAVELENGTH_UM[seen], 5),
        np.zeros(seen.sum()),
        np.round(depth[seen] + SIGMA * noise, 8),
        np.full(seen.sum(), SIGMA),
    )
    path = Path(xg.__file__).parent / "assets" / "example.dat"
    write_spectrum(path, observation, truth=THETA)
    print(f"{path}: {seen.sum()} points")


if __name__ == "__main__":
    main()
