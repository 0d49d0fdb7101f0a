"""The last part of `exogan retrieve`: the summary, figures, and what is said on the screen."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence

from exogan_jax.cli_base import say
from exogan_jax.cli_run import Run
from exogan_jax.files import rundir
from exogan_jax.files.folders import FEW
from exogan_jax.files.html_report import write_report
from exogan_jax.files.report import print_report, print_rows
from exogan_jax.files.restore import posterior_of, row_named
from exogan_jax.files.results import Results, read_rows
from exogan_jax.files.rows import DONE
from exogan_jax.files.significance_table import weigh_all
from exogan_jax.files.summary import COLUMNS, summary_table, write_summary
from exogan_jax.retrieval.result import Posterior, as_retrieval, concatenate


def finish(args: argparse.Namespace, run: Run, results: Results, n_bad: int) -> int:
    """Writes the summary and what else was asked for, and says what came of it."""
    names = [task.name for task in run.tasks]
    rows = read_rows(results, names, COLUMNS)
    failed = {n: s for n, s in zip(names, rows["status"], strict=True) if s != DONE}
    for name in [name for name in failed if name in run.jobs][:FEW]:
        say("error", f"{name}: {failed[name]} (--retry tries it again)")
    good = [name for name in names if name not in failed]
    table = summary_table(rows, run.model.layout.parameters)
    known = {job.name: job.priors for job in run.jobs.values()}
    answers = _Answers(run, results, good)
    weighed = None
    if args.significance:
        fast = [run.jobs[name] for name in good if name not in run.exact]
        exact = [run.jobs[name] for name in good if name in run.exact]
        weighed = weigh_all(fast, answers, run.model, run.settings)
        if run.exact_settings is not None:
            weighed |= weigh_all(exact, answers, run.model, run.exact_settings)
    summary = write_summary(run.folder, table, known, weighed)
    undrawn = _draw(run, answers) if (args.plots or run.few) and not args.no_plots else 0
    if hasattr(sys.stdout, "reconfigure"):  # a terminal that lacks a character still gets its table
        sys.stdout.reconfigure(errors="replace")
    if good and run.few:
        retrieval = concatenate([as_retrieval(answers[name]) for name in good])
        print_report(retrieval, [run.jobs[name].truth for name in good])
    elif good:
        print_rows(read_rows(results, good, COLUMNS), run.model.layout.parameters, summary.name)
    if args.report:
        print(f"Report: {write_report(run.folder, results, names, args.pick)}")
    print(f"Results are in {run.folder}")
    return 2 if failed or n_bad else 1 if undrawn else 0


class _Answers(Mapping[str, Posterior]):
    """Posteriors by name, read when they are asked for: of their files, or of the store."""

    def __init__(self, run: Run, results: Results, names: Sequence[str]) -> None:
        self._run, self._results, self._names = run, results, names

    def __getitem__(self, name: str) -> Posterior:
        saved = rundir.load(self._run.jobs[name]) if self._run.few else None
        return saved or posterior_of(row_named(self._results, name), self._run.model)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _draw(run: Run, answers: Mapping[str, Posterior]) -> int:
    """Draws the figures; returns the number of spectra for which that failed."""
    from rich.console import Console
    from rich.progress import track

    undrawn = 0
    for name in track(list(answers), "drawing", console=Console(stderr=True)):
        try:
            rundir.draw(run.jobs[name], answers[name], always=not run.few)
        except Exception as error:  # a figure is never worth the run
            say("error", f"{name}: figures not drawn ({type(error).__name__}: {error})")
            undrawn += 1
    return undrawn
