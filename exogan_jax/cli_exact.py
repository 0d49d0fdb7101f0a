"""The exact answers of a fast run (`exogan retrieve --fast --exact RULE`): which spectra get one,
and what is left to do for them. They are rows of the same store, which count in place of the fast
ones.
"""

from __future__ import annotations

import argparse
import dataclasses

from exogan_jax.cli_base import say
from exogan_jax.cli_run import Run
from exogan_jax.files import exact_rule, options, rundir
from exogan_jax.files.made_with import made_with
from exogan_jax.files.results import Results
from exogan_jax.files.rows import digest
from exogan_jax.retrieval.fitting import suited


def exactly(args: argparse.Namespace, run: Run) -> Run:
    """The same run with exact answers."""
    fast = argparse.Namespace(**{**vars(args), "fast": False, "no_chain": False, "exact": None})
    settings = suited(options.settings_of(fast), run.model)
    common = rundir.common_settings(settings, args.model)
    about = made_with(common)
    jobs = {
        name: dataclasses.replace(job, settings={**job.settings, **common}, run=digest(about))
        for name, job in run.jobs.items()
    }
    tasks = [jobs[task.name].task if task.name in jobs else task for task in run.tasks]
    return run._replace(settings=settings, jobs=jobs, tasks=tasks, made_with={digest(about): about})


def picked_before(args: argparse.Namespace, run: Run, exact: Run, results: Results) -> set[str]:
    """Names of those that need no fast answer.

    Args:
      args: of the command line.
      run: the fast one.
      exact: the same with exact answers.
      results: what is there already.
    """
    if args.exact.top:
        return exact_rule.top(run.tasks, args.exact.top)
    if args.overwrite:
        return set()
    there = {name: where.settings for name, where in results.rows.items()}
    return {t.name for t in exact.tasks if t.name in run.jobs and there.get(t.name) == t.settings}


def picked_after(args: argparse.Namespace, run: Run, before: set[str], results: Results) -> Run:
    """The run once it is known who gets an exact answer; says how many.

    Args:
      args: of the command line.
      run: the fast one.
      before: from `picked_before`.
      results: with all fast answers.
    """
    names = [task.name for task in run.tasks if task.name in run.jobs]
    picked = before
    if not args.exact.top:
        picked = before | exact_rule.flagged(results, [n for n in names if n not in before])
    say("note", f"--exact {args.exact}: {len(picked)} of {len(names)} spectra get the exact answer")
    return run._replace(exact=frozenset(picked))


def only(run: Run, names: set[str] | frozenset[str]) -> Run:
    """The part of a run that is of these names."""
    return run._replace(tasks=[task for task in run.tasks if task.name in names])


def joined(run: Run, exact: Run) -> Run:
    """The whole run, whose picked jobs are the exact ones."""
    jobs = {name: (exact if name in run.exact else run).jobs[name] for name in run.jobs}
    by_name = {task.name: task for task in exact.tasks if task.name in run.exact}
    tasks = [by_name.get(task.name, task) for task in run.tasks]
    return run._replace(jobs=jobs, tasks=tasks, exact_settings=exact.settings)
