"""Blocks of a dataset: each is written once, whole or not at all, in any order and by any process;
then all are put together.

STAGE/plan.json                              what is being built
STAGE/block-00012-train.array_record, ...    the files of a block, one per split
STAGE/block-00012.json                       written last: the block is done
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from data_prep.pkgz import ChunkError
from data_prep.plans import Plan
from exogan_jax.files.atomic import replacing
from exogan_jax.files.records import RecordFormat, Spectra
from exogan_jax.layout import Layout
from exogan_jax.physics.split import SPLITS, split_rows

#: As TFDS writes them, and as random access needs them.
_WRITER_OPTIONS = "group_size:1"


class Block(NamedTuple):
    """A block that is done."""

    number: int
    lengths: dict[str, int]  # spectra in each split
    problem: str | None = None  # why it was skipped


def _marker(stage: Path, block: int) -> Path:
    return stage / f"block-{block:05d}.json"


def block_file(stage: Path, block: int, split: str) -> Path:
    """Where the spectra of a block and a split are kept."""
    return stage / f"block-{block:05d}-{split}.array_record"


def record_format(layout: Layout) -> RecordFormat:
    """How a problem's spectra are stored."""
    return RecordFormat(layout.n_wavelength, len(layout.parameters))


def _write(path: Path, spectra: Spectra, layout: Layout) -> None:
    from array_record.python.array_record_module import ArrayRecordWriter

    with replacing(path) as temporary:
        writer = ArrayRecordWriter(str(temporary), _WRITER_OPTIONS)
        for record in record_format(layout).pack(spectra):
            writer.write(record)
        writer.close()


def _write_json(path: Path, contents: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(contents, indent=1, sort_keys=True))


def done_block(stage: Path, block: int) -> Block | None:
    """The block, if it is done."""
    try:
        marker = json.loads(_marker(stage, block).read_text())
    except FileNotFoundError:
        return None
    sizes = marker.pop("sizes")
    for split, size in sizes.items():
        path = block_file(stage, block, split)
        if not path.is_file() or path.stat().st_size != size:
            return None
    return Block(**marker)


def make_block(plan: Plan, block: int, stage: Path, skip_bad: bool = False) -> Block:
    """Makes a block and writes its files, unless that is done.

    Args:
      plan: what to make.
      block: its number.
      stage: an existing folder, shared by all that work on the dataset.
      skip_bad: leave a chunk that cannot be read out of the dataset, whole, and say so in
        `problem`; otherwise its error is raised.

    Raises:
      ChunkError: a chunk cannot be read.
    """
    if (done := done_block(stage, block)) and not (done.problem and not skip_bad):
        return done
    try:
        spectra = plan.make(block)
    except ChunkError as error:
        if not skip_bad:
            raise
        result = Block(block, dict.fromkeys(SPLITS, 0), str(error))
        _write_json(_marker(stage, block), {**result._asdict(), "sizes": {}})
        return result
    lengths, sizes = {}, {}
    for split, rows in split_rows(spectra.theta, plan.layout.parameters).items():
        lengths[split] = len(rows)
        if len(rows):
            path = block_file(stage, block, split)
            _write(path, Spectra(*(x[rows] for x in spectra)), plan.layout)
            sizes[split] = path.stat().st_size
    result = Block(block, lengths)
    _write_json(_marker(stage, block), {**result._asdict(), "sizes": sizes})
    return result


def open_stage(stage: Path, plan: Plan) -> None:
    """Makes the folder, or checks that what was begun there is the same dataset.

    Raises:
      ValueError: another dataset was begun there.
    """
    stage.mkdir(parents=True, exist_ok=True)
    path = stage / "plan.json"
    wanted = json.loads(json.dumps(plan.describe()))
    if path.is_file():
        begun = json.loads(path.read_text())
        if begun != wanted:
            differing = sorted(k for k in begun.keys() | wanted if begun.get(k) != wanted.get(k))
            raise ValueError(
                f"{stage}: a build with another {', '.join(differing)} was begun there; finish "
                "that, or delete the folder"
            )
    else:
        _write_json(path, wanted)


def link_block(stage: Path, block: int, split: str, target: Path) -> None:
    """Puts a block's file where the dataset wants it.

    The file in the stage stays, so that nothing is lost if the build is killed in between.
    """
    source = block_file(stage, block, split)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
