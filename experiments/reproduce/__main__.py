"""Makes the numbers and figures again that the README and the documentation quote.

python -m experiments.reproduce [NAME ...] [--full] [--data FOLDER] [--out FOLDER]

Without a name all studies run, 40 minutes on two cores; with --full they take days of CPU,
and the numbers those of a thousand spectra each. A study's numbers are written as they are known,
to OUT/NAME.json; the default OUT is the folder of those that are committed. --data (default:
$EXOGAN_SHARED/data) holds real spectra in observed/, and exogan_osf_sample.npz of the published
training set; what is not there is left out, and said.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from exogan_jax.files.compiled import keep_compiled
from experiments.reproduce import observed
from experiments.reproduce.committed import FIGURES, RESULTS, write_results
from experiments.reproduce.figures import draw_planet, draw_studies
from experiments.reproduce.studies import STUDIES, catalogue, forward

CATALOGUE, FORWARD = "catalogue", "forward"
SAMPLE = "exogan_osf_sample.npz"  # of the published training set


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="studies (default: all)")
    parser.add_argument("--full", action="store_true", help="as many spectra as the paper")
    parser.add_argument("--data", type=Path, help="folder of real and published spectra")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the numbers")
    args = parser.parse_args(argv)
    known = [*STUDIES, CATALOGUE, FORWARD, *observed.PLANETS]
    unknown = [name for name in args.names if name not in known]
    if unknown:
        parser.error(f"no study {unknown[0]!r}; there are {', '.join(known)}")
    keep_compiled()
    console = Console()
    began = time.perf_counter()

    def said(text: str) -> None:
        console.print(f"{time.perf_counter() - began:6.0f} s  {text}")

    for name, study in STUDIES.items():
        if not args.names or name in args.names:
            said(f"{name}: {study.title}")
            write_results(args.out, name, study.run(args.full, said))
    if not args.names or CATALOGUE in args.names:
        said(f"{CATALOGUE}: four instruments, mixed, --fast --no-chain")
        write_results(args.out, CATALOGUE, catalogue(args.full))
    data = args.data or Path(os.environ.get("EXOGAN_SHARED", "shared")) / "data"
    if not args.names or FORWARD in args.names:
        if (data / SAMPLE).is_file():
            said(f"{FORWARD}: the forward model against published spectra")
            write_results(args.out, FORWARD, forward(data / SAMPLE))
        else:
            said(f"{FORWARD}: left out, there is no {data / SAMPLE}")
    planets = [n for n in observed.PLANETS if not args.names or n in args.names]
    _planets(planets, data / "observed", args.out, said)
    figures = FIGURES if args.out == RESULTS else args.out
    draw_studies(args.out, figures)
    said(f"written to {args.out}, figures to {figures}")
    return 0


def _planets(names: list[str], folder: Path, out: Path, said: Callable[[str], None]) -> None:
    for name in names:
        planet = observed.PLANETS[name]
        if not (folder / planet.file).is_file():
            said(f"{name}: left out, there is no {folder / planet.file}")
            continue
        numbers, posterior = observed.run(name, folder, said)
        write_results(out, name, numbers)
        figures = FIGURES if out == RESULTS else out
        draw_planet(figures, name, posterior, observed.observation_of(planet, folder))


if __name__ == "__main__":
    raise SystemExit(main())
