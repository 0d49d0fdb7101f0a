"""Reading what observers have: each file of the field trial, what codes write, and formats."""

import io
import os
import threading
import time
import warnings

import numpy as np
import pytest
from astropy.table import QTable, Table

import exogan_jax as xg
from exogan_jax.files.names import describe
from exogan_jax.files.units import parse_unit, split_unit
from exogan_jax.layout import PUBLISHED

MODEL = {"grid_um": PUBLISHED.wavelength_um, "n_usable": PUBLISHED.n_usable}

W = np.round(np.linspace(1, 2.9, 20), 4)
DEPTH = 0.014 + 2e-4 * np.sin(6 * W)
ERROR = np.full(20, 5e-5)
HALF = np.full(20, 0.05)

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


def rows(*columns, sep=" "):
    lines = [
        sep.join(x if isinstance(x, str) else f"{x:.9g}" for x in row)
        for row in zip(*columns, strict=True)
    ]
    return "\n".join(lines) + "\n"


PPM = rows(W, DEPTH * 1e6, ERROR * 1e6)
RATIO, RATIO_ERROR = np.sqrt(DEPTH), ERROR / 2 / np.sqrt(DEPTH)
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


def check_same(spectrum, bins, rtol=1e-5):
    observation = spectrum.observation
    np.testing.assert_allclose(observation.wavelength_um, W, rtol=1e-7)
    np.testing.assert_allclose(observation.half_width_um, HALF if bins else 0 * HALF, rtol=1e-6)
    np.testing.assert_allclose(observation.depth, DEPTH, rtol=rtol)
    np.testing.assert_allclose(observation.sigma, ERROR, rtol=1e-5)


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


def units_table():
    table = QTable({"wave": W, "half_width": HALF, "depth": 1e6 * DEPTH, "depth_err": 1e6 * ERROR})
    for name, unit in (("wave", "um"), ("half_width", "um"), ("depth", ""), ("depth_err", "")):
        table[name].unit = unit or "1e-6"
    return table


def hdf5(write):
    import h5py

    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        write(file)
    return out.getvalue()


def netcdf(engine):
    import xarray as xr

    data = xr.Dataset(
        {
            "transit_depth": ("wavelength", 1e6 * DEPTH, {"units": "ppm"}),
            "uncertainty": ("wavelength", 1e6 * ERROR, {"units": "ppm"}),
        },
        {"wavelength": ("wavelength", W, {"units": "um"})},
    )
    return bytes(data.to_netcdf(engine=engine))


def fits(**tables):
    from astropy.io import fits as io_fits

    hdus = [io_fits.PrimaryHDU()]
    hdus += [io_fits.BinTableHDU(table, name=name) for name, table in tables.items()]
    out = io.BytesIO()
    io_fits.HDUList(hdus).writeto(out)
    return out.getvalue()


def ecsv():
    out = io.StringIO()
    units_table().write(out, format="ascii.ecsv")
    return out.getvalue().encode()


def groups(file):
    for name in ("one", "two"):
        group = file.create_group(name)
        for key, values in (("wl", W), ("depth", DEPTH), ("err", ERROR)):
            group[key] = values


def plain(file):
    for key, values in (("wl", W), ("half_width", HALF), ("depth", DEPTH), ("err", ERROR)):
        file[key] = values
    file["wl"].attrs["units"] = "micron"
    file["instrument"] = ["NRS1"] * 20


def compound(file):
    kinds = [("wl", "f8"), ("half_width", "f4"), ("depth", "f8"), ("err", "f8")]
    file["spectrum"] = np.array(list(zip(W, HALF, DEPTH, ERROR, strict=True)), dtype=kinds)


@pytest.mark.parametrize("form", ["ecsv", "fits", "netcdf4", "netcdf3", "hdf5", "compound"])
def test_formats(tmp_path, form):
    make = {
        "ecsv": ecsv,
        "fits": lambda: fits_of(units_table()),
        "netcdf4": lambda: netcdf("h5netcdf"),
        "netcdf3": lambda: netcdf("scipy"),
        "hdf5": lambda: hdf5(plain),
        "compound": lambda: hdf5(compound),
    }[form]
    path = tmp_path / "spectrum.dat"  # the content says what it is, not the name
    path.write_bytes(make())
    spectrum = xg.read_spectrum(path)
    check_same(spectrum, not form.startswith("netcdf"))
    assert form != "hdf5" or set(spectrum.instrument) == {"NRS1"}


def fits_of(table):
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table.write(out, format="fits")
    return out.getvalue()


def test_masked_values_are_left_out(tmp_path):
    table = Table({"wl": W, "depth": np.ma.masked_array(DEPTH, np.arange(20) == 7), "err": ERROR})
    for form in ("ascii.ecsv", "fits", "ascii.ipac"):
        path = tmp_path / f"masked.{form}"
        table.write(path, format=form)
        spectrum = xg.read_spectrum(path)
        assert len(spectrum.observation.depth) == 19
        assert np.all(spectrum.observation.depth < 0.02)
        assert any("left out 1 row with missing values" in note for note in spectrum.notes)


