"""Configuration files: Python that returns an `ml_collections.ConfigDict`, and changes to them."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

from ml_collections import ConfigDict


def load_config(path: Path, changes: list[str]) -> ConfigDict:
    """Reads a configuration file and applies `key=value` changes (dots for nested keys)."""
    spec = importlib.util.spec_from_file_location("config", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SystemExit(f"{path}: no such configuration")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config: ConfigDict = module.get_config()
    for change in changes:
        name, _, value = change.partition("=")
        if name not in config and "." not in name:
            raise SystemExit(f"--set {change}: the configuration has no {name!r}")
        try:
            parsed = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            parsed = value
        config.update_from_flattened_dict({name: parsed})
    check(config)
    return config


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
