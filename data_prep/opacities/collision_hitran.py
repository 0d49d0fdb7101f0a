"""H2-H2 collision-induced absorption from the table of nemesispy, which is HITRAN's of 2012.

Abel et al. 2011 (J. Phys. Chem. A 115, 6805) in Richard et al. 2012 (JQSRT 113, 1276), 200-3800 K,
to 10000 cm^-1. The table of pyratbay (Borysow et al. 2001, 2002), which this one replaces, is up to
3 times weaker between the bands at 500 K and up to 3 times stronger at 3000 K. H2-He of the same
file is wrong below 950 K (it does not fall with the temperature as pyratbay's does) and not used.
"""

from __future__ import annotations

import numpy as np

from data_prep.grid import WAVELENGTH_UM
from data_prep.opacities.collision import CIATable, log_alpha

#: Nine pairs a row, the first of which is H2-H2 in equilibrium; rows of 10 cm^-1 from 0.
N_PAIRS, H2_H2, STEP = 9, 0, 10.0
#: The file ends here [cm^-1]; bluer, the older table goes on, scaled to agree in the stretch below.
LAST = 9990.0
OVERLAP = (9500.0, LAST)
#: Rows redder than this are zero [cm^-1].
FIRST = 20.0


def parse(data: bytes) -> CIATable:
    """Reads the Fortran file: a record of temperatures (float64), one of coefficients (float32).

    Raises:
      ValueError: the records' lengths are not those of such a file.
    """
    records, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        records.append(data[at + 4 : at + 4 + size])
        if data[at + 4 + size : at + 8 + size] != data[at : at + 4]:
            raise ValueError("not a Fortran file of two records: the lengths do not agree")
        at += 8 + size
    if len(records) != 2 or len(records[0]) % 8 or len(records[1]) % 4:
        raise ValueError(f"not a Fortran file of two records: it has {len(records)}")
    temperature = np.frombuffer(records[0], "<f8")
    values = np.frombuffer(records[1], "<f4").astype(np.float64)
    if values.size % (N_PAIRS * len(temperature)):
        raise ValueError(f"{values.size} coefficients are no multiple of pairs times temperatures")
    alpha = values.reshape(-1, len(temperature), N_PAIRS)[:, :, H2_H2]
    wavenumber = STEP * np.arange(len(alpha))
    good = (wavenumber >= FIRST) & (wavenumber <= LAST)
    return CIATable(temperature, wavenumber[good], alpha[good])


def hydrogen(new: CIATable, old: CIATable, temperature: np.ndarray) -> np.ndarray:
    """log10 alpha [cm^-1 amagat^-2] of H2-H2 on the grid, (temperature, 515).

    Args:
      new: HITRAN's table.
      old: pyratbay's, which gives the shape bluer than LAST.
      temperature: K.
    """
    wavenumber = 1e4 / WAVELENGTH_UM
    out = log_alpha(new, wavenumber, temperature)
    stretch = np.arange(*OVERLAP, STEP)
    ratio = log_alpha(new, stretch, temperature) - log_alpha(old, stretch, temperature)
    blue = wavenumber > LAST
    out[:, blue] = log_alpha(old, wavenumber[blue], temperature) + ratio.mean(1)[:, None]
    return out
