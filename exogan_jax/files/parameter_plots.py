"""Figures of the parameters: corner plot and histograms. Those whose prior is uniform in the
logarithm are drawn as logarithms.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MaxNLocator

from exogan_jax.files.style import BLUE, RED, SKY, STYLE
from exogan_jax.retrieval.result import Posterior
from exogan_jax.retrieval.weighted import effective_sample_size, weighted_quantile

_MANY = 1000  # effective samples above which dots no longer show their weights
_DOTS: dict[str, Any] = {"color": "k", "lw": 0, "zorder": 3}
_TRUTH: dict[str, Any] = {"color": RED, "lw": 1.5, "ls": "--"}


class _Drawn(NamedTuple):
    """What is drawn of a posterior, each parameter on its scale."""

    labels: tuple[str, ...]
    lower: Float[np.ndarray, " d"]
    upper: Float[np.ndarray, " d"]
    samples: Float[np.ndarray, "n d"]
    weights: Float[np.ndarray, " n"]  # summing to 1
    truth: Float[np.ndarray, " d"]  # NaN where unknown


def _drawn(posterior: Posterior, truth: np.ndarray | None) -> _Drawn:
    parameters = posterior.parameters
    true = np.full(len(parameters), np.nan) if truth is None else np.asarray(truth, np.float64)
    logarithmic = np.array([p.scale == "log10" and not p.is_log for p in parameters])

    def scaled(values: np.ndarray) -> np.ndarray:
        values = np.asarray(values, np.float64)
        positive = np.where(logarithmic, np.maximum(values, np.finfo(np.float64).tiny), 1.0)
        return np.where(logarithmic, np.log10(positive), values)

    prefixes = (r"$\log_{10}$ " if takes else "" for takes in logarithmic)
    labels = tuple(p + label for p, label in zip(prefixes, parameters.labels, strict=True))
    bounds = scaled(parameters.lower), scaled(parameters.upper)
    true = np.where(np.isfinite(true), scaled(np.where(np.isfinite(true), true, 1.0)), np.nan)
    weights = np.asarray(posterior.weights, np.float64)
    return _Drawn(labels, *bounds, scaled(posterior.samples), weights / weights.sum(), true)


def _value(median: float, low: float, high: float) -> str:
    """Median with its errors, to two digits of the smaller error."""
    minus, plus = median - low, high - median
    errors = [error for error in (minus, plus) if error > 0]
    digits = int(np.clip(1 - np.floor(np.log10(min(errors))), 0, 3)) if errors else 2
    return rf"${median:.{digits}f}_{{-{minus:.{digits}f}}}^{{+{plus:.{digits}f}}}$"


def _span(drawn: _Drawn, i: int) -> tuple[float, float]:
    """An axis range for parameter i that holds the weighted samples and the truth."""
    column = drawn.samples[:, i : i + 1]
    low, high = weighted_quantile(column, drawn.weights, (0.005, 0.995))[:, 0]
    if np.isfinite(drawn.truth[i]):
        low, high = min(low, drawn.truth[i]), max(high, drawn.truth[i])
    # Samples that hardly differ still need a range with some width.
    pad = max(0.25 * (high - low), 0.01 * (drawn.upper[i] - drawn.lower[i]))
    return low - pad, high + pad


def _inner_ticks(span: tuple[float, float]) -> FixedLocator:
    """Ticks away from the ends of an axis, where the labels of two panels would meet."""
    low, high = span
    edge = 0.08 * (high - low)
    ticks = MaxNLocator(4).tick_values(low, high)
    return FixedLocator([x for x in ticks if low + edge < x < high - edge])


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


def plot_corner(posterior: Posterior, truth: Float[np.ndarray, " d"] | None = None) -> Figure:
    """Corner plot of the weighted samples; contours hold 39 and 86 %, dot areas are weights.

    With fewer than ten effective samples there is no density to speak of: only dots are drawn.

    Args:
      posterior: of one observation.
      truth: (d,) in the units of its parameters, NaN where unknown.
    """
    import corner  # slow to import, and needed here only

    drawn = _drawn(posterior, truth)
    n, d = drawn.samples.shape
    spans = [_span(drawn, i) for i in range(d)]
    effective = posterior.effective_sample_size
    copies = -(-d // n)  # corner wants as many samples as parameters
    with matplotlib.rc_context(STYLE):
        size = max(1.55 * d + 0.15, 5.0)  # inches
        figure = Figure(figsize=(size, size))
        axes = figure.subplots(d, d, squeeze=False)
        corner.corner(
            np.tile(drawn.samples, (copies, 1)),
            weights=np.tile(drawn.weights, copies) / copies,
            bins=int(np.clip(2 * np.sqrt(effective), 16, 40)),
            hist_bin_factor=0.75,
            range=spans,
            smooth=1.2,
            levels=(0.393, 0.865),
            color=BLUE,
            labels=drawn.labels,
            plot_datapoints=False,
            plot_density=effective >= 10,
            plot_contours=effective >= 10,
            quiet=True,
            labelpad=0.08,
            hist_kwargs={"color": BLUE, "lw": 1.2},
            fig=figure,
        )
        begin = 0.88 / size  # of the panels, right of their labels
        figure.subplots_adjust(
            begin, begin, 1 - 0.16 / size, 1 - 0.33 / size, wspace=0.07, hspace=0.07
        )
        _draw_corner(axes, drawn, spans)
        figure.legend(
            handles=_legend_lines(drawn.truth),
            title=f"{n} samples, {effective:.0f} effective",
            loc=(0.72, 0.82),
            fontsize=12,
            title_fontsize=12,
        )
    return figure


def _draw_corner(axes: np.ndarray, drawn: _Drawn, spans: list[tuple[float, float]]) -> None:
    """Adds the marginals' numbers, the samples as dots and the truth to a corner plot."""
    weights, true = drawn.weights, drawn.truth
    spread = float(effective_sample_size(weights))  # how many dots share the weight
    # A few dots by their weight; a hundred and more each the smaller.
    size = np.minimum(30, 1500 / spread) * weights / weights.max()
    alpha = 0.4 if spread < _MANY else 0.15
    for i in range(len(spans)):
        _draw_marginal(axes[i, i], drawn.samples[:, i], weights, true[i])
        axes[i, i].xaxis.set_major_locator(_inner_ticks(spans[i]))
        for j in range(i):
            ax = axes[i, j]
            pair = drawn.samples[:, j], drawn.samples[:, i]
            ax.scatter(*pair, s=size, alpha=alpha, **_DOTS)
            for line, value in ((ax.axvline, true[j]), (ax.axhline, true[i])):
                if np.isfinite(value):
                    line(value, **_TRUTH)
            ax.xaxis.set_major_locator(_inner_ticks(spans[j]))
            ax.yaxis.set_major_locator(_inner_ticks(spans[i]))


