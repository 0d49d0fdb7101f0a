"""The figures of a retrieval: ASPA triptych, spectrum with bands, corner plot, histograms.

Every function returns a Matplotlib Figure of its own; nothing is shown, and no global state stays
changed.
"""

from __future__ import annotations

import os
from pathlib import Path

import jax
import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from exogan_jax import aspa, grid
from exogan_jax.files.atomic import replacing
from exogan_jax.files.parameter_plots import plot_corner, plot_histograms
from exogan_jax.files.style import BLUE, DPI, RED, SKY, STYLE
from exogan_jax.physics.observation import Observation, binning_operator
from exogan_jax.retrieval.likelihood import grid_spectrum
from exogan_jax.retrieval.posterior import QUANTILES, weighted_quantile
from exogan_jax.retrieval.results import Retrieval

__all__ = ["plot_aspa", "plot_corner", "plot_histograms", "plot_spectrum", "save_figures"]

_TICKS_UM = (0.3, 0.5, 1, 2, 3, 5, 10, 20, 30, 50)
# Compiled, because op by op they take seconds.
_encode = jax.jit(aspa.encode)
_decode = jax.jit(aspa.decode)
_observed_mask = jax.jit(aspa.observed_mask)
_INNER = 23  # side of the ASPA's area 1, which holds the spectrum
_CROWD = 150  # points above which they are drawn small and grey


def plot_aspa(
    input_aspa: Float[np.ndarray, "33 33"] | None,
    mask: Float[np.ndarray, "33 33"],
    completed: Float[np.ndarray, "33 33"],
) -> Figure:
    """The triptych of the paper: the input array, what the retrieval saw of it, the completed one.

    Args:
      input_aspa: (33, 33), masked or NaN where unknown; None if nothing of it is known.
      mask: (33, 33), 1 where visible.
      completed: (33, 33).
    """
    unknown = np.full((aspa.SIZE, aspa.SIZE), np.nan)
    pixels = (
        unknown
        if input_aspa is None
        else np.ma.filled(np.ma.asarray(input_aspa, np.float64), np.nan)
    )
    panels = (pixels, np.where(np.asarray(mask) > 0, pixels, np.nan), np.asarray(completed))
    cmap = ListedColormap(matplotlib.colormaps["gray"](np.linspace(0, 1, 256))).with_extremes(
        bad=SKY
    )
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.7), layout="constrained")
        axes = figure.subplots(1, 3)
        for ax, panel, title in zip(axes, panels, ("Input", "Masked", "Completed"), strict=True):
            image = ax.imshow(panel, cmap=cmap, vmin=0, vmax=1, interpolation="nearest")
            ax.set(title=title, xticks=[], yticks=[])
        figure.colorbar(image, ax=axes, label="pixel value", shrink=0.85, pad=0.015)
        if not np.isfinite(np.stack(panels)).all():
            figure.legend(
                handles=[Patch(facecolor=SKY, label="not observed, or hidden")],
                loc="outside lower center",
            )
    return figure


def _draw_points(
    ax: Axes, x: np.ndarray, y: np.ndarray, yerr: np.ndarray, xerr: np.ndarray
) -> None:
    """Observed points with their errors and, where given, bin widths."""
    crowded = x.size > _CROWD
    ax.errorbar(
        x,
        y,
        yerr=yerr,
        xerr=xerr if np.any(xerr > 0) else None,
        fmt=".",
        color="0.45" if crowded else "k",
        ms=2 if crowded else 4,
        elinewidth=0.5 if crowded else 0.8,
        zorder=3,
        label="observed",
    )


