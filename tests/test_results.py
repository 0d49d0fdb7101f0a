"""Result files: what is written is read back, by us and by others, and never in part."""

import warnings

import numpy as np
import pytest
import xarray as xr
from astropy.table import QTable
from fake_results import make_observation, make_retrieval

from exogan_jax import grid
from exogan_jax.files import results
from exogan_jax.files.atomic import replacing
from exogan_jax.retrieval.results import Retrieval

ATTRS = {"seed": 7, "model": "compact", "star_radius": 0.8, "input_sha256": "ab", "note": "a\nb"}


def assert_same(a: Retrieval, b: Retrieval):
    assert a.names == b.names and a.flags == b.flags
    for name in Retrieval.__dataclass_fields__:
        if name not in ("names", "flags"):
            x, y = getattr(a, name), getattr(b, name)
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("n_samples", [1, 16])
def test_posterior_round_trip(tmp_path, n_samples):
    path = tmp_path / "posterior.nc"
    retrieval = make_retrieval("WASP-76 b, \u00b5", n_samples=n_samples)
    results.write_posterior(path, retrieval, make_observation(), ATTRS)
    back, attrs = results.read_posterior(path)
    assert_same(back, retrieval)
    assert attrs == ATTRS and [type(x) for x in attrs.values()] == [type(x) for x in ATTRS.values()]
    assert results.read_attrs(path) == ATTRS
    assert [p.name for p in tmp_path.iterdir()] == ["posterior.nc"]


def test_posterior_keeps_flags_and_evidence(tmp_path):
    fields = vars(make_retrieval("a")) | {"flags": ("poor_fit,x",), "log_evidence": np.array([3.5])}
    retrieval = Retrieval(**fields)
    results.write_posterior(tmp_path / "p.nc", retrieval, make_observation(), {})
    assert_same(results.read_posterior(tmp_path / "p.nc")[0], retrieval)


def test_posterior_has_units_and_the_observation(tmp_path):
    retrieval, observation = make_retrieval("a"), make_observation()
    results.write_posterior(tmp_path / "p.nc", retrieval, observation, ATTRS)
    with xr.open_dataset(tmp_path / "p.nc", group="posterior", engine="h5netcdf") as posterior:
        assert posterior.sizes == {"chain": 1, "draw": 16}
        assert tuple(posterior[name].units for name in grid.PARAMETERS) == grid.UNITS
        np.testing.assert_array_equal(posterior["temperature"][0], retrieval.samples[0, :, 6])
    with xr.open_dataset(tmp_path / "p.nc", group="observed_data", engine="h5netcdf") as observed:
        for name, values in observation._asdict().items():
            np.testing.assert_array_equal(observed[name], values)


def test_arviz_reads_the_posterior(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        az = pytest.importorskip("arviz", reason="ArviZ is not installed")
        if not hasattr(az, "from_netcdf"):
            pytest.skip("this ArviZ has no from_netcdf")
        results.write_posterior(tmp_path / "p.nc", make_retrieval("a"), make_observation(), ATTRS)
        data = az.from_netcdf(tmp_path / "p.nc", engine="h5netcdf")
        groups = {"posterior", "posterior_predictive", "sample_stats", "observed_data"}
        assert groups | {"constant_data"} <= {group.strip("/") for group in data.groups()}
        assert data.posterior_predictive["transit_depth"].shape == (1, 16, 515)
        np.testing.assert_array_equal(data.posterior_predictive.wavelength_um, grid.WAVELENGTH_UM)
        assert int(data.attrs["seed"]) == 7


def test_several_observations_are_refused(tmp_path):
    with pytest.raises(ValueError, match="one observation, got 2"):
        results.write_posterior(tmp_path / "p.nc", make_retrieval("a", "b"), make_observation(), {})


@pytest.mark.parametrize("content", [b"", b"not netcdf", None])
def test_a_damaged_posterior_is_one_line(tmp_path, content):
    path = tmp_path / "p.nc"
    results.write_posterior(path, make_retrieval("a"), make_observation(), ATTRS)
    path.write_bytes(path.read_bytes()[:20000] if content is None else content)
    with pytest.raises(ValueError) as info:
        results.read_posterior(path)
    assert str(path) in str(info.value) and "\n" not in str(info.value)


def test_another_netcdf_file_and_no_file(tmp_path):
    xr.Dataset({"x": 1}).to_netcdf(tmp_path / "p.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match="not a posterior"):
        results.read_posterior(tmp_path / "p.nc")
    with pytest.raises(FileNotFoundError):
        results.read_posterior(tmp_path / "absent.nc")


def test_summary_is_ecsv_with_units(tmp_path):
    retrieval = make_retrieval("a", "b")
    results.write_summary(tmp_path / "summary.ecsv", retrieval)
    table = QTable.read(tmp_path / "summary.ecsv", format="ascii.ecsv")
    assert list(table["name"]) == ["a", "b"]
    wanted = [f"{name}_{q}" for name in grid.PARAMETERS for q in ("q16", "q50", "q84")]
    wanted += ["reduced_chi2", "effective_sample_size", "log_evidence", "flags"]
    assert set(wanted) <= set(table.colnames)
    assert str(table["temperature_q50"].unit) == "K"
    np.testing.assert_allclose(table["temperature_q50"].value, retrieval.quantiles()[:, 1, 6])


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["x"]
    with pytest.raises(OSError), replacing(tmp_path / "no" / "x") as temporary:
        temporary.write_text("y")
