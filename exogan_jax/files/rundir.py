"""A folder of results: what has been done there with the same input and options, and the rest.

DIR/summary.ecsv       one row per spectrum
DIR/results.zarr       all of it, see `store`

and for a few spectra, or those that `exogan export` and `exogan plot` name:

DIR/<name>/posterior.nc, fit.ecsv, aspa.png, spectrum.png, corner.png, histograms.png
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from exogan_jax import __version__
from exogan_jax.files.fitted import FITTED, write_fitted
from exogan_jax.files.headers import DEFAULT_MODEL, model_names
from exogan_jax.files.instrument_table import INSTRUMENTS, write_instruments
from exogan_jax.files.made_with import weights_sha256
from exogan_jax.files.par import truth_theta
from exogan_jax.files.posteriors import POSTERIOR, Attributes, read_posterior, write_posterior
from exogan_jax.files.rows import Task, digest
from exogan_jax.files.spectra import Spectrum, reading_sha256
from exogan_jax.gan.model import Model
from exogan_jax.layout import Layout
from exogan_jax.parameters import Parameters
from exogan_jax.retrieval.compared import pixel_target
from exogan_jax.retrieval.priors import NOT_ANCHORED, Prior, Resolved, by_name, resolve
from exogan_jax.retrieval.result import Posterior
from exogan_jax.retrieval.settings import Settings

_FIGURES = ("aspa.png", "spectrum.png", "corner.png", "histograms.png")


@dataclasses.dataclass(frozen=True)
class Job:
    """One spectrum of a run."""

    name: str
    spectrum: Spectrum
    folder: Path
    layout: Layout  # the model's
    settings: Attributes  # all that the result depends on beside the layout
    priors: Mapping[str, Prior]  # by the parameters' names
    run: str = ""  # digest of what the run is made with

    @property
    def posterior(self) -> Path:
        """Where the result is kept."""
        return self.folder / POSTERIOR

    @property
    def truth(self) -> Float[np.ndarray, " d"] | None:
        """True parameters (d,), NaN where unknown; None where all are."""
        theta = truth_theta(self.spectrum.truth, self.layout.parameters)
        return theta if np.isfinite(theta).any() else None

    @property
    def task(self) -> Task:
        """What there is to do."""
        path = str(self.spectrum.path).encode(errors="replace").decode()
        own = ("input_sha256", "reading_sha256", "star_radius", "priors")
        return Task(
            self.name,
            digest({**self.settings, "layout": self.layout.to_json()}),
            self.run,
            {"path": path, **{name: self.settings[name] for name in own}},
            self.spectrum.observation,
            self.priors,
            self.truth,
        )


def bad_task(name: str, path: str, problem: str) -> Task:
    """One that cannot be done: its row says why."""
    path, problem = (text.encode(errors="replace").decode() for text in (path, problem))
    about = {"path": path}
    return Task(name, digest({**about, "problem": problem}), "", about, None, {}, None, problem)


def model_id(name_or_path: str | None) -> str:
    """A model's name, a file's without its folder."""
    name = DEFAULT_MODEL if name_or_path is None else name_or_path
    return name if name in model_names() else Path(name).name


def _attribute(value: Any) -> str | int | float:
    """A value that NetCDF can hold: it has no booleans and no None."""
    if value is None:
        return ""
    return int(value) if isinstance(value, bool) else value


def common_settings(settings: Settings, model_name: str | None) -> Attributes:
    """What all results of a run depend on."""
    common = {key: _attribute(value) for key, value in dataclasses.asdict(settings).items()}
    return common | {
        "exogan_jax_version": __version__,
        "model": model_id(model_name),
        "weights_sha256": weights_sha256(model_name),
    }


def priors_of(spectrum: Spectrum, given: Resolved, parameters: Parameters) -> dict[str, Prior]:
    """A spectrum's priors, by the parameters' names: those given, then those of its own file.

    Raises:
      ValueError: one of its file that the model cannot use.
    """
    from_file = {
        role: prior
        for role, prior in spectrum.priors.items()
        if role in parameters.roles and given[parameters.roles.index(role)] is None
    }
    try:
        own = resolve(from_file, parameters)
    except ValueError as error:
        raise ValueError(f"prior of {error} (--prior goes before the .par)") from None
    both = tuple(a or b for a, b in zip(given, own, strict=True))
    return by_name(both, parameters)


def format_priors(priors: Mapping[str, Prior]) -> str:
    """In one line, in the parameters' units."""
    return "; ".join(f"{name}={prior}" for name, prior in priors.items())


