"""The ExoGAN wavelength grid, its sections, and the seven parameters.

Everything here is a NumPy constant: the grid and section edges of Zingales & Waldmann (2018,
AJ 156, 268) and of the published code. Nothing in this module imports JAX.
"""

from __future__ import annotations

import numpy as np

RESOLUTION = 100
N_WAVELENGTH = 515

#: Bin centres in um, shape (515,), descending from 50.17 to 0.3015.
WAVELENGTH_UM: np.ndarray = 0.3015 * 1.01 ** np.arange(N_WAVELENGTH - 1, -1, -1, dtype=np.float64)
WAVELENGTH_UM.setflags(write=False)

#: Indices into the grid that bound the 14 sections, each of which is normalised on its own.
SECTION_EDGES = (0, 162, 195, 208, 241, 255, 318, 334, 371, 384, 394, 406, 420, 440, 515)
N_SECTIONS = len(SECTION_EDGES) - 1

#: The published code encodes the points below this index without loss; the five bluest
#: (below 0.317 um) fall outside the last section's normalisation and are not recoverable.
N_ENCODED = 510

#: Depths that scale the normalisation pixels: the extremes of the published training set.
DEPTH_MAX = 0.0301803471629
DEPTH_MIN = 0.00650370296635

JUPITER_MASS_KG = 1.898e27
JUPITER_RADIUS_M = 6.9911e7
#: TauREx 2's, which the published spectra show to 2e-5. (The IAU's nominal radius is 6.957e8 m.)
SUN_RADIUS_M = 6.955e8

#: Names of theta's entries, in order.
PARAMETERS = (
    "log10_h2o",
    "log10_co2",
    "log10_co",
    "log10_ch4",
    "planet_mass",
    "planet_radius",
    "temperature",
)
N_PARAMETERS = len(PARAMETERS)
GASES = ("h2o", "co2", "co", "ch4")

UNITS = ("dex", "dex", "dex", "dex", "M_J", "R_J", "K")
LABELS = (
    r"$\log_{10}$ H$_2$O",
    r"$\log_{10}$ CO$_2$",
    r"$\log_{10}$ CO",
    r"$\log_{10}$ CH$_4$",
    r"$M_\mathrm{p}$ [M$_\mathrm{J}$]",
    r"$R_\mathrm{p}$ [R$_\mathrm{J}$]",
    r"$T$ [K]",
)

#: Bounds of the published training set (uniform prior), shape (7,) each, in UNITS.
LOWER: np.ndarray = np.array([-8.0, -8.0, -8.0, -8.0, 0.8, 0.8, 1000.0])
UPPER: np.ndarray = np.array([-1.0, -1.0, -1.0, -1.0, 2.0, 1.5, 2000.0])
LOWER.setflags(write=False)
UPPER.setflags(write=False)
