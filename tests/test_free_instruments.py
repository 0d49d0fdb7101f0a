"""Free offsets and errors from end to end, with a generator that draws flat spectra."""

import dataclasses

import numpy as np
import pytest
from astropy.table import QTable
from test_catalogue import OPTIONS
from test_flagged import SIGMA, THETA, W, cloudy, model, observe  # noqa: F401  (fixtures)
from tiny_model import random_model

from exogan_jax import api
from exogan_jax.cli import main
from exogan_jax.files.instrument_table import instrument_table, write_instruments
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.forward_check import true_spectrum
from exogan_jax.retrieval.settings import Settings

pytestmark = pytest.mark.optax
OFFSET = 4e-4
NAMES = ["blue"] * (W - 15) + ["red"] * 15  # of the most bins: blue
SHORT = OPTIONS | {"priors": {"temperature": "1000+-20", "mass": "1.5+-0.03"}}


@pytest.fixture(scope="module")
def seen(cloudy):  # noqa: F811
    """Its errors are twice as large as stated, and the last detector's depths too large."""
    plain = observe(true_spectrum(cloudy, THETA), 2)
    depth = plain.depth + OFFSET * (np.array(NAMES) == "red")
    return Observation(plain.wavelength_um, plain.half_width_um, depth, plain.sigma / 2, NAMES)


@pytest.fixture(scope="module")
def both(model, cloudy, seen):  # noqa: F811
    settings = Settings(offset_sigma=1e-3, inflate=True)
    found = [
        api.retrieve(seen, model, physics=cloudy, settings=s, exact=exact, **SHORT)[0]
        for s, exact in ((settings, True), (settings, False), (Settings(), True))
    ]
    return settings, found


def test_an_offset_and_larger_errors_are_found(both, seen, tmp_path):
    settings, (found, _, _) = both
    write_instruments(tmp_path / "i.ecsv", found, seen, settings, 0.5)
    table = QTable.read(tmp_path / "i.ecsv")
    assert list(table["instrument"]) == ["blue", "red"] and list(table["n_bins"]) == [W - 15, 15]
    assert table["offset"][0] == 0
    off = (table["offset"][1] - 4 * OFFSET) / table["offset_error"][1]
    assert abs(off) < 3 and table["offset_error"][1] < 4 * SIGMA
    assert np.all((table["error_factor"] > 1.4) & (table["error_factor"] < 2.8))
    stated = dataclasses.replace(settings, inflate=False)
    np.testing.assert_allclose(instrument_table(found, seen, stated)["error_factor"], 1)


def test_what_is_free_leaves_the_radius_right(both):
    _, (exact, fast, fixed) = both
    for found in (exact, fast):
        low, high = found.quantiles((0.005, 0.995))[:, 2]
        assert low < THETA[2] < high
    assert abs(fixed.quantiles((0.5,))[0, 2] - THETA[2]) > 5 * exact.samples[:, 2].std()
    # Stated errors are half of the true ones: a chi-square of four, not of hundreds.
    assert 2 < exact.reduced_chi2 < 7 and fixed.reduced_chi2 > 20
    # The generator draws this planet as the forward model does.
    assert exact.efficiency > 0.1
    assert abs(exact.log_evidence - fast.log_evidence) < 1
    assert exact.log_evidence > fixed.log_evidence + 50


def test_options_are_checked(seen):
    for change in ({"offset_sigma": -1e-4}, {"offset_sigma": 5.0}):
        with pytest.raises(ValueError, match="must be a depth"):
            Settings(**change)
    with pytest.raises(ValueError, match="Gaussian"):
        Settings(inflate=True, likelihood="paper")
    few = seen._replace(
        **{k: v[:5] for k, v in seen._asdict().items()} | {"wavelength_um": np.linspace(1, 4, 5)}
    )
    with pytest.raises(ValueError, match="draws levels"):
        api.retrieve(few, random_model(), inflate=True)


def test_the_command_line_says_what_is_no_offset(capsys, tmp_path):
    with pytest.raises(SystemExit):
        main(["retrieve", "--example", "--out", str(tmp_path), "--offsets", "many"])
    assert "no number of ppm" in capsys.readouterr().err
