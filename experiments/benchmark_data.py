"""How fast datasets are made and read, and what memory that takes.

python -m experiments.benchmark_data --n 20000                      # simulate and read, 2 minutes
python -m experiments.benchmark_data --n 1000000 --data-dir DIR     # with the curve of memory
python -m experiments.benchmark_data --chunks FOLDER                # convert published chunks too

Chunks to convert: `python -m data_prep.write_chunk --out FOLDER/chunck_0.pkgz --n 100000`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import jax
import psutil
from rich.console import Console
from rich.table import Table

from exogan_jax.files.dataset import RecordSource, stream
from exogan_jax.files.opacities import load_opacities
from exogan_jax.layout import PUBLISHED
from exogan_jax.physics.forward import simulate
from exogan_jax.physics.problem import problem_model


def megabytes(process: psutil.Process) -> float:
    """Resident memory of a process and its children."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


def build(arguments: list[str], stage: Path) -> tuple[str, float, list[tuple[int, float, float]]]:
    """Runs `exogan data build`.

    Returns:
      what it printed last, its seconds, and (blocks done, seconds, MB) four times a second.
    """
    command = [sys.executable, "-m", "data_prep.build", "build", *arguments]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        watched = psutil.Process(process.pid)
        curve: list[tuple[int, float, float]] = []
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.25):
                blocks = len(list(stage.glob("block-*.json")))
                seconds = time.perf_counter() - began
                try:
                    curve.append((blocks, seconds, megabytes(watched)))
                except psutil.NoSuchProcess:
                    return

        thread = threading.Thread(target=watch)
        thread.start()
        output, _ = process.communicate()
        stop.set()
        thread.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return output.strip().split("\n")[-1], time.perf_counter() - began, curve


def forward_rate(n: int = 10_000) -> float:
    """Spectra per second of the forward model alone, one compiled call."""
    physics = problem_model(load_opacities("published"), PUBLISHED)
    theta = PUBLISHED.parameters.sample(jax.random.key(0), n)
    run = jax.jit(simulate)
    jax.block_until_ready(run(physics, theta))
    began = time.perf_counter()
    jax.block_until_ready(run(physics, theta))
    return n / (time.perf_counter() - began)


def reading_rate(folder: str, batch_size: int, steps: int, seconds: float) -> float:
    """Spectra per second, read in shuffled batches."""
    iterator = iter(stream(RecordSource(folder), batch_size=batch_size, steps=steps))
    next(iterator)
    n, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        n += next(iterator).depth.shape[0] * batch_size
    return n / elapsed


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--n", type=int, default=20_000, help="spectra to simulate")
    parser.add_argument("--block", type=int, help="spectra a shard (default 10000)")
    parser.add_argument("--chunks", type=Path, help="folder of published chunks to convert")
    parser.add_argument("--processes", type=int, default=2, help="to convert them")
    parser.add_argument("--data-dir", type=Path, help="keep the datasets there")
    args = parser.parse_args(argv)
    console = Console()
    kept = args.data_dir is not None
    root = args.data_dir if kept else Path(tempfile.mkdtemp())
    try:
        if args.chunks:
            options = ["--chunks", str(args.chunks), "--processes", str(args.processes)]
            stage = root / "exogan_spectra" / ".osf-1.0.0-blocks"
            last, seconds, curve = build(["osf", *options, "--data-dir", str(root)], stage)
            peak = max(mb for _, _, mb in curve)
            console.print(f"chunks: {seconds:.1f} s with start-up, peak {peak:.0f} MB\n  {last}")
        alone = forward_rate()
        options = ["--n", str(args.n), "--data-dir", str(root)]
        if args.block:
            options += ["--block", str(args.block)]
        name = f"simulated_{args.n}_seed0" + (f"_block{args.block}" if args.block else "")
        stage = root / "exogan_spectra" / f".{name}-1.0.0-blocks"
        last, seconds, curve = build(["simulated", *options], stage)
        console.print(f"simulated: {seconds:.1f} s with start-up\n  {last}")
        # From the first block on, which holds the compilation, to the last.
        done = [row for row in curve if row[0] >= 1]
        blocks = max(row[0] for row in done)
        first = next(row for row in done if row[0] == done[0][0])
        final = next(row for row in done if row[0] == blocks)
        if blocks > first[0]:
            size = args.block or 10_000
            rate = (final[0] - first[0]) * size / (final[1] - first[1])
            console.print(
                f"  {rate:.0f} spectra/s after the first block, the forward model alone "
                f"{alone:.0f}: {rate / alone:.0%}"
            )
        table = Table("blocks", "seconds", "MB")
        firsts = list({row[0]: row for row in reversed(done)}.values())[::-1]
        for row in firsts[:: max(1, len(firsts) // 12)]:
            table.add_row(str(row[0]), f"{row[1]:.0f}", f"{row[2]:.0f}")
        console.print(table)
        folder = last.split(": ")[0]
        for batch_size, steps in ((256, 1), (256, 20), (1024, 20)):
            rate = reading_rate(folder, batch_size, steps, 5.0)
            console.print(
                f"reading, batches of {batch_size}, {steps} at a time: {rate:.0f} spectra/s"
            )
    finally:
        if not kept:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
