"""The significance of each component of an atmosphere, in files: a table beside each posterior and
columns of the summary.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from exogan_jax.files.atomic import replacing
from exogan_jax.files.physics import physics_of
from exogan_jax.gan.model import Model
from exogan_jax.retrieval.result import Posterior
from exogan_jax.retrieval.settings import Settings
from exogan_jax.retrieval.significance import Significance, significances

if TYPE_CHECKING:
    from astropy.table import QTable

    from exogan_jax.files.rundir import Job

SIGNIFICANCE = "significance.ecsv"


def write_significance(path: str | os.PathLike[str], found: Sequence[Significance]) -> None:
    """Writes one row per component.

    Raises:
      OSError: the folder is missing or not writable.
    """
    from astropy.table import QTable

    table = QTable(
        rows=[*found] or None, names=Significance._fields, dtype=(str, *[float] * 3, str)
    )
    table["log_bayes"].info.description = "ln(evidence with it / evidence without)"
    table["sigma"].info.description = "at most (Sellke et al. 2001); negative: against"
    with replacing(path) as temporary:
        table.write(temporary, format="ascii.ecsv")


def read_significance(path: str | os.PathLike[str]) -> list[Significance]:
    """Reads what `write_significance` wrote."""
    from astropy.table import QTable

    rows = QTable.read(path, format="ascii.ecsv")
    columns = (rows[name].tolist() for name in Significance._fields)
    return [Significance(*row) for row in zip(*columns, strict=True)]


def weigh(job: Job, posterior: Posterior, model: Model, settings: Settings) -> list[Significance]:
    """The components of a job's answer; those of an earlier run that are as old as its posterior.

    Raises:
      OSError: the folder cannot be written.
    """
    path: Path = job.folder / SIGNIFICANCE
    source = job.posterior if job.posterior.exists() else None
    if source and path.exists() and path.stat().st_mtime >= source.stat().st_mtime:
        return read_significance(path)
    found = significances(
        posterior,
        job.spectrum.observation,
        model,
        settings,
        priors=job.priors,
        physics=physics_of(model),
    )
    job.folder.mkdir(exist_ok=True)
    write_significance(path, found)
    return found


def weigh_all(
    jobs: Sequence[Job], done: Mapping[str, Posterior], model: Model, settings: Settings
) -> dict[str, list[Significance]]:
    """The components of each job's answer, by the jobs' names, with a progress bar."""
    from rich.console import Console
    from rich.progress import track

    each = track(jobs, "weighing", console=Console(stderr=True))
    return {job.name: weigh(job, done[job.name], model, settings) for job in each}


def add_columns(table: QTable, found: Mapping[str, Sequence[Significance]]) -> None:
    """Adds `<parameter>_log_bayes` and `<parameter>_sigma` to a summary; NaN where not known.

    Args:
      table: one row per spectrum.
      found: by the spectra's names.
    """
    names = dict.fromkeys(one.parameter for each in found.values() for one in each)
    for name in names:
        for field in ("log_bayes", "sigma"):
            values = {
                spectrum: getattr(one, field)
                for spectrum, each in found.items()
                for one in each
                if one.parameter == name
            }
            table[f"{name}_{field}"] = np.array([values.get(str(n), np.nan) for n in table["name"]])
