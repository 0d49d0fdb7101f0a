"""A copy of results at a URL: the same rows, grown in parts, and never another run's."""

import numpy as np
import pytest
import xarray as xr
from commands import call, run
from fake_results import make_observation

from exogan_jax.files import remote
from exogan_jax.files.results import open_results
from exogan_jax.files.spectra import write_spectrum

N = 5


@pytest.fixture
def results(tmp_path, capsys, fake, no_figures):
    paths = [tmp_path / f"planet_{i}.dat" for i in range(N)]
    for path in paths:
        write_spectrum(path, make_observation())
    out = tmp_path / "out"
    assert run(capsys, *paths, "--out", out)[0] == 0
    return out


@pytest.fixture
def url(request, tmp_path):
    return request.param.format(tmp_path)


everywhere = pytest.mark.parametrize("url", ["memory://a/b.zarr", "{}/there/b.zarr"], indirect=True)


def opened(url):
    return xr.open_zarr(url, consolidated=False).load()


def export(capsys, *arguments):
    return call(capsys, "export", *arguments)


@everywhere
def test_it_is_what_the_run_has_and_goes_on_where_it_stopped(results, url, capsys, monkeypatch):
    monkeypatch.setattr(remote, "SLOT", 2)
    whole = open_results(results).load()
    names = [f"planet_{i}" for i in range(N)]
    status, text, _ = export(capsys, *names[:2], "--out", results, "--zarr", url)
    assert status == 0 and text == f"{url}: 2 spectra, 2 of them new\n"

    def stopped(parts, *_, **__):
        yield parts[0]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(remote, "track", stopped)
        remote.copy_results(results, names, url)
    assert opened(url).attrs["n_done"] == 4
    status, text, _ = export(capsys, *names, "--out", results, "--zarr", url)
    assert status == 0 and text.endswith(": 5 spectra, 1 of them new\n")
    copy = opened(url)
    assert list(copy.spectrum.values) == names and copy.attrs["runs"] == whole.attrs["runs"]
    expected = whole.sel(spectrum=names)
    assert set(copy.variables) == set(expected.variables)
    for name in expected.variables:
        if expected[name].dtype.kind in "OUT":
            assert copy[name].values.tolist() == expected[name].values.tolist()
        else:
            np.testing.assert_array_equal(copy[name].values, expected[name].values)
        assert copy[name].dims == expected[name].dims


def test_another_runs_copy_or_anything_else_stays(results, tmp_path, capsys):
    url = str(tmp_path / "b.zarr")
    assert export(capsys, "planet_1", "planet_2", "--out", results, "--zarr", url)[0] == 0
    status, _, err = export(capsys, "planet_2", "--out", results, "--zarr", url)
    assert status == 2 and f"{url}: it holds other results" in err
    other = xr.Dataset({"a": ("x", [1.0])})
    other.to_zarr(tmp_path / "c.zarr", zarr_format=3, consolidated=False)
    status, _, err = export(capsys, "*", "--out", results, "--zarr", tmp_path / "c.zarr")
    assert status == 2 and "something else is there" in err
    assert list(opened(url).spectrum.values) == ["planet_1", "planet_2"]


@pytest.mark.parametrize("url", ["nowhere://a/b", "s3://no-such-bucket/b.zarr"])
def test_a_place_that_cannot_be_reached_is_said(results, url, capsys):
    status, _, err = export(capsys, "*", "--out", results, "--zarr", url)
    assert status == 2 and url in err and "Traceback" not in err
