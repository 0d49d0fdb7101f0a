"""Reading and writing spectra: every accepted form, every mistake, and the round trip."""

import numpy as np
import pytest
from fake_results import OTHER, OTHER_TRUTH, TRUTH, make_observation
from hypothesis import given, settings
from hypothesis import strategies as st

from exogan_jax.files.par import read_par, truth_of, truth_theta
from exogan_jax.files.spectra import SpectrumError, notes_for, read_spectrum, write_spectrum
from exogan_jax.layout import PUBLISHED
from exogan_jax.parameters import Parameter, Parameters
from exogan_jax.physics.observation import Observation, binning_operator

GRID, PARAMETERS = PUBLISHED.wavelength_um, PUBLISHED.parameters

GOOD = "1.1 0.0145 1e-4\n1.2 0.0146 1e-4\n1.3 0.0147 2e-4\n"
PAR = """[Star]
radius = 1
[Planet]
radius = 0.88
mass = 0.8
[Atmosphere]
tp_iso_temp = 1117
active_gases = H2O, CO, CO2, CH4
active_gases_mixratios = 1e-1, 2.15e-06, 1.29e-05, 0.0028
"""


def write(folder, text, par=None, name="planet.dat"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if par is not None:
        path.with_suffix(".par").write_text(par)
    return path


def test_published_format(tmp_path):
    text = "5.017e+01 8.08475603616e-03 2.0e-05\n1.5 8.1e-03 3.0e-05\n"
    path = write(tmp_path, text, PAR.replace("radius = 1\n", "radius = 0.5 ; R_sun\n"))
    spectrum = read_spectrum(path)
    assert spectrum.name == "planet" and spectrum.path == path and spectrum.star_radius == 0.5
    np.testing.assert_array_equal(spectrum.observation.wavelength_um, [50.17, 1.5])
    np.testing.assert_array_equal(spectrum.observation.half_width_um, [0, 0])
    np.testing.assert_allclose(spectrum.observation.depth, [0.25 * 8.08475603616e-3, 0.25 * 8.1e-3])
    np.testing.assert_allclose(spectrum.observation.sigma, [5e-6, 7.5e-6])
    expected = [-1, np.log10(1.29e-5), np.log10(2.15e-6), np.log10(0.0028), 0.8, 0.88, 1117]
    np.testing.assert_allclose(truth_theta(spectrum.truth, PARAMETERS), expected)


@pytest.mark.parametrize(
    "text",
    [
        "# header\n\n 1.1,0.0145,1e-4\n1.2 ,\t0.0146, 1e-4, # comment\n",
        "\ufeff1.1\t0.0145\t1e-4\r\n1.2\t0.0146\t1e-4\r\n",
        "# \xb5m, Latin-1\n1.1 0.0145 1e-4\r1.2 0.0146 1E-4".encode("latin-1"),
    ],
)
def test_separators_comments_and_encodings(tmp_path, text):
    observation = read_spectrum(write(tmp_path, text)).observation
    np.testing.assert_array_equal(observation.wavelength_um, [1.1, 1.2])
    np.testing.assert_array_equal(observation.sigma, [1e-4, 1e-4])


def test_fourth_column_is_the_full_width(tmp_path):
    observation = read_spectrum(write(tmp_path, "1.1 0.0145 1e-4 0.02\n")).observation
    assert observation.half_width_um[0] == 0.01


def test_points_off_the_grid_are_left_out_with_a_note(tmp_path):
    edge = float(GRID[0] * 1.0049)  # within half a step
    text = f"0.2 0.0145 1e-4\n1.1 0.0145 1e-4\n{edge!r} 0.0145 1e-4\n60 0.0145 1e-4\n"
    path = write(tmp_path, text, PAR)
    spectrum = read_spectrum(path, GRID)
    np.testing.assert_array_equal(spectrum.observation.wavelength_um, [1.1, edge])
    (note,) = [note for note in spectrum.notes if "left out" in note]
    assert "2 points" in note and "(lines 1, 4)" in note
    # What is kept is what the binning operator can use.
    assert np.all(binning_operator(*spectrum.observation[:2], GRID).sum(axis=1) > 0.99)
    # Without a grid there is nothing to leave out; of another grid, other points are.
    everything = read_spectrum(path)
    np.testing.assert_array_equal(everything.observation.wavelength_um, [0.2, 1.1, edge, 60])
    assert not any("left out" in note for note in everything.notes)
    other = read_spectrum(path, OTHER.wavelength_um)
    np.testing.assert_array_equal(other.observation.wavelength_um, [1.1])
    assert any("left out 3 points outside 0.79-8.5 um" in note for note in other.notes)


def test_points_that_a_model_cannot_use_are_named(tmp_path):
    path = write(tmp_path, "0.31 0.0145 1e-4\n1.1 0.0145 1e-4\n", PAR)
    spectrum = read_spectrum(path, GRID, n_usable=PUBLISHED.n_usable)
    assert len(spectrum.observation.depth) == 2
    assert any("cannot use 1 point" in note and "(line 1)" in note for note in spectrum.notes)
    for notes in (read_spectrum(path, GRID).notes, read_spectrum(path).notes):
        assert not any("cannot use" in note for note in notes)


def test_notes_on_missing_par_odd_depths_and_other_gases(tmp_path):
    spectrum = read_spectrum(write(tmp_path, "1.1 0.002 0.00001\n"))
    assert any("no planet.par" in note for note in spectrum.notes)
    assert any("far from the training set" in note for note in notes_for(spectrum, PUBLISHED))
    par = PAR.replace("H2O, CO, CO2, CH4", "NH3, CO, CO2, CH4")
    spectrum = read_spectrum(write(tmp_path, GOOD, par))
    theta = truth_theta(spectrum.truth, PARAMETERS)
    assert np.isnan(theta[0]) and np.isfinite(theta[1:]).all()
    (note,) = notes_for(spectrum, PUBLISHED)
    assert "NH3" in note and "CH4" not in note
    (note,) = notes_for(spectrum, OTHER)  # which retrieves NH3, and no other
    assert "CH4, CO, CO2" in note and "NH3" not in note


def test_par_written_by_hand(tmp_path):
    par = "# mine\n[STAR]\nRadius: 0.8  # R_sun\n[Atmosphere]\nactive_gases = H2O,\n  CH4\n"
    par += "active_gases_mixratios = 1e-4, 0\nname = 50%(x)s\n"
    spectrum = read_spectrum(write(tmp_path, GOOD, par))
    assert spectrum.star_radius == 0.8 and spectrum.truth == {"h2o": -4}
    assert np.isnan(truth_theta(spectrum.truth, PARAMETERS)[1:]).all()
    assert read_spectrum(write(tmp_path, GOOD, "[Star]\nradius=2\n")).truth == {}


def test_truths_are_in_the_units_of_any_problem(tmp_path):
    truth = truth_of(OTHER_TRUTH, OTHER.parameters)
    assert set(truth) == {"nh3", "mass", "radius", "temperature", "cloud_top"}
    # Of Jupiter: 317.8 Earth masses, 10.96 Earth radii.
    np.testing.assert_allclose(truth["mass"], 20 / 317.80, rtol=1e-4)
    np.testing.assert_allclose(truth["radius"], 4 / 10.961, rtol=1e-4)
    back = truth_theta(truth, OTHER.parameters)
    np.testing.assert_allclose(back, OTHER_TRUTH, rtol=1e-12)
    # Values as logarithms, and mixing ratios that are none.
    logs = Parameters(
        (
            Parameter("lg_mass", "mass", "dex(kg)", "", 20.0, 30.0),
            Parameter("nh3", "gas", "1", "", 1e-9, 1e-1, "log10"),
        )
    )
    theta = truth_theta({"mass": 1.0, "nh3": -4.0, "temperature": 900.0}, logs)
    np.testing.assert_allclose(theta, [np.log10(1.898e27), 1e-4])
    np.testing.assert_allclose(list(truth_of(theta, logs).values()), [1.0, -4.0], rtol=1e-12)


def test_a_par_file_is_read_without_a_problem(tmp_path):
    path = tmp_path / "x.par"
    path.write_text(PAR)
    star_radius, truth, *_ = read_par(path)
    assert star_radius == 1 and truth["mass"] == 0.8 and truth["radius"] == 0.88
    assert truth["temperature"] == 1117 and truth["h2o"] == -1 and len(truth) == 7


BAD_TABLES = {
    "empty": ("", "empty"),
    "blank": (" \n\n", "empty"),
    "only comments": ("# a\n# b\n", "only comments"),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\x00", "not a text file"),
    "utf-16": (GOOD.encode("utf-16"), "not a text file"),
    "control bytes": (bytes(range(1, 32)), "not a text file"),
    "text": ("1.1 0.0145 1e-4\n1.2 abc 1e-4\n", "line 2: column 2 (depth) is 'abc'"),
    "unknown header": ("a,b,c\n" + GOOD, "no column of depths is known among a, b, c"),
    "long text": ("1.1 0.01 " + "x" * 9999, "line 1: column 3"),
    "empty field": ("1.1,,1e-4\n", "line 1: column 2 (depth) is missing"),
    "underscore": ("1_1 0.0145 1e-4\n", "line 1: column 1"),
    "one column": ("1.1\n", "line 1: 1 column without names"),
    "two columns": ("# a\n1.1 0.0145\n", "line 2: 2 columns without names"),
    "five columns": ("1.1 0.0145 1e-4 0.01 7\n", "line 1: no header, and the 5 columns"),
    "decimal commas": ("1,1 0,0145 0,0001\n", "decimal mark"),
    "ragged": (GOOD + "\n1.4 0.0145 1e-4 0.02\n", "line 5: 4 columns, but line 1 has 3"),
    "all NaN": ("1.1 nan 1e-4\n1.2 nan 1e-4\n", "line 1: column 2 (depth) is missing"),
    "inf": ("1.1 1e999 1e-4\n", "line 1: column 2 (depth) is inf"),
    "NaN error": ("1.1 0.0145 nan\n", "line 1: column 3 (error) is missing"),
    "zero error": ("1.1 0.0145 0\n", "line 1: column 3 (error) is 0, not positive"),
    "negative error": (GOOD + "1.4 0.0145 -1e-4\n", "line 4: column 3"),
    "zero depth": ("1.1 0 1e-4\n", "line 1: column 2 (depth) is 0, not positive"),
    "negative depth": ("1.1 -0.01 1e-4\n", "line 1: column 2 (depth) is -0.01"),
    "percent": ("1.1 1.45 0.01\n1.2 1.46 0.01\n", "in percent or per mille; say which"),
    "errors in ppm": ("1.1 0.0145 50\n1.2 0.0146 50\n", "above the depth 0.0145"),
    "tiny errors": ("wave,depth,err\n1.1,0.0145,1e-9\n", "with the error 1e-09"),
    "negative width": ("1.1 0.0145 1e-4 -0.01\n", "column 4 is -0.01: no width"),
    "widths second": (
        "1.1 0.01 0.0145 1e-4\n1.2 0.01 0.0145 1e-4\n",
        "--columns wavelength,half_width,depth,error or wavelength,depth,width,error",
    ),
    "nm or Angstrom": ("11000 0.0145 1e-4\n", "Angstrom (1.1 to 1.1 um)"),
    "negative wavelength": ("-1.1 0.0145 1e-4\n", "column 1 (wavelength) is -1.1"),
    "no overlap": ("0.1 0.0145 1e-4\n0.2 0.0145 1e-4\n", "no wavelength within"),
}
BAD_PARS = {
    "no star": (PAR.replace("[Star]\nradius = 1\n", ""), "no [Star] radius"),
    "star is text": (PAR.replace("radius = 1\n", "radius = big\n"), "line 2: [Star] radius"),
    "star is zero": (PAR.replace("radius = 1\n", "radius = 0\n"), "line 2: [Star] radius"),
    "star is NaN": (PAR.replace("radius = 1\n", "radius = nan\n"), "line 2: [Star] radius"),
    "star is huge": (PAR.replace("radius = 1\n", "radius = 1e4\n"), "larger than the Sun"),
    "negative mass": (PAR.replace("mass = 0.8", "mass = -0.8"), "line 5: [Planet] mass"),
    "temperature": (PAR.replace("1117", "hot"), "line 7: [Atmosphere] tp_iso_temp"),
    "count": (PAR.replace("1e-1, ", ""), "line 9: 3 active_gases_mixratios for 4"),
    "ratio is text": (PAR.replace("1e-1", "much"), "line 9: mixing ratio 'much' of H2O"),
    "ratio above 1": (PAR.replace("1e-1", "1e1"), "line 9: mixing ratio '1e1' of H2O"),
    "gas twice": (PAR.replace("CO2", "H2O"), "line 9: H2O is listed twice"),
    "not INI": ("radius 1\n", "line 1: neither a [Section] nor key"),
    "no section": ("radius = 1\n", "line 1: neither a [Section] nor key"),
    "binary": ("\0\0", "not a text file"),
    "empty": ("", "empty"),
}


@pytest.mark.parametrize(
    ("text", "wavelength", "depth", "note"),
    [
        ("wavelength,depth,error\n" + GOOD.replace(" ", ","), 1.2, 0.0146, "units by the numbers"),
        (GOOD + "1.4 nan nan\n", 1.2, 0.0146, "left out 1 row with missing values (line 4)"),
        ("1.1 14500 100\n1.2 14600 100\n1.3 14700 99\n", 1.2, 0.0146, "[ppm]"),
        ("1100 0.0145 1e-4\n1200 0.0146 1e-4\n1300 0.0147 1e-4\n", 1.2, 0.0146, "[nm]"),
        ("1.1e-6 0.0145 1e-4\n1.2e-6 0.0146 1e-4\n1.3e-6 0.0147 1e-4\n", 1.2, 0.0146, "[m]"),
        (GOOD + "1.2 0.0146 1e-4\n", 1.2, 0.0146, "line 4: wavelength 1.2 um is there twice"),
    ],
)
def test_what_is_inferred_is_said(tmp_path, text, wavelength, depth, note):
    spectrum = read_spectrum(write(tmp_path, text))
    np.testing.assert_allclose(np.median(spectrum.observation.wavelength_um), wavelength)
    np.testing.assert_allclose(np.median(spectrum.observation.depth), depth)
    assert any(note in line for line in spectrum.notes), spectrum.notes


def error_of(path):
    with pytest.raises(SpectrumError) as info:
        read_spectrum(path, GRID)
    message = str(info.value)
    assert "\n" not in message and len(message) < 400
    return message


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_table_is_one_line_with_file_and_cause(tmp_path, case):
    text, cause = BAD_TABLES[case]
    path = write(tmp_path, text)
    message = error_of(path)
    assert message.startswith(f"{path}: ") and cause in message


@pytest.mark.parametrize("case", BAD_PARS)
def test_bad_par_is_one_line_with_file_and_cause(tmp_path, case):
    text, cause = BAD_PARS[case]
    path = write(tmp_path, GOOD, text)
    message = error_of(path)
    assert message.startswith(f"{path.with_suffix('.par')}: ") and cause in message


def test_paths_that_are_not_spectra(tmp_path):
    assert "no such file" in error_of(tmp_path / "absent.dat")
    assert "is a folder" in error_of(tmp_path)
    assert "cannot be read" in error_of(tmp_path / "a\0b")
    assert "is a parameter file" in error_of(write(tmp_path, PAR, name="planet.par"))
    assert "longer than" in error_of("/dev/zero")
    (tmp_path / "two\nlines.dat").write_text("x")
    error_of(tmp_path / "two\nlines.dat")


@st.composite
def spectra(draw):
    n = draw(st.integers(1, 30))
    wavelength = draw(st.lists(st.floats(0.301, 50.0), min_size=n, max_size=n, unique=True))
    floats = {
        "half_width": st.one_of(st.just(0.0), st.floats(1e-3, 0.03)),
        "depth": st.floats(1e-4, 0.05),
        "sigma": st.floats(2e-7, 1e-4),
    }
    columns = {
        name: np.array(draw(st.lists(kind, min_size=n, max_size=n)))
        for name, kind in floats.items()
    }
    observation = Observation(np.array(wavelength), *columns.values())
    known = draw(st.lists(st.booleans(), min_size=7, max_size=7))
    unit = np.array(draw(st.lists(st.floats(0, 1), min_size=7, max_size=7)))
    truth = truth_of(np.where(known, PARAMETERS.from_unit(unit), np.nan), PARAMETERS)
    return observation, truth, draw(st.one_of(st.just(1.0), st.floats(0.75, 1.3)))


@given(spectra())
@settings(max_examples=60, deadline=None)
def test_round_trip(tmp_path_factory, case):
    observation, truth, star_radius = case
    path = tmp_path_factory.mktemp("round") / "s.dat"
    write_spectrum(path, observation, truth=truth, star_radius=star_radius)
    back = read_spectrum(path, GRID)
    np.testing.assert_array_equal(back.observation.wavelength_um, observation.wavelength_um)
    np.testing.assert_array_equal(back.observation.half_width_um, observation.half_width_um)
    exact = star_radius == 1.0
    for name in ("depth", "sigma"):
        found, expected = getattr(back.observation, name), getattr(observation, name)
        np.testing.assert_allclose(found, expected, rtol=0 if exact else 1e-15)
    assert back.star_radius == star_radius
    assert back.truth.keys() == truth.keys()
    for key, value in truth.items():
        np.testing.assert_allclose(back.truth[key], value, rtol=1e-12)


def test_write_replaces_both_files_and_leaves_no_others(tmp_path):
    path = write(tmp_path, "old", PAR)
    write_spectrum(path, make_observation(), truth=truth_of(TRUTH, PARAMETERS), star_radius=0.9)
    write_spectrum(path, make_observation())
    spectrum = read_spectrum(path)
    assert spectrum.truth == {} and spectrum.star_radius == 1 and spectrum.notes == ()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["planet.dat", "planet.par"]


def test_instruments_are_written_and_read(tmp_path):
    names = ["NIRSpec G395H"] * 5 + ["7"] * 7
    write_spectrum(tmp_path / "s.dat", make_observation()._replace(instrument=names))
    spectrum = read_spectrum(tmp_path / "s.dat")
    assert spectrum.observation.instrument == tuple(names)
    assert list(spectrum.instrument) == names and spectrum.notes == ()
    np.testing.assert_array_equal(spectrum.observation.depth, make_observation().depth)
    with pytest.raises(ValueError, match="no commas"):
        write_spectrum(tmp_path / "s.dat", make_observation()._replace(instrument="a,b"))


def test_write_refuses_what_could_not_be_read(tmp_path):
    bad = make_observation()._replace(sigma=np.zeros(12))
    with pytest.raises(ValueError, match="error is not positive"):
        write_spectrum(tmp_path / "s.dat", bad)
    assert list(tmp_path.iterdir()) == []
