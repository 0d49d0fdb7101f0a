"""The quick configuration, end to end: data from everywhere, interruptions, what a run leaves."""

import json
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from exogan_jax.files.weights import load_model, model_card
from exogan_jax.layout import PUBLISHED, Layout
from experiments import train
from experiments.training.configure import load_config

# Orbax and TensorStore warn of things that are not ours.
pytestmark = [pytest.mark.optax, pytest.mark.filterwarnings("ignore")]
ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "experiments" / "configs" / "quicktest.py"
COMMAND = [sys.executable, "-m", "experiments.train", "--config", str(CONFIG), "--out"]


def arrays(path: Path) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(load_model(path))]


def assert_same_weights(a: Path, b: Path) -> None:
    for x, y in zip(arrays(a), arrays(b), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run by the command, in a process of its own."""
    out = tmp_path_factory.mktemp("whole")
    subprocess.run([*COMMAND, str(out)], check=True, cwd=ROOT, capture_output=True)
    return out


def test_a_run_leaves_weights_a_card_metrics_and_pictures(whole):
    weights = whole / "quicktest.safetensors"
    card = model_card(weights)
    assert load_model(weights).layout == PUBLISHED
    assert Layout.from_json((whole / "layout.json").read_text()) == PUBLISHED
    assert "layout" not in card["training"] and card["training"]["opacities"] == "published"
    assert card["training"]["n_steps"] == 20 and card["steps"] in (10, 20)
    assert re.fullmatch(r"[\d.e-]+ h on 1 x .*", card["cost"])
    assert {"ks", "consistency_ppm", "parameter_error", "novelty"} <= card["quality"].keys()
    assert bool(np.all(np.asarray(load_model(weights).error.level) > 0))
    lines = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert [x["step"] for x in lines if x["group"] == "train"] == [5, 10, 15, 20]
    assert [x["step"] for x in lines if x["group"] == "quality"] == [10, 20]
    assert all(np.isfinite(v) for x in lines for v in x.values() if isinstance(v, float))
    (session,) = (whole / "sessions.jsonl").read_text().splitlines()
    assert {"revision", "packages", "devices", "command"} <= json.loads(session).keys()
    assert len(list((whole / "samples").glob("*.png"))) == 2
    assert list((whole / "tensorboard").iterdir())
    kept = {int(path.name) for path in (whole / "checkpoints").iterdir() if path.name.isdecimal()}
    assert 20 in kept and kept <= {10, 20}


def test_after_sigterm_it_goes_on_to_the_same_bits(whole, tmp_path, monkeypatch):
    config = load_config(CONFIG, [])
    run = train.parallel.sharded

    def terminating(scan):
        compiled = run(scan)

        def call(*args):
            signal.raise_signal(signal.SIGTERM)
            return compiled.run(*args)

        return compiled._replace(run=call)

    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch, pytest.raises(train.Stopped, match="step 5 of 20"):
        patch.setattr(train.parallel, "sharded", terminating)
        train.train(config, tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before
    with ocp.CheckpointManager(tmp_path / "checkpoints") as manager:
        assert manager.latest_step() == 5
    assert not (tmp_path / "quicktest.safetensors").exists()
    assert_same_weights(train.train(config, tmp_path), whole / "quicktest.safetensors")
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [x["step"] for x in lines if x["group"] == "train"] == [5, 10, 15, 20]


@pytest.mark.slow
def test_ten_kills_at_random_moments(whole, tmp_path):
    source = random.Random(0)
    weights = tmp_path / "quicktest.safetensors"
    kills = 0
    while not weights.exists():
        process = subprocess.Popen([*COMMAND, str(tmp_path)], cwd=ROOT, stderr=subprocess.DEVNULL)
        if kills < 10:
            time.sleep(source.uniform(4, 25))
            kills += process.poll() is None
            process.kill()
        assert process.wait() in (0, -signal.SIGKILL)
        if kills < 10 and weights.exists():  # it was done before all kills: once more
            assert_same_weights(weights, whole / "quicktest.safetensors")
            weights.unlink()
    assert kills == 10
    assert_same_weights(weights, whole / "quicktest.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("data", ["simulator", "records"])
def test_other_sources_of_data(data, tmp_path):
    if data == "records":
        from data_prep.exogan_spectra import Builder
        from data_prep.exogan_spectra.exogan_spectra_dataset_builder import simulated_config

        builder = Builder(config=simulated_config(400, block_size=400), data_dir=tmp_path / "data")
        builder.download_and_prepare()
        data = builder.data_dir
    config = load_config(CONFIG, [f"data={data}", "n_steps=5", "evaluate_every=5"])
    config.n_spectra = 64
    path = train.train(config, tmp_path / "out")
    assert "prior within the bounds" in model_card(path)["data"]


def test_settings_can_be_changed_and_bad_ones_are_refused():
    config = load_config(CONFIG, ["n_steps=70", "options.width=3", "name=other"])
    assert (config.n_steps, config.options.width, config.name) == (70, 3, "other")
    for change, message in (
        ("n_step=7", "has no 'n_step'"),
        ("n_steps=7", "not a multiple of steps_per_call"),
        ("checkpoint_every=15", "not a multiple of checkpoint_every"),
        ("parallel=many", "choose jit or pmap"),
        ("optimizer=sgd", "choose adam or soap"),
        ("options.widht=3", r"has no 'options\.widht'"),
        ("options.width.x=3", r"has no 'options\.width\.x'"),
        ("option.width=3", r"has no 'option\.width'"),
        ("options=3", "'options' is changed in the configuration's file"),
        ("layout=x", "'layout' is changed in the configuration's file"),
        ("n_steps=many", "n_steps"),
    ):
        with pytest.raises(SystemExit, match=message):
            load_config(CONFIG, [change])
    for branch in (config, config.options):  # locked for the programs too
        with pytest.raises(AttributeError, match="locked"):
            branch.unheard_of = 1
    with pytest.raises(SystemExit, match="no such configuration"):
        load_config(CONFIG.with_name("none.py"), [])


@pytest.mark.parametrize("path", sorted(CONFIG.parent.glob("[!_]*.py")), ids=lambda p: p.stem)
def test_every_configuration_is_of_a_problem_or_of_an_encoder(path):
    config = load_config(path, [])
    if path.stem == "encoder":
        assert "layout" not in config
    else:
        assert isinstance(config.layout, Layout) and config.name == path.stem
