"""Figures of the studies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from exogan_jax.files.plots import plot_spectrum
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.result import Posterior
from experiments.ranks import draw, kept_ranks
from experiments.reproduce.committed import CALIBRATION, read_results

_WAYS = {"paper": "tab:orange", "fast": "tab:blue", "exact": "k"}


def draw_planet(folder: Path, name: str, posterior: Posterior, observation: Observation) -> None:
    """The exact answer to a real spectrum, with its points: NAME.png."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = plot_spectrum(posterior, observation)
    figure.savefig(folder / f"{name}.png", dpi=80)


def draw_studies(results: Path, folder: Path) -> None:
    """noise.png: how errors grow with the noise; ranks.png and tarp.png of the kept ranks. Nothing
    of what is not there.
    """
    found = read_results(results)
    folder.mkdir(parents=True, exist_ok=True)
    if "noise" in found:
        _draw_noise(found["noise"]).savefig(folder / "noise.png", dpi=80)
    kept = kept_ranks(results / CALIBRATION)
    if kept:
        draw(folder, {f"{of.instrument}, {of.answer}": ranks for of, ranks in kept.items()})


def _draw_noise(study: dict[str, Any]) -> matplotlib.figure.Figure:
    """A panel a parameter: mean absolute errors, and half the 68 % interval of exact answers."""
    noise = np.array([float(case.split()[0]) for case in study])
    first = next(iter(study.values()))
    names = list(next(iter(first.values()))["parameters"])
    figure = matplotlib.figure.Figure(figsize=(11, 5.5), layout="constrained")
    axes = figure.subplots(2, -(-len(names) // 2), sharex=True)
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for name, axis in zip(names, axes.flat, strict=False):
        for way, colour in _WAYS.items():
            if way in first:
                error = [c[way]["parameters"][name]["mean_absolute_error"] for c in study.values()]
                axis.plot(noise, error, "o-", ms=3, color=colour, label=f"error, {way}")
        sigma = [c["exact"]["parameters"][name]["sigma"] for c in study.values()]
        axis.plot(noise, sigma, "--", color="0.6", label="68 % interval / 2, exact")
        axis.set(title=name, xlabel="noise [ppm]", ylim=(0, None))
    axes.flat[0].legend(fontsize="x-small")
    return figure
