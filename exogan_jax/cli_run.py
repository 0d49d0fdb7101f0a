"""The computing part of `exogan retrieve`: what is not done yet, with a progress bar."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from exogan_jax import batches
from exogan_jax.cli_base import UserError, say
from exogan_jax.files import rundir
from exogan_jax.files.ledger import Ledger
from exogan_jax.files.rows import Task
from exogan_jax.gan.model import Model
from exogan_jax.retrieval.settings import Settings


class Run(NamedTuple):
    """A run once all is known of it."""

    folder: Path  # of the results, or of the part's
    model: Model
    settings: Settings
    jobs: dict[str, rundir.Job]  # by name
    tasks: list[Task]  # those that cannot be done among them, in the order of the arguments
    made_with: dict[str, Any]  # digest -> what rows are made with
    few: bool
    exact: frozenset[str] = frozenset()  # names of those that --exact picks
    exact_settings: Settings | None = None  # theirs


def compute(args: argparse.Namespace, run: Run, ledger: Ledger) -> None:
    """Retrieves what is not done, with a progress bar."""

    def has_files(task: Task) -> bool:
        job = run.jobs.get(task.name)
        return not run.few or job is None or ledger.has_failed(task) or bool(rundir.load(job))

    done = [t for t in run.tasks if ledger.is_done(t) and not (args.retry and ledger.has_failed(t))]
    whole = [] if args.overwrite else [task for task in done if has_files(task)]
    if whole:
        say(
            "note",
            f"{len(whole)} of {len(run.tasks)} spectra are done already in {args.out}: "
            "used again (--overwrite does them anew)",
        )
    names = {task.name for task in done}
    todo = sorted((task for task in run.tasks if task.name not in names), key=batches.size_class)
    chunks = ledger.plan(todo, run.made_with)
    # Their rows are there, but files were lost.
    kept = {task.name for task in whole}
    again = [task for task in done if task.name not in kept]
    jobs = run.jobs if run.few else {}
    batch = batches.Batch(run.folder, run.settings, args.keep, ledger.chunk, jobs)
    n = sum(map(len, chunks)) + len(again)
    if not n:
        return
    try:
        with _progress(n) as advance:

            def saved(path: Path, count: int) -> None:
                ledger.add(path)
                advance(count)

            def written(path: Path, count: int) -> None:
                path.unlink()
                advance(count)

            batches.run_here(batches.chunked(again, ledger.chunk), run.model, batch, written)
            if args.runner:
                _on_beam(args, ledger, batch, chunks)
                advance(sum(map(len, chunks)))
            elif args.jobs > 1:
                batches.run_side_by_side(
                    chunks, args.model, batch, saved, n_jobs=args.jobs, device=args.device
                )
            else:
                batches.run_here(chunks, run.model, batch, saved)
    except batches.OutOfMemory as error:
        raise UserError(error) from None


def _on_beam(
    args: argparse.Namespace,
    ledger: Ledger,
    batch: batches.Batch,
    chunks: Sequence[Sequence[Task]],
) -> None:
    """Has the chunks computed by Beam's workers, and takes in what they saved."""
    try:
        from exogan_jax.distributed import run_on_beam
    except ImportError as error:
        raise UserError(
            f"--runner: {error.name or error} is missing: pip install 'exogan-jax[beam]'"
        ) from None
    try:
        run_on_beam(
            chunks,
            args.model,
            batch._replace(folder=batch.folder.resolve()),
            runner=args.runner,
            options=args.runner_option,
            device=args.device,
        )
    except Exception as error:  # Beam's own, and those of workers as text
        ledger.add_all()
        last = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise UserError(
            f"--runner {args.runner}: {last[0]}; what was done is kept: the same command again "
            "goes on"
        ) from error
    missing = ledger.add_all()
    if missing:
        raise UserError(
            f"--runner {args.runner}: {missing} spectra did not arrive in {batch.folder}: do its "
            "workers see that folder?"
        )


@contextlib.contextmanager
def _progress(n: int) -> Iterator[Callable[[int], None]]:
    """A bar of n spectra, with their rate and the time left; yields what moves it on."""
    from rich.console import Console
    from rich.progress import (
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    began = time.monotonic()
    columns = (
        SpinnerColumn(),
        *Progress.get_default_columns()[:2],
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("retrieving", total=n, rate="")
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            rate = f"{done / max(time.monotonic() - began, 1e-9):.2g}/s"
            bar.update(task, advance=count, rate=rate)

        yield advance
