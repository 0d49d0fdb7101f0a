"""Each file of the field trial, and the public spectra: what is read of them."""

import numpy as np
import pytest

import exogan_jax as xg
from exogan_jax.layout import PUBLISHED

MODEL = {"grid_um": PUBLISHED.wavelength_um, "n_usable": PUBLISHED.n_usable}

# File -> points; medians of wavelength and half width [um], depth and error as fractions; a note.
FIELD = {
    "A10_light_0p1MJ_750K.dat": (150, 1.3126, 0.006563, 8.3082e-3, 5e-5, "full_width [um]"),
    "A1_two_visits.dat": (40, 1.95, 0, 1.40239e-2, 5.5e-5, "line 21 and 19 more"),
    "A2_no_offset.dat": (58, 3.835643, 0.019178, 1.531885e-2, 4e-5, "full_width [um]"),
    "A2_offset_150ppm.dat": (58, 3.835643, 0.019178, 1.5381115e-2, 4e-5, "full_width [um]"),
    "A4_bluest_dropped.dat": (22, 1.85, 0.05, 1.40424e-2, 5e-5, "(lines 1, 2)"),
    "A5_hot_2400K.dat": (217, 1.7757, 0.008878, 2.2180e-2, 5e-5, "full_width [um]"),
    "A7_two_sided_errors.dat": (20, 1.95, 0, 1.40141e-2, 5e-5, "differ by up to 50 %"),
    "A7b_signed_errors.dat": (20, 1.95, 0, 1.40141e-2, 5e-5, "differ by up to 50 %"),
    "A8_nan_row.dat": (18, 2.05, 0, 1.40141e-2, 5e-5, "2 rows with missing values"),
    "E3_per_mille.dat": (20, 1.95, 0, 1.40141e-2, 5e-5, "depth [per mille]"),
    "E4_bin_edges.dat": (20, 1.95, 0.05, 1.40141e-2, 5e-5, "high_edge [um]"),
    "R01_badpixel_flag.dat": (17, 1.9, 0, 1.40216e-2, 5e-5, "3 rows flagged by column 4"),
    "R02_eureka.ecsv": (20, 1.95, 0.05, 1.40141e-2, 5e-5, "read as half widths"),
    "R03_width_before_error.txt": (20, 1.95, 0.05, 1.40141e-2, 5e-5, "read as full widths"),
    "R05_archive.tbl": (20, 1.95, 0.05, 1.40141e-2, 4.9e-5, "no bin width in 1 row"),
    "R07_seven_instruments.dat": (20, 1.95, 0.05, 1.40141e-2, 5e-5, "wl) is wavelength [um]"),
    "R08_ppm_named_columns.csv": (20, 1.95, 0.05, 1.40141e-2, 5e-5, "half_width [um]"),
    "R09_halfwidth_second_low_snr.txt": (
        20,
        1.95,
        7.8e-4,
        2.80282e-3,
        3.5035e-4,
        "half_width [um]",
    ),
    "R13_cloud_0p5mbar.dat": (137, 3.4705, 0.009133, 1.2790e-2, 2.5e-5, "full_width [um]"),
    "R17_rprs.csv": (20, 1.95, 0.05, 1.40141e-2, 5e-5, "is Rp/Rs: squared"),
}
OBSERVED = {
    "co2_FIREFLY.txt": (95, 4.071003, 0.0124209, 2.138072e-2, 1.278559e-4, "read as full widths"),
    "hd189733b_sing2016.txt": (53, 1.24060, 0.0094, 2.406842e-2, 6.809e-5, "read as half widths"),
    "ke18_K2-18b_niriss_soss_lowres.txt":
        (30, 1.552844, 0.0310569, 2.92066e-3, 3.05469e-5, "half_width [um]"),
    "nea_3491_1.tbl": (1, 0.354, 0, 2.13744e-2, 3.39185e-3, "0.895 R_sun"),
    "prt_WASP39b_nirspec_prism.txt":
        (112, 3.936911, 0.0140633, 2.151559e-2, 1.016174e-4, "column 2 is half_width [um]"),
}  # fmt: skip
# File -> what the message says, and the choices that settle it.
REFUSED = {
    "A8b_masked_array.py": ("is a .py file", None),
    "E1_sigma_in_ppm.dat": (
        "line 1: column 3 (error) is 50, above the depth 0.0139441",
        {"units": "um,fraction,ppm"},
    ),
    "E2_percent_below_one.dat": (
        "line 1: column 2 (depth) is 0.418324, which can be in percent or per mille",
        {"units": "um,percent,percent"},
    ),
    "R10_relative_ppm.dat": ("holds differences from a mean, not whole depths", None),
    "R14_units_lie.spec": (
        "line 15: no wavelength within the model's 0.30-50.4 um: column 3 (wave) runs from 0.001",
        {"units": "wave=mm"},
    ),
    "R15_many_reductions.txt": ("holds 2 spectra (A, B); choose one", {"select": "A"}),
    "R17b_rprs_reordered.dat": (
        "line 1: column 2 (depth) is 0.118085, which looks like Rp/Rs",
        {"columns": "wavelength,rp_rs,error,full_width"},
    ),
}


