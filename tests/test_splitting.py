"""Instruments by wavelength."""

import numpy as np
import pytest
from commands import run
from test_spectra import GOOD, write

from exogan_jax.cli import main
from exogan_jax.files.spectra import read_spectrum
from exogan_jax.files.splitting import split_at


@pytest.fixture
def spectrum(tmp_path):
    return read_spectrum(write(tmp_path, GOOD))


def test_points_on_either_side_are_of_other_instruments(spectrum):
    wavelength = np.asarray(spectrum.observation.wavelength_um)
    edge = float(np.sort(wavelength)[1]) + 1e-6
    found = split_at(spectrum, [edge], wanted=True)
    names = np.array(found.observation.instrument)
    assert set(names[wavelength < edge]) == {f"-{edge:g}um"}
    assert set(names[wavelength > edge]) == {f"{edge:g}-um"}
    assert found.notes == spectrum.notes
    named = spectrum._replace(
        observation=spectrum.observation._replace(instrument=("a",) * wavelength.size)
    )
    twice = split_at(named, [edge])
    assert twice.observation.instrument[0].startswith("a ")


def test_one_instrument_is_said_where_offsets_are_wanted(spectrum):
    assert split_at(spectrum, []) is spectrum
    assert "no offset is free" in split_at(spectrum, [], wanted=True).notes[-1]
    assert "no offset is free" in split_at(spectrum, [99.0], wanted=True).notes[-1]


@pytest.mark.usefixtures("no_figures")
def test_the_command_splits(tmp_path, capsys, fake, monkeypatch):
    monkeypatch.setattr("exogan_jax.files.rundir.write_instruments", lambda *_: None)
    path = write(tmp_path, GOOD, name="a.dat")
    status, _, err = run(capsys, path, "--out", tmp_path / "out", "--offsets", "200")
    assert status == 0 and "no offset is free" in err
    assert fake.calls[-1][1].offset_sigma == pytest.approx(2e-4)
    for text in ("red", "-1", "1,x"):
        with pytest.raises(SystemExit):
            main(["retrieve", str(path), "--out", str(tmp_path), f"--split={text}"])
        assert "no wavelength in um" in capsys.readouterr().err
