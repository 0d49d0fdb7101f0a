"""Tables that astropy reads: FITS, and text with a header of its own (ECSV, IPAC, CDS).

Objects are never made from a file: only numbers and strings are taken, and the YAML header of an
ECSV may hold no tags but those of units and of plain columns.
"""

from __future__ import annotations

import io
import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from exogan_jax.files.fixed_width import cds_columns, check_rows, ipac_columns
from exogan_jax.files.names import describe
from exogan_jax.files.tables import MISSING, Column, Table
from exogan_jax.files.text import fail, quoted

_DEEPEST = 20  # lists within lists in a header
_SAFE_TAGS = ("tag:yaml.org,2002:omap", "!astropy.units.Unit", "!astropy.table.SerializedColumn")


def _values(array: Any) -> np.ndarray | None:
    """A column's values as float64 or text, None if they are neither."""
    mask = np.ma.getmaskarray(array) if isinstance(array, np.ma.MaskedArray) else None
    plain = np.asarray(np.ma.getdata(array))
    if plain.dtype.kind == "O":
        if not all(isinstance(x, (str, bytes)) for x in plain.ravel()[:10_000]):
            return None
        plain = np.array([x.decode(errors="replace") if isinstance(x, bytes) else x for x in plain])
    if plain.dtype.kind == "S":
        plain = np.char.decode(plain, "latin-1")
    if plain.dtype.kind in "biuf":
        plain = plain.astype(np.float64)
        return np.where(mask, np.nan, plain) if mask is not None else plain
    if plain.dtype.kind != "U":
        return None
    plain = np.char.strip(plain)
    gaps = np.isin(np.char.lower(plain), list(MISSING))
    return np.where(gaps if mask is None else gaps | mask, "", plain)


def columns_of(names: list[str], units: list[str], arrays: list[Any]) -> tuple[Column, ...]:
    """The columns of numbers or text, one value per row; a single row of arrays is unrolled."""
    columns = []
    for name, unit, array in zip(names, units, arrays, strict=True):
        values = _values(np.ma.ravel(array) if np.shape(array)[:1] == (1,) else array)
        if values is not None and values.ndim == 1:
            columns.append(Column(str(name), str(unit or ""), values))
    lengths = [column.values.size for column in columns]
    groups = {n: [c for c in columns if c.values.size == n] for n in dict.fromkeys(lengths)}
    # Data may lie beside a model's finer curve: the group that has errors by name is the data's.
    told = [n for n, group in groups.items() if _is_spectrum(group)]
    plain = [n for n in told if not any(describe(c.name).label for c in groups[n])]
    told = plain or told
    most = told[0] if len(told) == 1 else max(lengths, key=lengths.count, default=0)
    return tuple(groups.get(most, []))


def _is_spectrum(columns: list[Column]) -> bool:
    """Whether columns are, by their names, wavelengths and depths with errors that say so."""
    named = [describe(column.name) for column in columns]
    errors = any(n.role.startswith("error") and n.of == "depth" for n in named)
    return errors and {"wavelength", "depth"} <= {n.role for n in named}


def _from_astropy(table: Any) -> tuple[Column, ...]:
    """The columns of an astropy table."""
    names = list(table.colnames)
    units = [getattr(table[name], "unit", None) for name in names]
    arrays = []
    for name in names:
        column = table[name]
        column = getattr(column, "unmasked", column) if hasattr(column, "unmasked") else column
        array = getattr(column, "value", column) if hasattr(column, "unit") else column
        mask = getattr(table[name], "mask", None)
        data = np.ma.getdata(array)
        arrays.append(np.ma.MaskedArray(data, mask) if mask is not None else np.asarray(data))
    return columns_of(names, ["" if unit is None else str(unit) for unit in units], arrays)


def check_yaml(path: Path, lines: list[str]) -> None:
    """Refuses a header of an ECSV that would make objects, or take for ever.

    Raises:
      SpectrumError: naming the line.
    """
    import yaml

    header = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    remedy = "remove it: only numbers and text are read"
    depth = 0
    try:
        for event in yaml.parse("\n".join(line[1:].removeprefix(" ") for line in header[1:])):
            number = event.start_mark.line + 2
            tag = getattr(event, "tag", None)
            if tag not in (None, "!", *_SAFE_TAGS):
                fail(path, f"the header holds the YAML tag {quoted(tag)}", remedy, number)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                fail(path, f"the header holds lists in lists, {depth} deep", remedy, number)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())[:120]
        fail(path, f"the header is no YAML ({reason})", "mend it, or save it as plain columns", 1)


def header_table(path: Path, lines: list[str], form: str, sha256: str) -> Table:
    """A text table whose header astropy reads: form "ECSV", "IPAC" or "CDS".

    Raises:
      SpectrumError: astropy cannot read it.
    """
    from astropy.table import Table as AstropyTable

    if form == "ECSV":
        check_yaml(path, lines)
        start = next((i for i, line in enumerate(lines) if not line.startswith("#")), 0)
        rows = [i for i, line in enumerate(lines, 1) if i > start + 1 and line.strip()]
        rows = [i for i in rows if not lines[i - 1].startswith("#")]
    else:
        try:
            spans, rows = (ipac_columns if form == "IPAC" else cds_columns)(lines)
        except (StopIteration, IndexError):
            spans, rows = [], []
        check_rows(path, form, lines, spans, rows)
    name = {"ECSV": "ascii.ecsv", "IPAC": "ascii.ipac", "CDS": "ascii.cds"}[form]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = AstropyTable.read([line for line in lines if line.strip()], format=name)
            columns = _from_astropy(table)
    except Exception as error:  # astropy raises anything for a broken header
        reason = " ".join(str(error).split())[:120]
        remedy = "mend its header, or save it as plain columns"
        fail(path, f"line 1: cannot be read as {form} ({reason})", remedy)
    n = columns[0].values.size if columns else 0
    if not n:
        fail(path, f"this {form} table has no rows", "give rows of wavelength, depth, error")
    exact = len(rows) == n
    numbers = np.array(rows) if exact else np.arange(1, n + 1)
    return Table(path, columns, numbers, form, "line" if exact else "row", sha256=sha256)


def fits_tables(path: Path, content: bytes, sha256: str) -> list[Table]:
    """The tables of a FITS file, one per extension.

    Raises:
      SpectrumError: damaged, or without a table.
    """
    from astropy.io import fits
    from astropy.table import Table as AstropyTable

    tables = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(io.BytesIO(content), memmap=False) as hdus:
                for i, hdu in enumerate(hdus):
                    if not isinstance(hdu, (fits.BinTableHDU, fits.TableHDU)):
                        continue
                    columns = _from_astropy(AstropyTable.read(hdu))
                    if columns and columns[0].values.size:
                        rows = np.arange(1, columns[0].values.size + 1)
                        label = hdu.name or f"extension {i}"
                        tables.append(Table(path, columns, rows, "FITS", "row", label, sha256))
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        fail(path, f"row 1: a damaged FITS file ({reason})", "copy or download it again")
    if not tables:
        fail(path, "this FITS file holds no table with rows", "save the spectrum as a table")
    return tables
