"""A TFDS dataset as a catalogue: one example per spectrum, with features that are its columns.

The folder is the version's, `.../NAME/CONFIG/1.0.0`, of a dataset in array_record files. All splits
are read. Features of one value are the spectrum's (`name`, and those of `planets_table`); shorter
spectra are sequences, or filled up with NaN. Needs array_record, not TFDS.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table as AstropyTable

from exogan_jax.files.text import fail
from exogan_jax.files.tf_examples import examples_of

_FEATURES, _INFO = "features.json", "dataset_info.json"
_REMEDY = "give features of wavelengths, depths and errors, each with one value per point"


def is_tfds(path: Path) -> bool:
    """Whether a folder is a TFDS dataset's."""
    return (path / _FEATURES).is_file() and (path / _INFO).is_file()


def tfds_table(path: Path) -> AstropyTable:
    """All examples, a row each; named by split and number, unless `name` is a feature.

    Raises:
      SpectrumError: the dataset is of other files, or of features that are no spectra.
    """
    ranks = _ranks(path)
    if sum(rank == 1 for rank in ranks.values()) < 3:
        fail(path, f"its features are {', '.join(ranks)}: no errors, or no wavelengths", _REMEDY)
    columns: dict[str, list[Any]] = {name: [] for name in ranks}
    called = []
    for label, example in _examples(path):
        called.append(label)
        for name, cells in columns.items():
            if name not in example:
                fail(path, f"{label} has no {name}", "make the dataset again")
            cells.append(_cell(example[name], ranks[name]))
    table = AstropyTable({name: _column(cells) for name, cells in columns.items()})
    if "name" not in table.colnames:
        table["name"] = called
    return table


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        fail(path, f"no JSON ({error})", "make the dataset again")


def _ranks(path: Path) -> dict[str, int]:
    """Features and their dimensions, by what the dataset says of them."""
    features = _json(path / _FEATURES)["featuresDict"]["features"]
    found = {}
    for name, feature in features.items():
        is_sequence = "sequence" in feature
        kind = feature["sequence"]["feature"] if is_sequence else feature
        plain = "text" in kind or kind.get("tensor", {}).get("encoding") == "none"
        rank = is_sequence + len(kind.get("tensor", {}).get("shape", {}).get("dimensions", ()))
        if not plain or rank > 1:
            fail(path / _FEATURES, f"{name} is neither numbers, a list of them nor text", _REMEDY)
        found[name] = rank
    return found


def _examples(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Split and number of each example, and its features."""
    info = _json(path / _INFO)
    if info.get("fileFormat") != "array_record":
        fail(path, "not in array_record files", "make it with file_format='array_record'")
    try:
        from array_record.python.array_record_data_source import ArrayRecordDataSource
    except ImportError:
        fail(path, "array_record is not installed", "pip install 'exogan-jax[prep]'")
    for split in info["splits"]:
        lengths = [int(n) for n in split["shardLengths"]]
        total = f"{len(lengths):05d}"
        shards = [
            path / f"{info['name']}-{split['name']}.array_record-{i:05d}-of-{total}"
            for i in range(len(lengths))
        ]
        for shard in shards:
            if not shard.is_file():
                fail(shard, "not there", "copy the whole folder")
        records = ArrayRecordDataSource([str(shard) for shard in shards])
        if len(records) != sum(lengths):
            what = f"{split['name']} has {len(records)} examples, not {sum(lengths)}"
            fail(path, what, "make the dataset again")
        for i in range(len(records)):
            yield f"{split['name']} {i + 1}", examples_of(records[i])


def _cell(values: Any, rank: int) -> Any:
    """What a column's cell holds: a list, or one value."""
    if isinstance(values, list):
        values = np.array([x.decode(errors="replace") for x in values])
    return values if rank else values[0]


def _column(cells: list[Any]) -> np.ndarray:
    """Numbers, or arrays of different lengths as objects."""
    if len({np.shape(cell) for cell in cells}) == 1:
        return np.array(cells)
    column = np.empty(len(cells), object)
    column[:] = cells
    return column
