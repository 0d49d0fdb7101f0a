"""The repairs in the "planets" table, one by one: against analytic and published values."""

from itertools import pairwise

import numpy as np
import pytest

from data_prep.grid import WAVELENGTH_UM
from data_prep.opacities import (
    bins,
    broadening,
    carbon_dioxide_bands,
    carbon_dioxide_isotopes,
    carbon_monoxide,
    carbon_monoxide_hydrogen,
    collision,
    collision_hitran,
    methane_hot,
    published_fit,
    water_lines,
)

BROAD = "a1 0.09 0.8 0 1\na1 0.07 0.6 1 2\na1 0.05 0.4 1 0\n"


def test_widths_are_those_of_the_line_or_of_its_lower_state():
    table = broadening.parse(BROAD)
    width, exponent = broadening.of_lines(
        table, np.array([0, 1, 1, 1, 7]), np.array([1, 2, 0, 1, 8])
    )
    np.testing.assert_allclose(width, [0.09, 0.07, 0.05, 0.06, 0.06])  # no Q row: the mean; J = 7
    np.testing.assert_allclose(exponent, [0.8, 0.6, 0.4, 0.5, 0.5])
    with pytest.raises(ValueError, match="a0 or a1"):
        broadening.parse("m0 0.07 0.5 3\n")


def test_mixture_is_mostly_hydrogen():
    one, none = (np.array([0.07]), np.array([0.5])), (np.array([0.0]), np.array([0.0]))
    found = broadening.mixed(one, none, 4 * 296.0, 1e5)
    np.testing.assert_allclose(found, 0.07 * 0.85 / 2, rtol=1e-3)
    np.testing.assert_allclose(broadening.mixed(none, one, 296.0, 2e5), 0.07 * 0.15 * 2, rtol=1e-3)


def hitran_line(position, intensity, upper, lower):
    text = f" 11{position:12.6f}{intensity:10.3e}{1.0:10.3e}.07000.350{500.0:10.4f}0.70.000000"
    text = text.ljust(67) + " " * 30 + f"{upper:3d}  1  2".ljust(15) + f"{lower:3d}  1  1".ljust(15)
    return text.ljust(160)


def test_water_lines_carry_their_rotation():
    text = "\n".join([hitran_line(500.0, 1e-20, 2, 1), hitran_line(600.0, 1e-20, -2, -2)])
    lower, upper = water_lines.quanta(text, 400.0, 700.0)
    assert lower.tolist() == [1, -1] and upper.tolist() == [2, -1]
    water = water_lines.read(text, BROAD, BROAD, 400.0, 700.0)
    np.testing.assert_allclose(water.hydrogen[0], [0.07, 0.09])


def test_water_segments_are_whole_bins():
    parts = water_lines.segments()
    assert all(a[1] == b[0] for a, b in pairwise(parts))
    np.testing.assert_allclose([parts[0][0], parts[-1][1]], 1e4 / bins.bin_edges_um()[[0, -1]])


def test_one_line_of_water_has_its_strength():
    water = water_lines.read(hitran_line(500.0, 1e-20, 2, 1), BROAD, BROAD, 400.0, 700.0)
    k = water_lines.at(water, 296.0, 1e6)
    width = np.abs(np.diff(1e4 / bins.bin_edges_um()))
    # Geometric means of four intervals are below the arithmetic one, but not by much of a
    # line that is as wide as a bin.
    total = 1e4 * np.sum((bins.G_WEIGHT @ k) * width)
    assert 0.7e-20 < total < 1.0e-20


def test_blend_takes_from_each_what_the_other_lacks():
    t = bins.PHYSICAL_TEMPERATURE
    lines = np.full((4, len(water_lines.LINES_TEMPERATURE), 1, 2), 1e-25)
    file = np.full((4, len(t), 1, 2), 1e-25)
    file[..., 0] *= 0.1  # the file lost lines here
    lines[..., 1] *= 0.1  # HITRAN has no hot lines here
    out = np.log10(water_lines.blend(lines, file, t))[0, :, 0]
    np.testing.assert_allclose(out[t <= 1000.0, 0], -25.0)
    np.testing.assert_allclose(out[t >= 2000.0, 0], -26.0)
    np.testing.assert_allclose(out[t == 1500.0, 0], -25.5)
    np.testing.assert_allclose(out[t <= 500.0, 1], -26.0)
    np.testing.assert_allclose(out[t >= 1000.0, 1], -25.0)
    assert np.all(np.diff(out[(t >= 500) & (t <= 800), 1]) > 0)


def test_isotopes_of_carbon_monoxide_lie_where_they_are_seen():
    # Origins of 1-0: 13C16O 2096.07, 12C18O 2092.12 cm^-1 (HITRAN: R(0) less 2 B').
    for i, origin in ((1, 2096.07), (2, 2092.12)):
        rho = carbon_monoxide_hydrogen.mass_ratio(*carbon_monoxide_hydrogen.ISOTOPOLOGUES[i][1:])
        assert float(carbon_monoxide.energy(1, 0, rho)) == pytest.approx(origin, abs=0.1)
    assert sum(a for a, _, _ in carbon_monoxide_hydrogen.ISOTOPOLOGUES) == pytest.approx(
        1, abs=1e-4
    )


