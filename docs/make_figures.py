"""Draws the figures of the README and the first page anew: `python docs/make_figures.py`.

A minute on two cores. The figures of the other pages are drawn when the pages are built.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from exogan_jax import cli

FIGURES = Path(__file__).resolve().parent / "figures"


def main() -> int:
    """Retrieves the bundled example as the README does, and keeps its spectrum."""
    with tempfile.TemporaryDirectory() as folder:
        status = cli.main(["retrieve", "--example", "--out", folder])
        if status == 0:
            drawn = Path(folder) / "example" / "spectrum.png"
            shutil.copyfile(drawn, FIGURES / "example_spectrum.png")
    return status


if __name__ == "__main__":
    sys.exit(main())
