"""Opacities in other codes' formats."""

import sys

import h5py
import jax
import numpy as np
import pytest

from data_prep.opacities import add_gases
from exogan_jax import Parameter, Parameters, forward_model
from exogan_jax.files.opacities import load_opacities, save_opacities
from exogan_jax.files.user_tables import bin_edges, read_opacities
from exogan_jax.layout import PUBLISHED
from exogan_jax.physics.rayleigh import LOSCHMIDT_M3
from exogan_jax.physics.transit import transit_depth

pytestmark = pytest.mark.filterwarnings("ignore")  # exo_k's and numba's own

TEMPERATURE = np.array([500.0, 1000.0, 2000.0])
PRESSURE_BAR = np.array([1e-5, 1e-2, 10.0])
WAVENUMBER = np.arange(2000.0, 4000.0, 0.5)  # 2.5-5 um
BINS = 4.0 * 1.01 ** -np.arange(20.0)


def value(wavenumber):
    """A cross-section that varies slowly [m^2], (t, p, n) for the nodes above."""
    shape = 1e-26 * (wavenumber / 3000.0) ** -3
    factor = (TEMPERATURE[:, None] / 1000) * (1 + PRESSURE_BAR[None, :])
    return factor[:, :, None] * shape


def write_taurex(path, name="H2O"):
    with h5py.File(path, "w") as file:
        file["mol_name"] = name
        file["bin_edges"] = WAVENUMBER
        file["bin_edges"].attrs["units"] = "cm^-1"
        file["t"], file["p"] = TEMPERATURE, PRESSURE_BAR
        file["p"].attrs["units"] = "bar"
        file["xsecarr"] = 1e4 * value(WAVENUMBER).transpose(1, 0, 2)
        file["xsecarr"].attrs["units"] = "cm^2/molecule"
    return path


def write_k_table(path, g_points=4):
    edges = np.arange(1990.0, 4010.0, 5.0)
    centres = (edges[1:] + edges[:-1]) / 2
    samples, weights = np.polynomial.legendre.leggauss(g_points)
    spread = np.exp(samples)  # k rises with g
    with h5py.File(path, "w") as file:
        file["mol_name"] = "CH4"
        file["bin_edges"], file["bin_centers"] = edges, centres
        file["bin_edges"].attrs["units"] = "cm^-1"
        file["t"], file["p"] = TEMPERATURE, PRESSURE_BAR
        file["p"].attrs["units"] = "bar"
        file["samples"], file["weights"] = (samples + 1) / 2, weights / 2
        k = 1e4 * value(centres).transpose(1, 0, 2)[..., None] * spread
        file["kcoeff"] = k
        file["kcoeff"].attrs["units"] = "cm^2/molecule"
    return path


def write_exo_transmit(path):
    wavelength_m = 1e-2 / WAVENUMBER[::-8]
    rows = value(WAVENUMBER[::-8]).transpose(2, 1, 0)
    lines = [" ".join(f"{t:g}" for t in TEMPERATURE)]
    lines.append(" ".join(f"{p * 1e5:g}" for p in PRESSURE_BAR))
    for w, block in zip(wavelength_m, rows, strict=True):
        lines.append(f"{w:.9e}")
        for p, row in zip(PRESSURE_BAR, block, strict=True):
            lines.append(f"{p * 1e5:g} " + " ".join(f"{x:.7e}" for x in row))
    path.write_text("\n".join(lines) + "\n")
    return path


def expected(wavelength_um):
    return value(1e4 / wavelength_um) * LOSCHMIDT_M3


def test_taurex_cross_sections_become_k_distributions(tmp_path):
    table = read_opacities({"H2O": write_taurex(tmp_path / "h2o.h5")}, wavelength_um=BINS)
    assert table.gases == ("h2o",) and table.absorption.shape == (3, 3, 1, 16, 20)
    np.testing.assert_allclose(table.temperature, TEMPERATURE)
    np.testing.assert_allclose(
        10 ** np.asarray(table.log10_pressure), 1e5 * PRESSURE_BAR, rtol=1e-5
    )
    np.testing.assert_allclose(table.molar_mass, [18.015], rtol=1e-3)
    mean = np.tensordot(table.absorption[:, :, 0], table.g_weight, axes=(2, 0))
    np.testing.assert_allclose(mean, expected(BINS), rtol=2e-3)
    assert np.all(np.diff(table.absorption, axis=3) >= 0)
    depth = transit_depth(np.array([-3.0, 1.0, 1.0, 1500.0]), table)
    assert depth.shape == (20,) and bool(np.all(np.isfinite(depth)))


