"""A folder of results: what has been done there with the same input and options, and the rest.

DIR/summary.ecsv
DIR/<name>/posterior.nc, aspa.png, spectrum.png, corner.png, histograms.png
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exogan_jax import __version__
from exogan_jax.files.checkpoints import DEFAULT_MODEL
from exogan_jax.files.plots import save_figures
from exogan_jax.files.results import read_posterior, write_posterior
from exogan_jax.files.spectra import Spectrum, reading_sha256
from exogan_jax.retrieval.inpaint import N_STARTS
from exogan_jax.retrieval.likelihood import pixel_target
from exogan_jax.retrieval.results import Retrieval

_FIGURES = ("aspa.png", "spectrum.png", "corner.png", "histograms.png")


@dataclass(frozen=True)
class Job:
    """One spectrum of a run."""

    name: str
    spectrum: Spectrum
    folder: Path
    settings: dict[str, str | int | float]  # all that the result depends on

    @property
    def posterior(self) -> Path:
        """Where the result is kept."""
        return self.folder / "posterior.nc"


def model_id(name_or_path: str | None) -> str:
    """A model's name; for a file, with the digest of its content."""
    name = DEFAULT_MODEL if name_or_path is None else name_or_path
    if not Path(name).is_file():
        return name
    with Path(name).open("rb") as file:
        return f"{Path(name).name} sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def plan(
    spectra: Sequence[Spectrum],
    names: Sequence[str],
    out: Path,
    *,
    model: str | None,
    seed: int,
    n_starts: int | None,
    n_steps: int,
    likelihood: str,
    encoder: bool,
) -> tuple[list[Job], list[str]]:
    """The jobs of a run.

    Args:
      spectra: as read.
      names: of their folders, distinct.
      out: the run's folder.
      model: name or file of a model; None for the default one.
      seed: of all random numbers.
      n_starts: starts a spectrum; None for the default.
      n_steps: optimiser steps a start; see `catalogue.default_steps`.
      likelihood: "gaussian" or "paper".
      encoder: start where the model's encoder says, which must be there.

    Returns:
      The jobs, and a line for each spectrum that the likelihood cannot use.
    """
    jobs, unusable = [], []
    for name, spectrum in zip(names, spectra, strict=True):
        settings: dict[str, str | int | float] = {
            "exogan_jax_version": __version__,
            "input_sha256": spectrum.sha256,
            "reading_sha256": reading_sha256(spectrum),
            "star_radius": spectrum.star_radius,
            "model": model_id(model),
            "seed": seed,
            "n_starts": N_STARTS if n_starts is None else n_starts,
            "n_steps": n_steps,
            "likelihood": likelihood,
            "starts": "encoder" if encoder else "anywhere",
        }
        try:
            if likelihood == "paper":
                pixel_target(spectrum.observation)
            jobs.append(Job(name, spectrum, out / name, settings))
        except ValueError as error:
            unusable.append(f"{spectrum.path}: {error}")
    return jobs, unusable


def load(job: Job) -> Retrieval | None:
    """The job's result if it was saved with the same settings, and can be read."""
    try:
        retrieval, attrs = read_posterior(job.posterior)
    except (FileNotFoundError, ValueError):
        return None
    same = all(attrs.get(key) == value for key, value in job.settings.items())
    return retrieval if same and retrieval.names == (job.name,) else None


def save(job: Job, retrieval: Retrieval) -> None:
    """Saves a job's result, and removes the figures of an earlier one.

    Raises:
      OSError: the folder cannot be written.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    write_posterior(job.posterior, retrieval, job.spectrum.observation, job.settings)
    for figure in _FIGURES:
        (job.folder / figure).unlink(missing_ok=True)


def draw(job: Job, retrieval: Retrieval) -> None:
    """Draws the figures of a job, unless they are there and younger than what they show.

    Raises:
      OSError: the folder cannot be written.
    """
    sources = [job.posterior, job.spectrum.path, job.spectrum.path.with_suffix(".par")]
    changed = max(path.stat().st_mtime for path in sources if path.exists())
    figures = [job.folder / figure for figure in _FIGURES]
    if not all(path.exists() and path.stat().st_mtime >= changed for path in figures):
        save_figures(job.folder, retrieval, job.spectrum.observation, job.spectrum.truth)
