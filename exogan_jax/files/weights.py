"""Model weights: one safetensors file each, which holds arrays and text and cannot run code.

The arrays are those of a `gan.model.Model`, by their paths in the pytree. The header's text is
JSON: the problem's layout, the networks and their options, and a model card (data, training,
metrics). A file without a layout is of the published one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from exogan_jax.files.atomic import replacing
from exogan_jax.files.headers import DEFAULT_MODEL as DEFAULT_MODEL
from exogan_jax.files.headers import FORMAT, layout_of, model_path, read_header
from exogan_jax.files.headers import model_card as model_card
from exogan_jax.files.headers import model_layout as model_layout
from exogan_jax.files.headers import model_names as model_names
from exogan_jax.gan.altitude import AltitudeGenerator
from exogan_jax.gan.model import GeneratorError, LevelError, Model
from exogan_jax.retrieval.encode import n_features

_HELD = "batch_stats"  # in the names of arrays that are not trained


def _flatten(tree: Any, prefix: str = "") -> dict[str, np.ndarray]:
    if not isinstance(tree, dict):
        return {prefix: np.ascontiguousarray(jax.device_get(tree))}
    flat: dict[str, np.ndarray] = {}
    for name, branch in tree.items():
        flat |= _flatten(branch, f"{prefix}/{name}" if prefix else name)
    return flat


def _unflatten(flat: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, leaf in flat.items():
        *parents, name = path.split("/")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[name] = leaf
    return tree


def save_model(
    path: str | os.PathLike[str], model: Model, card: dict[str, Any], dtype: Any = np.float32
) -> None:
    """Writes a model and its card, atomically.

    Args:
      path: the file, by convention `<name>.safetensors`.
      model: what to save.
      card: JSON-able description: data, training, metrics, limits.
      dtype: of the stored arrays; float16 halves the file. Those that are not trained, the levels'
        components, stay float32: the generator's error would grow by a quarter.
    """
    path = Path(path)
    tree = {
        "generator": model.generator,
        "discriminator": model.discriminator,
        "error": model.error._asdict(),
    }
    if model.encoder is not None:
        tree["encoder"] = model.encoder
    flat = _flatten(tree)
    header = {
        "format": FORMAT,
        "layout": model.layout.to_json(),
        "network": model.network,
        "options": json.dumps(dict(model.options)),
        "encoder": json.dumps(dict(model.encoder_options)),
        "card": json.dumps(card),
    }
    with replacing(path) as temporary:
        # Not `save_file`, whose files only their owner can read.
        kept = {k: leaf.astype(np.float32 if _HELD in k else dtype) for k, leaf in flat.items()}
        temporary.write_bytes(save(kept, header))


def load_model(name_or_path: str | os.PathLike[str] | None = None) -> Model:
    """Loads a model.

    Args:
      name_or_path: one of `model_names()`, or a file written by `save_model`; None for the
        default pretrained model.

    Raises:
      FileNotFoundError: neither a shipped model nor a file; lists the shipped ones.
      ValueError: the file is not a model, or is damaged.
    """
    path = model_path(name_or_path)
    header, flat = _read(path)
    layout = layout_of(header, path)
    tree = _unflatten({name: jnp.asarray(leaf, jnp.float32) for name, leaf in flat.items()})
    try:
        model = Model(
            name=path.stem,
            layout=layout,
            network=header["network"],
            options=_options(header["options"]),
            generator=tree["generator"],
            discriminator=tree["discriminator"],
            error=(LevelError if "level" in tree["error"] else GeneratorError)(**tree["error"]),
            encoder=tree.get("encoder"),
            encoder_options=_options(header.get("encoder", "{}")),
            opacities=str(json.loads(header["card"]).get("training", {}).get("opacities", "")),
        )
        model.networks  # noqa: B018  (unknown names and options raise here)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path}: not a usable exogan_jax model ({error})") from None
    _check_shapes(model, path)
    return model


def _options(text: str) -> tuple[tuple[str, Any], ...]:
    """Keyword arguments from JSON, hashable."""
    pairs = json.loads(text).items()
    return tuple(sorted((k, tuple(v) if isinstance(v, list) else v) for k, v in pairs))


def _read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    header = read_header(path)
    try:
        with safe_open(path, framework="numpy") as file:
            flat = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a readable safetensors file ({error})") from None
    return header, flat


def _check_shapes(model: Model, path: Path) -> None:
    """Refuses arrays that the options or the layout do not ask for."""
    nets, layout = model.networks, model.layout

    def shapes(module: Any, *example: int) -> dict[str, tuple[int, ...]]:
        tree = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, *example)))
        return {name: leaf.shape for name, leaf in _shape_leaves(tree)}

    expected = {
        "generator": shapes(nets.generator, nets.latent_dim),
        "discriminator": shapes(nets.discriminator, *nets.shape),
    }
    if model.encoder is not None:
        expected["encoder"] = shapes(model.encoder_network, n_features(layout.n_wavelength))
    for part, wanted in expected.items():
        found = {name: leaf.shape for name, leaf in _shape_leaves(getattr(model, part))}
        if found != wanted:
            wrong = sorted(
                name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
            )
            raise ValueError(
                f"{path}: the {part}'s arrays do not fit its options and layout: {wrong[0]}"
            )
    sizes = tuple(np.shape(x) for x in model.error)
    fit: tuple[tuple[int, ...], ...] = (
        (layout.n_wavelength,),
        (layout.n_sections,),
        (layout.n_sections,),
    )
    draws_levels = isinstance(nets.generator, AltitudeGenerator)
    if draws_levels:
        fit = ((*np.shape(model.error[0])[:1], layout.n_wavelength), (layout.n_wavelength,))
    if sizes != fit or draws_levels != isinstance(model.error, LevelError):
        raise ValueError(f"{path}: the generator's errors do not fit the layout: {sizes}")


def _shape_leaves(tree: Any) -> list[tuple[str, Any]]:
    return [
        ("/".join(str(getattr(k, "key", k)) for k in path), leaf)
        for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]
    ]
