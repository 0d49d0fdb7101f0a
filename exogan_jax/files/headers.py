"""What the header of a model's file says, without its arrays and without the networks: the
problem's layout, the model card. Cheap to import and to read.
"""

from __future__ import annotations

import importlib.resources
import json
import math
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from exogan_jax.layout import PUBLISHED, Layout

DEFAULT_MODEL = "planets"
FORMAT = "exogan-jax model 1"


def model_names() -> tuple[str, ...]:
    """Names of the models that ship with the package."""
    folder = importlib.resources.files("exogan_jax") / "assets"
    suffix = ".safetensors"
    return tuple(
        sorted(f.name[: -len(suffix)] for f in folder.iterdir() if f.name.endswith(suffix))
    )


def model_path(name_or_path: str | os.PathLike[str] | None = None) -> Path:
    """The file of a model.

    Args:
      name_or_path: one of `model_names()`, or a file; None for the default model.

    Raises:
      FileNotFoundError: neither a shipped model nor a file; lists the shipped ones.
    """
    name = DEFAULT_MODEL if name_or_path is None else os.fspath(name_or_path)
    if name in model_names():
        return Path(str(importlib.resources.files("exogan_jax") / "assets" / f"{name}.safetensors"))
    if not Path(name).is_file():
        raise FileNotFoundError(
            f"{name}: neither a file nor a shipped model ({', '.join(model_names()) or 'none'})"
        )
    return Path(name)


def read_header(path: Path) -> dict[str, str]:
    """The header of a model's file.

    Raises:
      ValueError: the file is not a model, or is damaged.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a readable safetensors file ({error})") from None
    if header.get("format") != FORMAT:
        raise ValueError(f"{path}: not an exogan_jax model (its header lacks {FORMAT!r})")
    return dict(header)


def layout_of(header: dict[str, str], path: Path) -> Layout:
    """The layout that a header tells of; one that tells of none is of the published problem.

    Raises:
      ValueError: what it holds is no layout.
    """
    if "layout" not in header:
        return PUBLISHED
    try:
        return Layout.from_json(header["layout"])
    except ValueError as error:
        raise ValueError(f"{path}: not a usable exogan_jax model ({error})") from None


def model_layout(name_or_path: str | os.PathLike[str] | None = None) -> Layout:
    """The layout of a model. Raises as `files.weights.load_model`."""
    path = model_path(name_or_path)
    return layout_of(read_header(path), path)


def n_compared(
    name_or_path: str | os.PathLike[str] | None = None, likelihood: str = "gaussian"
) -> int | None:
    """How many of its layout's first wavelengths a model can be compared at; None for all, as where
    its networks draw levels. Pixels lack the layout's last few (`Layout.n_usable`). Raises as
    `files.weights.load_model`.
    """
    path = model_path(name_or_path)
    layout = layout_of(read_header(path), path)
    with safe_open(path, framework="numpy") as file:
        levels = "error/level" in file.keys()  # noqa: SIM118
    return None if levels and likelihood != "paper" else layout.n_usable


def model_card(name_or_path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """The card of a model: how it was trained, and how well it does. Raises as `load_model`."""
    card = json.loads(read_header(model_path(name_or_path))["card"])
    assert isinstance(card, dict)
    return card


def array_sizes(path: Path) -> dict[str, int]:
    """Numbers in the arrays of a model's file, by part ("generator", "encoder", ...)."""
    sizes: dict[str, int] = {}
    with safe_open(path, framework="numpy") as file:
        for name in file.keys():  # noqa: SIM118
            part = name.split("/")[0]
            sizes[part] = sizes.get(part, 0) + math.prod(file.get_slice(name).get_shape())
    return sizes
