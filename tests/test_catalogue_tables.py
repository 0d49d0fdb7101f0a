"""Catalogues in one table: the same spectra as files of their own."""

import numpy as np
import pytest
import xarray as xr
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable, Table
from commands import errors, run
from fake_results import make_observation

from exogan_jax.files.catalogue_tables import read_catalogue
from exogan_jax.files.results import open_results
from exogan_jax.files.spectra import SpectrumError
from exogan_jax.layout import PUBLISHED
from exogan_jax.retrieval.priors import Normal

# TFDS's own use of protobuf.
pytestmark = pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")
GRID = PUBLISHED.wavelength_um
NAMES, SIZES, STARS = ["WASP-1 b", "K2-3", "third"], [12, 30, 9], [0.9, 0.6, 1.1]


def cells():
    """Wavelengths, half widths, depths and errors of each."""
    return [[np.asarray(x) for x in make_observation(n)[:4]] for n in SIZES]


def arrays(values, form):
    out = np.empty(len(values), object)
    out[:] = [np.asarray(x, form) for x in values]
    return out


def ecsv(path):
    w, h, d, e = zip(*cells(), strict=True)
    table = Table({"name": NAMES, "star_radius": STARS, "mass": [1.1, 0.5, 2.0]})
    table["mass_error"] = [0.1, 0.05, 0.2]
    for name, values in (("wavelength", w), ("half_width", h), ("depth", d), ("error", e)):
        table[name] = arrays(values, float)
    table["wavelength"].unit = table["half_width"].unit = "um"
    table.write(path, format="ascii.ecsv")


def fits_variable(path):
    w, h, d, e = zip(*cells(), strict=True)
    columns = [
        fits.Column("name", "20A", array=np.array(NAMES)),
        fits.Column("star_radius", "D", array=np.array(STARS)),
        fits.Column("mass", "D", array=np.array([1.1, 0.5, 2.0])),
        fits.Column("mass_error", "D", array=np.array([0.1, 0.05, 0.2])),
        fits.Column("wavelength", "PD()", unit="um", array=arrays(w, float)),
        fits.Column("half_width", "PD()", unit="um", array=arrays(h, float)),
        fits.Column("depth", "PD()", array=arrays(d, float)),
        fits.Column("error", "PD()", array=arrays(e, float)),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path)


def netcdf(path):
    padded = np.full((4, 3, max(SIZES)), np.nan)
    for i, own in enumerate(cells()):
        padded[:, i, : SIZES[i]] = own
    names = ("wavelength", "half_width", "depth", "error")
    data = xr.Dataset({n: (("spectrum", "point"), x) for n, x in zip(names, padded, strict=True)})
    data["wavelength"].attrs["units"] = data["half_width"].attrs["units"] = "um"
    data["star_radius"] = ("spectrum", STARS)
    data["mass"], data["mass_error"] = ("spectrum", [1.1, 0.5, 2.0]), ("spectrum", [0.1, 0.05, 0.2])
    data.assign_coords(spectrum=NAMES).to_netcdf(path, engine="h5netcdf")


