"""An `exogan_spectra` dataset on disk, as TFDS lays it out: its files, and the layout it is of."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np

from exogan_jax.layout import PUBLISHED, Layout


def find_shards(directory: str | os.PathLike[str], split: str) -> list[Path]:
    """The files of a split, in order.

    Args:
      directory: the version's folder, `.../exogan_spectra/simulated/1.0.0`.
      split: one of `physics.split.SPLITS`.

    Raises:
      FileNotFoundError: no such dataset, or some of its files are missing; names them.
    """
    found: dict[int, Path] = {}
    total = 0
    for path in Path(directory).glob(f"exogan_spectra-{split}.array_record-*"):
        if match := re.fullmatch(r".*-(\d+)-of-(\d+)", path.name):
            found[int(match[1])] = path
            total = max(total, int(match[2]))
    if not found:
        raise FileNotFoundError(
            f"{directory}: no exogan_spectra-{split}.array_record-* in it; "
            "`exogan data build` makes a dataset and prints its folder"
        )
    missing = sorted(set(range(total)) - set(found))
    if missing:
        raise FileNotFoundError(f"{directory}: {split} shard {missing[0]} of {total} is missing")
    return [found[i] for i in range(total)]


def dataset_layout(directory: str | os.PathLike[str]) -> Layout:
    """The layout that a dataset's `metadata.json` tells of; the published one if it tells of none.

    Args:
      directory: the version's folder, see `find_shards`.

    Raises:
      ValueError: the file is no JSON map, or what it holds is no layout.
    """
    path = Path(directory) / "metadata.json"
    if not path.is_file():
        return PUBLISHED
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(metadata, dict):
            raise ValueError("not a map")
        return Layout.from_json(metadata["layout"]) if "layout" in metadata else PUBLISHED
    except ValueError as error:
        raise ValueError(f"{path}: does not tell of a layout ({error})") from None


def check_same(directory: str | os.PathLike[str], own: Layout, wanted: Layout) -> None:
    """Refuses a dataset whose wavelengths or parameters are not the wanted ones."""
    problem = ""
    if own.n_wavelength != wanted.n_wavelength:
        problem = f"has {own.n_wavelength} wavelengths, not {wanted.n_wavelength}"
    elif np.any(wrong := np.abs(own.wavelength_um / wanted.wavelength_um - 1) > 1e-6):
        i = int(np.argmax(wrong))
        found, asked = own.wavelength_um[i], wanted.wavelength_um[i]
        problem = f"has other wavelengths: {found:.6g} um where {asked:.6g} um is wanted"
    elif own.parameters.names != wanted.parameters.names:
        names = (", ".join(layout.parameters.names) for layout in (own, wanted))
        problem = "has the parameters {}, not {}".format(*names)
    else:
        for ours, theirs in zip(own.parameters, wanted.parameters, strict=True):
            fields = ("role", "unit", "lower", "upper", "scale")
            for field in fields:
                found, asked = getattr(ours, field), getattr(theirs, field)
                if found != asked and not problem:
                    problem = f"has {ours.name} with {field} {found}, not {asked}"
    if problem:
        raise ValueError(f"{directory}: the dataset {problem}")
