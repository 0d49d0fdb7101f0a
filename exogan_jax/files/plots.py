"""The figures of a retrieval: ASPA triptych, spectrum with bands, corner plot, histograms.

Every function returns a Matplotlib Figure of its own; nothing is shown, and no global state stays
changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import jax
import matplotlib
import numpy as np
from jaxtyping import Array, Float
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from exogan_jax import masks
from exogan_jax.files.atomic import replacing
from exogan_jax.files.parameter_plots import plot_corner, plot_histograms
from exogan_jax.files.style import BLUE, DPI, RED, SKY, STYLE
from exogan_jax.layout import Layout
from exogan_jax.physics.observation import Observation, binning_operator
from exogan_jax.retrieval.compared import grid_spectrum
from exogan_jax.retrieval.result import Posterior
from exogan_jax.retrieval.weighted import QUANTILES, weighted_quantile

__all__ = ["plot_aspa", "plot_corner", "plot_histograms", "plot_spectrum", "save_figures"]

_TICKS_UM = (0.3, 0.5, 1, 2, 3, 5, 10, 20, 30, 50)
_CROWD = 150  # points above which they are drawn small and grey


def plot_aspa(
    input_aspa: Float[np.ndarray, "side side"] | None,
    mask: Float[np.ndarray, "side side"],
    completed: Float[np.ndarray, "side side"],
) -> Figure:
    """The triptych of the paper: the input array, what the retrieval saw of it, the completed one.

    Args:
      input_aspa: (side, side), masked or NaN where unknown; None if nothing of it is known.
      mask: (side, side), 1 where visible.
      completed: (side, side).
    """
    unknown = np.full(np.shape(completed), np.nan)
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
    posterior: Posterior,
    observation: Observation,
    truth_depth: Float[np.ndarray, " w"] | None = None,
) -> Figure:
    """Completed spectrum (median, 68 and 95 % bands) with the observation, and the residuals.

    Args:
      posterior: its completed spectra are shown.
      observation: the observed points.
      truth_depth: (w,) the true spectrum, if known, on the posterior's wavelengths.
    """
    order = np.argsort(observation.wavelength_um)
    wavelength, half_width, observed, sigma = (
        np.asarray(x, np.float64)[order] for x in observation[:4]
    )
    layout, depth, weights = posterior.layout, posterior.depth, posterior.weights
    operator = binning_operator(wavelength, half_width, layout.wavelength_um)
    binned = np.asarray(depth, np.float64) @ operator.T
    low, median, high = weighted_quantile(binned, weights, QUANTILES)
    band = 1e6 * (low - median), 1e6 * (high - median)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 5.8), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        points = 100 * observed, 100 * sigma
        _draw_points(top, wavelength, *points, half_width)
        bands = 100 * weighted_quantile(depth, weights, (0.025, *QUANTILES, 0.975))
        _draw_bands(top, layout, bands, truth_depth)
        # Limits from the values alone: one huge error bar must not flatten the spectrum.
        shown = np.concatenate(
            [bands[0, : layout.n_usable], bands[4, : layout.n_usable], points[0]]
        )
        pad = 0.06 * np.ptp(shown) + 1e-6
        top.set_ylim(shown.min() - pad, shown.max() + pad)
        figure.legend(*top.get_legend_handles_labels(), loc="outside upper center", ncols=5)

        residual, error = 1e6 * (observed - median), 1e6 * sigma
        bottom.fill_between(wavelength, *band, color=SKY, alpha=0.75, lw=0)
        bottom.axhline(0, color=BLUE, lw=1.2)
        _draw_points(bottom, wavelength, residual, error, half_width)
        reach = 1.15 * np.quantile(np.abs(residual) + error, 0.98)
        reach = max(reach, 1.05 * np.max(np.abs(band)))
        ends = np.sort(layout.wavelength_um)[[0, -1]] * (0.96, 1.04)
        bottom.set(ylim=(-reach, reach), xscale="log", xlim=ends)
        bottom.set(xlabel=r"wavelength [$\mu$m]", ylabel="observed $-$\nmedian [ppm]")
        ticks = [x for x in _TICKS_UM if ends[0] <= x <= ends[1]]
        if len(ticks) >= 2:  # a narrow range keeps Matplotlib's own
            bottom.xaxis.set_major_locator(FixedLocator(ticks))
            bottom.xaxis.set_minor_locator(NullLocator())
        plain = FuncFormatter(lambda value, _: f"{value:g}")
        bottom.xaxis.set_major_formatter(plain)
        bottom.xaxis.set_minor_formatter(plain)
        figure.align_ylabels()
    return figure


def _draw_bands(
    ax: Axes, layout: Layout, bands: Float[np.ndarray, "5 w"], truth_depth: np.ndarray | None
) -> None:
    """The quantiles of completed spectra, and the truth where known, in per cent."""
    # Points that the published layout cannot give back are left out: see `Layout.n_usable`.
    x, bands = layout.wavelength_um[: layout.n_usable], bands[:, : layout.n_usable]
    ax.fill_between(x, bands[0], bands[4], color=SKY, alpha=0.3, lw=0, label="95 %")
    ax.fill_between(x, bands[1], bands[3], color=SKY, alpha=0.75, lw=0, label="68 %")
    ax.plot(x, bands[2], color=BLUE, lw=1.2, label="completed, median", zorder=4)
    if truth_depth is not None:
        truth = 100 * np.asarray(truth_depth)[: layout.n_usable]
        ax.plot(x, truth, color=RED, lw=1.1, ls="--", label="truth", zorder=5)
    ax.set_ylabel(r"$(R_\mathrm{p}/R_\odot)^2$ [%]")


@lru_cache(maxsize=4)
def _compiled(layout: Layout) -> tuple[Callable[..., Array], ...]:
    """A layout's (depth, theta) -> array, array -> depth, and points observed -> mask: op by op
    they take seconds.
    """
    encode = jax.jit(lambda depth, theta: layout.image(layout.pack(depth, theta)))
    decode = jax.jit(lambda image: layout.unpack(layout.values(image))[0])
    return encode, decode, jax.jit(lambda observed: masks.observed_mask(layout, observed))


def aspa_panels(
    posterior: Posterior,
    observation: Observation,
    truth: Float[np.ndarray, " d"] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """What an observation fills of an array, for `plot_aspa`.

    A section's bounds need all of its points; those of a section observed in part are taken from
    the completed spectrum where the observation is missing.

    Returns:
      The array (side, side), NaN where not known, and the mask (side, side) of what was observed.
      The parameters are known where `truth` is, and never observed.
    """
    layout = posterior.layout
    encode, decode, mask_of = _compiled(layout)
    depth, observed = grid_spectrum(observation, layout)
    merged = np.where(observed, depth, np.asarray(decode(posterior.aspa))).astype(np.float32)
    theta = np.full(len(layout.parameters), np.nan) if truth is None else np.asarray(truth)
    pixels = np.array(encode(merged, theta.astype(np.float32)))
    mask = np.array(mask_of(observed))
    n, usable = layout.inner, layout.n_usable
    points = mask[:n, :n].reshape(-1)
    points[:usable] = observed[:usable]
    mask[:n, :n] = points.reshape(n, n)
    parameters = np.asarray(layout.mask("parameters")) == 0
    return np.where((mask > 0) | parameters, pixels, np.nan), mask


def save_figures(
    directory: str | os.PathLike[str],
    posterior: Posterior,
    observation: Observation,
    truth: Float[np.ndarray, " d"] | None = None,
) -> None:
    """Writes aspa.png, spectrum.png, corner.png and histograms.png of one observation.

    Args:
      directory: an existing folder.
      posterior: of the observation.
      observation: what was retrieved.
      truth: (d,) true parameters, NaN where unknown.

    Raises:
      OSError: the folder is missing or not writable.
    """
    figures = {
        "aspa": plot_aspa(*aspa_panels(posterior, observation, truth), posterior.aspa),
        "spectrum": plot_spectrum(posterior, observation),
        "corner": plot_corner(posterior, truth),
        "histograms": plot_histograms(posterior, truth),
    }
    for name, figure in figures.items():
        with replacing(Path(directory) / f"{name}.png") as temporary:
            figure.savefig(temporary, format="png", dpi=DPI)
