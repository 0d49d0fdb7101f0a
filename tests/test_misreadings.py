"""Files that were misread in silence, of each kind: read to the right numbers, refused, or told."""

# ruff: noqa: E501
import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import exogan_jax as xg

W = np.round(np.linspace(1.125, 1.675, 12), 3)
DEPTH = np.round(0.0145 + 2e-4 * np.sin(12 * W), 6)
ERROR = np.full(12, 7e-5)
RATIO = np.sqrt(DEPTH)


def rows(*columns, sep=","):
    cells = [
        [c[i] if isinstance(c[i], str) else f"{c[i]:.10g}" for c in columns] for i in range(12)
    ]
    return "".join(sep.join(row) + "\n" for row in cells)


def every(first, other, at=4):
    """A column of words, one of which differs."""
    return [other if i == at else first for i in range(12)]


PLAIN = rows(W, DEPTH, ERROR)
OTHER = np.arange(12) != 4
#: Name -> text and what it says: a mask of the points that are read, or a part of the message.
FILES = {
    "occultation": ("wavelength,occultation_depth,occultation_depth_err\n" + PLAIN, "of an eclipse"),
    "secondary": ("wl,secondary_depth,secondary_err\n" + PLAIN, "of an eclipse"),
    "kinds of rows": (
        "type,wavelength,depth,error\n"
        + rows(["transit"] * 12, W, DEPTH, ERROR)
        + rows(["eclipse"] * 12, W + 0.01, 0.3 * DEPTH, ERROR),
        "holds 2 spectra (transit, eclipse)",
    ),
    "reductions": (
        "pipeline,wavelength,depth,error\n"
        + rows(["Eureka"] * 12, W, DEPTH, ERROR)
        + rows(["Tiberius"] * 12, W + 0.003, DEPTH, ERROR),
        "holds 2 spectra (Eureka, Tiberius)",
    ),
    "second header": (
        "# wavelength depth error\n" + rows(W, DEPTH, ERROR, sep=" ")
        + "# wavelength eclipse_depth error\n" + rows(W, 0.1 * DEPTH, ERROR, sep=" "),
        "line 14: 'wavelength eclipse_de...' begins another table",
    ),
    "flags as words": ("wl,depth,err,outlier\n" + rows(W, DEPTH, ERROR, every("False", "True")), OTHER),
    "good as words": ("wl,depth,err,flag\n" + rows(W, DEPTH, ERROR, every("good", "bad")), OTHER),
    "limit of 0 and 1": ("wl,depth,err,upper_limit\n" + rows(W, DEPTH, ERROR, every("0", "1")), OTHER),
    "limit as words": ("wl,depth,err,upper_limit\n" + rows(W, DEPTH, ERROR, every("no", "yes")), OTHER),
    "VizieR's limit": ("Wave\tl_Depth\tDepth\te_Depth\n" + rows(W, every("", "<"), DEPTH, ERROR, sep="\t"), OTHER),
    "Rp/Rs called a depth": ("wl (um),Transit depth (Rp/Rs),Error\n" + rows(W, RATIO, ERROR), "no column of depths"),
    "radius in R_Jup": ("wl (um),Transit depth (R_Jup),Error\n" + rows(W, 80 * DEPTH, ERROR), "in 'R_Jup', which is no unit"),
    "radius": ("wl,transit_radius,error\n" + rows(W, RATIO, ERROR), "no column of depths"),
    "km": ("wl,transit depth (km),error\n" + rows(W, 1e6 * DEPTH, 1e6 * ERROR), "in 'km', which is no unit"),
    "error of Rp/Rs": (
        "wavelength,Rp/Rs,error,depth\n" + rows(W, RATIO, ERROR / 2 / RATIO, DEPTH), np.ones(12, bool)
    ),
    "a strange unit": (
        "# Wavelength Depth Error T0\n# micron % % BJD\n" + rows(W, 100 * DEPTH, 100 * ERROR, W + 2e6, sep=" "),
        np.ones(12, bool),
    ),
    "units of some": (
        "Instrument Wavelength Depth Error\n           um   %   %\n"
        + rows(["WFC3"] * 12, W, 100 * DEPTH, 100 * ERROR, sep=" "),
        "gives units of 3 columns, but there are 4",
    ),
    "units in a line": (
        "# units: um, %, %\nwavelength,depth,error\n" + rows(W, 100 * DEPTH, 100 * ERROR), np.ones(12, bool)
    ),
    "the archive's per cent": (
        "CENTRALWAVELNG,PL_TRANDEP,PL_TRANDEPERR1,PL_TRANDEPERR2\n"
        + rows(W, 100 * DEPTH, 100 * ERROR, -100 * ERROR),
        "which can be in percent or per mille",
    ),
    "powers of ten": ("wl,depth (10^-4),error (10^-4)\n" + rows(W, 1e4 * DEPTH, 1e4 * ERROR), "in '10^-4', which is no unit"),
    "times 10^4": ("wl,depth x10^4,error x10^4\n" + rows(W, 1e4 * DEPTH, 1e4 * ERROR), "in 'x10^4', which is no unit"),
    "variances": ("wl,depth,sigma^2\n" + rows(W, DEPTH, ERROR**2), "holds no 1-sigma errors"),
    "the word": ("wl,depth,error_variance\n" + rows(W, DEPTH, ERROR**2), "holds no 1-sigma errors"),
    "err2": ("wl,depth,err2\n" + rows(W, DEPTH, ERROR**2), "no column of errors"),
    "3 sigma": ("wl,depth,3-sigma error\n" + rows(W, DEPTH, 3 * ERROR), "holds no 1-sigma errors"),
    "shares": ("wl,depth,fractional_error\n" + rows(W, DEPTH, ERROR / DEPTH), "holds no 1-sigma errors"),
    "another's error": (
        "wl,depth (%),unct (%),u1,u1_err\n" + rows(W, 100 * DEPTH, 100 * ERROR, W / 8, W / 80), np.ones(12, bool)
    ),
    "excess": ("wl,Excess absorption (%),error (%)\n" + rows(W, DEPTH, ERROR), "holds differences"),
    "log": ("log10_wavelength,depth,error\n" + rows(np.log10(W), DEPTH, ERROR), "no column of wavelengths"),
    "thousands": ("wl;depth (ppm);error (ppm)\n" + rows(["1.2"] * 12, ["14,671"] * 12, ["1,400"] * 12, sep=";").replace("1.2;", "1,125;"), "may be thousands"),
    "good is 1": ("wl,depth,err,mask\n" + rows(W, DEPTH, ERROR, every("1", "0")), "would leave 1 of 12 rows"),
    "short header": ("# wl(um) Rp/Rs err\n" + rows(W, RATIO, ERROR, W / 40, sep=" "), "names 3 columns, but there are 4"),
    "codes": ("wl,depth (ppm),err (ppm)\n" + rows(W, np.where(OTHER, 1e6 * DEPTH, -999), np.where(OTHER, 70.0, -999)), OTHER),
    "empty cells": ("wl\tdepth\terr\tnote\n" + rows(W, DEPTH, ERROR, every("", "spot"), sep="\t"), np.ones(12, bool)),
    "a first cell": ("inst\twl\tdepth\terr\n" + rows(["G141", *[""] * 11], W, DEPTH, ERROR, sep="\t"), np.ones(12, bool)),
    "a header twice": ("wl,depth,err\n" + PLAIN[: PLAIN.index("1.475")] + "wl,depth,err\n" + PLAIN[PLAIN.index("1.475") :], np.ones(12, bool)),
    "CDS's upper and lower": ("Wave\tDepth\tE_Depth\te_Depth\n" + rows(W, DEPTH, 1.01 * ERROR, 0.99 * ERROR, sep="\t"), np.ones(12, bool)),
    "nm under um": ("wavelength (um),depth,error\n" + rows(1000 * W, DEPTH, ERROR), "begins at 1125 um"),
    "pixels": ("Pixels,wl,depth,err\n" + rows([f"{i}-{i + 4}" for i in range(12)], W, DEPTH, ERROR), np.ones(12, bool)),
    "an empty first cell": ("inst; wl; depth; err\n" + rows(["G141", *[""] * 11], W, DEPTH, ERROR, sep="; "), np.ones(12, bool)),
    "VizieR's units": (
        "recno\tlambda\tDepth\te_Depth\tNote\n \tum\t%\t%\t \n-----\t---\t---\t---\t-\n"
        + rows([str(i) for i in range(12)], W, 100 * DEPTH, 100 * ERROR, ["a"] * 12, sep="\t"),
        np.ones(12, bool),
    ),
    "1 sigma": ("wave (um),depth (%),error (1 sigma)\n" + rows(W, 100 * DEPTH, 100 * ERROR), np.ones(12, bool)),
    "a factor": ("wl (um),depth (0.1 %),error (0.1 %)\n" + rows(W, 1000 * DEPTH, 1000 * ERROR), "in '0.1 %', which is no unit"),
    "the same header": ("# wl depth err\n" + rows(W, DEPTH, ERROR, sep=" ") + "# wl depth err\n" + rows(W, DEPTH / 2, ERROR, sep=" "), "begins another table"),
    "rms beside errors": ("wl (um),depth (ppm),err_ppm,depth_rms_ppm\n" + rows(W, 1e6 * DEPTH, 1e6 * ERROR, 4e6 * ERROR), np.ones(12, bool)),
    "times of transit": (
        "wl,transit_center,transit_center_err,rp_rs,rp_rs_err\n" + rows(W, W / 90, W / 9000, RATIO, ERROR / 2 / RATIO), np.ones(12, bool)
    ),
    "an error in the depth's unit": ("wl,depth (%),Rp/Rs,error (%)\n" + rows(W, 100 * DEPTH, RATIO, 100 * ERROR), np.ones(12, bool)),
    "a glued sign": ("wl (um),Depth%,Error%\n" + rows(W, 100 * DEPTH, 100 * ERROR), np.ones(12, bool)),
    "squares in words": ("wl,Radius ratio squared,Radius ratio squared error\n" + rows(W, DEPTH, ERROR), np.ones(12, bool)),
    "x beside wavelengths": ("x,wavelength,depth,err\n" + rows(np.arange(12) + 5.0, W, DEPTH, ERROR), np.ones(12, bool)),
    "a number called lambda": (
        "lambda,wavelength (um),depth,err\n" + rows(np.arange(12) + 1.0, W, DEPTH, ERROR),
        np.ones(12, bool),
    ),
    "a sign": ("wl,sign,depth,err\n" + rows(W, every("", "<"), DEPTH, ERROR), OTHER),
    "excluded": ("wl,depth,err,excluded\n" + rows(W, DEPTH, ERROR, every("False", "True")), OTHER),
    "signs in words": ("wl,depth,err,reference\n" + rows(W, DEPTH, ERROR, ["Fisher & Heng; 2018"] * 12), np.ones(12, bool)),
    "an empty last column": ("wl (um),Depth,Error,Notes\n" + rows(W, DEPTH, ERROR, [""] * 12), np.ones(12, bool)),
    "words in a column of spectra": ("spec_type,wl,depth,err\n" + rows(["Transmission"] * 12, W, DEPTH, ERROR), np.ones(12, bool)),
    "numbers of transits": ("Transit,wl,depth,err\n" + rows(["1"] * 12, W, DEPTH, ERROR), np.ones(12, bool)),
    "THz": ("wave (THz),depth,err\n" + rows(300 / W, DEPTH, ERROR), "in 'THz', which is no unit of a wavelength"),
    "95 per cent": ("wl,depth,err95\n" + rows(W, DEPTH, 2 * ERROR), "holds no 1-sigma errors"),
    "dWave": ("Wave,dWave,Depth,e_Depth\n" + rows(W, 0.05 + 0 * W, DEPTH, ERROR), np.ones(12, bool)),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_text(tmp_path, name):
    text, expected = FILES[name]
    path = tmp_path / "s.txt"
    path.write_text(text)
    if isinstance(expected, str):
        with pytest.raises(xg.SpectrumError) as info:
            xg.read_spectrum(path)
        assert str(info.value).startswith(f"{path}: ") and expected in str(info.value)
        return
    found = xg.read_spectrum(path).observation
    np.testing.assert_allclose(found.wavelength_um, W[expected], rtol=1e-9)
    np.testing.assert_allclose(found.depth, DEPTH[expected], rtol=1e-6)
    np.testing.assert_allclose(found.sigma, ERROR[expected], rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("# Secondary eclipse of a planet\nwl,depth,err\n" + PLAIN, "line 1 speaks of an eclipse"),
        ("# Depth and error in percent\nwl,depth,err\n" + PLAIN, "line 1 speaks of percent"),
        ("# errors are 2 sigma\nwl,depth,err\n" + PLAIN, "line 1 speaks of several sigma"),
        ("# depth is Rp/Rs\nwl,depth,err\n" + PLAIN, "line 1 speaks of Rp/Rs"),
        (
            "CENTRALWAVELNG,PL_TRANDEP,PL_TRANDEPERR1\n" + rows(W, 2 * DEPTH, 9 * ERROR),
            "the Exoplanet Archive gives column 2 (PL_TRANDEP) in percent",
        ),
        ("wl,depth (ppm),err (%)\n" + rows(W, 1e6 * DEPTH, 100 * ERROR), "not of the depth"),
        ("wl,depth,err\n" + rows(W, RATIO, 5 * ERROR), "if it is Rp/Rs, say --columns rp_rs"),
        ("wl,depth,photon_err\n" + PLAIN, "column 3 (photon_err) is taken for the errors"),
        (
            "Setup,wl,depth,err\n" + rows(["G102"] * 6 + ["G141"] * 6, W, DEPTH, ERROR),
            None,
        ),
        (
            "Arm,wl,depth,err\n" + rows(["blue"] * 6 + ["red"] * 6, W, DEPTH, ERROR),
            "column 1 (Arm) is taken for the instrument",
        ),
        ("inst,wl,depth,err\n" + rows(["G141", *[""] * 11], W, DEPTH, ERROR), "of the one above"),
        ("wl depth err\n" + PLAIN.replace(",", " ").replace("1.325 ", "* 1.325 "), "marked by *"),
        ("wl,depth,err,airmass\n" + rows(W, DEPTH, ERROR, W), "having no use: airmass"),
        ("wl,depth,err,remark\n" + rows(W, DEPTH, ERROR, every("a", "b")), "no use: remark"),
    ],
)
def test_doubts_are_told(tmp_path, text, note):
    path = tmp_path / "s.txt"
    path.write_text(text)
    spectrum = xg.read_spectrum(path)
    assert note is None or any(note in line for line in spectrum.notes), spectrum.notes
    if text.startswith(("Setup", "Arm")):
        assert len(set(spectrum.instrument)) == 2


def test_a_models_finer_curve_beside_data_is_not_the_data(tmp_path):
    path = tmp_path / "s.h5"
    fine = np.linspace(1.1, 1.7, 50)
    with h5py.File(path, "w") as file:
        data = {"wavelength": W, "depth": DEPTH, "depth_err": ERROR, "wl_fine": fine}
        low, high = 0.0144 + 0 * fine, 0.0146 + 0 * fine
        data |= {"spectrum_median": 0.0145 + 0 * fine, "spectrum_low1": low, "spectrum_high1": high}
        for name, values in data.items():
            file[name] = values
    np.testing.assert_allclose(xg.read_spectrum(path).observation.depth, DEPTH)


def test_a_table_called_eclipse_is_refused(tmp_path):
    table = Table({"wavelength": W, "depth": DEPTH, "depth_err": ERROR})
    hdu = fits.table_to_hdu(table)
    hdu.name = "ECLIPSE"
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "s.fits")
    with pytest.raises(xg.SpectrumError, match="'ECLIPSE' is of an eclipse"):
        xg.read_spectrum(tmp_path / "s.fits")
