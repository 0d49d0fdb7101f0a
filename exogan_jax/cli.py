"""The command `exogan`.

Nothing heavy is imported before every input file has been read and checked, so that a mistake is
reported at once. Exit status: 0, 1 if a figure could not be drawn, 2 if an input or an option was
bad (what could be retrieved is), 130 if interrupted.
"""

from __future__ import annotations

import argparse
import importlib.resources
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exogan_jax import __version__
from exogan_jax.extra_commands import is_there
from exogan_jax.files import options

if TYPE_CHECKING:
    from exogan_jax.files.rundir import Job
    from exogan_jax.files.spectra import Spectrum
    from exogan_jax.gan.model import Model
    from exogan_jax.layout import Layout
    from exogan_jax.retrieval.result import Posterior, Retrieval
    from exogan_jax.retrieval.settings import Settings


class _UserError(Exception):
    """Something the user can put right; ends the run with one line."""


def _say(kind: str, message: object) -> None:
    line = " ".join(str(message).split()).encode(errors="backslashreplace").decode()
    print(f"exogan: {kind}: {line}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="exogan",
        allow_abbrev=False,
        description="Atmospheres of transiting planets from their spectra.",
    )
    parser.add_argument("--version", action="version", version=f"exogan {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    sub = commands.add_parser(
        "retrieve",
        help="retrieve atmospheric parameters from transmission spectra",
        allow_abbrev=False,
        description="Retrieves from each spectrum the parameters of a model's problem, which "
        "`exogan models` lists. A FILE is a table of wavelengths, transit depths and errors: text, "
        "CSV, ECSV, IPAC, CDS, FITS, HDF5 or NetCDF; `exogan inspect FILE` shows how it is read. A "
        "file of the same name that ends in .par gives the star's radius, and measured masses, "
        "radii and temperatures as priors.",
        epilog="Writes DIR/summary.ecsv, and posterior.nc and figures in DIR/<spectrum>/. "
        "A spectrum already done in DIR with the same input and options is not done again.",
    )
    options.add_retrieve(sub)
    sub = commands.add_parser(
        "inspect",
        help="show what is read from the file of a spectrum",
        allow_abbrev=False,
        description="Shows the columns of each FILE with the roles and units they are given, "
        "the number of points, their range, signal to noise, instruments, a plot and all notes.",
    )
    options.add_inspect(sub)
    commands.add_parser("models", help="list the models that ship with the package")
    if is_there("data"):
        commands.add_parser("data", help="build datasets for training (`exogan data --help`)")
    return parser


def _read_all(
    files: Sequence[str], layout: Layout, choices: dict[str, Any], planets: Path | None = None
) -> tuple[list[Spectrum], int]:
    """The spectra that can be read, averaged to the model's grid, and the number that cannot;
    reports what was read, and what could not be.
    """
    from exogan_jax.files.averaging import averaged_spectrum
    from exogan_jax.files.inspect import line_of
    from exogan_jax.files.planets_table import read_planets, read_with
    from exogan_jax.files.spectra import SpectrumError, notes_for

    grid, n_usable = layout.wavelength_um, layout.n_usable
    try:
        rows = read_planets(planets) if planets else {}
    except SpectrumError as error:
        raise _UserError(f"--planets: {error}") from None
    spectra, bad = [], 0
    for file in files:
        try:
            spectrum = read_with(rows, file, grid, n_usable=n_usable, **choices)
            _say("read", line_of(spectrum))
            spectrum = averaged_spectrum(spectrum, grid)
            for note in (*spectrum.notes, *notes_for(spectrum, layout)):
                _say("note", note)
            spectra.append(spectrum)
        except SpectrumError as error:
            _say("error", error)
            bad += 1
    return spectra, bad


def _prepare(spectra: Sequence[Spectrum], out: Path) -> list[str]:
    """Names of the results' folders, which can be written; reports changed names."""
    from exogan_jax.files.folders import distinct_names, make_folder

    names = distinct_names([spectrum.name for spectrum in spectra])
    for spectrum, name in zip(spectra, names, strict=True):
        if name != spectrum.name:
            _say("note", f"{spectrum.path}: its results go to {name}/")
    try:
        make_folder(out, names)
    except ValueError as error:
        raise _UserError(f"--out: {error}") from None
    return names


def _load(read: Callable[[str | None], Any], name: str | None) -> Any:
    """A model, or its layout, by the function that reads it."""
    try:
        return read(name)
    except (OSError, ValueError) as error:
        raise _UserError(f"--model: {error}") from None


