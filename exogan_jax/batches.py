"""Chunks of a run, computed here, in several processes or, see `distributed`, on other machines.

A chunk's rows depend on its tasks, the model and the settings alone, and are saved in a file that
is named by what it holds: whoever computes them, and however often, the results are the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from exogan_jax import api
from exogan_jax.files import rundir
from exogan_jax.files.ledger import save_chunk
from exogan_jax.files.rows import Task
from exogan_jax.retrieval.result import Posterior, Retrieval
from exogan_jax.retrieval.settings import Settings

if TYPE_CHECKING:
    from exogan_jax.gan.model import Model


_STEP = 16  # points that make no difference
#: Called with each file of rows that is written, and their number.
Saved = Callable[[Path, int], None]


class Batch(NamedTuple):
    """What the chunks of a run have in common."""

    folder: Path  # of the results
    settings: Settings  # with nothing left open
    n_kept: int  # samples per row
    chunk: int  # spectra side by side
    jobs: Mapping[str, rundir.Job]  # by name: spectra that get files of their own


def size_class(task: Task) -> tuple[int, int, int]:
    """Orders tasks so that a chunk's are alike: those of about as many points are padded little,
    and share a program.
    """
    if task.observation is None:
        return (1, 0, 0)
    n = len(np.asarray(task.observation.depth))
    return (0, -(-n // _STEP), len(set(task.observation.instrument or ())))


def chunked(tasks: Sequence[Task], size: int) -> list[Sequence[Task]]:
    """Tasks in their order, so many at a time."""
    return [tasks[i : i + size] for i in range(0, len(tasks), size)]


class OutOfMemory(Exception):
    """The device cannot hold a chunk; one line."""


def compute(tasks: Sequence[Task], model: Model, batch: Batch, saved: Saved) -> None:
    """Retrieves the tasks of a chunk and saves their rows; one that fails has a row that says so.

    Args:
      tasks: at most `batch.chunk`.
      model: the networks.
      batch: see `Batch`.
      saved: see `Saved`.

    Raises:
      OSError: the disk is full, or cannot be written.
      OutOfMemory: a smaller chunk may fit.
    """

    def save(pairs: Sequence[tuple[Task, Posterior | None]]) -> None:
        for task, posterior in pairs:
            if posterior is not None and task.name in batch.jobs:
                rundir.save(batch.jobs[task.name], posterior, batch.settings)
        saved(save_chunk(batch.folder, pairs, batch.n_kept), len(pairs))

    bad = [task for task in tasks if task.observation is None]
    if bad:
        save([(task, None) for task in bad])
    left = {task.name: task for task in tasks if task.observation is not None}

    def keep(part: Retrieval) -> None:
        save([(left.pop(posterior.name), posterior) for posterior in part])

    if not left:
        return
    try:
        _retrieve(list(left.values()), model, batch, keep)
    except OSError:
        raise
    except Exception as error:  # of one spectrum, whatever it is: the others go on
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
            raise OutOfMemory(
                f"{len(left)} spectra side by side need more memory than there is: take a smaller "
                f"--chunk than {batch.chunk}"
            ) from error
        if len(left) == 1:
            (task,) = left.values()
            why = " ".join(f"failed: {type(error).__name__}: {error}".split())
            save([(task._replace(problem=why), None)])
            return
        for task in list(left.values()):
            compute([task], model, batch, saved)


def _retrieve(
    tasks: Sequence[Task], model: Model, batch: Batch, keep: Callable[[Retrieval], None]
) -> None:
    api.retrieve(
        [task.observation for task in tasks if task.observation is not None],
        model,
        names=[task.name for task in tasks],
        priors=[task.priors for task in tasks],
        settings=batch.settings,
        chunk=batch.chunk,
        on_result=keep,
    )


def run_here(chunks: Sequence[Sequence[Task]], model: Model, batch: Batch, saved: Saved) -> None:
    """Computes chunks one after another."""
    for tasks in chunks:
        compute(tasks, model, batch, saved)


class _Worker(NamedTuple):
    """What a worker process keeps."""

    model: Model
    batch: Batch


_worker: list[_Worker] = []


def start_worker(model_name: str | None, batch: Batch, device: str | None, numbers: Any) -> None:
    """Makes this process ready for chunks: loads the model, once, on its device."""
    from exogan_jax.files.compiled import keep_compiled
    from exogan_jax.files.weights import load_model
    from exogan_jax.parallel import use_device

    use_device(device, numbers.get() if numbers is not None else 0)
    keep_compiled()
    _worker[:] = [_Worker(load_model(model_name), batch)]


def work(tasks: Sequence[Task]) -> list[tuple[Path, int]]:
    """Computes a chunk in a process that `start_worker` made ready; returns what was saved."""
    model, batch = _worker[0]
    found: list[tuple[Path, int]] = []
    compute(tasks, model, batch, lambda path, n: found.append((path, n)))
    return found


def run_side_by_side(
    chunks: Sequence[Sequence[Task]],
    model_name: str | None,
    batch: Batch,
    saved: Saved,
    *,
    n_jobs: int,
    device: str | None,
) -> None:
    """Computes chunks in several processes, each with a device of its own where there are as many.

    Raises:
      OutOfMemory: a process was ended from outside, for its memory most likely.
    """
    context = get_context("spawn")
    numbers = context.SimpleQueue()
    for number in range(n_jobs):
        numbers.put(number)
    ready = (model_name, picklable(batch), device, numbers)
    pool = ProcessPoolExecutor(n_jobs, context, start_worker, ready)
    try:
        futures = [pool.submit(work, tasks) for tasks in chunks]
        for future in as_completed(futures):
            for path, n in future.result():
                saved(path, n)
    except BrokenProcessPool as error:
        raise OutOfMemory(
            f"one of {n_jobs} processes ended ({error}): was there memory for all of them? Take "
            "fewer --jobs"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def picklable(batch: Batch) -> Batch:
    """The same, for another process."""

    def plain(job: rundir.Job) -> rundir.Job:
        spectrum = job.spectrum._replace(priors=dict(job.spectrum.priors))
        return dataclasses.replace(job, spectrum=spectrum)

    return batch._replace(jobs={name: plain(job) for name, job in batch.jobs.items()})
