"""`exogan retrieve`: reads spectra, retrieves what is not done yet, says what came of it."""

from __future__ import annotations

import argparse
import importlib.resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from exogan_jax.cli_base import UserError, load, say
from exogan_jax.files import options
from exogan_jax.files.folders import FEW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exogan_jax.cli_run import Run
    from exogan_jax.files.catalogue_tables import CatalogueRow
    from exogan_jax.files.reading import Input, Quiet
    from exogan_jax.files.results import Results
    from exogan_jax.layout import Layout
    from exogan_jax.retrieval.priors import Resolved


class _Found(NamedTuple):
    """The spectra of a run, or of its part."""

    inputs: list[Input]
    n_all: int  # of all parts
    n_bad: int  # arguments that name no file
    quiet: Quiet | None  # what was said of many


def retrieve(args: argparse.Namespace) -> int:
    """Runs the command; returns its exit status."""
    from exogan_jax.files.headers import model_layout

    layout = load(model_layout, args.model)
    try:
        given = options.given_priors(args, layout.parameters)
    except ValueError as error:
        raise UserError(f"--prior: {error}") from None
    found = _read(args, layout)
    if not any(one.spectrum for one in found.inputs):
        return 2
    _prepare(found, args.out)

    from exogan_jax.files.lock import Busy, locked

    try:
        with locked(args.out, args.part):
            return _locked(args, found, given)
    except Busy as error:
        raise UserError(f"--out: {error}") from None
    except OSError as error:
        raise UserError(
            f"--out: cannot write to {args.out} ({error}); what was done is kept: put it right, "
            "and run the same command again"
        ) from None


def _read(args: argparse.Namespace, layout: Layout) -> _Found:
    """Reads the spectra, and says what was read of each, or of all where they are many."""
    from exogan_jax.files.folders import distinct_names
    from exogan_jax.files.headers import n_compared
    from exogan_jax.files.inputs import expand
    from exogan_jax.files.planets_table import read_planets
    from exogan_jax.files.reading import Quiet, Source, read_all, stem_of
    from exogan_jax.files.spectra import SpectrumError

    files, problems = expand(args.files)
    if args.example:
        files.append(str(importlib.resources.files("exogan_jax") / "assets" / "example.dat"))
    for problem in problems:
        say("error", problem)
    try:
        planets = read_planets(args.planets) if args.planets else {}
    except SpectrumError as error:
        raise UserError(f"--planets: {error}") from None
    sources: list[Source] = [*files, *_rows(args.catalogue)]
    # A run and all of its parts agree on the names.
    names, n_all = distinct_names([stem_of(source) for source in sources]), len(sources)
    part = slice(args.part[0], None, args.part[1]) if args.part else slice(None)
    sources, names = sources[part], names[part]
    choices = options.splitting_choices(args)
    choices["n_usable"] = load(lambda name: n_compared(name, args.likelihood), args.model)
    if n_all <= FEW:
        inputs = read_all(sources, names, layout, choices, planets, say)
        return _Found(inputs, n_all, len(problems), None)
    from rich.console import Console
    from rich.progress import track

    quiet = Quiet(say)
    each = track(sources, "reading", console=Console(stderr=True))
    inputs = read_all(each, names, layout, choices, planets, quiet)
    return _Found(inputs, n_all, len(problems), quiet)


def _rows(catalogues: Sequence[Path]) -> list[CatalogueRow]:
    """The rows of all catalogues."""
    if not catalogues:
        return []
    from exogan_jax.files.catalogue_tables import read_catalogue
    from exogan_jax.files.spectra import SpectrumError

    try:
        return [row for path in catalogues for row in read_catalogue(path)]
    except SpectrumError as error:
        raise UserError(f"--catalogue: {error}") from None


def _prepare(found: _Found, out: Path) -> None:
    """Makes the folder of the results; reports changed names."""
    from exogan_jax.files.folders import make_folder

    few = found.n_all <= FEW
    try:
        make_folder(out, [one.name for one in found.inputs] if few else [])
        if found.quiet:
            found.quiet.close(out)
    except (OSError, ValueError) as error:
        raise UserError(f"--out: {error}") from None
    for one in found.inputs if few else ():
        if one.spectrum and one.name != one.spectrum.name:
            say("note", f"{one.path}: its results go to {one.name}/")


