"""What is doubtful in a file, and the choices that settle it; names and units of columns."""

import numpy as np
import pytest
from made_spectra import DEPTH, ERROR, HALF, W, check_same, rows

import exogan_jax as xg
from exogan_jax.files.names import describe
from exogan_jax.files.units import parse_unit, split_unit


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"columns": "wavelength,depth"}, "lacks a depth or an error"),
        ({"columns": "wavelength,depth,error,-,-"}, "--columns names 5, but the file has 4"),
        ({"columns": "wavelength,depth,depth,error"}, "depth is named twice"),
        ({"columns": "wavelength,spam,depth,error"}, "'spam' is no role; choose from wavelength"),
        ({"columns": "depth=d,error=e,wavelength=w"}, "no column 'd'"),
        ({"units": "um,um,ppm,parsec"}, "'parsec' is no unit; choose from um"),
        ({"units": "um,um,ppm,ppm,ppm"}, "--units gives 5, but there are 4"),
        ({"columns": "wavelength,half_width,depth,error", "units": "um,ppm,1,1"}, "has no ppm"),
        ({"select": "B"}, "no spectrum 'B'"),
        ({"star_radius": -1.0}, "star_radius is -1.0, not positive"),
    ],
)
def test_choices_that_cannot_be(tmp_path, choices, message):
    path = tmp_path / "s.dat"
    path.write_text(rows(W, HALF, DEPTH, ERROR))
    with pytest.raises(xg.SpectrumError) as info:
        xg.read_spectrum(path, **choices)
    assert message in str(info.value)


def test_choices_settle_what_is_doubtful(tmp_path):
    path = tmp_path / "s.dat"
    path.write_text(rows(ERROR * 1e6, W * 1e3, DEPTH * 100))
    choices = {"columns": "error,wavelength,depth", "units": "ppm,nm,%"}
    check_same(xg.read_spectrum(path, **choices), False)
    path.write_text("a b c\n" + rows(ERROR * 1e6, W * 1e3, DEPTH * 100))
    choices = {"columns": "error=a,depth=C,wavelength=2", "units": "ppm,%,nm"}
    check_same(xg.read_spectrum(path, **choices), False)
    choices["units"] = "b=nm,a=ppm,c=percent"
    check_same(xg.read_spectrum(path, **choices), False)


DOUBTS = {
    "a flag as a width": (
        "wl,width,depth,err\n" + rows(W, np.arange(20) % 2, DEPTH, ERROR, sep=","),
        "column 2 (width), read as width, holds only 0 and 1: a flag?",
    ),
    "a width as a depth": (
        "wl,depth,err\n" + rows(W, 0.01 * W, ERROR, sep=","), "looks like the bins' width",
    ),
    "errors above the depths": (
        "wl (um),depth (ppm),err (%)\n" + rows(W, 1e6 * DEPTH, 1e6 * ERROR, sep=","),
        "column 3 (err (%)) is 0.5 as a fraction (read in percent), above the depth 0.0139",
    ),
    "errors below 0.1 ppm": (
        "wl (um),depth (%),err (ppm)\n" + rows(W, 100 * DEPTH, ERROR, sep=","),
        "as a fraction (read in ppm), below 0.1 ppm",
    ),
    "fractions that say ppm": (
        "wl,depth (ppm),err (ppm)\n" + rows(W, DEPTH, ERROR, sep=","),
        "if the unit is another, say --units depth=fraction,error=fraction",
    ),
    "wide bins": (
        "wl (um),half_width (um),depth,err\n" + rows(W, 1000 * HALF, DEPTH, ERROR, sep=","),
        "gives the bin at 1 um a half width of 50 um",
    ),
    "differences": ("wl,depth,err\n" + rows(W, DEPTH - 0.014, ERROR, sep=","), "not positive"),
    "an outlier": (
        "wl,depth,err\n" + rows(W, np.where(np.arange(20) == 7, 0.5, DEPTH), ERROR, sep=","),
        "NOTE line 9: column 2 (depth) is 0.5, 35.6 times",
    ),
    "no errors": ("wl,depth\n" + rows(W, DEPTH, sep=","), "no column of errors is known among"),
    "no depths": ("wl,flux,err\n" + rows(W, DEPTH, ERROR, sep=","), "no column of depths is known"),
    "no wavelengths": ("a,depth,err\n" + rows(W, DEPTH, ERROR, sep=","), "no column of wave"),
    "two errors": (
        "wl,depth,err,sigma\n" + rows(W, DEPTH, ERROR, 2 * ERROR, sep=","),
        "both column 3 (err) and column 4 (sigma) could hold the errors",
    ),
    "unknown unit": (
        "wl (um),depth (mag),err\n" + rows(W, DEPTH, ERROR, sep=","),
        "column 2 (depth (mag)) is in 'mag', which is no unit of a depth",
    ),
    "outside its bin": (
        "wl,wl_low,wl_high,depth,err\n" + rows(W, W + 0.1, W + 0.2, DEPTH, ERROR, sep=","),
        "line 2: the wavelength 1 um lies outside its bin",
    ),
    "depths first": (rows(DEPTH, ERROR, W), "column 3 seems to"),
}  # fmt: skip


