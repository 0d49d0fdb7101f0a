"""Result files: what is written is read back, by us and by others, and never in part."""

import dataclasses
import warnings

import numpy as np
import pytest
import xarray as xr
from astropy.table import QTable
from fake_results import OTHER, make_observation, make_retrieval

from exogan_jax.files import posteriors
from exogan_jax.files.atomic import replacing
from exogan_jax.files.summary import write_summary
from exogan_jax.layout import PUBLISHED, Layout
from exogan_jax.retrieval.flags import MEANINGS
from exogan_jax.retrieval.result import Posterior

ATTRS = {"seed": 7, "model": "published", "star_radius": 0.8, "input_sha256": "ab", "note": "a\nb"}


def assert_same(a: Posterior, b: Posterior):
    assert (a.name, a.flags, a.layout) == (b.name, b.flags, b.layout)
    for name in ("samples", "weights", "depth", "aspa", "loss"):
        x, y = getattr(a, name), getattr(b, name)
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)
    for name in ("log_evidence", "reduced_chi2", "effective_sample_size", "acceptance"):
        x, y = getattr(a, name), getattr(b, name)
        assert type(x) is type(y) is float
        np.testing.assert_array_equal(x, y)  # NaN is NaN


@pytest.mark.parametrize("n_samples", [1, 16])
@pytest.mark.parametrize("layout", [PUBLISHED, OTHER], ids=["published", "other"])
def test_posterior_round_trip(tmp_path, n_samples, layout):
    path = tmp_path / "posterior.nc"
    made = make_retrieval("WASP-76 b, \u00b5", n_samples=n_samples, layout=layout)[0]
    posteriors.write_posterior(path, made, make_observation(), ATTRS)
    back, attrs = posteriors.read_posterior(path)
    assert_same(back, made)
    assert attrs == ATTRS and [type(x) for x in attrs.values()] == [type(x) for x in ATTRS.values()]
    assert posteriors.read_attrs(path) == ATTRS
    assert [p.name for p in tmp_path.iterdir()] == ["posterior.nc"]


def test_a_long_layout_fits(tmp_path):
    """More text than a compact HDF5 attribute holds, which is 64 KiB."""
    n = 8000
    layout = Layout(1.0 + np.arange(n) / n / 3, (0, n), PUBLISHED.parameters)
    assert len(layout.to_json()) > 2**16
    made = make_retrieval("a", n_samples=2, layout=PUBLISHED)[0]
    made = dataclasses.replace(
        made, layout=layout, depth=np.zeros((2, n), np.float32), aspa=np.zeros((layout.side,) * 2)
    )
    posteriors.write_posterior(tmp_path / "p.nc", made, make_observation(), {})
    assert posteriors.read_posterior(tmp_path / "p.nc")[0].layout == layout


def test_posterior_keeps_flags_and_evidence(tmp_path):
    made = dataclasses.replace(make_retrieval("a")[0], flags="poor_fit,x", log_evidence=3.5)
    posteriors.write_posterior(tmp_path / "p.nc", made, make_observation(), {})
    assert_same(posteriors.read_posterior(tmp_path / "p.nc")[0], made)


def test_posterior_has_units_and_the_observation(tmp_path):
    made = make_retrieval("a", n_samples=24)[0]
    observation = make_observation()._replace(instrument="WFC3")
    posteriors.write_posterior(tmp_path / "p.nc", made, observation, ATTRS)
    with xr.open_dataset(tmp_path / "p.nc", group="posterior", engine="h5netcdf") as posterior:
        assert posterior.sizes == {"chain": 1, "draw": 24}
        parameters = made.parameters
        assert tuple(posterior[p.name].units for p in parameters) == parameters.units
        for i, parameter in enumerate(parameters):
            np.testing.assert_array_equal(posterior[parameter.name][0], made.samples[:, i])
    with xr.open_dataset(tmp_path / "p.nc", group="observed_data", engine="h5netcdf") as observed:
        for name in ("wavelength_um", "half_width_um", "depth", "sigma"):
            np.testing.assert_array_equal(observed[name], getattr(observation, name))
        assert set(observed["instrument"].values) == {"WFC3"}
        assert observed["wavelength_um"].units == "um"


