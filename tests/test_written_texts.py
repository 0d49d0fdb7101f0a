"""Spectra as codes and people write them, in text."""

import numpy as np
import pytest
from made_spectra import DEPTH, ERROR, HALF, PPM, RATIO, RATIO_ERROR, W, check_same, rows

import exogan_jax as xg

# What codes and people write; each holds the same spectrum. The second entry: are there bins?
TEXTS = {
    "POSEIDON, pRT": (rows(W, HALF, DEPTH, ERROR), True),
    "TauREx 3": (rows(W, DEPTH, ERROR, 2 * HALF), True),
    "FIREFLy without header": (rows(W, DEPTH, 2 * HALF, ERROR), True),
    "PLATON": ("#Start End Depth Error\n" + rows(W - 0.05, W + 0.05, DEPTH, ERROR), True),
    "PLATON in m": (
        "#Start End Depth Error\n" + rows(1e-6 * (W - 0.05), 1e-6 * (W + 0.05), DEPTH, ERROR),
        True,
    ),
    "transitspectroscopy": (
        "# Wav (um) \t Rp/Rs \t Rp/RsErrUp \t Rp/RsErrDown \t Depth (ppm) \t Depthup (ppm) \t "
        "DepthDown (ppm)\n"
        + rows(W, RATIO, RATIO_ERROR, RATIO_ERROR, 1e6 * DEPTH, 1e6 * ERROR, 1e6 * ERROR),
        False,
    ),
    "exoTEDRF, supreme-SPOON": (
        "wave,wave_err,dppm,dppm_err,order\n"
        + rows(W, HALF, 1e6 * DEPTH, 1e6 * ERROR, np.ones(20), sep=","),
        True,
    ),
    "Pyrat Bay": (
        "@DEPTH_UNITS\npercent\n@DATA\n" + rows(100 * DEPTH, 100 * ERROR, W, HALF, ["inst"] * 20),
        True,
    ),
    "Pyrat Bay, optional names, a filter": (
        "@DEPTH_UNITS\nppt\n\n@DATA\n# depth uncert passband_file\n13.2 0.05 filters/kepler.dat\n"
        + rows(1e3 * DEPTH[:9], 1e3 * ERROR[:9], W[:9], HALF[:9])
        + rows(1e3 * DEPTH[9:], 1e3 * ERROR[9:], W[9:], HALF[9:], ["inst"] * 11),
        True,
    ),
    "stctm": (
        "xMin,xMax,wave,waveMin,waveMax,yval,yerrLow,yerrUpp,wlcLow,wlcUpp,ignore\n"
        + rows(9 * W, 9 * W, W, W - 0.05, W + 0.05, 1e6 * DEPTH, 1e6 * ERROR, 1e6 * ERROR, W, W,
               0 * W, sep=","),
        True,
    ),
    "ranges and plus-minus": (
        "Wavelength (um) Depth (%)\n"
        + "".join(f"{a - 0.05:.2f}-{a + 0.05:.2f} {100 * b:.7f} ± 0.005\n"
                  for a, b in zip(W, DEPTH, strict=True)),
        True,
    ),
    "LaTeX": (
        "Wavelength ($\\mu$m) & Depth (ppm) \\\\\n\\hline\n"
        + "".join(f"{a} & ${1e6 * b:.4f} \\pm 50$ \\\\\n" for a, b in zip(W, DEPTH, strict=True)),
        False,
    ),
    "Markdown": (
        "| Wavelength (um) | Depth (ppm) | Error (ppm) |\n|---|---|---|\n"
        + "".join(f"| {a} | {1e6 * b:.4f} | 50 |\n" for a, b in zip(W, DEPTH, strict=True)),
        False,
    ),
    "Angstrom, Rp/Rs": (
        "# Wavelength (A)  Rp/Rs  err\n" + rows(1e4 * W, RATIO, RATIO_ERROR), False,
    ),
    "pandas": (",wave,depth,err\n" + rows(np.arange(20), W, DEPTH, ERROR, sep=","), False),
    "pandas to_string": ("  wave depth err\n" + rows(np.arange(20), W, DEPTH, ERROR), False),
    "a row of units": ("wl,depth,err\num,ppm,ppm\n" + PPM.replace(" ", ","), False),
    "numbered comments": (
        "# Column 1: Wavelength (um)\n# Column 2: Depth (ppm)\n# Column 3: Error (ppm)\n" + PPM,
        False,
    ),
    "decimal commas": (
        "wl;depth;err\n" + rows(W, DEPTH, ERROR, sep=";").replace(".", ","), False,
    ),
    "single blanks, units": (
        "# Wavelength (um) Transit Depth (ppm) Transit Depth Error (ppm)\n" + PPM, False,
    ),
    "single blanks": (
        "# wavelength bin half width transit depth uncertainty\n" + rows(W, HALF, DEPTH, ERROR),
        True,
    ),
    "titles above": ("WASP-0 b\nby someone\n\nWavelength  Depth  Error\n" + PPM, False),
    "names with blanks": (
        "# wl depth err instrument\n" + rows(W, DEPTH, ERROR, ["HST WFC3"] * 20), False,
    ),
    "intervals": (
        "wave,depth_lower,depth,depth_upper\n"
        + rows(W, DEPTH - ERROR, DEPTH, DEPTH + ERROR, sep=","),
        False,
    ),
    "mixed units": (
        "Wave [micron],Bandwidth [nm],Transit depth [%],Error [ppm]\n"
        + rows(W, 2000 * HALF, 100 * DEPTH, 1e6 * ERROR, sep=","),
        True,
    ),
    "wavenumbers": ("# wavenumber(cm-1) depth error\n" + rows(1e4 / W, DEPTH, ERROR), False),
    "Fortran": ("# wl depth err\n" + rows(W, DEPTH, ERROR).replace("e-05", "D-05"), False),
    "quoted": (
        '"Wavelength (μm)","Depth (ppm)","+1σ (ppm)","-1σ (ppm)"\n'
        + rows(W, 1e6 * DEPTH, 1e6 * ERROR, 1e6 * ERROR, sep=","),
        False,
    ),
    "a model beside": (
        "wl (um), depth (ppm), error (ppm), best-fit model (ppm)\n"
        + rows(W, 1e6 * DEPTH, 1e6 * ERROR, 9e5 * DEPTH, sep=","),
        False,
    ),
    "CDS": (
        "Title: t\n" + "=" * 80 + "\nByte-by-byte Description of file: t.txt\n" + "-" * 80
        + "\n   Bytes Format Units   Label   Explanations\n" + "-" * 80
        + "\n   1-  6 F6.3   um      Wave    Wavelength\n   8- 13 F6.3   um      e_Wave  Half width"
        "\n  15- 24 F10.8  ---     Depth   Depth\n  26- 33 F8.6   ---     e_Depth Error\n"
        + "-" * 80 + "\n"
        + "".join(f"{a:6.3f}  0.050 {b:10.8f} 0.000050\n" for a, b in zip(W, DEPTH, strict=True)),
        True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", TEXTS)
def test_what_codes_and_people_write(tmp_path, code):
    text, bins = TEXTS[code]
    path = tmp_path / "spectrum.txt"
    path.write_text(text, encoding="utf-8")
    spectrum = xg.read_spectrum(path)
    check_same(spectrum, bins)
    if "instrument" in text or "@DATA" in text:
        found = set(spectrum.instrument) - {""}
        assert found == {"HST WFC3" if "HST" in text else "inst"}