def numbers(spectrum):
    """Points, and medians as the file means them."""
    observation, scale = spectrum.observation, spectrum.star_radius**2
    return (
        len(observation.depth),
        np.median(observation.wavelength_um),
        np.median(observation.half_width_um),
        np.median(observation.depth) / scale,
        np.median(observation.sigma) / scale,
    )


@pytest.mark.parametrize("name", [*FIELD, *OBSERVED])
def test_files_that_are_read(shared, name):
    folder = "field" if name in FIELD else "observed"
    *expected, note = {**FIELD, **OBSERVED}[name]
    spectrum = xg.read_spectrum(shared / "data" / folder / name, **MODEL)
    np.testing.assert_allclose(numbers(spectrum), expected, rtol=1e-4)
    assert any(note in line for line in spectrum.notes), spectrum.notes
    assert all("\n" not in line and str(spectrum.path) in line for line in spectrum.notes)


@pytest.mark.parametrize("name", REFUSED)
def test_files_that_are_refused_and_what_settles_them(shared, name):
    path = shared / "data" / "field" / name
    cause, choices = REFUSED[name]
    with pytest.raises(xg.SpectrumError) as info:
        xg.read_spectrum(path, **MODEL)
    message = str(info.value)
    assert message.startswith(f"{path}: ") and cause in message and "\n" not in message
    if choices:
        depth = 4.18324e-3 if name.startswith("E2") else 1.39441e-2
        spectrum = xg.read_spectrum(path, **MODEL, **choices)
        assert len(spectrum.observation.depth) == 20
        np.testing.assert_allclose(spectrum.observation.depth[0], depth, rtol=2e-5)
        np.testing.assert_allclose(np.ptp(spectrum.observation.wavelength_um), 1.9, rtol=1e-9)
        assert 4.9e-5 < np.median(spectrum.observation.sigma) < 6.3e-5


def test_every_file_of_the_trial_is_in_a_table(shared):
    found = {p.name for d in ("field", "observed") for p in (shared / "data" / d).iterdir()}
    found = {name for name in found if not name.endswith((".par", ".md"))}
    assert found == {*FIELD, *OBSERVED, *REFUSED}


def test_several_spectra(shared):
    a, b = xg.read_spectra(shared / "data" / "field" / "R15_many_reductions.txt")
    assert (a.name, b.name) == ("R15_many_reductions_A", "R15_many_reductions_B")
    np.testing.assert_allclose(b.observation.depth - a.observation.depth, 2e-5, rtol=1e-6)


def test_two_sided_errors_are_kept(shared):
    for name in ("A7_two_sided_errors.dat", "A7b_signed_errors.dat"):
        spectrum = xg.read_spectrum(shared / "data" / "field" / name, star_radius=2)
        np.testing.assert_allclose(spectrum.two_sided[0], 4 * 4e-5)
        np.testing.assert_allclose(spectrum.two_sided[1], 4 * 6e-5)
        np.testing.assert_allclose(spectrum.observation.sigma, 4 * 5e-5)


def test_instruments(shared):
    spectrum = xg.read_spectrum(shared / "data" / "field" / "R07_seven_instruments.dat")
    assert list(spectrum.instrument) == ["inst_a"] * 10 + ["inst_b"] * 10


def test_star_radius_from_the_table_or_the_caller(shared):
    path = shared / "data" / "observed" / "nea_3491_1.tbl"
    spectrum = xg.read_spectrum(path)
    assert spectrum.star_radius == 0.895
    np.testing.assert_allclose(spectrum.observation.depth, 0.0213744 * 0.895**2)
    np.testing.assert_allclose(xg.read_spectrum(path, star_radius=1.0).observation.depth, 0.0213744)
