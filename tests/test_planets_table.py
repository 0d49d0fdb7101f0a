"""A table of stars and planets beside many spectra."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from commands import errors, run
from test_spectra import GOOD, PAR, write

from exogan_jax.files.planets_table import read_planets, read_with
from exogan_jax.files.spectra import SpectrumError, read_spectrum
from exogan_jax.layout import PUBLISHED
from exogan_jax.retrieval.priors import Normal

GRID = PUBLISHED.wavelength_um
CSV = """name,star_radius,mass,mass_error,temperature
a,0.9,0.28,0.03,1000
b.dat,0.756,1.13,,
c,,0.1,0.01,
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "planets.csv"
    path.write_text(CSV)
    return path


def test_values_with_errors_are_priors_and_others_truths(table):
    rows = read_planets(table)
    assert list(rows) == ["a", "b.dat", "c"]
    assert rows["a"].star_radius == 0.9 and rows["c"].star_radius is None
    assert rows["a"].measured == {"mass": Normal(0.28, 0.03, "M_J")}
    assert rows["a"].truth == {"temperature": 1000.0}
    assert rows["b.dat"].truth == {"mass": 1.13} and rows["b.dat"].measured == {}


def test_units_and_names_of_the_archive(tmp_path):
    path = tmp_path / "p.ecsv"
    QTable(
        {
            "pl_name": ["HD 1 b"],
            "st_rad": [1.2] * u.R_sun,
            "pl_bmassj": [1.0] * u.M_jup,
            "pl_bmassjerr1": [31.8] * u.M_earth,
            "pl_eqt": [900.0] * u.K,
        }
    ).write(path)
    (row,) = read_planets(path).values()
    mass = row.measured["mass"]
    assert mass.mean == pytest.approx(1.0, rel=1e-3) and mass.sigma == pytest.approx(0.1, rel=1e-2)
    assert row.star_radius == 1.2 and row.truth == {"temperature": 900.0}


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (CSV.replace("0.28", "-1"), "row 1: mass is '-1.0', not a number above 0"),
        (CSV.replace("0.28", "big"), "row 1: mass is 'big', not a number above 0"),
        (CSV.replace("b.dat", "a"), "row 2: a is there twice"),
        (CSV.replace("name", "label"), "no column `name`"),
    ],
)
def test_bad_rows_are_named(table, text, cause):
    table.write_text(text)
    with pytest.raises(SpectrumError, match=r"planets\.csv") as caught:
        read_planets(table)
    assert cause in str(caught.value) and "\n" not in str(caught.value)


def test_no_table_is_one_line(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(SpectrumError, match="not a table"):
            read_planets(path)


def test_a_row_goes_before_the_par(tmp_path, table):
    path = write(tmp_path, GOOD, PAR, "a.dat")
    plain = read_spectrum(path, GRID)
    found = read_with(read_planets(table), path, GRID)
    assert found.star_radius == 0.9 and found.priors == {"mass": Normal(0.28, 0.03, "M_J")}
    assert "mass" in plain.truth and "mass" not in found.truth
    assert found.truth["temperature"] == 1000 and found.truth["radius"] == plain.truth["radius"]
    ratio = found.observation.depth / plain.observation.depth
    np.testing.assert_allclose(ratio, 0.81 / plain.star_radius**2)
    given = read_with(read_planets(table), path, GRID, star_radius=0.5)
    assert given.star_radius == 0.5
    other = write(tmp_path, GOOD, PAR, "z.dat")
    assert "no row of that name" in read_with(read_planets(table), other, GRID).notes[-1]
    assert read_with({}, other, GRID).notes == read_spectrum(other, GRID).notes


@pytest.mark.usefixtures("no_figures")
def test_the_command_takes_it(tmp_path, capsys, fake, table):
    path, out = write(tmp_path, GOOD, name="a.dat"), tmp_path / "out"
    table.write_text(CSV.replace("0.28,0.03", "1.1,0.1"))
    status, _, err = run(capsys, path, "--out", out, "--planets", table)
    assert status == 0 and errors(err) == []
    assert fake.priors[0][0]["planet_mass"] == Normal(1.1, 0.1)
    table.write_text(CSV.replace("0.28", "big"))
    status, _, err = run(capsys, path, "--out", out, "--planets", table)
    assert status == 2 and "--planets" in err and "row 1" in err


def test_a_stars_error_is_said(tmp_path):
    text = PAR.replace("[Star]\nradius = 1\n", "[Star]\nradius = 0.90 +- 0.018\n")
    assert text != PAR
    found = read_spectrum(write(tmp_path, GOOD, text), GRID)
    assert found.star_radius == 0.9
    assert any("known to 2 %" in note for note in found.notes)
    given = read_spectrum(write(tmp_path, GOOD, text), GRID, star_radius=1.0)
    assert not any("known to" in note for note in given.notes)