def test_one_of_a_retrieval_has_a_summary():
    made = make_retrieval("a", "b", layout=OTHER)
    table, whole = made[1].summary(), made.summary()
    assert len(table) == 1 and list(table["name"]) == ["b"]
    assert table.colnames == whole.colnames
    for name in table.colnames:
        np.testing.assert_array_equal(table[name][0], whole[name][1])


def test_arviz_reads_the_posterior(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        az = pytest.importorskip("arviz", reason="ArviZ is not installed")
        if not hasattr(az, "from_netcdf"):
            pytest.skip("this ArviZ has no from_netcdf")
        made = make_retrieval("a")[0]
        posteriors.write_posterior(tmp_path / "p.nc", made, make_observation(), ATTRS)
        data = az.from_netcdf(tmp_path / "p.nc", engine="h5netcdf")
        groups = {"posterior", "posterior_predictive", "sample_stats", "observed_data"}
        assert groups | {"constant_data"} <= {group.strip("/") for group in data.groups()}
        assert data.posterior_predictive["transit_depth"].shape == (1, 16, 515)
        np.testing.assert_array_equal(
            data.posterior_predictive.wavelength_um, PUBLISHED.wavelength_um
        )
        assert int(data.attrs["seed"]) == 7


@pytest.mark.parametrize("content", [b"", b"not netcdf", None])
def test_a_damaged_posterior_is_one_line(tmp_path, content):
    path = tmp_path / "p.nc"
    posteriors.write_posterior(path, make_retrieval("a")[0], make_observation(), ATTRS)
    path.write_bytes(path.read_bytes()[:20000] if content is None else content)
    with pytest.raises(ValueError) as info:
        posteriors.read_posterior(path)
    assert str(path) in str(info.value) and "\n" not in str(info.value)


def test_another_netcdf_file_and_no_file(tmp_path):
    xr.Dataset({"x": 1}).to_netcdf(tmp_path / "p.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match="not a posterior"):
        posteriors.read_posterior(tmp_path / "p.nc")
    with pytest.raises(FileNotFoundError):
        posteriors.read_posterior(tmp_path / "absent.nc")


def test_summary_is_ecsv_with_units(tmp_path):
    retrieval = make_retrieval("a", "b")
    write_summary(tmp_path, retrieval.summary())
    table = QTable.read(tmp_path / "summary.ecsv", format="ascii.ecsv")
    assert list(table["name"]) == ["a", "b"]
    wanted = [f"{name}_{q}" for name in PUBLISHED.parameters.names for q in ("q16", "q50", "q84")]
    wanted += ["reduced_chi2", "effective_sample_size", "log_evidence", "flags"]
    assert set(wanted) <= set(table.colnames)
    assert str(table["temperature_q50"].unit) == "K"
    np.testing.assert_allclose(table["temperature_q50"].value, retrieval.quantiles()[:, 1, 6])


def test_summary_says_what_its_flags_mean(tmp_path):
    flags = ("poor_fit,at_bound:temperature", "")
    made = dataclasses.replace(make_retrieval("a", "b"), flags=flags)
    write_summary(tmp_path, made.summary())
    table = QTable.read(tmp_path / "summary.ecsv", format="ascii.ecsv")
    assert table["flags"][0] == flags[0]
    assert set(table.meta["flags"]) == {"poor_fit", "at_bound:temperature"}
    assert table.meta["flags"]["poor_fit"] == MEANINGS["poor_fit"]
    assert "flags" not in make_retrieval("a").summary().meta


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["x"]
    with pytest.raises(OSError), replacing(tmp_path / "no" / "x") as temporary:
        temporary.write_text("y")
