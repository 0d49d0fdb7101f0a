"""Datasets of a problem that is not the published one."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from whole_dataset import everything

from data_prep import build
from data_prep.blocks import open_stage
from data_prep.exogan_spectra.exogan_spectra_dataset_builder import simulated_config
from data_prep.plans import SimulatedPlan
from exogan_jax.files.dataset import RecordSource, dataset_layout
from exogan_jax.files.opacities import load_opacities, save_opacities
from exogan_jax.layout import PUBLISHED, Layout
from exogan_jax.parameters import Parameters
from exogan_jax.physics.forward import simulate
from exogan_jax.physics.problem import problem_model

PARAMETERS = PUBLISHED.parameters
# TFDS's own.
pytestmark = pytest.mark.filterwarnings("ignore:label\\(\\) is deprecated:DeprecationWarning")


def other_problem():
    """The published one with fewer gases, wavelengths and sections, and other bounds."""
    parameters = [p for p in PARAMETERS if p.gas in (None, "h2o", "ch4")]
    parameters[0] = dataclasses.replace(parameters[0], lower=-6.0)
    return Layout(PUBLISHED.wavelength_um[300:340], (0, 15, 40), Parameters(parameters))


def test_it_is_built_of_its_layout(tmp_path):
    layout, n = other_problem(), 60
    path = tmp_path / "layout.json"
    path.write_text(layout.to_json())
    options = ["--n", str(n), "--block", str(n), "--layout", str(path)]
    assert build.main(["build", "simulated", *options, "--data-dir", str(tmp_path)]) == 0
    (metadata,) = (tmp_path / "exogan_spectra").glob("*/1.0.0/metadata.json")
    folder = metadata.parent
    assert dataset_layout(folder) == layout
    assert json.loads(metadata.read_text())["opacities"] == "planets"
    depth, theta = everything(folder)
    assert depth.shape == (n, 40) and theta.shape == (n, 5)
    assert np.all(theta >= layout.parameters.lower) and np.all(theta <= layout.parameters.upper)
    model = problem_model(load_opacities(), layout)
    np.testing.assert_allclose(depth, simulate(model, jax.numpy.asarray(theta)), rtol=1e-5)
    with pytest.raises(ValueError, match="wavelengths"):
        RecordSource(folder, "train", PUBLISHED)


def test_two_problems_do_not_share_a_folder(tmp_path):
    layout = other_problem()
    names = {
        simulated_config(5, layout=problem).name
        for problem in (PUBLISHED, layout, dataclasses.replace(layout, sections=(0, 16, 40)))
    }
    assert len(names) == 3
    open_stage(tmp_path, SimulatedPlan(5))
    with pytest.raises(ValueError, match="another layout"):
        open_stage(tmp_path, SimulatedPlan(5, layout=layout))


def test_a_table_without_its_wavelengths_or_gases_is_refused(tmp_path):
    table = load_opacities("published")
    path = tmp_path / "half.nc"
    save_opacities(path, table.at_points(slice(320)))
    with pytest.raises(ValueError, match=r"the opacity table has no .* um, as 20 of"):
        SimulatedPlan(5, opacities=str(path), layout=other_problem()).make(0)
    with pytest.raises(ValueError, match="no 'ch4'"):
        problem_model(table.with_gases(["h2o"]), other_problem())


def test_a_bad_layout_is_one_line(tmp_path, capsys):
    path = tmp_path / "layout.json"
    options = [
        "build",
        "simulated",
        "--layout",
        str(path),
        "--data-dir",
        str(tmp_path / "data"),
    ]
    for text in (None, "[]", "{}", "no json"):
        if text is not None:
            path.write_text(text)
        assert build.main(options) == 2
        line = capsys.readouterr().err.strip().split("\n")[-1]
        assert line.startswith("exogan: error: ") and "layout.json" in line