def test_heavier_carbon_monoxide_absorbs_less():
    rho = carbon_monoxide_hydrogen.mass_ratio(*carbon_monoxide_hydrogen.ISOTOPOLOGUES[1][1:])
    light, heavy = carbon_monoxide.line_list(1.0), carbon_monoxide.line_list(rho)
    bands = []
    for lines, r in ((light, 1.0), (heavy, rho)):
        s = carbon_monoxide_hydrogen.strength(lines, 296.0, r)
        bands.append(s[lines.upper_v - lines.lower_v == 1].sum())
    # A band's strength goes as A / nu^2: rho^(4 - 2).
    assert bands[1] / bands[0] == pytest.approx(rho**2, rel=2e-3)


CO_BROAD = "a0 0.0772 0.65 0\na0 0.0688 0.65 25\n"


def test_carbon_monoxide_is_as_strong_as_its_bands():
    table = broadening.parse("".join(f"a0 0.07 0.65 {j}\n" for j in range(30)))
    widths = carbon_monoxide_hydrogen.Broadening(table, table)
    nu, sigma = carbon_monoxide_hydrogen.cross_section_at(widths, 1000.0, 1e6, 1800.0, 2400.0)
    assert 1e4 * sigma.sum() * (nu[1] - nu[0]) == pytest.approx(1.02e-17, rel=0.03)


def test_methane_spreads_by_rotation():
    assert methane_hot.spread(1000.0) == 0
    # sqrt(6 B k dT) with k = 0.6950 cm^-1 / K.
    assert methane_hot.spread(2000.0) == pytest.approx(np.sqrt(6 * 5.24 * 695.0), rel=1e-3)


def test_outline_keeps_the_dipole_strength_and_fills_gaps():
    wavelength = np.geomspace(2.0, 20.0, 3000)
    nu = 1e4 / wavelength
    band = 1e-24 * np.exp(-0.5 * ((nu - 3000.0) / 100.0) ** 2)
    found = methane_hot.outline(nu, band[None], 2000.0)[0]
    dipole = nu * -np.expm1(-1.438777 * nu / 2000.0)
    width = np.abs(np.gradient(nu))
    before, after = (np.sum(x / dipole * width) for x in (band, found))
    assert after == pytest.approx(before, rel=0.01)
    gap = np.argmin(np.abs(nu - 3500.0))
    gauss = np.exp(-0.5 * 500.0**2 / (100.0**2 + 147.8**2)) / np.hypot(100.0, 147.8) * 100.0
    blurred = found[gap] / dipole[gap] / (1e-24 / dipole[np.argmin(np.abs(nu - 3000.0))])
    assert blurred == pytest.approx(gauss, rel=0.1)


def test_methane_is_completed():
    wavelength = np.geomspace(0.5, 25.0, 4000)
    t = bins.PHYSICAL_TEMPERATURE
    samples = np.full((len(t), len(bins.PRESSURE), 4000), 1e-25)
    samples[t > 1000.0] *= 0.5
    out, missing = methane_hot.complete(wavelength, samples, t)
    np.testing.assert_allclose(missing, np.where(t > 1000.0, 0.5, 0.0))
    middle = (wavelength > 3.0) & (wavelength < 4.0)
    np.testing.assert_allclose(out[..., middle].mean(-1), 1e-25, rtol=0.03)


def cia_file(temperature, alpha):
    values = np.zeros((len(alpha), len(temperature), 9), "<f4")
    values[:, :, 0] = alpha
    records = [np.asarray(temperature, "<f8").tobytes(), values.tobytes()]
    sizes = [len(r).to_bytes(4, "little") for r in records]
    return b"".join(n + r + n for n, r in zip(sizes, records, strict=True))


def test_collision_file_is_read_and_joined():
    nu = 10.0 * np.arange(1501)
    t = np.array([200.0, 1000.0, 4000.0])
    alpha = np.where((nu > 10) & (nu <= 9990), 1e-6 * np.exp(-nu / 2000.0), 0.0)
    data = cia_file(t, np.repeat(alpha[:, None], 3, axis=1))
    new = collision_hitran.parse(data)
    assert new.wavenumber[0] == 20.0 and new.wavenumber[-1] == 9990.0
    wide = np.linspace(20.0, 20000.0, 300)
    old = collision.CIATable(t, wide, np.repeat(5e-6 * np.exp(-wide / 3000.0)[:, None], 3, axis=1))
    found = collision_hitran.hydrogen(new, old, np.array([500.0]))[0]
    at = 1e4 / WAVELENGTH_UM
    red, blue = at < 9990, at > 9990
    np.testing.assert_allclose(found[red], -6 - at[red] / 2000.0 / np.log(10), atol=2e-3)
    edge = -6 - 9745.0 / 2000.0 / np.log(10) + 9745.0 / 3000.0 / np.log(10)
    expected = edge - at[blue] / 3000.0 / np.log(10)
    np.testing.assert_allclose(found[blue], expected, atol=5e-3)
    with pytest.raises(ValueError, match="lengths do not agree"):
        collision_hitran.parse(data[:-4] + b"\0\0\0\0")


