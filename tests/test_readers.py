"""Reading the formats that observers have: tables, FITS, NetCDF, HDF5."""

import io
import os
import threading
import time
import warnings

import numpy as np
import pytest
from astropy.table import QTable, Table
from made_spectra import DEPTH, ERROR, HALF, W, check_same, hdf5, rows

import exogan_jax as xg


def units_table():
    table = QTable({"wave": W, "half_width": HALF, "depth": 1e6 * DEPTH, "depth_err": 1e6 * ERROR})
    for name, unit in (("wave", "um"), ("half_width", "um"), ("depth", ""), ("depth_err", "")):
        table[name].unit = unit or "1e-6"
    return table


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
