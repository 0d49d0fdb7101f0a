"""The chunks of a run on Apache Beam (extra `beam`): Flink, Spark, Dataflow, or this machine.

A worker loads the model once and computes chunks as `batches` does; each is saved in the run's
folder, which all workers must see, in a file that is named by what it holds. A bundle that is tried
again, or done twice at once, writes the same bytes to the same place.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from exogan_jax import batches
from exogan_jax.files.rows import Task

_one_at_a_time = threading.Lock()
_ready: list[batches.Batch] = []


class ChunkFn(beam.DoFn):
    """Computes chunks: tasks -> the number of rows that were saved."""

    def __init__(self, model_name: str | None, batch: batches.Batch, device: str | None) -> None:
        super().__init__()
        self.model_name, self.batch, self.device = model_name, batch, device

    def setup(self) -> None:
        """Loads the model, once per process: Beam makes several of these, in threads."""
        with _one_at_a_time:
            if _ready != [self.batch]:
                batches.start_worker(self.model_name, self.batch, self.device, None)
                _ready[:] = [self.batch]

    def process(self, element: Sequence[Task]) -> Iterator[int]:
        """Computes a chunk and saves it."""
        yield sum(n for _, n in batches.work(element))


def run_on_beam(
    chunks: Sequence[Sequence[Task]],
    model_name: str | None,
    batch: batches.Batch,
    *,
    runner: str,
    options: Sequence[str] = (),
    device: str | None = None,
) -> None:
    """Computes chunks on a runner; returns when all are saved in `batch.folder`.

    Args:
      chunks: of tasks, from `Ledger.plan`. They travel with the pipeline: of more than some 100,000
        spectra, do a part after another.
      model_name: a shipped model, or a file that the workers see.
      batch: what they have in common; its folder is one that the workers see.
      runner: a name that Beam knows: "FlinkRunner", "SparkRunner", "DataflowRunner", ...;
        "DirectRunner" is this machine.
      options: of Beam and its runner, as "--flink_master=HOST:PORT".
      device: see `parallel.use_device`.

    Raises:
      ValueError: no such runner.
    """
    batch = batches.picklable(batch)
    chosen: Any = runner
    if runner == "DirectRunner":  # Beam's own choice for this name may be a download
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner

        chosen = FnApiRunner()
    with beam.Pipeline(runner=chosen, options=PipelineOptions(list(options))) as pipeline:
        made = pipeline | "chunks" >> beam.Create([tuple(tasks) for tasks in chunks])
        spread = made | "spread" >> beam.Reshuffle()
        _ = spread | "retrieve" >> beam.ParDo(ChunkFn(model_name, batch, device))
