"""Files of single spectra, made of a run's store."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from exogan_jax.files.fitted import FITTED, write_fitted
from exogan_jax.files.instrument_table import INSTRUMENTS, write_instruments
from exogan_jax.files.posteriors import POSTERIOR, read_posterior, write_posterior
from exogan_jax.files.restore import observation_of, posterior_of, row_named
from exogan_jax.files.results import Results
from exogan_jax.gan.model import Model
from exogan_jax.retrieval.result import Posterior
from exogan_jax.retrieval.settings import Settings

_OWN = ("input_sha256", "reading_sha256", "star_radius", "priors")


def attributes_of(results: Results, name: str, row: dict[str, Any]) -> dict[str, Any]:
    """What a row depends on, as `posterior.nc` has it."""
    own = {
        field: row[field].item() if field == "star_radius" else str(row[field]) for field in _OWN
    }
    return results.made_with(name) | own


def _saved(path: Path, attrs: dict[str, Any]) -> Posterior | None:
    """What the run itself wrote, with all samples, if it is of this row."""
    try:
        posterior, have = read_posterior(path)
    except (FileNotFoundError, ValueError):
        return None
    return posterior if all(attrs.get(key) == value for key, value in have.items()) else None


def export_files(out: Path, results: Results, name: str, model: Model) -> Path:
    """Writes `posterior.nc`, `fit.ecsv` and, where instruments are free, `instruments.ecsv` of a
    spectrum; a `posterior.nc` that is there already, with all samples, stays.

    Args:
      out: folder of the run.
      results: of the run.
      name: of the spectrum.
      model: that it was retrieved with.

    Returns:
      `posterior.nc`.

    Raises:
      KeyError: there is no such spectrum, or it has no answer.
      ValueError: see `restore.posterior_of`.
      OSError: the folder cannot be written.
    """
    row = row_named(results, name)
    attrs = attributes_of(results, name, row)
    path = out / name / POSTERIOR
    posterior = _saved(path, attrs)
    fresh = posterior is None
    if posterior is None:
        posterior = posterior_of(row, model)
    path.parent.mkdir(parents=True, exist_ok=True)
    observation, star_radius = observation_of(row), float(row["star_radius"])
    write_fitted(path.parent / FITTED, posterior, observation, star_radius)
    settings = settings_of(attrs)
    if settings.frees_instruments:
        table = path.parent / INSTRUMENTS
        write_instruments(table, posterior, observation, settings, star_radius)
    if fresh:
        write_posterior(path, posterior, observation, attrs)
    return path


def settings_of(attrs: dict[str, Any]) -> Settings:
    """The settings that attributes tell of."""
    fields = dataclasses.fields(Settings)
    return Settings(**{field.name: attrs[field.name] for field in fields if field.name in attrs})


def export_figures(out: Path, results: Results, name: str, model: Model) -> Path:
    """Draws the figures of a spectrum. As `export_files`; returns the folder."""
    from exogan_jax.files.plots import save_figures

    row = row_named(results, name)
    folder = out / name
    posterior = _saved(folder / POSTERIOR, attributes_of(results, name, row))
    folder.mkdir(parents=True, exist_ok=True)
    truth = row["truth"] if np.isfinite(row["truth"]).any() else None
    answer = posterior or posterior_of(row, model)
    save_figures(folder, answer, observation_of(row), truth)
    return folder
