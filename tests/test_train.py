"""The quick configuration, end to end, and its resume after an interruption."""

from pathlib import Path

import numpy as np
import orbax.checkpoint as ocp
import pytest

from exogan_jax.files.checkpoints import load_model, model_card
from experiments import train

# Orbax and TensorStore warn of things that are not ours.
pytestmark = [pytest.mark.optax, pytest.mark.filterwarnings("ignore")]
CONFIG = Path(__file__).resolve().parents[1] / "experiments" / "configs" / "quicktest.py"


def arrays(path: Path) -> list[np.ndarray]:
    import jax

    return [np.asarray(leaf) for leaf in jax.tree.leaves(load_model(path))]


def test_quicktest_trains_and_resumes_to_the_same_bits(tmp_path, monkeypatch):
    config = train.load_config(CONFIG, [])
    whole = train.train(config, tmp_path / "whole")
    assert whole.name == "quicktest.safetensors"
    assert model_card(whole)["training"]["n_steps"] == config.n_steps
    model = load_model(whole)
    assert bool(np.all(np.asarray(model.error.pixel) > 0))

    save = ocp.CheckpointManager.save

    def save_and_stop(self, *args, **kwargs):
        save(self, *args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ocp.CheckpointManager, "save", save_and_stop)
        train.train(config, tmp_path / "split")
    assert not (tmp_path / "split" / "quicktest.safetensors").exists()
    resumed = train.train(config, tmp_path / "split")
    for a, b in zip(arrays(whole), arrays(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_settings_can_be_changed_and_unknown_ones_are_refused():
    config = train.load_config(CONFIG, ["n_steps=7", "options.width=3", "name=other"])
    assert (config.n_steps, config.options.width, config.name) == (7, 3, "other")
    with pytest.raises(SystemExit, match="has no 'n_step'"):
        train.load_config(CONFIG, ["n_step=7"])
    with pytest.raises(SystemExit, match="no such configuration"):
        train.load_config(CONFIG.with_name("none.py"), [])
