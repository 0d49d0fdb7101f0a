"""The table of a run: one row per spectrum, as ECSV or, for very many, as Parquet."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from exogan_jax.files.atomic import replacing
from exogan_jax.files.folders import PARQUET, SUMMARY
from exogan_jax.files.rows import DONE, Rows
from exogan_jax.files.significance_table import add_columns
from exogan_jax.parameters import Parameters
from exogan_jax.retrieval.priors import Prior
from exogan_jax.retrieval.significance import Significance
from exogan_jax.retrieval.tables import DIAGNOSTICS, summary_of

if TYPE_CHECKING:
    from astropy.table import QTable

#: Rows that a text table may have; more make a Parquet file.
MOST: Final = 100_000
#: Spectra whose priors are repeated in the table's header; the store has those of all.
_MOST_PRIORS: Final = 1000
#: Fields of the rows that the table is made of.
COLUMNS: Final = ("name", "quantiles", *DIAGNOSTICS, "flags", "status")


def check_size(n: int) -> None:
    """Raises ValueError where the table would need a package that is not there; before anything
    is computed.
    """
    if n > MOST and importlib.util.find_spec("pyarrow") is None:
        raise ValueError(
            f"the summary of more than {MOST} spectra is a Parquet file, which needs PyArrow: "
            "pip install 'exogan-jax[parquet]'"
        )


def summary_table(rows: Rows, parameters: Parameters) -> QTable:
    """One row per spectrum: `Retrieval.summary()`, and a `status`, "ok" or what went wrong.

    Args:
      rows: `COLUMNS` of them.
      parameters: the problem's.
    """
    values = {name: rows[name] for name in DIAGNOSTICS}
    table = summary_of(
        parameters, list(rows["name"]), rows["quantiles"], values, list(rows["flags"])
    )
    table["status"] = np.array(rows["status"], dtype=str)
    table["status"].info.description = f"{DONE}, or why there is no answer"
    return table


def write_summary(
    folder: Path,
    table: QTable,
    priors: Mapping[str, Mapping[str, Prior]] | None = None,
    significance: Mapping[str, Sequence[Significance]] | None = None,
) -> Path:
    """Writes `summary.ecsv`, or `summary.parquet` for more than `MOST` rows; removes the other.

    Args:
      folder: of the run.
      table: `summary_table`, or a retrieval's `summary()`.
      priors: name of a spectrum -> parameter -> prior, in its unit; kept in the table's meta.
      significance: name of a spectrum -> its components', as columns.

    Returns:
      The file.

    Raises:
      OSError: the folder is missing or not writable.
    """
    if significance:
        add_columns(table, significance)
    used = {name: own for name, own in (priors or {}).items() if own}
    if 0 < len(used) <= _MOST_PRIORS:
        table.meta["priors"] = {
            name: {parameter: str(prior) for parameter, prior in own.items()}
            for name, own in used.items()
        }
    large = len(table) > MOST
    path, other = folder / (PARQUET if large else SUMMARY), folder / (SUMMARY if large else PARQUET)
    with replacing(path) as temporary:
        table.write(temporary, format="parquet" if large else "ascii.ecsv")
    other.unlink(missing_ok=True)
    return path
