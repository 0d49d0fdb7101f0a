"""Configuration files: Python that returns an `ml_collections.ConfigDict`, and changes to them. A
problem is one such file.
"""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from exogan_jax.layout import Layout
from experiments.training.build import OPTIMIZERS


def load_config(path: Path, changes: list[str]) -> ConfigDict:
    """Reads a configuration file and applies `key=value` changes (dots for nested keys).

    The result is locked: it takes no new keys.
    """
    spec = importlib.util.spec_from_file_location("config", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SystemExit(f"{path}: no such configuration")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config: ConfigDict = module.get_config()
    config.lock()
    for change in changes:
        _apply(config, change)
    check(config)
    return config


def _apply(config: ConfigDict, change: str) -> None:
    """Makes one change, of a key that is there to a value of its kind."""
    name, _, text = change.partition("=")
    *parents, last = name.split(".")
    branch: Any = config
    for key in parents:
        branch = branch[key] if isinstance(branch, ConfigDict) and key in branch else None
    if not isinstance(branch, ConfigDict) or last not in branch:
        raise SystemExit(f"--set {change}: the configuration has no {name!r}")
    if isinstance(branch[last], Layout | ConfigDict):
        raise SystemExit(f"--set {change}: {name!r} is changed in the configuration's file")
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    try:
        branch[last] = value
    except TypeError as error:
        raise SystemExit(f"--set {change}: {error}") from None


def settings(config: ConfigDict) -> dict[str, Any]:
    """What a configuration holds beside the layout, as JSON takes it."""
    return {name: value for name, value in config.to_dict().items() if name != "layout"}


def check(config: ConfigDict) -> None:
    """Refuses what would fail or mislead hours later."""
    k = config.steps_per_call
    for name in ("n_steps", "checkpoint_every", "evaluate_every"):
        if config[name] % k:
            raise SystemExit(f"{name}={config[name]} is not a multiple of steps_per_call={k}")
    if config.evaluate_every % config.checkpoint_every:
        raise SystemExit("evaluate_every is not a multiple of checkpoint_every")
    if config.get("parallel", "jit") not in ("jit", "pmap"):
        raise SystemExit(f"parallel={config.parallel!r}: choose jit or pmap")
    if config.get("optimizer", "adam") not in OPTIMIZERS:
        raise SystemExit(f"optimizer={config.optimizer!r}: choose {' or '.join(OPTIMIZERS)}")