def plot_histograms(posterior: Posterior, truth: Float[np.ndarray, " d"] | None = None) -> Figure:
    """A weighted histogram a parameter, over the bounds of the prior.

    Args: as for `plot_corner`.
    """
    drawn = _drawn(posterior, truth)
    d = len(drawn.labels)
    rows = 1 if d < 4 else -(-(d + 1) // 4)  # one panel is the legend's
    columns = -(-(d + 1) // rows)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.5 * columns, 2.7 * rows))
        figure.subplots_adjust(0.02, 0.2 / rows, 0.98, 1 - 0.12 / rows, wspace=0.08, hspace=0.42)
        axes = figure.subplots(rows, columns).ravel()
        for i, ax in enumerate(axes[:d]):
            values, weights = drawn.samples[:, i], drawn.weights
            low, _, high = weighted_quantile(values[:, None], weights)[:, 0]
            # The bounds of the prior, wider only if the result or the truth lies outside.
            edges = np.array([drawn.lower[i], drawn.upper[i], low, high, drawn.truth[i]])
            span = (np.nanmin(edges), np.nanmax(edges))
            kind = {"color": SKY, "edgecolor": BLUE, "lw": 0.6, "histtype": "stepfilled"}
            ax.hist(np.clip(values, *span), bins=28, range=span, weights=weights, **kind)
            _draw_marginal(ax, values, weights, drawn.truth[i])
            margin = 0.02 * (span[1] - span[0])
            ax.set(xlim=(span[0] - margin, span[1] + margin), xlabel=drawn.labels[i], yticks=[])
            ax.xaxis.set_major_locator(_inner_ticks(span))
        patch = Patch(facecolor=SKY, edgecolor=BLUE, label="weighted samples")
        for ax in axes[d:]:
            ax.axis("off")
        handles = [patch, *_legend_lines(drawn.truth)]
        axes[d].legend(handles=handles, loc="center", fontsize=11)
    return figure
