"""What the arguments of a command name: files, folders and patterns."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

#: Endings of the files of a folder that are taken to be spectra.
ENDINGS = frozenset(
    f".{ending}"
    for ending in (
        *("dat", "txt", "csv", "tsv", "ecsv", "tbl", "ipac", "cds", "mrt", "ascii"),
        *("fits", "fit", "fts", "h5", "hdf5", "nc"),
    )
)


def expand(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files that arguments name, each once, in the order of the arguments, a folder's and a
    pattern's by their names.

    Args:
      arguments: files, folders (their files with the `ENDINGS` of spectra, hidden ones and those
        of folders below left out), or patterns that no file's name is (`**` goes into folders).

    Returns:
      The files, and a line for each argument that names none.
    """
    files: dict[str, None] = {}
    problems = []
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = sorted(
                str(p) for p in path.iterdir()
                if p.suffix.lower() in ENDINGS and not p.name.startswith(".") and p.is_file()
            )  # fmt: skip
            if not found:
                problems.append(
                    f"{argument}: a folder without spectra (files that end in .dat, .txt, .csv, "
                    ".fits, .nc, ...); name them by a pattern"
                )
        elif glob.has_magic(argument) and not path.exists():
            matches = sorted(glob.glob(argument, recursive=True))
            found = [m for m in matches if Path(m).is_file() and Path(m).suffix != ".par"]
            if not found:
                problems.append(f"{argument}: no file's name is like this pattern")
        else:
            found = [argument]
        files |= dict.fromkeys(found)
    return list(files), problems