def test_tables_within_a_file(tmp_path):
    path = tmp_path / "two.h5"
    path.write_bytes(hdf5(groups))
    assert [s.name for s in xg.read_spectra(path)] == ["two_one", "two_two"]
    with pytest.raises(xg.SpectrumError, match=r"holds 2 spectra \(one, two\); choose one"):
        xg.read_spectrum(path)
    assert xg.read_spectrum(path, select="two").name == "two_two"
    kinds = [("wl", "f8"), ("depth", "f8"), ("err", "f8")]
    spectrum = np.array(list(zip(W, DEPTH, ERROR, strict=True)), dtype=kinds)
    log = np.array([(1.0, 2.0)], dtype=[("time", "f8"), ("flux", "f8")])
    path.write_bytes(fits(LOG=log, NRS1=spectrum))
    check_same(xg.read_spectrum(path), False)  # the other table is no spectrum


def test_planets_in_one_table(tmp_path):
    path = tmp_path / "planets.csv"
    names = ["X b"] * 10 + ["Y b"] * 10
    path.write_text("pl_name,wl,depth,err\n" + rows(names, W, DEPTH, ERROR, sep=","))
    x, y = xg.read_spectra(path)
    assert (x.name, y.name) == ("planets_X_b", "planets_Y_b")
    np.testing.assert_allclose(np.r_[x.observation.depth, y.observation.depth], DEPTH, rtol=1e-8)
    np.testing.assert_allclose(
        xg.read_spectrum(path, select="y b").observation.wavelength_um, W[10:]
    )


def test_nothing_in_a_file_runs_code(tmp_path):
    import h5py

    path = tmp_path / "evil"

    def objects(file):
        plain(file)
        kind = h5py.vlen_dtype(np.uint8)
        file.create_dataset("pickle", (1,), dtype=kind)[0] = np.frombuffer(b"\x80\x04.", np.uint8)

    def links(file):
        file["wl"] = h5py.ExternalLink("/etc/passwd", "/")
        file["depth"] = DEPTH

    path.write_bytes(hdf5(objects))
    with pytest.raises(xg.SpectrumError, match="holds objects, which are never opened"):
        xg.read_spectrum(path)
    path.write_bytes(hdf5(links))
    with pytest.raises(xg.SpectrumError, match="evil: no column of errors is known among depth"):
        xg.read_spectrum(path)
    head = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: wl, datatype: float64}\n"
    tag = "# meta: !!python/object/apply:os.system ['touch pwned']\nwl\n1\n"
    path.write_text(head + tag)
    with pytest.raises(xg.SpectrumError, match="line 5: the header holds the YAML tag"):
        xg.read_spectrum(path)
    np.save(path.with_suffix(".npy"), np.array([{}], object))
    with pytest.raises(xg.SpectrumError, match="a NumPy file"):
        xg.read_spectrum(path.with_suffix(".npy"))
    path.write_bytes(b"\x80\x04\x95.")
    with pytest.raises(xg.SpectrumError, match="a Python pickle, which could run code"):
        xg.read_spectrum(path)


def test_a_huge_array_in_a_small_file(tmp_path):
    def huge(file):
        plain(file)
        file.create_dataset("more", (10**9,), dtype="f8", chunks=(10**6,))

    path = tmp_path / "huge.h5"
    path.write_bytes(hdf5(huge))
    with pytest.raises(xg.SpectrumError, match="has 1000000000 values"):
        xg.read_spectrum(path)


@pytest.mark.parametrize("sign", [" ", "(", "[", "1", ",", "+", "\\", "#", "ab ", "1-"])
def test_long_lines_take_no_time(tmp_path, sign):
    path = tmp_path / "long.txt"
    start = time.monotonic()
    for length in (19_990, 5_000_000):
        path.write_text("wl depth err\n1" + sign * (length // len(sign)) + "x\n1 2 3\n")
        with pytest.raises(xg.SpectrumError):
            xg.read_spectrum(path)
    assert time.monotonic() - start < 20  # 0.5 s when nothing else runs


def test_a_pipe_is_read(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    thread = threading.Thread(target=lambda: path.write_text(rows(W, DEPTH, ERROR)))
    thread.start()
    check_same(xg.read_spectrum(path), False)
    thread.join()


def test_star_radius_from_the_table_or_the_caller(shared):
    path = shared / "data" / "observed" / "nea_3491_1.tbl"
    spectrum = xg.read_spectrum(path)
    assert spectrum.star_radius == 0.895
    np.testing.assert_allclose(spectrum.observation.depth, 0.0213744 * 0.895**2)
    np.testing.assert_allclose(xg.read_spectrum(path, star_radius=1.0).observation.depth, 0.0213744)


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
