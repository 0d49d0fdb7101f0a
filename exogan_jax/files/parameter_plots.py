"""Figures of the seven parameters: corner plot and histograms."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MaxNLocator

from exogan_jax import grid
from exogan_jax.files.style import BLUE, RED, SKY, STYLE
from exogan_jax.retrieval.posterior import effective_sample_size, weighted_quantile

_MANY = 1000  # effective samples above which dots no longer show their weights
_DOTS: dict[str, Any] = {"color": "k", "lw": 0, "zorder": 3}
_TRUTH: dict[str, Any] = {"color": RED, "lw": 1.5, "ls": "--"}


def _value(median: float, low: float, high: float) -> str:
    """Median with its errors, to two digits of the smaller error."""
    minus, plus = median - low, high - median
    errors = [error for error in (minus, plus) if error > 0]
    digits = int(np.clip(1 - np.floor(np.log10(min(errors))), 0, 3)) if errors else 2
    return rf"${median:.{digits}f}_{{-{minus:.{digits}f}}}^{{+{plus:.{digits}f}}}$"


def _span(samples: np.ndarray, weights: np.ndarray, truth: float, i: int) -> tuple[float, float]:
    """An axis range for parameter i that holds the weighted samples and the truth."""
    low, high = weighted_quantile(samples[:, None], weights, (0.005, 0.995))[:, 0]
    if np.isfinite(truth):
        low, high = min(low, truth), max(high, truth)
    # Samples that hardly differ still need a range with some width.
    pad = max(0.25 * (high - low), 0.01 * (grid.UPPER[i] - grid.LOWER[i]))
    return low - pad, high + pad


def _inner_ticks(span: tuple[float, float]) -> FixedLocator:
    """Ticks away from the ends of an axis, where the labels of two panels would meet."""
    low, high = span
    edge = 0.08 * (high - low)
    ticks = MaxNLocator(4).tick_values(low, high)
    return FixedLocator([x for x in ticks if low + edge < x < high - edge])


def _truth_or_nan(truth: np.ndarray | None) -> np.ndarray:
    return np.full(grid.N_PARAMETERS, np.nan) if truth is None else np.asarray(truth, np.float64)


def _draw_marginal(ax: Axes, values: np.ndarray, weights: np.ndarray, truth: float) -> None:
    """Adds median, 16 and 84 % and the truth to a histogram, and the value as its title."""
    low, median, high = weighted_quantile(values[:, None], weights)[:, 0]
    for x, style in zip((low, median, high), (":", "-", ":"), strict=True):
        ax.axvline(x, color="k", lw=1, ls=style)
    if np.isfinite(truth):
        ax.axvline(truth, **_TRUTH)
    ax.set_title(_value(median, low, high), pad=6)


def _legend_lines(truth: np.ndarray) -> list[Line2D]:
    lines = [
        Line2D([], [], color="k", label="median"),
        Line2D([], [], color="k", ls=":", label="16 and 84 %"),
    ]
    return lines + [Line2D([], [], label="truth", **_TRUTH)] * bool(np.isfinite(truth).any())


def plot_corner(
    samples: Float[np.ndarray, "n 7"],
    weights: Float[np.ndarray, " n"],
    truth: Float[np.ndarray, "7"] | None = None,
    n_effective: float | None = None,
) -> Figure:
    """Corner plot of the weighted samples; contours hold 39 and 86 %, dot areas are weights.

    With fewer than ten effective samples there is no density to speak of: only dots are drawn.

    Args:
      samples: (n, 7) in the units of `grid.PARAMETERS`.
      weights: (n,).
      truth: (7,), NaN where unknown.
      n_effective: independent samples that they are worth; None takes it from the weights, which do
        not tell how far a chain's samples depend on each other.
    """
    import corner  # slow to import, and needed here only

    samples = np.asarray(samples, np.float64)
    weights = np.asarray(weights, np.float64) / np.sum(weights)
    true = _truth_or_nan(truth)
    spread = float(effective_sample_size(weights))  # how many dots share the weight
    effective = spread if n_effective is None else n_effective
    spans = [_span(samples[:, i], weights, true[i], i) for i in range(grid.N_PARAMETERS)]
    copies = -(-grid.N_PARAMETERS // len(samples))  # corner wants as many samples as parameters
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 11))
        axes = figure.subplots(grid.N_PARAMETERS, grid.N_PARAMETERS)
        corner.corner(
            np.tile(samples, (copies, 1)),
            weights=np.tile(weights, copies) / copies,
            bins=int(np.clip(2 * np.sqrt(effective), 16, 40)),
            hist_bin_factor=0.75,
            range=spans,
            smooth=1.2,
            levels=(0.393, 0.865),
            color=BLUE,
            labels=grid.LABELS,
            plot_datapoints=False,
            plot_density=effective >= 10,
            plot_contours=effective >= 10,
            quiet=True,
            labelpad=0.08,
            hist_kwargs={"color": BLUE, "lw": 1.2},
            fig=figure,
        )
        figure.subplots_adjust(0.08, 0.08, 0.985, 0.97, wspace=0.07, hspace=0.07)
        # A few dots by their weight; a hundred and more each the smaller.
        size = np.minimum(30, 1500 / spread) * weights / weights.max()
        alpha = 0.4 if spread < _MANY else 0.15
        for i in range(grid.N_PARAMETERS):
            _draw_marginal(axes[i, i], samples[:, i], weights, true[i])
            axes[i, i].xaxis.set_major_locator(_inner_ticks(spans[i]))
            for j in range(i):
                ax = axes[i, j]
                ax.scatter(samples[:, j], samples[:, i], s=size, alpha=alpha, **_DOTS)
                for line, value in ((ax.axvline, true[j]), (ax.axhline, true[i])):
                    if np.isfinite(value):
                        line(value, **_TRUTH)
                ax.xaxis.set_major_locator(_inner_ticks(spans[j]))
                ax.yaxis.set_major_locator(_inner_ticks(spans[i]))
        figure.legend(
            handles=_legend_lines(true),
            title=f"{len(samples)} samples, {effective:.0f} effective",
            loc=(0.72, 0.82),
            fontsize=12,
            title_fontsize=12,
        )
    return figure


def plot_histograms(
    samples: Float[np.ndarray, "n 7"],
    weights: Float[np.ndarray, " n"],
    truth: Float[np.ndarray, "7"] | None = None,
) -> Figure:
    """A weighted histogram a parameter, over the training set's bounds.

    Args: as for `plot_corner`.
    """
    samples = np.asarray(samples, np.float64)
    weights = np.asarray(weights, np.float64) / np.sum(weights)
    true = _truth_or_nan(truth)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10, 5.4))
        figure.subplots_adjust(0.02, 0.1, 0.98, 0.94, wspace=0.08, hspace=0.42)
        axes = figure.subplots(2, 4).ravel()
        for i, ax in enumerate(axes[:-1]):
            low, _, high = weighted_quantile(samples[:, i : i + 1], weights)[:, 0]
            # The bounds of the prior, wider only if the result or the truth lies outside.
            edges = np.array([grid.LOWER[i], grid.UPPER[i], low, high, true[i]])
            span = (np.nanmin(edges), np.nanmax(edges))
            inside = np.clip(samples[:, i], *span)
            kind = {"color": SKY, "edgecolor": BLUE, "lw": 0.6, "histtype": "stepfilled"}
            ax.hist(inside, bins=28, range=span, weights=weights, **kind)
            _draw_marginal(ax, samples[:, i], weights, true[i])
            margin = 0.02 * (span[1] - span[0])
            ax.set(xlim=(span[0] - margin, span[1] + margin), xlabel=grid.LABELS[i], yticks=[])
            ax.xaxis.set_major_locator(_inner_ticks(span))
        patch = Patch(facecolor=SKY, edgecolor=BLUE, label="weighted samples")
        axes[-1].axis("off")
        axes[-1].legend(handles=[patch, *_legend_lines(true)], loc="center", fontsize=11)
    return figure
