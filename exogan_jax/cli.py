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


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Parser of a whole number in [low, high]."""

    def parse(text: str) -> int:
        if not text.strip().isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, {low} to {high}")
        return int(text)

    return parse


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
        "`exogan models` lists. A FILE has columns wavelength [um], transit depth, 1-sigma "
        "error and, if you like, bin width [um]. A file of the same name that ends in .par gives "
        "the star's radius.",
        epilog="Writes DIR/summary.ecsv, and posterior.nc and figures in DIR/<spectrum>/. "
        "A spectrum already done in DIR with the same input and options is not done again.",
    )
    count = whole_number(1, 1_000_000)
    sub.add_argument("files", nargs="*", metavar="FILE", help="a spectrum")
    sub.add_argument("--example", action="store_true", help="retrieve the bundled example spectrum")
    sub.add_argument("--out", required=True, metavar="DIR", type=Path, help="folder of the results")
    sub.add_argument(
        "--seed",
        type=whole_number(0, 2**32 - 1),
        default=0,
        help="of the random numbers (default 0)",
    )
    sub.add_argument(
        "--model", metavar="NAME", help="a shipped model, or a file; * in `exogan models`: default"
    )
    sub.add_argument("--starts", type=count, metavar="N", help="starts a spectrum (default 64)")
    sub.add_argument("--steps", type=count, metavar="N", help="optimiser steps a start")
    sub.add_argument(
        "--likelihood",
        choices=("gaussian", "paper"),
        default="gaussian",
        help="compare depths with their errors, or pixels as the paper does (default gaussian)",
    )
    sub.add_argument(
        "--no-encoder",
        action="store_true",
        help="start anywhere, as the paper does, instead of where the model's encoder says",
    )
    sub.add_argument("--no-plots", action="store_true", help="write no figures")
    sub.add_argument("--overwrite", action="store_true", help="do everything again")
    commands.add_parser("models", help="list the models that ship with the package")
    commands.add_parser("data", help="build datasets for training (`exogan data --help`)")
    return parser


def _read_all(files: Sequence[str], layout: Layout) -> tuple[list[Spectrum], int]:
    """The spectra that can be read, and the number that cannot; reports the latter."""
    from exogan_jax.files.spectra import SpectrumError, notes_for, read_spectrum

    spectra, bad = [], 0
    for file in files:
        try:
            spectrum = read_spectrum(file, layout.wavelength_um)
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
            rundir.save(by_name[posterior.name], posterior)

    columns = (SpinnerColumn(), *Progress.get_default_columns()[:2], MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("retrieving", total=len(jobs))
        retrieve(
            [job.spectrum.observation for job in jobs],
            model,
            names=[job.name for job in jobs],
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


def _settings(args: argparse.Namespace) -> Settings:
    from exogan_jax.retrieval.settings import Settings

    given = {"n_starts": args.starts, "n_steps": args.steps}
    return Settings(
        seed=args.seed,
        likelihood=args.likelihood,
        encoder=not args.no_encoder,
        **{name: value for name, value in given.items() if value is not None},
    )


def _retrieve(args: argparse.Namespace) -> int:
    files = list(args.files)
    if args.example:
        files.append(str(importlib.resources.files("exogan_jax") / "assets" / "example.dat"))
    from exogan_jax.files.headers import model_layout

    layout = _load(model_layout, args.model)
    spectra, bad = _read_all(files, layout)
    if not spectra:
        return 2
    names = _prepare(spectra, args.out)

    from exogan_jax.files import rundir
    from exogan_jax.files.compiled import keep_compiled
    from exogan_jax.files.folders import SUMMARY
    from exogan_jax.files.posteriors import write_summary
    from exogan_jax.files.report import print_report
    from exogan_jax.files.weights import load_model
    from exogan_jax.retrieval.result import as_retrieval, concatenate

    keep_compiled()
    model = _load(load_model, args.model)
    settings = _settings(args).for_model(model.encoder is not None)
    jobs, unusable = rundir.plan(
        spectra, names, args.out, model_name=args.model, layout=layout, settings=settings
    )
    for line in unusable:
        _say("error", line)
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
        write_summary(args.out / SUMMARY, results)
    except OSError as error:
        raise _UserError(f"--out: cannot write to {args.out} ({error})") from None
    failed = 0 if args.no_plots else _draw(jobs, done)
    if hasattr(sys.stdout, "reconfigure"):  # a terminal that lacks a character still gets its table
        sys.stdout.reconfigure(errors="replace")
    print_report(results, [job.truth for job in jobs])
    print(f"Results are in {args.out}")
    return 2 if bad or unusable else 1 if failed else 0


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
    if not args.files and not args.example:
        parser.error("name at least one spectrum FILE, or use --example")
    try:
        return _retrieve(args)
    except _UserError as error:
        _say("error", error)
        return 2
    except KeyboardInterrupt:
        _say("error", f"interrupted; run the same command again to go on from {args.out}")
        return 130


if __name__ == "__main__":
    sys.exit(main())