def test_native_grid_and_other_nodes(tmp_path):
    table = read_opacities(
        {"H2O": write_taurex(tmp_path / "h2o.h5")}, temperature=[750.0], pressure=[1e3, 1e9]
    )
    assert table.absorption.shape == (1, 2, 1, 1, WAVENUMBER.size)
    wavelength = 1e4 / WAVENUMBER
    np.testing.assert_allclose(table.wavelength_um, wavelength, rtol=1e-6)
    nodes = expected(wavelength)
    np.testing.assert_allclose(
        table.absorption[0, 0, 0, 0], (nodes[0, 1] + nodes[1, 1]) / 2, rtol=1e-5
    )
    np.testing.assert_allclose(  # the last node's beyond it
        table.absorption[0, 1, 0, 0], (nodes[0, 2] + nodes[1, 2]) / 2, rtol=1e-5
    )


def test_k_tables_and_cross_sections_share_a_grid(tmp_path):
    files = {
        "H2O": write_taurex(tmp_path / "h2o.hdf5"),
        "CH4": write_k_table(tmp_path / "ch4.h5"),
        "CO2": write_exo_transmit(tmp_path / "co2.dat"),
    }
    wide = 4.0 * 1.05 ** -np.arange(5.0)
    table = read_opacities(files, wavelength_um=wide, g_weight=np.full(8, 1 / 8))
    assert table.gases == ("h2o", "ch4", "co2") and table.absorption.shape == (3, 3, 3, 8, 5)
    mean = np.tensordot(table.absorption, table.g_weight, axes=(3, 0))
    np.testing.assert_allclose(mean[:, :, 0], expected(wide), rtol=5e-3)
    np.testing.assert_allclose(mean[:, :, 2], expected(wide), rtol=2e-2)
    factor = (np.e - 1 / np.e) / 2  # mean of exp over [-1, 1]; exo_k interpolates in g
    np.testing.assert_allclose(mean[:, :, 1], factor * expected(wide), rtol=5e-2)
    with pytest.raises(ValueError, match=r"ch4\.h5: its wavelengths or g-points are not those of"):
        read_opacities({k: files[k] for k in ("H2O", "CH4")})


def test_native_k_table_keeps_its_quadrature(tmp_path):
    table = read_opacities({"CH4": write_k_table(tmp_path / "ch4.h5")})
    assert table.g_weight.shape == (4,)
    ratio = table.absorption[0, 0, 0, -1] / table.absorption[0, 0, 0, 0]
    samples = np.polynomial.legendre.leggauss(4)[0]
    np.testing.assert_allclose(ratio, np.exp(samples[-1] - samples[0]), rtol=1e-4)


def test_nemesis_k_table(tmp_path):
    import exo_k

    table = exo_k.Ktable(filename=str(write_k_table(tmp_path / "CH4_.h5")), mol="CH4")
    table.write_nemesis(str(tmp_path / "CH4"))
    back = read_opacities({"CH4": tmp_path / "CH4.kta"})
    first = read_opacities({"CH4": tmp_path / "CH4_.h5"})
    np.testing.assert_allclose(back.absorption, first.absorption, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.h5", "no such opacity file"),
        ("table.pickle", "pickled tables are refused"),
        ("table.txt", "unknown format"),
        ("broken.h5", "cannot be read as a table of H2O"),
        ("empty.h5", "holds neither kcoeff nor xsecarr"),
    ],
)
def test_unusable_files_are_named(tmp_path, name, message):
    path = tmp_path / name
    if name == "empty.h5":
        with h5py.File(path, "w") as file:
            file["x"] = 1
    elif name != "none.h5":
        path.write_bytes(b"cos\nsystem\n")
    with pytest.raises((ValueError, FileNotFoundError), match=rf"{path.name}: .*{message}"):
        read_opacities({"H2O": path})


