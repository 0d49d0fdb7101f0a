"""What was read from a spectrum's file: a line, a table, and a small plot in text or as a PNG."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from exogan_jax.files.averaging import averaged_spectrum
from exogan_jax.files.spectra import (
    Spectrum,
    SpectrumError,
    notes_for,
    read_spectra,
    read_spectrum,
)
from exogan_jax.layout import Layout

_WIDTH, _HEIGHT = 66, 12


def _depth(spectrum: Spectrum) -> tuple[np.ndarray, np.ndarray]:
    """(Rp/Rs)^2 and its error, as the file means them."""
    scale = spectrum.star_radius**2
    observation = spectrum.observation
    return np.asarray(observation.depth) / scale, np.asarray(observation.sigma) / scale


def line_of(spectrum: Spectrum) -> str:
    """What was read, in one line: points, range, median depth and signal to noise, instruments."""
    depth, sigma = _depth(spectrum)
    w = np.asarray(spectrum.observation.wavelength_um)
    n = len(w)
    line = (
        f"{spectrum.path}: {spectrum.form}, {n} point{'s' if n > 1 else ''}, "
        f"{w.min():.4g}-{w.max():.4g} um, median depth {1e6 * np.median(depth):.0f} ppm, "
        f"error {1e6 * np.median(sigma):.3g} ppm, S/N {np.median(depth / sigma):.3g}"
    )
    if spectrum.instrument is not None:
        names = sorted({str(name) for name in spectrum.instrument})
        line += f", {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
    return line


def text_plot(spectrum: Spectrum, width: int = _WIDTH, height: int = _HEIGHT) -> list[str]:
    """Lines of a plot of depth against ln(wavelength): * the mean, : its error, in each column."""
    depth, sigma = (1e6 * x for x in _depth(spectrum))
    w = np.log(np.asarray(spectrum.observation.wavelength_um))
    span = max(float(np.ptp(w)), 1e-9)
    column = np.minimum(((w - w.min()) / span * width).astype(int), width - 1)
    weight = np.bincount(column, sigma**-2.0, width)
    seen = weight > 0
    mean = np.bincount(column, depth * sigma**-2.0, width)[seen] / weight[seen]
    error = weight[seen] ** -0.5
    low, high = float((mean - error).min()), float((mean + error).max())
    step = max(high - low, 1e-9 * high) / height
    cells = np.full((height, width), " ")

    def row(values: np.ndarray) -> np.ndarray:
        return np.clip(((high - values) / step).astype(int), 0, height - 1)

    tops, bottoms, middles = row(mean + error), row(mean - error), row(mean)
    for i, place in enumerate(np.flatnonzero(seen)):
        cells[tops[i] : bottoms[i] + 1, place] = ":"
        cells[middles[i], place] = "*"
    labels = [f"{high:.0f} ppm", *[""] * (height - 2), f"{low:.0f} ppm"]
    margin = max(map(len, labels))
    lines = [f"{label:>{margin}} |{''.join(x)}" for label, x in zip(labels, cells, strict=True)]
    ends = f"{np.exp(w.min()):.4g} um", f"{np.exp(w.max()):.4g} um"
    rule = " " * margin + " +" + "-" * width
    return [*lines, rule, " " * (margin + 2) + ends[0] + ends[1].rjust(width - len(ends[0]))]


def report(spectrum: Spectrum) -> str:
    """All that was read: the line, the columns with their roles and units, a plot and the notes."""
    rows = [("column", "role", "unit"), *spectrum.columns]
    rows = [(n if len(n) <= 34 else n[:31] + "...", role, unit) for n, role, unit in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [line_of(spectrum), ""]
    lines += [
        "  " + "  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    half = np.asarray(spectrum.observation.half_width_um)
    if (half > 0).any():
        lines += ["", f"  median half width {np.median(half[half > 0]):.4g} um"]
    if spectrum.instrument is not None:
        names, counts = np.unique(spectrum.instrument, return_counts=True)
        counted = zip(names[:8], counts[:8], strict=True)
        lines += ["", "  points of " + ", ".join(f"{name or '(none)'}: {c}" for name, c in counted)]
    lines += [f"  star {spectrum.star_radius:g} R_sun"]
    lines += [f"  prior of the {role}: {prior}" for role, prior in spectrum.priors.items()] + [""]
    lines += text_plot(spectrum)
    if spectrum.notes:
        start = f"{spectrum.path}: "
        lines += ["", *("note: " + note.removeprefix(start) for note in spectrum.notes)]
    return "\n".join(lines)


def inspect_files(
    files: Sequence[str],
    layout: Layout,
    choices: dict[str, Any],
    png: Path | None,
    complain: Callable[[Exception], None],
) -> int:
    """Prints the `report` of each spectrum in the files, with what averaging to the model's grid
    would make of it; returns the number of files that cannot be read.

    Args:
      files: to read.
      layout: the model's.
      choices: of `read_spectrum`; without select, all spectra of a file are shown.
      png: file to draw them into, or None.
      complain: called with the error of each file that cannot be read.

    Raises:
      OSError: `png` cannot be written.
    """
    spectra: list[Spectrum] = []
    bad = 0
    grid = layout.wavelength_um
    for file in files:
        try:
            if choices.get("select") is None:
                rest = {key: value for key, value in choices.items() if key != "select"}
                found = read_spectra(file, grid, **rest)
            else:
                found = [read_spectrum(file, grid, **choices)]
        except SpectrumError as error:
            complain(error)
            bad += 1
            continue
        for spectrum in found:
            averaged = averaged_spectrum(spectrum, grid)
            notes = (*averaged.notes, *notes_for(averaged, layout))
            text = report(spectrum._replace(notes=notes))
            if len(found) > 1:
                text = f"{spectrum.name}, one of {len(found)}: see --select\n{text}"
            print(text.encode(errors="backslashreplace").decode(), end="\n\n", flush=True)
        spectra += found
    if png and spectra:
        save_png(png, spectra)
    return bad


def save_png(path: str | os.PathLike[str], spectra: Sequence[Spectrum]) -> None:
    """Draws the spectra as read, with errors and bins, each instrument in its colour.

    Raises:
      OSError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    from exogan_jax.files.atomic import replacing

    figure = Figure(figsize=(8, 3.2 * len(spectra)), layout="constrained")
    axes = figure.subplots(len(spectra), 1, squeeze=False)[:, 0]
    for ax, spectrum in zip(axes, spectra, strict=True):
        depth, sigma = (1e6 * x for x in _depth(spectrum))
        w = np.asarray(spectrum.observation.wavelength_um)
        half = np.asarray(spectrum.observation.half_width_um)
        names = spectrum.instrument
        groups = [("", np.ones(len(w), bool))]
        if names is not None:
            groups = [(str(name), names == name) for name in np.unique(names)[:10]]
        for name, mine in groups:
            ax.errorbar(
                w[mine], depth[mine], sigma[mine], half[mine], fmt=".", ms=4, lw=0.8, label=name
            )
        if len(groups) > 1:
            ax.legend(fontsize="small")
        ax.set(xscale="log", xlabel="wavelength [um]", ylabel="(Rp/Rs)$^2$ [ppm]")
        ax.set_title(spectrum.name.replace("$", ""), fontsize="medium")
    with replacing(Path(path)) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