@pytest.mark.parametrize("case", DOUBTS)
def test_doubtful_readings_are_refused(tmp_path, case):
    text, cause = DOUBTS[case]
    path = tmp_path / "s.csv"
    path.write_text(text)
    if cause and cause.startswith("NOTE "):
        notes = xg.read_spectrum(path).notes
        assert any(cause.removeprefix("NOTE ") in note for note in notes), notes
        return
    with pytest.raises(xg.SpectrumError) as info:
        xg.read_spectrum(path)
    assert str(info.value).startswith(f"{path}: ") and cause in str(info.value)


def test_overlapping_bins_are_noted_within_one_instrument_only(tmp_path):
    path = tmp_path / "s.csv"
    w, half = np.tile(W, 2), np.tile(HALF, 2)
    w[20:] += 0.03
    columns = (w, half, np.tile(DEPTH, 2), np.tile(ERROR, 2))
    path.write_text("wl,half_width,depth,err\n" + rows(*columns, sep=","))
    notes = xg.read_spectrum(path).notes
    assert any("overlaps its neighbour" in note for note in notes)
    names = ["NRS1"] * 20 + ["NRS2"] * 20
    path.write_text("wl,half_width,depth,err,detector\n" + rows(*columns, names, sep=","))
    spectrum = xg.read_spectrum(path)
    assert not any("overlaps" in note for note in spectrum.notes)
    assert list(np.unique(spectrum.instrument)) == ["NRS1", "NRS2"]


NAMES = {
    "wavelength": "wavelength wave wl wv_center CENTRALWAVELNG λ wlen Wavelength_(Angstrom)",
    "half_width": "wave_err half_width Bin_half-width wavelength_uncertainty hw bin_half_width",
    "full_width": "FWHM full_width",
    "width": "bin_width wv_wdth BANDWIDTH Delta_Wavelength dlambda",
    "low_edge": "waveMin wl_low bin_left lambda_min",
    "high_edge": "waveMax wl_high bin_right lambda_max",
    "depth": "tr_depth transit_depth dppm PL_TRANDEP yval (Rp/Rs)^2 rp^2/rs^2 RpRs2 rp^2_value td",
    "rp_rs": "Rp/Rs R_p/R_* rp_over_rs RpRs PL_RATROR rp_value $R_p/R_\\star$",
    "error": "err tran_unc dppm_err sigma e_Depth (Rp/Rs)^2_+/-uncertainty depth_uncertainty",
    "error_up": "tr_depth_errpos yerrUpp err_up PL_TRANDEPERR1 Rp/RsErrUp rp_errorpos E_Depth",
    "error_low": "tr_depth_errneg yerrLow err_low PL_TRANDEPERR2 Rp/RsErrDown rp_errorneg",
    "instrument": "instrument detector instrname order visit",
    "quality": "quality dq flag Bad_pixel_column?",
    "limit": "PL_TRANDEPLIM",
    "ignored": "ecl_depth ecl_depth_errneg model depth_model chi2",
    "difference": "depth-mean relative_depth",
    "star_radius": "ST_RAD",
    "": "airmass x_pos PL_RADJ delta_depth",
}


@pytest.mark.parametrize("role", NAMES)
def test_names(role):
    for name in NAMES[role].split():
        assert describe(name.replace("_", " ")).role == role or describe(name).role == role, name


def test_units():
    assert [parse_unit(x) for x in ("microns", "µm", "μm", "[um]", "$\\mu$m")] == ["um"] * 5
    assert [parse_unit(x) for x in ("%", "(percent)", "0.01")] == ["percent"] * 3
    assert [parse_unit(x) for x in ("Å", "Angstroms", "ppm", "1e-06", "cm^-1", "furlong")] == [
        "Angstrom", "Angstrom", "ppm", "ppm", "cm-1", None,
    ]  # fmt: skip
    assert split_unit("Transit depth (ppm)") == ("Transit depth", "ppm")
    assert split_unit("(Rp/Rs)^2") == ("(Rp/Rs)^2", "")
    assert split_unit("wave_um") == ("wave", "um")