def test_ranges_molecules_and_coarse_files_are_refused(tmp_path):
    path = write_taurex(tmp_path / "h2o.h5")
    with pytest.raises(ValueError, match=r"H2O covers 2\.5-5 um, not the"):
        read_opacities({"H2O": path}, wavelength_um=PUBLISHED.wavelength_um)
    with pytest.raises(ValueError, match="cannot be read as a table of Xx2"):
        read_opacities({"Xx2": path})
    fine = 4.0 * 1.0005 ** -np.arange(20.0)
    with pytest.raises(ValueError, match="too few for a k-distribution"):
        read_opacities({"H2O": path}, wavelength_um=fine)
    with pytest.raises(ValueError, match="no gases"):
        read_opacities({})


def test_exo_k_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "exo_k", None)
    with pytest.raises(ImportError, match=r"exogan-jax\[prep\]"):
        read_opacities({"H2O": write_taurex(tmp_path / "h2o.h5")})


def test_bin_edges_meet_half_way():
    edges = bin_edges(BINS)
    np.testing.assert_allclose(edges[:-1] / edges[1:], 1.01, rtol=1e-12)


@pytest.mark.parametrize(("name", "background"), [("published", "fixed"), (None, "filling")])
def test_tables_are_saved_and_loaded(tmp_path, name, background):
    table = load_opacities(name)
    save_opacities(tmp_path / "table.nc", table, {"title": "mine"})
    back = load_opacities(tmp_path / "table.nc")
    assert back.gases == table.gases and back.pairs == table.pairs
    assert back.background == table.background == background
    for a, b in zip(jax.tree.leaves(table), jax.tree.leaves(back), strict=True):
        np.testing.assert_allclose(b, a, rtol=3e-5, atol=1e-34)
    assert [path.name for path in tmp_path.iterdir()] == ["table.nc"]


def test_a_gas_joins_the_embedded_ones(tmp_path, capsys):
    path, out = write_taurex(tmp_path / "so2.h5", "SO2"), tmp_path / "more.nc"
    add_gases.main([f"SO2={path}", "--out", str(out)])
    assert "left out that a file does not cover" in " ".join(capsys.readouterr().out.split())
    base, table = load_opacities("planets"), load_opacities(out)
    assert table.gases == (*base.gases, "so2")
    grid = np.asarray(table.wavelength_um)
    assert 60 < grid.size < 70 and grid.min() > 2.5 and grid.max() < 5.0
    rows = np.abs(np.asarray(base.wavelength_um) / grid[:, None] - 1).argmin(axis=1)
    np.testing.assert_allclose(
        table.absorption[:, :, :6], base.absorption[..., rows], rtol=1e-4, atol=1e-12
    )
    others = np.asarray(table.rayleigh)[[0, 5, 7, 8]]
    np.testing.assert_allclose(others, np.asarray(base.rayleigh)[[0, 5, 6, 7]][:, rows], rtol=1e-5)
    # At a node that both have, 1000 K and 1e6 Pa, the file's own cross-section.
    node = np.argmin(np.abs(np.asarray(table.temperature) - 1000))
    mean = np.tensordot(table.g_weight, table.absorption[node, -1, 6], axes=1)
    np.testing.assert_allclose(mean, expected(grid)[1, 2], rtol=5e-3)
    entries = [
        Parameter("log10_so2", "so2", "dex", "SO2", -9.0, -1.0),
        Parameter("mass", "mass", "M_J", "M", 0.1, 2.0),
        Parameter("radius", "radius", "R_J", "R", 0.5, 1.5),
        Parameter("temperature", "temperature", "K", "T", 500.0, 1500.0),
    ]
    forward = forward_model(table, Parameters(entries))
    depth = [np.asarray(forward(np.array([x, 0.5, 1.0, 900.0]))) for x in (-9.0, -3.0)]
    assert np.all(depth[1] > depth[0])
    with pytest.raises(SystemExit):
        add_gases.main([f"H2O={path}", "--out", str(out)])
    assert "H2O is among the table's gases" in " ".join(capsys.readouterr().err.split())