def plot_spectrum(
    observation: Observation,
    depth: Float[np.ndarray, "n 515"],
    weights: Float[np.ndarray, " n"],
    truth_depth: Float[np.ndarray, "515"] | None = None,
) -> Figure:
    """Completed spectrum (median, 68 and 95 % bands) with the observation, and the residuals.

    Args:
      observation: the observed points.
      depth: (n, 515) completed spectra on `grid.WAVELENGTH_UM`.
      weights: (n,) their weights.
      truth_depth: (515,) the true spectrum, if known.
    """
    order = np.argsort(observation.wavelength_um)
    wavelength, half_width, observed, sigma = (
        np.asarray(x, np.float64)[order] for x in observation
    )
    bands = 100 * weighted_quantile(depth, weights, (0.025, *QUANTILES, 0.975))
    bands = bands[:, : grid.N_ENCODED]
    operator = binning_operator(wavelength, half_width)
    binned = np.asarray(depth, np.float64) @ operator.T
    low, median, high = weighted_quantile(binned, weights, QUANTILES)
    residual, error = 1e6 * (observed - median), 1e6 * sigma
    band = 1e6 * (low - median), 1e6 * (high - median)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 5.8), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        # The five bluest points are not in an ASPA: see `aspa.decode`.
        x = grid.WAVELENGTH_UM[: grid.N_ENCODED]
        top.fill_between(x, bands[0], bands[4], color=SKY, alpha=0.3, lw=0, label="95 %")
        top.fill_between(x, bands[1], bands[3], color=SKY, alpha=0.75, lw=0, label="68 %")
        _draw_points(top, wavelength, 100 * observed, 100 * sigma, half_width)
        top.plot(x, bands[2], color=BLUE, lw=1.2, label="completed, median", zorder=4)
        if truth_depth is not None:
            truth = 100 * np.asarray(truth_depth)[: grid.N_ENCODED]
            top.plot(x, truth, color=RED, lw=1.1, ls="--", label="truth", zorder=5)
        # Limits from the values alone: one huge error bar must not flatten the spectrum.
        shown = np.concatenate([bands[0], bands[4], 100 * observed])
        pad = 0.06 * np.ptp(shown) + 1e-6
        top.set_ylim(shown.min() - pad, shown.max() + pad)
        top.set_ylabel(r"$(R_\mathrm{p}/R_\odot)^2$ [%]")
        figure.legend(*top.get_legend_handles_labels(), loc="outside upper center", ncols=5)

        bottom.fill_between(wavelength, *band, color=SKY, alpha=0.75, lw=0)
        bottom.axhline(0, color=BLUE, lw=1.2)
        _draw_points(bottom, wavelength, residual, error, half_width)
        reach = 1.15 * np.quantile(np.abs(residual) + error, 0.98)
        reach = max(reach, 1.05 * np.max(np.abs(band)))
        bottom.set(ylim=(-reach, reach), xscale="log", xlim=(0.29, 52))
        bottom.set(xlabel=r"wavelength [$\mu$m]", ylabel="observed $-$\nmedian [ppm]")
        bottom.xaxis.set_major_locator(FixedLocator(_TICKS_UM))
        bottom.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        bottom.xaxis.set_minor_locator(NullLocator())
        figure.align_ylabels()
    return figure


def aspa_panels(
    observation: Observation,
    completed: Float[np.ndarray, "33 33"],
    truth: Float[np.ndarray, "7"] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """What an observation fills of an ASPA, for `plot_aspa`.

    A section's bounds need all of its points; those of a section observed in part are taken from
    the completed spectrum where the observation is missing.

    Returns:
      The array (33, 33), NaN where not known, and the mask (33, 33) of what was observed. The
      parameters are known where `truth` is, and never observed.
    """
    depth, observed = grid_spectrum(observation)
    merged = np.where(observed, depth, np.asarray(_decode(completed)[0])).astype(np.float32)
    theta = np.full(grid.N_PARAMETERS, np.nan) if truth is None else np.asarray(truth)
    pixels = np.array(_encode(merged, theta.astype(np.float32)))
    mask = np.array(_observed_mask(observed))
    points = mask[:_INNER, :_INNER].reshape(-1)
    points[: grid.N_ENCODED] = observed[: grid.N_ENCODED]
    mask[:_INNER, :_INNER] = points.reshape(_INNER, _INNER)
    parameters = np.asarray(aspa.mask("parameters")) == 0
    return np.where((mask > 0) | parameters, pixels, np.nan), mask


def save_figures(
    directory: str | os.PathLike[str],
    retrieval: Retrieval,
    observation: Observation,
    truth: Float[np.ndarray, "7"] | None = None,
) -> None:
    """Writes aspa.png, spectrum.png, corner.png and histograms.png of one observation.

    Args:
      directory: an existing folder.
      retrieval: of one observation.
      observation: what was retrieved.
      truth: (7,) true parameters, NaN where unknown.

    Raises:
      ValueError: a retrieval of several observations.
      OSError: the folder is missing or not writable.
    """
    if len(retrieval) != 1:
        raise ValueError(f"save_figures takes one observation, got {len(retrieval)}")
    samples, weights, completed = retrieval.samples[0], retrieval.weights[0], retrieval.aspa[0]
    figures = {
        "aspa": plot_aspa(*aspa_panels(observation, completed, truth), completed),
        "spectrum": plot_spectrum(observation, retrieval.depth[0], weights),
        "corner": plot_corner(samples, weights, truth, float(retrieval.effective_sample_size[0])),
        "histograms": plot_histograms(samples, weights, truth),
    }
    for name, figure in figures.items():
        with replacing(Path(directory) / f"{name}.png") as temporary:
            figure.savefig(temporary, format="png", dpi=DPI)