def _compute(
    jobs: Sequence[Job], model: Model, settings: Settings, done: dict[str, Posterior]
) -> None:
    """Retrieves the jobs with a progress bar; saves each result, and adds it to `done`."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

    from exogan_jax.api import retrieve
    from exogan_jax.files import rundir

    by_name = {job.name: job for job in jobs}

    def keep(chunk: Retrieval) -> None:
        for posterior in chunk:
            done[posterior.name] = posterior
            rundir.save(by_name[posterior.name], posterior, settings)

    columns = (SpinnerColumn(), *Progress.get_default_columns()[:2], MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("retrieving", total=len(jobs))
        retrieve(
            [job.spectrum.observation for job in jobs],
            model,
            names=[job.name for job in jobs],
            priors=[job.priors for job in jobs],
            settings=settings,
            progress=lambda count, total: bar.update(task, completed=count, total=total),
            on_result=keep,
        )


def _draw(jobs: Sequence[Job], done: dict[str, Posterior]) -> int:
    """Draws the figures; returns the number of spectra for which that failed."""
    from rich.console import Console
    from rich.progress import track

    from exogan_jax.files import rundir

    failed = 0
    for job in track(jobs, "drawing", console=Console(stderr=True)):
        try:
            rundir.draw(job, done[job.name])
        except Exception as error:  # a figure is never worth the run
            _say("error", f"{job.name}: figures not drawn ({type(error).__name__}: {error})")
            failed += 1
    return failed


def _retrieve(args: argparse.Namespace) -> int:
    files = list(args.files)
    if args.example:
        files.append(str(importlib.resources.files("exogan_jax") / "assets" / "example.dat"))
    from exogan_jax.files.headers import model_layout

    layout = _load(model_layout, args.model)
    try:
        given = options.given_priors(args, layout.parameters)
    except ValueError as error:
        raise _UserError(f"--prior: {error}") from None
    spectra, bad = _read_all(files, layout, options.splitting_choices(args), args.planets)
    if not spectra:
        return 2
    names = _prepare(spectra, args.out)

    from exogan_jax.files import rundir
    from exogan_jax.files.compiled import keep_compiled
    from exogan_jax.files.folders import SUMMARY
    from exogan_jax.files.posteriors import write_summary
    from exogan_jax.files.report import print_report
    from exogan_jax.files.significance_table import weigh_all
    from exogan_jax.files.weights import load_model
    from exogan_jax.retrieval.result import as_retrieval, concatenate

    keep_compiled()
    model = _load(load_model, args.model)
    settings = options.settings_of(args).for_model(model.encoder is not None)
    jobs, unusable = rundir.plan(
        spectra, names, args.out, model, model_name=args.model, settings=settings, given=given
    )
    for line in unusable:
        _say("error", line)
    for job in jobs:
        if job.priors:
            _say("prior", f"{job.name}: {job.settings['priors']}")
    if not jobs:
        return 2
    saved = {} if args.overwrite else {job.name: rundir.load(job) for job in jobs}
    done = {name: posterior for name, posterior in saved.items() if posterior is not None}
    if done:
        _say(
            "note",
            f"{len(done)} of {len(jobs)} spectra are done already in {args.out}: "
            "used again (--overwrite does them anew)",
        )
    todo = [job for job in jobs if job.name not in done]
    try:
        if todo:
            _compute(todo, model, settings, done)
        results = concatenate([as_retrieval(done[job.name]) for job in jobs])
        known = {job.name: job.priors for job in jobs}
        weighed = weigh_all(jobs, done, model, settings) if args.significance else None
        write_summary(args.out / SUMMARY, results, known, weighed)
    except OSError as error:
        raise _UserError(f"--out: cannot write to {args.out} ({error})") from None
    failed = 0 if args.no_plots else _draw(jobs, done)
    if hasattr(sys.stdout, "reconfigure"):  # a terminal that lacks a character still gets its table
        sys.stdout.reconfigure(errors="replace")
    print_report(results, [job.truth for job in jobs])
    print(f"Results are in {args.out}")
    return 2 if bad or unusable else 1 if failed else 0


def _inspect(args: argparse.Namespace) -> int:
    from exogan_jax.files.headers import model_layout
    from exogan_jax.files.inspect import inspect_files

    layout, choices = _load(model_layout, args.model), options.reading_choices(args)
    try:
        bad = inspect_files(args.files, layout, choices, args.png, lambda e: _say("error", e))
    except OSError as error:
        raise _UserError(f"--png: cannot write {args.png} ({error.strerror})") from None
    return 2 if bad else 0


def _models() -> int:
    from exogan_jax.files.report import print_models

    print_models()
    return 0


def _other_command(name: str, argv: Sequence[str]) -> int:
    """Runs a command that another package brings, by the entry point that it declares."""
    from importlib.metadata import entry_points

    try:
        (entry,) = entry_points(group="exogan.commands", name=name)
        run = entry.load()
    except (ValueError, ImportError):
        _say("error", f"{name}: needs the source and its extra: pip install -e '.[prep]' there")
        return 2
    return int(run(argv))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status (see the module's docstring).

    Args:
      argv: the arguments, `sys.argv[1:]` by default.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] == ["data"]:
        return _other_command("data", argv[1:])
    parser = _parser()
    args = parser.parse_args(argv)
    if args.command == "models":
        return _models()
    inspecting = args.command == "inspect"
    if not inspecting and not args.files and not args.example:
        parser.error("name at least one spectrum FILE, or use --example")
    try:
        return _inspect(args) if inspecting else _retrieve(args)
    except _UserError as error:
        _say("error", error)
        return 2
    except KeyboardInterrupt:
        again = "" if inspecting else f"; run the same command again to go on from {args.out}"
        _say("error", f"interrupted{again}")
        return 130


if __name__ == "__main__":
    sys.exit(main())