def plan(
    spectra: Sequence[Spectrum],
    names: Sequence[str],
    out: Path,
    model: Model,
    *,
    model_name: str | None,
    settings: Settings,
    given: Resolved,
    run: str = "",
) -> tuple[list[Job], list[Task]]:
    """The jobs of a run.

    Args:
      spectra: as read.
      names: of their folders, distinct.
      out: the run's folder.
      model: the networks.
      model_name: name or file of the model; None for the default one.
      settings: with nothing left open, see `Settings.for_model`.
      given: priors of all spectra, which go before those of their own files.
      run: digest of what the run is made with.

    Returns:
      The jobs, and a task with its problem for each spectrum that the likelihood cannot use, or
      whose prior the model cannot.
    """
    common = common_settings(settings, model_name)
    layout = model.layout
    jobs, unusable = [], []
    for name, spectrum in zip(names, spectra, strict=True):
        own: Attributes = {
            "input_sha256": spectrum.sha256,
            "reading_sha256": reading_sha256(spectrum),
            "star_radius": spectrum.star_radius,
        }
        try:
            if settings.likelihood == "paper":
                pixel_target(spectrum.observation, layout)
            known = priors_of(spectrum, given, layout.parameters)
            if known and not model.networks.anchored:
                raise ValueError(NOT_ANCHORED)
            own["priors"] = format_priors(known)
            jobs.append(Job(name, spectrum, out / name, layout, common | own, known, run))
        except ValueError as error:
            unusable.append(bad_task(name, str(spectrum.path), f"{spectrum.path}: {error}"))
    return jobs, unusable


def load(job: Job) -> Posterior | None:
    """The job's result if it was saved with the same settings, and can be read."""
    try:
        posterior, attrs = read_posterior(job.posterior)
    except (FileNotFoundError, ValueError):
        return None
    same = all(attrs.get(key) == value for key, value in job.settings.items())
    same = same and (posterior.name, posterior.layout) == (job.name, job.layout)
    return posterior if same else None


def save(job: Job, posterior: Posterior, settings: Settings) -> None:
    """Saves a job's result, and removes the figures of an earlier one.

    Raises:
      OSError: the folder cannot be written.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    observation, star_radius = job.spectrum.observation, job.spectrum.star_radius
    write_fitted(job.folder / FITTED, posterior, observation, star_radius)
    if settings.frees_instruments:
        table = job.folder / INSTRUMENTS
        write_instruments(table, posterior, observation, settings, star_radius)
    # Last: where it is, the job is done.
    write_posterior(job.posterior, posterior, observation, job.settings)
    for figure in _FIGURES:
        (job.folder / figure).unlink(missing_ok=True)


def draw(job: Job, posterior: Posterior, *, always: bool = False) -> None:
    """Draws the figures of a job, unless they are there and younger than what they show.

    Args:
      job: the spectrum.
      posterior: its answer.
      always: draw them in any case.

    Raises:
      OSError: the folder cannot be written.
    """
    sources = [job.posterior, job.spectrum.path, job.spectrum.path.with_suffix(".par")]
    changed = max((path.stat().st_mtime for path in sources if path.exists()), default=0.0)
    figures = [job.folder / figure for figure in _FIGURES]
    if always or not all(path.exists() and path.stat().st_mtime >= changed for path in figures):
        from exogan_jax.files.plots import save_figures  # Matplotlib: slow to import

        job.folder.mkdir(parents=True, exist_ok=True)
        save_figures(job.folder, posterior, job.spectrum.observation, job.truth)