def write_tfds(path, features, examples):
    """A version's folder."""
    import tensorflow_datasets as tfds

    class Mine(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            info = tfds.features.FeaturesDict(features)
            return tfds.core.DatasetInfo(builder=self, features=info, disable_shuffling=True)

        def _split_generators(self, dl_manager):
            return {"test": enumerate(examples)}

        def _generate_examples(self):
            raise NotImplementedError

    builder = Mine(data_dir=path.parent / "data", file_format="array_record")
    builder.download_and_prepare()
    builder.data_path.rename(path)


def tfds_folder(path):
    """Of features of variable length."""
    import tensorflow_datasets as tfds

    several, one = tfds.features.Tensor(shape=(None,), dtype=np.float64), np.float64
    features = {"wavelength_um": several, "half_width_um": several, "depth": several}
    features |= {"error": several, "name": tfds.features.Text(), "star_radius": one}
    features |= {"mass": one, "mass_error": one}
    rows = zip(NAMES, STARS, (1.1, 0.5, 2.0), (0.1, 0.05, 0.2), cells(), strict=True)
    keys = ("name", "star_radius", "mass", "mass_error", *list(features)[:4])
    examples = [dict(zip(keys, (*row[:4], *row[4]), strict=True)) for row in rows]
    write_tfds(path, {k: features[k] for k in sorted(features)}, examples)


FORMS = {
    "all.ecsv": ecsv,
    "all.fits": fits_variable,
    "all.nc": netcdf,
    "1.0.0": tfds_folder,
}


@pytest.mark.parametrize("name", FORMS)
def test_each_row_is_a_spectrum(tmp_path, name):
    FORMS[name](tmp_path / name)
    rows = read_catalogue(tmp_path / name)
    assert [row.name for row in rows] == NAMES
    for row, own, star, mass in zip(rows, cells(), STARS, (1.1, 0.5, 2.0), strict=True):
        spectrum = row.read({}, GRID)
        observation = spectrum.observation
        single = 1e-6 if row.table.form == "TFDS" else 1e-12  # its numbers are float32
        assert spectrum.star_radius == pytest.approx(star, rel=single)
        assert spectrum.name == row.name and set(spectrum.priors) == {"mass"}
        expected = (mass, mass / 10 if mass != 1.1 else 0.1)
        prior = spectrum.priors["mass"]
        assert isinstance(prior, Normal) and prior.unit == "M_J"
        assert (prior.mean, prior.sigma) == pytest.approx(expected, rel=single)
        scale = np.array([1, 1, star**2, star**2])[:, None]
        order = np.argsort(observation.wavelength_um)
        found = np.stack([np.asarray(x)[order] for x in observation[:4]])
        np.testing.assert_allclose(found, np.stack(own) * scale, rtol=3 * single)
    digests = {row.read({}, GRID).sha256 for row in rows}
    assert len(digests) == 3


def test_wavelengths_that_all_share(tmp_path):
    observation = make_observation(12)
    depth = np.stack([observation.depth, observation.depth * 1.1])
    depth[1, 4:] = np.nan
    error = np.where(np.isfinite(depth), 1e-4, np.nan)
    data = xr.Dataset(
        {
            "wavelength": ("point", observation.wavelength_um, {"units": "um"}),
            "depth": (("spectrum", "point"), depth),
            "error": (("spectrum", "point"), error),
            "name": ("spectrum", ["a", "b"]),
        }
    )
    data.to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    a, b = (row.read({}, GRID).observation for row in read_catalogue(tmp_path / "x.nc"))
    assert len(a.depth) == 12 and len(b.depth) == 4
    np.testing.assert_allclose(np.sort(b.wavelength_um), observation.wavelength_um[:4])


def test_columns_of_one_length_with_units(tmp_path):
    own = [
        np.stack(x)
        for x in zip(*([np.asarray(y) for y in make_observation(12)[:4]],) * 2, strict=True)
    ]
    table = QTable({"planet": ["a", "b"], "wavelength": own[0] * 1e3 * u.nm})
    table["depth"], table["error"] = own[2] * 1e6, own[3] * 1e6
    table["depth"].unit = table["error"].unit = "1e-6"
    table.write(tmp_path / "x.fits")
    rows = read_catalogue(tmp_path / "x.fits")
    found = rows[1].read({}, GRID, units="wavelength=nm,depth=ppm,error=ppm").observation
    np.testing.assert_allclose(np.sort(found.wavelength_um), own[0][1], rtol=1e-9)
    np.testing.assert_allclose(np.sort(found.depth), np.sort(own[2][1]), rtol=1e-9)


def test_a_dataset_without_what_a_spectrum_needs_is_refused(tmp_path):
    import tensorflow_datasets as tfds

    path = tmp_path / "1.0.0"
    tfds_folder(path)
    features = (path / "features.json").read_text()
    (path / "features.json").write_text(features.replace('"none"', '"zlib"'))
    with pytest.raises(SpectrumError, match="depth is neither numbers"):
        read_catalogue(path)
    (path / "features.json").write_text(features)
    (shard,) = path.glob("*.array_record-*")
    shard.rename(tmp_path / "kept")
    with pytest.raises(SpectrumError, match=f"{shard.name}: not there"):
        read_catalogue(path)
    shard.write_bytes((tmp_path / "kept").read_bytes()[:-40])
    with pytest.raises(SpectrumError, match="damaged TFDS"):
        read_catalogue(path)
    (path / "features.json").write_text("{")
    with pytest.raises(SpectrumError, match="no JSON"):
        read_catalogue(path)
    plain = tfds.features.Tensor(shape=(3,), dtype=np.float32)
    write_tfds(tmp_path / "2", {"depth": plain}, [{"depth": np.zeros(3, np.float32)}])
    with pytest.raises(SpectrumError, match="its features are depth: no errors"):
        read_catalogue(tmp_path / "2")


def broken(path, kind):
    table = Table({"name": ["a", "b"]})
    w = [np.array([1.1, 1.2, 1.3])] * 2
    for name, values in (("wavelength", w), ("depth", [x * 0.01 for x in w]), ("error", w)):
        table[name] = arrays(values, float)
    if kind == "no arrays":
        table = table["name",]
    elif kind == "lengths":
        table["depth"][1] = np.array([0.01, 0.02])
    elif kind == "twice":
        table["name"] = ["a", "a"]
    elif kind == "no name":
        table.remove_column("name")
    elif kind == "text":
        path.write_text("name wavelength\na 1\n")
        return
    table.write(path, format="ascii.ecsv")
    if kind == "objects":
        text = path.read_text().replace(
            "# datatype:", "# meta: {__serialized_columns__: {}}\n# datatype:"
        )
        path.write_text(text)
    elif kind == "hidden tag":  # between quotes, as a search for tags is passed by
        text = path.read_text().replace(
            "# datatype:", "# meta: {a: 'it''s' , b: !!python/name:os.system ''}\n# datatype:"
        )
        path.write_text(text)
    elif kind == "damaged":
        path.write_text(path.read_text()[:-30])


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("no arrays", "no column holds arrays"),
        ("lengths", r"row 2 \(b\): arrays of different lengths \(wavelength 3, depth 2, error 3\)"),
        ("twice", "row 2: a is there twice"),
        ("no name", "no column `name`"),
        ("text", "neither ECSV, FITS nor NetCDF"),
        ("objects", "its header asks for objects"),
        ("hidden tag", "line 4: the header holds the YAML tag"),
        ("damaged", "a damaged ECSV file"),
    ],
)
def test_what_is_no_catalogue_is_said(tmp_path, kind, cause):
    path = tmp_path / "x.ecsv"
    broken(path, kind)
    with pytest.raises(SpectrumError, match=cause) as info:
        read_catalogue(path)
    assert str(path) in str(info.value) and "\n" not in str(info.value)


def test_a_bad_row_leaves_the_others(tmp_path, capsys, fake, no_figures):
    path, out = tmp_path / "all.ecsv", tmp_path / "out"
    ecsv(path)
    table = Table.read(path)
    table["error"][1] = -table["error"][1]
    table.write(path, format="ascii.ecsv", overwrite=True)
    status, _, err = run(capsys, "--catalogue", path, "--out", out)
    assert status == 2 and f"{path}: row 2 (K2-3): " in errors(err)[0]
    summary = QTable.read(out / "summary.ecsv")
    assert list(summary["name"]) == NAMES and list(summary["status"][[0, 2]]) == ["ok", "ok"]
    assert "row 2 (K2-3)" in summary["status"][1]
    assert float(open_results(out).star_radius.sel(spectrum="third")) == 1.1
    status, _, err = run(capsys, "--catalogue", tmp_path / "none", "--out", out)
    assert status == 2 and "--catalogue: " in errors(err)[0] and "no such file" in errors(err)[0]