def test_hot_bands_are_harmonic():
    growth = carbon_dioxide_bands.growth
    assert growth((0, 0, 1), (1, 2, 3)) == 4 and growth((0, 0, 3), (0, 0, 1)) == 4
    assert growth((0, 1, 0), (0, 2, 0)) == 2  # (v2 + 2) / 2 of a doubly degenerate mode
    assert growth((-1, 0, 1), (0, 0, 0)) == 0 and growth((-1, 0, 1), (2, 0, 0)) == 2


@pytest.mark.parametrize("temperature", [300.0, 1000.0])
def test_strength_of_carbon_dioxide_does_not_depend_on_temperature(temperature):
    nu, strength = carbon_dioxide_bands.line_list(0, temperature)
    assert strength[(nu > 1950) & (nu < 2450)].sum() == pytest.approx(9.6e-17, rel=0.06)
    assert strength[nu < 1100].sum() == pytest.approx(8.0e-18, rel=0.25)


def test_heavy_carbon_lies_redder():
    nu, strength = carbon_dioxide_bands.line_list(1, 200.0)
    band = (nu > 2100) & (nu < 2500)
    centre = np.average(nu[band], weights=strength[band])
    assert centre == pytest.approx(2283.5, abs=2.0)


def test_isotopes_of_the_file_become_natural():
    shape = (2, 4, len(carbon_dioxide_isotopes.RATIO_TEMPERATURE))
    shape += (len(carbon_dioxide_isotopes.RATIO_PRESSURE), len(WAVELENGTH_UM))
    modelled = np.full(shape, 1e-24)
    modelled[1] *= 0.2
    modelled[:, ..., :100] = 0.0  # no model there
    t = np.array([300.0, 800.0, 3000.0])
    k = np.full((4, 3, len(bins.PRESSURE), len(WAVELENGTH_UM)), 1e-24)
    k[..., 300:] *= 2.0  # half of it is not in the model
    out = carbon_dioxide_isotopes.correct(k, t, modelled)
    np.testing.assert_allclose(out[..., :100], 1e-24)
    np.testing.assert_allclose(out[..., 100:300], 2e-25)
    np.testing.assert_allclose(out[..., 300:], 2e-24 * 0.2**0.5)


def test_correction_makes_the_published_table():
    start = np.full((4, 9, 515), 1e-26)
    start[..., WAVELENGTH_UM > 30.0] = np.nan
    published = np.full((4, 9, 515), -25.5)
    found = published_fit.correction(published, start)
    near = WAVELENGTH_UM < published_fit.LAST_UM
    np.testing.assert_allclose(found[..., near], 0.5)
    np.testing.assert_array_equal(found[..., ~near], 0.0)


def test_what_the_fit_adds_counts_where_the_gas_is_the_same():
    k = np.full((4, 3, len(bins.PRESSURE), len(WAVELENGTH_UM)), 1e-25)
    k[:, 0] *= 0.2  # a cool window
    k[:, 2] *= 10.0  # grown by its own hot lines
    share = published_fit.added_share(k, 1)
    np.testing.assert_allclose(share[:, 0], 0.2)
    np.testing.assert_allclose(share[:, 1], 1.0)
    np.testing.assert_allclose(share[:, 2], 0.1)


def test_rare_isotopes_keep_their_windows():
    kept = published_fit.kept("co2")
    for wavelength, share in ((3.47, 0.5), (3.63, 0.0), (7.5, 0.0), (4.3, 1.0), (2.7, 1.0)):
        assert kept[np.argmin(np.abs(WAVELENGTH_UM - wavelength))] == share
    assert np.all(published_fit.kept("h2o") == 1.0)


def test_level_is_what_all_bins_and_g_share():
    dex = np.full((4, len(bins.PRESSURE), len(WAVELENGTH_UM)), 0.2)
    dex += np.array([-0.1, 0.0, 0.1, 0.1])[:, None, None]  # no mean: 0.4 x -0.1 + 0.2 and 0.1 x 0.1
    np.testing.assert_allclose(published_fit.level(dex), 0.2 - 0.01, atol=1e-12)


def test_published_table_is_reproduced_at_its_temperature():
    t = np.array([1000.0, 1400.0, 2000.0])
    k = np.full((4, 3, len(bins.PRESSURE), len(WAVELENGTH_UM)), 1e-27)
    out = published_fit.apply(k, t, "co2")
    with published_fit.importlib.resources.as_file(published_fit.PUBLISHED) as path:
        published = published_fit.read(path, "co2")
    at = np.argmin(np.abs(WAVELENGTH_UM - 4.3))
    np.testing.assert_allclose(np.log10(out[:, 1, :, at]), np.sort(published[:, :, at], axis=0))
