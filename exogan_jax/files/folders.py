"""The names of a run's folders, and whether they can be written; cheap to import."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

SUMMARY, PARQUET = "summary.ecsv", "summary.parquet"
#: Runs of up to so many spectra have files and figures of each beside the store; results of more
#: are not thrown away unless the user says so.
FEW = 20
#: What else lies in a folder of results.
_TAKEN = SUMMARY, PARQUET, "results.zarr", "report.html", "reading.txt"


def distinct_names(stems: Sequence[str]) -> list[str]:
    """A folder name for each spectrum: its file's stem, numbered if taken."""
    taken = set(_TAKEN)
    names = []
    for stem in stems:
        stem = stem.encode(errors="replace").decode()  # a file's name may be no text
        stem = stem if stem.strip(".") else "spectrum"
        name, number = stem, 1
        while name.casefold() in taken:  # some file systems ignore the case
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def make_folder(out: Path, names: Sequence[str]) -> None:
    """Makes the folder of the results, and sees that they can be written.

    Raises:
      ValueError: it cannot be; one line.
    """
    try:
        for path in (out, *(out / name for name in names)):
            if path.exists() and not path.is_dir():
                raise ValueError(f"{path} is a file, not a folder; name another folder")
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise ValueError(f"cannot write to {out} ({error.strerror})") from None


def part_folder(out: Path, part: tuple[int, int]) -> Path:
    """Where a part of a run keeps its results."""
    index, count = part
    return out / f"part-{index}-of-{count}"


def part_folders(out: Path) -> list[Path]:
    """The folders of all parts that were begun."""
    return sorted(path for path in out.glob("part-*-of-*") if path.is_dir())
