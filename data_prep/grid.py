"""The numbers of the published problem that chunks and opacity tables are made with."""

from __future__ import annotations

from exogan_jax.atmosphere import SUN_RADIUS_M as SUN_RADIUS_M
from exogan_jax.layout import PUBLISHED
from exogan_jax.parameters import UNITS

PARAMETERS = PUBLISHED.parameters
N_PARAMETERS = len(PARAMETERS)
GASES = PARAMETERS.gases
#: Bin centres in um, (515,), descending from 50.17 to 0.3015: R = 100.
WAVELENGTH_UM = PUBLISHED.wavelength_um
N_WAVELENGTH = PUBLISHED.n_wavelength
JUPITER_MASS_KG = UNITS["M_J"]
JUPITER_RADIUS_M = UNITS["R_J"]
