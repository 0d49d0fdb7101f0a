"""The options of a run, and of the commands that read its results: how, where and how much."""

from __future__ import annotations

import argparse
from pathlib import Path

from exogan_jax.files.options import whole_number

#: Spectra side by side: more take more memory, and are not faster on two cores; of fast answers,
#: whose calls are short.
CHUNK, FAST_CHUNK = 8, 64


def part(text: str) -> tuple[int, int]:
    """Parser of K/N, a part of a run."""
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(f"{text!r} is not K/N with K from 0 to N - 1")
    return int(index), int(count)


def add_running(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say how a run is done; none of them changes an answer."""
    count = whole_number(1, 10_000)
    parser.add_argument(
        "--catalogue",
        metavar="TABLE",
        type=Path,
        action="append",
        default=[],
        help="spectra in one table, a row each: ECSV with lists in cells, FITS with columns of "
        "arrays, NetCDF along `spectrum`, or a TFDS dataset's folder, with columns name, "
        "star_radius, mass, ...",
    )
    parser.add_argument(
        "--chunk",
        metavar="N",
        type=count,
        help=f"spectra side by side on a device; fewer need less memory (default {CHUNK}, with "
        f"--fast {FAST_CHUNK})",
    )
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=count,
        default=1,
        help="processes, each with a chunk of its own, and a device where there are several "
        "(default 1, which uses all cores)",
    )
    parser.add_argument(
        "--device", metavar="NAME", help="cpu, gpu, tpu, or one of several as gpu:1"
    )
    parser.add_argument(
        "--part",
        metavar="K/N",
        type=part,
        help="only every N-th spectrum from number K on, counted from 0, into DIR/part-K-of-N: for "
        "machines that share DIR, or the tasks of a SLURM array; the same command without it then "
        "sums up",
    )
    parser.add_argument(
        "--runner",
        metavar="NAME",
        help="Apache Beam's runner that does the work: FlinkRunner, SparkRunner, DataflowRunner, "
        "or DirectRunner; its workers must see DIR (needs the extra beam)",
    )
    parser.add_argument(
        "--runner-option",
        metavar="OPTION",
        action="append",
        default=[],
        help="of Beam or its runner, as --runner-option=--flink_master=HOST:PORT; repeat it",
    )
    parser.add_argument(
        "--keep",
        metavar="N",
        type=count,
        default=512,
        help="samples of a spectrum that results.zarr keeps (default 512)",
    )
    parser.add_argument(
        "--retry", action="store_true", help="try those again that failed in an earlier run"
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="write report.html, one page of the run that needs no other file",
    )
    parser.add_argument(
        "--pick",
        metavar="NAME",
        action="append",
        default=[],
        help="a spectrum to be drawn in the report, or a pattern; repeat it (default: the worst "
        "fits of those with flags, and the first of the others)",
    )
    parser.add_argument(
        "--plots", action="store_true", help="write figures of more than 20 spectra, too"
    )


def _add_names(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help=f"a spectrum of the run, or a pattern; {what}"
    )
    parser.add_argument(
        "--model", metavar="FILE", help="the model that it was made with, if it does not ship"
    )


def add_export(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `exogan export`."""
    _add_names(parser, "'*' writes all")
    parser.add_argument("--out", required=True, metavar="DIR", type=Path, help="of the run")
    parser.add_argument(
        "--netcdf", action="store_true", help="posterior.nc beside fit.ecsv (the default)"
    )
    parser.add_argument(
        "--zarr",
        metavar="URL",
        help="instead, copy the rows to one Zarr group where fsspec can write, such as "
        "s3://bucket/run.zarr; again, to go on",
    )


def add_plot(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `exogan plot`."""
    parser.add_argument("out", metavar="DIR", type=Path, help="of the run")
    _add_names(parser, "'*' draws all")
