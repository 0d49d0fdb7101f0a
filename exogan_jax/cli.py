"""The command `exogan`.

Nothing heavy is imported before every input file has been read and checked, so that a mistake is
reported at once. Exit status: 0, 1 if a figure could not be drawn, 2 if an input or an option was
bad (what could be retrieved is), 130 if interrupted.
"""

from __future__ import annotations

import argparse
import importlib.resources
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exogan_jax import __version__

if TYPE_CHECKING:
    from exogan_jax.files.rundir import Job
    from exogan_jax.files.spectra import Spectrum
    from exogan_jax.retrieval.results import Retrieval

_SUMMARY = "summary.ecsv"


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
        prog="exogan", description="Atmospheres of transiting planets from their spectra."
    )
    parser.add_argument("--version", action="version", version=f"exogan {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    sub = commands.add_parser(
        "retrieve",
        help="retrieve atmospheric parameters from transmission spectra",
        description="Retrieves H2O, CO2, CO, CH4, mass, radius and temperature from each spectrum. "
        "A FILE is a table of wavelengths, transit depths and errors: text, CSV, ECSV, IPAC, FITS, "
        "HDF5 or NetCDF; `exogan inspect FILE` shows how it is read. A file of the same name that "
        "ends in .par gives the star's radius.",
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
        "--model", metavar="NAME", help="a shipped model, or a file (default: compact)"
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
    _add_reading_options(sub)
    sub = commands.add_parser(
        "inspect",
        help="show what is read from the file of a spectrum",
        description="Shows the columns of each FILE with the roles and units they are given, "
        "the number of points, their range, signal to noise, instruments, a plot and all notes.",
    )
    sub.add_argument("files", nargs="+", metavar="FILE", help="a spectrum")
    sub.add_argument("--png", metavar="PNG", type=Path, help="draw the spectra into this file too")
    _add_reading_options(sub)
    commands.add_parser("models", help="list the models that ship with the package")
    commands.add_parser("data", help="build datasets for training (`exogan data --help`)")
    return parser


def _add_reading_options(sub: argparse.ArgumentParser) -> None:
    """The options that settle how files are read."""
    sub.add_argument(
        "--columns",
        metavar="ROLES",
        help="what the columns are, as wavelength,half_width,depth,error (- for none), or "
        "depth=NAME,error=NAME,wavelength=NAME",
    )
    sub.add_argument(
        "--units",
        metavar="UNITS",
        help="of the columns, as um,um,ppm,ppm, or NAME=nm by a column's name or role",
    )
    sub.add_argument("--select", metavar="NAME", help="which of several spectra in a file")
    sub.add_argument("--star-radius", metavar="R_SUN", type=float, help="instead of the .par's")


def _choices(args: argparse.Namespace) -> dict[str, Any]:
    return {key: getattr(args, key) for key in ("columns", "units", "select", "star_radius")}


def _read_all(files: Sequence[str], choices: dict[str, Any]) -> tuple[list[Spectrum], int]:
    """The spectra that can be read, ready for the model, and the number that cannot; reports what
    was read, and what could not be.
    """
    from exogan_jax.files.averaging import averaged_spectrum
    from exogan_jax.files.inspect import line_of
    from exogan_jax.files.spectra import MODEL_WAVELENGTH_UM, SpectrumError, read_spectrum

    spectra, bad = [], 0
    for file in files:
        try:
            spectrum = read_spectrum(file, **choices)
            _say("read", line_of(spectrum))
            spectrum = averaged_spectrum(spectrum, MODEL_WAVELENGTH_UM)
            for note in spectrum.notes:
                _say("note", note)
            spectra.append(spectrum)
        except SpectrumError as error:
            _say("error", error)
            bad += 1
    return spectra, bad


def _distinct_names(spectra: Sequence[Spectrum]) -> list[str]:
    """A folder name for each spectrum: its stem, numbered if taken; reports changed names."""
    taken = {_SUMMARY}
    names = []
    for spectrum in spectra:
        stem = spectrum.name.encode(errors="replace").decode()  # a file's name may be no text
        stem = stem if stem.strip(".") else "spectrum"
        name, number = stem, 1
        while name.casefold() in taken:  # some file systems ignore the case
            number += 1
            name = f"{stem}_{number}"
        if name != spectrum.name:
            _say("note", f"{spectrum.path}: its results go to {name}/")
        taken.add(name.casefold())
        names.append(name)
    return names


def _check_out(out: Path, names: Sequence[str]) -> None:
    """Makes the folder of the results, and sees that they can be written."""
    try:
        for path in (out, *(out / name for name in names)):
            if path.exists() and not path.is_dir():
                raise _UserError(f"--out: {path} is a file, not a folder; name another folder")
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise _UserError(f"--out: cannot write to {out} ({error.strerror})") from None


def _load_model(name: str | None) -> Any:
    from exogan_jax.files.checkpoints import load_model

    try:
        return load_model(name)
    except (OSError, ValueError) as error:
        raise _UserError(f"--model: {error}") from None


def _compute(jobs: Sequence[Job], model: Any, done: dict[str, Retrieval]) -> None:
    """Retrieves the jobs with a progress bar; saves each result, and adds it to `done`."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

    from exogan_jax.api import retrieve
    from exogan_jax.files import rundir

    by_name = {job.name: job for job in jobs}

    def keep(chunk: Retrieval) -> None:
        for i, name in enumerate(chunk.names):
            done[name] = chunk[i : i + 1]
            rundir.save(by_name[name], done[name])

    settings = jobs[0].settings
    columns = (SpinnerColumn(), *Progress.get_default_columns()[:2], MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("retrieving", total=len(jobs))
        retrieve(
            [job.spectrum.observation for job in jobs],
            model,
            names=[job.name for job in jobs],
            seed=int(settings["seed"]),
            n_starts=int(settings["n_starts"]),
            n_steps=int(settings["n_steps"]),
            likelihood=str(settings["likelihood"]),
            encoder=settings["starts"] == "encoder",
            progress=lambda count, total: bar.update(task, completed=count, total=total),
            on_result=keep,
        )


def _draw(jobs: Sequence[Job], done: dict[str, Retrieval]) -> int:
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
    spectra, bad = _read_all(files, _choices(args))
    if not spectra:
        return 2
    names = _distinct_names(spectra)
    _check_out(args.out, names)

    from exogan_jax.files import rundir
    from exogan_jax.files.report import print_report
    from exogan_jax.files.results import write_summary
    from exogan_jax.retrieval.catalogue import default_steps
    from exogan_jax.retrieval.results import concatenate

    model = _load_model(args.model)
    encoder = model.encoder is not None and not args.no_encoder
    jobs, unusable = rundir.plan(
        spectra,
        names,
        args.out,
        model=args.model,
        seed=args.seed,
        n_starts=args.starts,
        n_steps=args.steps or default_steps(encoder),
        likelihood=args.likelihood,
        encoder=encoder,
    )
    for line in unusable:
        _say("error", line)
    if not jobs:
        return 2
    saved = {} if args.overwrite else {job.name: rundir.load(job) for job in jobs}
    done = {name: retrieval for name, retrieval in saved.items() if retrieval is not None}
    if done:
        _say(
            "note",
            f"{len(done)} of {len(jobs)} spectra are done already in {args.out}: "
            "used again (--overwrite does them anew)",
        )
    todo = [job for job in jobs if job.name not in done]
    try:
        if todo:
            _compute(todo, model, done)
        results = concatenate([done[job.name] for job in jobs])
        write_summary(args.out / _SUMMARY, results)
    except OSError as error:
        raise _UserError(f"--out: cannot write to {args.out} ({error})") from None
    failed = 0 if args.no_plots else _draw(jobs, done)
    if hasattr(sys.stdout, "reconfigure"):  # a terminal that lacks a character still gets its table
        sys.stdout.reconfigure(errors="replace")
    print_report(results, [job.spectrum.truth for job in jobs])
    print(f"Results are in {args.out}")
    return 2 if bad or unusable else 1 if failed else 0


def _inspect(args: argparse.Namespace) -> int:
    from exogan_jax.files.inspect import inspect_files

    try:
        bad = inspect_files(args.files, _choices(args), args.png, lambda e: _say("error", e))
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
