"""Writing a spectrum as text that `spectra.read_spectrum` reads back, with its `.par` file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from exogan_jax.files.atomic import replacing
from exogan_jax.files.par import Truth, format_par

if TYPE_CHECKING:
    from exogan_jax.physics.observation import Observation


def write_spectrum(
    path: str | os.PathLike[str],
    observation: Observation,
    *,
    truth: Truth | None = None,
    star_radius: float = 1.0,
) -> None:
    """Writes a spectrum that `read_spectrum` reads back: `path` and a `.par` beside it.

    Args:
      path: the file to write, its name not ending in `.par`.
      observation: depths and errors for a star of 1 R_sun; they are divided by the square of
        `star_radius`. The names of its instruments have no commas, quotes or #.
      truth: true values by role or gas; `par.truth_of` makes it of a theta.
      star_radius: in R_sun.

    Raises:
      ValueError: an observation that could not be read back.
      OSError: the folder is missing or not writable.
    """
    from exogan_jax.physics.observation import Observation, check

    path = Path(path)
    if not star_radius > 0:
        raise ValueError(f"{path}: star_radius must be above 0, got {star_radius}")
    wavelength, half_width, depth, sigma, instrument = check(observation, str(path))
    depth, sigma = depth / star_radius**2, sigma / star_radius**2
    check(Observation(wavelength, half_width, depth, sigma), str(path))
    columns: list[list[str]] = [[repr(float(x)) for x in v] for v in (wavelength, depth, sigma)]
    names = ["wavelength [um]", "depth [fraction]", "error [fraction]"]
    if np.any(half_width > 0):
        columns.append([repr(float(2 * x)) for x in half_width])
        names.append("full bin width [um]")
    separator = " "
    if instrument is not None:
        columns.append(list(instrument))
        names.append("instrument")
        separator = ", "
        if any(set(name) & set(",\"'#\n") or not name.strip() for name in columns[-1]):
            raise ValueError(f"{path}: names of instruments must have no commas, quotes or #")
    lines = ["# " + ", ".join(names)]
    lines += [separator.join(row) for row in zip(*columns, strict=True)]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with replacing(path.with_suffix(".par")) as temporary:
        temporary.write_text(format_par(float(star_radius), truth or {}), encoding="utf-8")
