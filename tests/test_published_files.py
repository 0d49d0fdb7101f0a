"""Files as codes, archives, journals and spreadsheets write them, read as they are meant.

Numbers are made up; the layouts are those of published files.
"""

import io

import numpy as np
import pytest
from made_spectra import DEPTH, ERROR, HALF, RATIO, RATIO_ERROR, W, check_same, hdf5, rows

import exogan_jax as xg

PPM = 1e6
UP, DOWN = 1.1 * ERROR, 0.9 * ERROR


def cells(form):
    """Lines, each of a wavelength, its half width, depth and error."""
    return "".join(form.format(*row) for row in zip(W, HALF, DEPTH * PPM, ERROR * PPM, strict=True))


def ecsv(names, *columns):
    head = "# %ECSV 1.0\n# ---\n# datatype:\n"
    head += "".join(f"# - {{name: {name}, datatype: float64}}\n" for name in names)
    return head + "# schema: astropy-2.0\n" + " ".join(names) + "\n" + rows(*columns)


ARCHIVE = (
    "# This file was produced by the archive\n"
    "# COLUMN plntname:       Planet Name\n# COLUMN bandwidth:      Band Width [microns]\n"
    "# COLUMN centralwavelng: Central Wavelength [microns]\n"
    "# COLUMN plntransdep:    Transit Depth [%]\n#\n"
    "plntname,centralwavelng,bandwidth,plntransdep,plntransdeperr1,plntransdeperr2,plntransdeplim,"
    "plnratror,plnratrorerr1,plnratrorerr2,facility,instrument,plntranreflink\n"
)
NONE = [""] * 20
HEAD, TAIL = ["X-1 b"] * 20, (["JWST"] * 20, ["NIRSpec"] * 20, ["<a href=x>Y et al. 2023</a>"] * 20)
# Text, and whether it has bins.
TEXTS = {
    "Eureka!, Rp/Rs": (
        ecsv(["wavelength", "bin_width", "rp_value", "rp_errorneg", "rp_errorpos"],
             W, HALF, RATIO, RATIO_ERROR, RATIO_ERROR), True,
    ),
    "Eureka!, squared": (
        ecsv(["wavelength", "bin_width", "rp^2_value", "rp^2_errorneg", "rp^2_errorpos"],
             W, HALF, DEPTH, DOWN, UP), True,
    ),
    "Eureka!, a table for a paper": (
        "Wavelength ($\\mu$m) & Transit depth (ppm) \\\\\n"
        + "".join(f"{a - 0.05:.2f}--{a + 0.05:.2f} & ${b * PPM:.3f}^{{+55}}_{{-45}}$ \\\\\n"
                  for a, b in zip(W, DEPTH, strict=True)), True,
    ),
    "Tiberius": (
        "# Wavelength bin centre, bin full width, Rp/Rs, Rp/Rs +ve error, Rp/Rs -ve error\n"
        + rows(W, 2 * HALF, RATIO, 1.1 * RATIO_ERROR, 0.9 * RATIO_ERROR), True,
    ),
    "exoTEDRF": (
        "# Target: X\n# Column wave: Central wavelength of bin (micron)\n"
        "# Column wave_err: Wavelength bin halfwidth (micron)\n# Column dppm: (Rp/R*)^2 (ppm)\n#\n"
        "wave,wave_err,dppm,dppm_err,order\n"
        + rows(W, HALF, PPM * DEPTH, PPM * ERROR, ["1"] * 20, sep=","), True,
    ),
    "transitspectroscopy, numbered": (
        "# Depths\n# Author: someone\n#\n# Column 0:  Wavelength (um)\n"
        "# Column 1:  Total transit depths (ppm)\n"
        "# Column 2:  Error on total transit depths (ppm)\n"
        + rows(W, PPM * DEPTH, PPM * ERROR), False,
    ),
    "the archive's table of all spectra": (
        ARCHIVE + rows(HEAD, W, 2 * HALF, 100 * DEPTH, 100 * UP, -100 * DOWN, ["0"] * 20,
                       NONE, NONE, NONE, *TAIL, sep=","), True,
    ),
    "the archive's, as Rp/Rs": (
        ARCHIVE + rows(HEAD, W, 2 * HALF, NONE, NONE, NONE, NONE, RATIO, RATIO_ERROR, -RATIO_ERROR,
                       *TAIL, sep=","), True,
    ),
    "PICASO": (
        "wlgrid_center,rprs_data2,wlgrid_width,e_rprs2\n" + rows(W, DEPTH, HALF, ERROR, sep=","),
        True,
    ),
    "Excel in German": (
        "\ufeffWavelength (µm);Bin width (µm);Transit depth (ppm);+err (ppm);-err (ppm)\r\n"
        + rows(W, 2 * HALF, PPM * DEPTH, PPM * UP, PPM * DOWN, sep=";")
        .replace(".", ",").replace("\n", "\r\n"), True,
    ),
    "Latin-1": (
        ("Wavelength (µm);Depth (%);Error (%)\r\n"
         + rows(W, 100 * DEPTH, 100 * ERROR, sep=";")).encode("latin-1"), False,
    ),
    "pandas with semicolons": (
        ";wavelength;depth;error;instrument\n"
        + rows([str(i) for i in range(20)], W, DEPTH, ERROR, ["NRS1"] * 20, sep=";")
        .replace(".", ","), False,
    ),
    "a title and bounds": (
        "Transmission spectrum of X-1 b\nbin_center,bin_low,bin_high,tdepth,tdepth_err\n"
        + rows(W, W - HALF, W + HALF, DEPTH, ERROR, sep=","), True,
    ),
    "units in a row": (
        "wavelength\tbin_width\tdepth\tdepth_err\n[um]\t[um]\t[ppm]\t[ppm]\n"
        + rows(W, 2 * HALF, PPM * DEPTH, PPM * ERROR, sep="\t"), True,
    ),
    "units in names": ("wave_um,bin_um,rprs2,rprs2_err\n"
                       + rows(W, 2 * HALF, DEPTH, ERROR, sep=","), True),
    "LaTeX names": (
        "$\\lambda_{\\rm min}$,$\\lambda_{\\rm max}$,$(R_{\\rm p}/R_{\\star})^2$,"
        "$\\sigma_{(R_{\\rm p}/R_{\\star})^2}$\n" + rows(W - HALF, W + HALF, DEPTH, ERROR, sep=","),
        True,
    ),
    "AASTeX": (
        "\\begin{deluxetable}{ccc}\n\\tablehead{\\colhead{wavelength} & \\colhead{transit_depth} & "
        "\\colhead{transit_depth_error}\\\\ \\colhead{$\\mathrm{\\mu m}$} & "
        "\\colhead{$\\mathrm{\\%}$} & \\colhead{$\\mathrm{\\%}$}}\n\\startdata\n"
        + "".join(f"{a} & {100 * b:.8f} & 0.005 \\\\\n" for a, b in zip(W, DEPTH, strict=True))
        + "\\enddata\n\\end{deluxetable}\n", False,
    ),
    "errors in the cell": (
        "Wavelength range (um),Transit depth (ppm)\n"
        + "".join(f"{a - 0.05:.2f} - {a + 0.05:.2f},{b * PPM:.3f} +/- 50\n"
                  for a, b in zip(W, DEPTH, strict=True)), True,
    ),
    "errors up and down in the cell": (
        "Wavelength (um),Transit depth (ppm)\n" + cells("{0:.4f},{2:.4f} +55 -45\n"), False,
    ),
    "quantiles": ("wavelength,depth_16,depth_50,depth_84\n"
                  + rows(W, DEPTH - ERROR, DEPTH, DEPTH + ERROR, sep=","), False),
    "words below": ("wave,depth,err\n" + rows(W, DEPTH, ERROR, sep=",")
                    + "Note: errors are of one sigma.\n", False),
    "comments in rows": (cells("{0:.4f} {2:.5f} {3:.3f}  # good\n"), False),
}  # fmt: skip


