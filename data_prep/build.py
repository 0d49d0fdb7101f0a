"""`exogan data build`: makes the TFDS dataset `exogan_spectra`.

exogan data build simulated --n 1000000 --data-dir DIR
exogan data build simulated --layout FILE.json ...     # of another problem, see --layout
exogan data build osf --chunks FOLDER --data-dir DIR --processes 2

Killed, it goes on where it was when the same command is given again. With --part K/N, machines that
share DIR each make a part of the blocks; a last command without it puts them together.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exogan_jax.files.options import whole_number
from exogan_jax.layout import Layout

if TYPE_CHECKING:
    from data_prep.blocks import Block
    from data_prep.exogan_spectra import Builder


def _part(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(f"{text!r} is not K/N with K from 0 to N - 1")
    return int(index), int(count)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="exogan data", description="Datasets for training.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="build")
    count = whole_number(1, 1_000_000_000)
    build = commands.add_parser(
        "build", help="make the TFDS dataset exogan_spectra", description=str(__doc__)
    )
    build.formatter_class = argparse.RawDescriptionHelpFormatter
    build.add_argument("config", choices=("simulated", "osf"), help="where spectra come from")
    build.add_argument("--data-dir", type=Path, required=True, help="TFDS's folder of datasets")
    build.add_argument("--n", type=count, help="simulated: spectra (default 1000000)")
    seed = whole_number(0, 2**32 - 1)
    build.add_argument("--seed", type=seed, default=0, help="simulated: of the parameters")
    build.add_argument(
        "--layout",
        type=Path,
        help="simulated: another problem's, the layout.json that its training writes",
    )
    build.add_argument(
        "--opacities",
        help='simulated: "published", "planets", or a table\'s file (default: "published", with '
        '--layout "planets")',
    )
    build.add_argument("--block", type=count, help="simulated: spectra per shard (default 10000)")
    build.add_argument("--chunks", type=Path, help="osf: folder of the chunck_*.pkgz files")
    build.add_argument(
        "--skip-bad", action="store_true", help="osf: leave out chunks that cannot be read"
    )
    build.add_argument(
        "--processes", type=count, default=1, help="osf: chunks read side by side (default 1)"
    )
    build.add_argument(
        "--part", type=_part, metavar="K/N", help="make only this part of the blocks"
    )
    build.add_argument("--beam-runner", help="DirectRunner, FlinkRunner, SparkRunner, ...")
    build.add_argument(
        "--beam-option", action="append", default=[], metavar="OPTION", help="--NAME=VALUE of Beam"
    )
    return parser


def _own_options(args: argparse.Namespace) -> tuple[Any, ...]:
    """Options that only simulated datasets have, where given."""
    return args.n, args.seed, args.opacities, args.block, args.layout


def read_layout(path: Path) -> Layout:
    """A problem's layout from its JSON text.

    Raises:
      FileNotFoundError: no such file.
      ValueError: it holds no layout.
    """
    try:
        return Layout.from_json(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _builder(args: argparse.Namespace, on_block: Any) -> Builder:
    from data_prep.exogan_spectra import Builder, SpectraConfig
    from data_prep.exogan_spectra.exogan_spectra_dataset_builder import simulated_config

    config: str | SpectraConfig = args.config
    if args.config == "simulated" and any(_own_options(args)):
        options: dict[str, Any] = {"block_size": args.block} if args.block else {}
        if args.layout:
            options |= {"layout": read_layout(args.layout), "opacities": "planets"}
        if args.opacities:
            options["opacities"] = args.opacities
        config = simulated_config(args.n or 1_000_000, seed=args.seed, **options)
    return Builder(
        config=config,
        data_dir=args.data_dir,
        processes=args.processes,
        skip_bad=args.skip_bad,
        on_block=on_block,
    )


def _download_config(args: argparse.Namespace) -> Any:
    import tensorflow_datasets as tfds

    config = tfds.download.DownloadConfig(manual_dir=args.chunks)
    if args.beam_runner or args.beam_option:
        from apache_beam.options.pipeline_options import PipelineOptions

        config.beam_runner = args.beam_runner or "DirectRunner"
        config.beam_options = PipelineOptions(args.beam_option)
    return config


def _build(args: argparse.Namespace) -> None:
    from absl import logging
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    from data_prep.blocks import make_block, open_stage

    logging.set_verbosity(logging.ERROR)  # TFDS warns of every configuration that is not its own
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn())
    n, began = 0, time.perf_counter()
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("blocks", total=None)

        def on_block(block: Block, total: int) -> None:
            nonlocal n
            n += sum(block.lengths.values())
            rate = n / (time.perf_counter() - began)
            bar.update(task, advance=1, total=total, description=f"{n} spectra, {rate:.0f}/s")
            if block.problem:
                bar.console.print(f"exogan: skipped: {block.problem}", style="red", soft_wrap=True)

        builder = _builder(args, on_block)
        if builder.is_prepared():
            bar.update(task, total=0, description="there already")
        elif args.part:
            index, count = args.part
            plan = builder.plan(args.chunks)
            open_stage(builder.stage, plan)
            numbers = range(index, plan.n_blocks, count)
            for number in numbers:
                on_block(make_block(plan, number, builder.stage, args.skip_bad), len(numbers))
            print(f"part {index} of {count}: {n} spectra are in {builder.stage}")
            return
        else:
            builder.download_and_prepare(download_config=_download_config(args))
    splits = {name: info.num_examples for name, info in builder.info.splits.items()}
    size = builder.info.dataset_size / 1e6
    print(f"{builder.data_dir}: {splits}, {size:.1f} MB")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0, 2 for bad input, 130 if interrupted."""
    parser = _parser()
    args = parser.parse_args(argv)
    if (args.config == "osf") != (args.chunks is not None):
        parser.error("osf needs --chunks FOLDER, simulated has none")
    if args.config == "osf" and any(_own_options(args)):
        parser.error("--n, --seed, --opacities, --block and --layout are for simulated")
    try:
        from data_prep.pkgz import ChunkError
        from data_prep.plans import find_chunks

        if args.chunks:
            find_chunks(args.chunks)  # before anything long
        _build(args)
    except ImportError as error:
        print(
            f"exogan: error: {error.name or error} is missing: pip install 'exogan-jax[prep]'"
            + (" 'exogan-jax[beam]'" if "beam" in str(error) else ""),
            file=sys.stderr,
        )
        return 2
    except (ChunkError, OSError, ValueError) as error:
        print(f"exogan: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("exogan: error: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