def _plan(args: argparse.Namespace, found: _Found, given: Resolved) -> Run:
    from exogan_jax.cli_run import Run
    from exogan_jax.files import rundir
    from exogan_jax.files.compiled import keep_compiled
    from exogan_jax.files.folders import part_folder
    from exogan_jax.files.made_with import made_with
    from exogan_jax.files.rows import digest
    from exogan_jax.files.weights import load_model
    from exogan_jax.parallel import use_device
    from exogan_jax.retrieval.fitting import suited

    try:
        use_device("cpu" if args.jobs > 1 else args.device)  # the device is for the processes
    except ValueError as error:
        raise UserError(f"--device: {error}") from None
    keep_compiled()
    model = load(load_model, args.model)
    try:
        settings = suited(options.settings_of(args), model)
    except ValueError as error:  # options that do not go together
        raise UserError(str(error)) from None
    about = made_with(rundir.common_settings(settings, args.model))
    read = [one for one in found.inputs if one.spectrum]
    jobs, unusable = rundir.plan(
        [one.spectrum for one in read if one.spectrum],
        [one.name for one in read],
        args.out,
        model,
        model_name=args.model,
        settings=settings,
        given=given,
        run=digest(about),
    )
    for task in unusable:
        say("error", task.problem)
    few = found.n_all <= FEW
    for job in jobs if few else ():
        if job.priors:
            say("prior", f"{job.name}: {job.settings['priors']}")
    by_name = {task.name: task for task in [*unusable, *(job.task for job in jobs)]}
    for one in found.inputs:
        if one.spectrum is None:
            by_name[one.name] = rundir.bad_task(one.name, one.path, one.problem)
    return Run(
        part_folder(args.out, args.part) if args.part else args.out,
        model,
        settings,
        {job.name: job for job in jobs},
        [by_name[one.name] for one in found.inputs],
        {digest(about): about},
        few,
    )


def _locked(args: argparse.Namespace, found: _Found, given: Resolved) -> int:
    """All that is done while no other process may."""
    from exogan_jax import cli_exact
    from exogan_jax.cli_outcome import finish
    from exogan_jax.files.folders import part_folders
    from exogan_jax.files.ledger import clear
    from exogan_jax.files.summary import check_size

    run = _plan(args, found, given)
    if not run.jobs:
        return 2
    try:
        check_size(len(run.tasks))
    except ValueError as error:
        raise UserError(f"--out: {error}") from None
    for folder in [run.folder, *part_folders(run.folder)] if args.overwrite else ():
        clear(folder)
    if not args.exact:
        return finish(args, run, _done(args, run), found.n_bad)
    exact = cli_exact.exactly(args, run)
    nothing = run._replace(tasks=[])
    before = cli_exact.picked_before(args, run, exact, _done(args, nothing))
    names = {task.name for task in run.tasks}
    results = _done(args, cli_exact.only(run, names - before))
    run = cli_exact.picked_after(args, run, before, results)
    results = _done(args, cli_exact.only(exact, run.exact))
    return finish(args, cli_exact.joined(run, exact), results, found.n_bad)


def _done(args: argparse.Namespace, run: Run) -> Results:
    """The results once the tasks of a run are done."""
    from exogan_jax.cli_run import compute
    from exogan_jax.files.ledger import Ledger, OtherProblem
    from exogan_jax.files.run_options import CHUNK, FAST_CHUNK

    chunk = args.chunk or (CHUNK if run.settings.exact else FAST_CHUNK)
    try:
        layout = run.model.layout
        ledger = Ledger(run.folder, layout, n_kept=args.keep, chunk=chunk, others=args.out)
    except (OtherProblem, ValueError) as error:
        raise UserError(f"--out: {error}") from None
    compute(args, run, ledger)
    return ledger.close()
