"""Opening a file of any format as tables of named columns with their units, as written.

Text in columns is for `text_tables`, FITS, ECSV, IPAC and CDS for `astropy_tables`, HDF5 and NetCDF
for `hdf_tables`. Which it is, the content says, never the file's name. Nothing in a file runs code.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from exogan_jax.files.text import decode_lines, fail, read_bytes, shown

#: First bytes -> what the file is, for formats that are not read.
_OTHERS = {
    b"\x93NUMPY": "a NumPy file",
    b"PK\x03\x04": "a zip archive, a spreadsheet or a NumPy .npz",
    b"\x1f\x8b": "compressed by gzip",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x80\x02": "a Python pickle, which could run code",
    b"\x80\x03": "a Python pickle, which could run code",
    b"\x80\x04": "a Python pickle, which could run code",
    b"\x80\x05": "a Python pickle, which could run code",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"\xff\xfe": "UTF-16 text (not a text file in UTF-8)",
    b"\xfe\xff": "UTF-16 text (not a text file in UTF-8)",
}
#: What files write in the place of a value that is not there.
MISSING = frozenset(
    ("nan", "null", "none", "-", "--", "---", "n/a", "na", "n.a.", "masked", "..", "...", "…")
)


@dataclass(frozen=True)
class Column:
    """One column of a table, as the file holds it."""

    name: str  # "" if the file gives none
    unit: str  # as written, "" if none
    values: np.ndarray  # (n,) float64 with NaN where missing, or str with "" where missing

    @property
    def numeric(self) -> bool:
        """Whether it holds numbers."""
        return self.values.dtype.kind == "f"


@dataclass(frozen=True)
class Table:
    """A table as read, before anything is made of it."""

    path: Path
    columns: tuple[Column, ...]
    rows: np.ndarray  # (n,) number of each row: its line in a text file
    form: str  # "text", "ECSV", "FITS", ...
    word: str = "line"  # what `rows` counts
    label: str = ""  # of a table among several in a file
    sha256: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def named(self) -> bool:
        """Whether any column has a name."""
        return any(column.name for column in self.columns)

    def where(self, row: int) -> str:
        """How to call the row: "line 12"."""
        return f"{self.word} {self.rows[row]}"

    def title(self, index: int, role: str = "") -> str:
        """How to call a column in a message: "column 2 (depth)", by its name or else its role."""
        name = self.columns[index].name or role
        return f"column {index + 1}" + (f" ({shown(name)})" if name else "")

    def fail(self, problem: str, remedy: str = "", row: int | None = None) -> NoReturn:
        """Raises a `SpectrumError` that names the file and the row."""
        where = "" if row is None else f"{self.where(row)}: "
        fail(self.path, where + problem, remedy)


def open_tables(path: Path) -> list[Table]:
    """The tables of a file, at least one.

    Raises:
      SpectrumError: no such file, or nothing that can be read as a table.
    """
    if path.suffix == ".par":
        fail(path, "is a parameter file", "name the spectrum; its .par is found beside it")
    content = read_bytes(path)
    sha256 = hashlib.sha256(content).hexdigest()
    remedy = "save the spectrum as text in columns, CSV, ECSV, FITS or NetCDF"
    if content.startswith((b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"CDF\x02", b"CDF\x05", b"SIMPLE  =")):
        if content.startswith(b"SIMPLE"):
            from exogan_jax.files.astropy_tables import fits_tables

            return fits_tables(path, content, sha256)
        from exogan_jax.files.hdf_tables import hdf_tables

        return hdf_tables(path, content, sha256)
    for magic, what in _OTHERS.items():
        if content.startswith(magic):
            fail(path, f"not a text file but {what}", remedy)
    if path.suffix in (".py", ".ipynb", ".pkl", ".pickle", ".tex"):
        fail(path, f"is a {path.suffix} file, not a table, and is not run", remedy)
    lines = decode_lines(path, content)
    start = content.lstrip()[:200].lower()
    if start.startswith((b"<", b"{", b"[{")):
        what = "a web page" if b"html" in start else "XML" if start.startswith(b"<") else "JSON"
        fail(path, f"is {what}, not a table", remedy)
    return _text(path, lines, sha256)


def _text(path: Path, lines: list[str], sha256: str) -> list[Table]:
    """The tables of a text: ECSV, IPAC and CDS tables have headers of their own."""
    first = next((line for line in lines if line.strip()), "")
    bars = [line.rstrip().startswith("|") for line in lines if line.strip() and line[0] != "\\"]
    form = ""
    if first.startswith("# %ECSV"):
        form = "ECSV"
    elif any(line.startswith("Byte-by-byte Description") for line in lines[:200]):
        form = "CDS"
    elif len(bars) > 1 and bars[0] and bars[1] and not bars[-1]:
        form = "IPAC"
    if form:
        from exogan_jax.files.astropy_tables import header_table

        return [header_table(path, lines, form, sha256)]
    from exogan_jax.files.text_tables import text_table

    return [text_table(path, lines, sha256)]
