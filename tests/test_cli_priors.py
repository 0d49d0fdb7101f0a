"""Priors on the command line and in `.par` files: what is meant, kept, and computed again."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import QTable
from commands import errors, run
from fake_results import OTHER
from test_spectra import GOOD, PAR, error_of, write

from exogan_jax.files import inspect, posteriors
from exogan_jax.files.par import read_par
from exogan_jax.files.spectra import notes_for, read_spectrum
from exogan_jax.layout import PUBLISHED
from exogan_jax.retrieval.priors import Fixed, Normal, Uniform

MEASURED = PAR.replace("mass = 0.8", "mass = 1.1 +- 0.1").replace("1117", "1200 ± 50 ; K")


pytestmark = pytest.mark.usefixtures("no_figures")


def test_a_value_with_an_error_is_a_prior_and_one_without_a_truth(tmp_path):
    path = write(tmp_path, GOOD, MEASURED)
    par = read_par(path.with_suffix(".par"))
    assert par.measured == {
        "mass": Normal(1.1, 0.1, "M_J"), "temperature": Normal(1200, 50, "K")
    }  # fmt: skip
    assert par.truth["radius"] == 0.88 and not {"mass", "temperature"} & set(par.truth)
    spectrum = read_spectrum(path)
    assert spectrum.priors == par.measured and spectrum.truth == par.truth
    assert "prior of the mass: normal:1.1,0.1 M_J" in inspect.report(spectrum)
    write(tmp_path, GOOD, PAR.replace("mass = 0.8", "mass = 350 +/- 10 M_E"))
    assert read_spectrum(path).priors == {"mass": Normal(350, 10, "M_E")}
    assert read_spectrum(write(tmp_path, GOOD, PAR, "plain.dat")).priors == {}


def test_a_measurement_of_what_is_not_retrieved_is_said(tmp_path):
    path = write(tmp_path, GOOD, MEASURED)
    gases = SimpleNamespace(
        parameters=SimpleNamespace(roles=("h2o", "mass"), gases=PUBLISHED.parameters.gases),
        depth_range=(0.01, 0.02),
    )
    (note,) = notes_for(read_spectrum(path), gases)
    assert (
        note == f"{path.with_suffix('.par')}: not retrieved, so its error is not used: temperature"
    )
    assert notes_for(read_spectrum(path), PUBLISHED) == ()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("1.1 +- 0", "line 5: [Planet] mass: sigma must be above 0"),
        ("1.1 +- x", "line 5: [Planet] mass: '1.1 +- x' is no prior"),
        ("1.1 +0.1 -0.2", "line 5: [Planet] mass = '1.1 +0.1 -0.2' is not a number"),
    ],
)
def test_bad_errors_are_named(tmp_path, text, cause):
    assert cause in error_of(write(tmp_path, GOOD, PAR.replace("mass = 0.8", f"mass = {text}")))


def test_options_go_before_the_par_and_both_are_kept(tmp_path, capsys, fake):
    path, other, out = write(tmp_path, GOOD, MEASURED), tmp_path / "b.dat", tmp_path / "out"
    other.write_text(GOOD)
    options = ["--prior", "mass=340+-20 M_E", "--prior", "planet_radius=1.2"]
    options += ["--prior", "h2o = -5..0"]
    status, _, err = run(capsys, path, other, "--out", out, *options)
    assert status == 0 and errors(err) == []
    own, others = fake.priors[0]
    assert list(own) == ["log10_h2o", "planet_mass", "planet_radius", "temperature"]
    assert own["planet_radius"] == Fixed(1.2) and own["temperature"] == Normal(1200, 50)
    assert own["log10_h2o"] == Uniform(-5, -1)  # cut to the model's bounds
    np.testing.assert_allclose(own["planet_mass"].mean, 340 * 5.9722e24 / 1.898e27)
    assert own | others == own and "temperature" not in others and len(others) == 3
    text = posteriors.read_attrs(out / "planet" / "posterior.nc")["priors"]
    assert "planet_radius=fixed:1.2; temperature=normal:1200.0,50.0" in text
    assert f"exogan: prior: planet: {text}" in err.splitlines()
    meta = QTable.read(out / "summary.ecsv").meta["priors"]
    assert meta["planet"]["temperature"] == "normal:1200.0,50.0"
    assert set(meta["b"]) == set(others)


def test_other_priors_are_computed_again(tmp_path, capsys, fake):
    path, out = write(tmp_path, GOOD), tmp_path / "out"
    runs = [[], ["--prior", "mass=1.1+-0.1"], ["--prior", "mass=1.1+-0.2"], []]
    for n, options in enumerate(runs, 1):
        assert run(capsys, path, "--out", out, *options)[0] == 0
        assert len(fake.calls) == n
        # The same again, in other words.
        again = [option.replace("mass=", "planet_mass = ") for option in options]
        assert run(capsys, path, "--out", out, *again)[0] == 0
        assert len(fake.calls) == n
    assert posteriors.read_attrs(out / "planet" / "posterior.nc")["priors"] == ""
    assert "priors" not in QTable.read(out / "summary.ecsv").meta
    write(tmp_path, GOOD, MEASURED.replace("radius = 1\n", "radius = 1.0\n"))
    run(capsys, path, "--out", out)
    assert len(fake.calls) == 5


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (["weight=1"], "no parameter 'weight'; there are log10_h2o, "),
        (["mass=0.28+-0.03"], "mass: 0.28 +- 0.03 is 17.3 sigma outside of the model's bounds"),
        (["mass=1", "mass=1.1"], "two priors of mass"),
        (["mass=1", "planet_mass=1.1"], "two priors of planet_mass"),
    ],
)
def test_priors_that_no_model_can_use_end_the_run(tmp_path, capsys, fake, options, cause):
    given = [word for option in options for word in ("--prior", option)]
    status, _, err = run(capsys, write(tmp_path, GOOD), "--out", tmp_path / "out", *given)
    assert status == 2 and fake.calls == [] and not (tmp_path / "out").exists()
    (line,) = errors(err)
    assert line.startswith(f"exogan: error: --prior: {cause}")


def test_a_par_that_the_model_cannot_use_leaves_the_others(tmp_path, capsys, fake):
    light = write(tmp_path, GOOD, PAR.replace("mass = 0.8", "mass = 0.28 +- 0.03"), "light.dat")
    good = write(tmp_path, GOOD)
    status, _, err = run(capsys, light, good, "--out", tmp_path / "out")
    assert status == 2 and fake.calls[0][0] == ["planet"]
    (line,) = errors(err)
    assert f"{light}: prior of mass: 0.28 +- 0.03 is 17.3 sigma outside" in line
    # What the command line gives instead is used.
    status, _, err = run(capsys, light, "--out", tmp_path / "out", "--prior", "mass=0.9")
    assert status == 0 and fake.priors[-1] == [{"planet_mass": Fixed(0.9)}]


def test_a_model_without_an_anchor(tmp_path, capsys, fake):
    fake.model = SimpleNamespace(
        encoder=None, layout=OTHER, networks=SimpleNamespace(anchored=False)
    )
    path = write(tmp_path, GOOD)
    status, _, err = run(capsys, path, "--out", tmp_path / "out", "--prior", "mass=10")
    assert status == 2 and "its latents are not anchored" in errors(err)[0] and fake.calls == []
    assert run(capsys, path, "--out", tmp_path / "out")[0] == 0