@pytest.mark.parametrize("code", TEXTS)
def test_published_texts(tmp_path, code):
    text, bins = TEXTS[code]
    path = tmp_path / "spectrum.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    check_same(xg.read_spectrum(path), bins)


def taurex(file):
    """The observation in an output of TauREx 3, in falling order, beside the model's spectra."""
    group = file.create_group("Observed")
    group["wlgrid"], group["spectrum"], group["errorbars"] = W[::-1], DEPTH[::-1], ERROR[::-1]
    group["binwidths"], group["binedges"] = 2 * HALF[::-1], np.linspace(3, 1, 21)
    model = file.create_group("Output/Spectra")
    model["native_wngrid"], model["native_spectrum"] = np.ones(99), np.ones(99)


def test_output_of_taurex(tmp_path):
    path = tmp_path / "out.h5"
    path.write_bytes(hdf5(taurex))
    spectrum = xg.read_spectrum(path)
    spectrum = spectrum._replace(
        observation=xg.Observation(*(np.asarray(x)[::-1] for x in spectrum.observation[:4]))
    )
    check_same(spectrum, True)


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_netcdf_of_the_early_release_programme(tmp_path, engine):
    import xarray as xr

    dim = ["central_wavelength"]
    data = xr.Dataset(
        {
            "transit_depth": (dim, DEPTH, {"unit": ""}),
            "transit_depth_error": (dim, ERROR, {"unit": ""}),
        },
        {
            "central_wavelength": (dim, W, {"unit": "micron"}),
            "bin_half_width": (dim, HALF, {"unit": "micron"}),
        },
    )
    path = tmp_path / "data.xc"
    path.write_bytes(bytes(data.to_netcdf(engine=engine)))
    check_same(xg.read_spectrum(path), True)


def test_archive_of_several_planets_takes_the_column_of_each(tmp_path):
    half = [W[:10], W[10:]]
    first = rows(["A b"] * 10, half[0], 0.1 + 0 * half[0], 100 * DEPTH[:10], 100 * ERROR[:10],
                 -100 * ERROR[:10], [""] * 10, [""] * 10, [""] * 10, sep=",")  # fmt: skip
    second = rows(["C d"] * 10, half[1], 0.1 + 0 * half[1], [""] * 10, [""] * 10, [""] * 10,
                  RATIO[10:], RATIO_ERROR[10:], -RATIO_ERROR[10:], sep=",")  # fmt: skip
    names = "plntname,centralwavelng,bandwidth,plntransdep,plntransdeperr1,plntransdeperr2,"
    units = "# COLUMN plntransdep: Transit Depth [%]\n"
    path = tmp_path / "all.csv"
    path.write_text(units + names + "plnratror,plnratrorerr1,plnratrorerr2\n" + first + second)
    a, c = xg.read_spectra(path)
    np.testing.assert_allclose(np.r_[a.observation.depth, c.observation.depth], DEPTH, rtol=1e-6)
    np.testing.assert_allclose(np.r_[a.observation.sigma, c.observation.sigma], ERROR, rtol=1e-6)


def test_two_limbs_are_two_spectra(tmp_path):
    head = "".join(
        f"# Column {i}:  {name}\n"
        for i, name in enumerate(
            ["Wavelength (um)", "Evening depths (ppm)", "Error on evening depths (ppm)",
             "Morning depths (ppm)", "Error on morning depths (ppm)",
             "Covariance between Morning and Evening depths"]
        )
    )  # fmt: skip
    path = tmp_path / "limbs.txt"
    columns = (PPM * DEPTH / 2, PPM * ERROR, PPM * DEPTH, PPM * ERROR, -PPM * ERROR)
    path.write_text(head + rows(W, *columns))
    with pytest.raises(xg.SpectrumError, match="holds 2 spectra"):
        xg.read_spectrum(path)
    check_same(xg.read_spectrum(path, select="morning"), False)


def test_rows_that_leave_their_columns_are_refused(tmp_path):
    from astropy.table import Table

    table = Table({"wl": W, "depth": DEPTH, "err": ERROR})
    for form in ("ipac", "mrt"):
        out = io.StringIO()
        table.write(out, format=f"ascii.{form}")
        lines = out.getvalue().rstrip("\n").split("\n")
        path = tmp_path / f"table.{form}"
        path.write_text("\n".join(lines))
        assert len(xg.read_spectrum(path).observation.depth) == 20
        for broken in (lines[-1] + " 7", "9" + lines[-1], lines[-1][: len(lines[-1]) // 3]):
            path.write_text("\n".join([*lines[:-1], broken]))
            with pytest.raises(xg.SpectrumError, match=rf"line {len(lines)}: "):
                xg.read_spectrum(path)
