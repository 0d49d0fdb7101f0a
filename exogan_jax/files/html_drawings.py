"""Small drawings of a report: SVG as text, a corner plot as one small picture."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 420, 240, 52, 34
_CELLS = 24  # of a panel of the corner plot, across


def _number(x: float) -> str:
    return f"{x:.0f}" if 1e3 <= abs(x) < 1e7 else f"{x:.4g}"


def _frame(
    label: str,
    x_label: str,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    inside: str,
) -> str:
    """A drawing with its axes, whose ends are labelled."""
    right, floor = _WIDTH - 8, _HEIGHT - _BOTTOM
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(label)}">',
        inside,
        f'<path class="axis" d="M{_LEFT} 8V{floor}H{right}"/>',
        f'<text x="{_LEFT}" y="{floor + 14}">{_number(x_range[0])}</text>',
        f'<text x="{right}" y="{floor + 14}" text-anchor="end">{_number(x_range[1])}</text>',
        f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 4}" text-anchor="middle">'
        f"{html.escape(x_label)}</text>",
        f'<text x="{_LEFT - 4}" y="{floor}" text-anchor="end">{_number(y_range[0])}</text>',
        f'<text x="{_LEFT - 4}" y="16" text-anchor="end">{_number(y_range[1])}</text>',
        "</svg>",
    ]
    return "".join(parts)


def _place(values: np.ndarray, ends: tuple[float, float], low: float, high: float) -> np.ndarray:
    span = max(ends[1] - ends[0], 1e-300)
    return np.asarray(low + (np.asarray(values, float) - ends[0]) / span * (high - low))


def histogram(values: Float[np.ndarray, " n"], label: str, bins: int = 30) -> str:
    """How often which values occur; those that are not finite are left out."""
    known = np.asarray(values, float)[np.isfinite(values)]
    if not known.size:
        return _frame(f"{label}: none", label, (0.0, 1.0), (0.0, 1.0), "")
    count, edges = np.histogram(known, bins)
    top = float(count.max())
    x = _place(edges, (edges[0], edges[-1]), _LEFT, _WIDTH - 8)
    y = _place(count, (0.0, top), _HEIGHT - _BOTTOM, 8)
    wide = max(float(x[1] - x[0]) - 1, 0.5)
    bars = "".join(
        f'<rect class="bar" x="{x[i]:.1f}" y="{y[i]:.1f}" width="{wide:.1f}"'
        f' height="{_HEIGHT - _BOTTOM - y[i]:.1f}"/>'
        for i in range(bins)
        if count[i]
    )
    text = f"{label}: median {_number(np.median(known))}, {known.size} spectra"
    return _frame(text, label, (edges[0], edges[-1]), (0.0, top), bars)


def spectrum(
    name: str,
    wavelength_um: Float[np.ndarray, " w"],
    quantiles: Float[np.ndarray, "5 w"],
    observed_um: Float[np.ndarray, " n"],
    depth: Float[np.ndarray, " n"],
    sigma: Float[np.ndarray, " n"],
) -> str:
    """Observed points, the median spectrum and its bands, where there are points."""
    near = (wavelength_um > 0.9 * observed_um.min()) & (wavelength_um < 1.1 * observed_um.max())
    order = np.argsort(wavelength_um[near])
    grid, bands = wavelength_um[near][order], 1e6 * quantiles[:, near][:, order]
    ppm, error = 1e6 * depth, 1e6 * sigma
    seen = np.concatenate([bands[0], bands[4], ppm]) if grid.size else ppm
    pad = 0.05 * float(np.ptp(seen)) + 1e-3
    ends = (float(seen.min()) - pad, float(seen.max()) + pad)
    log_ends = np.log(min([*grid, *observed_um])), np.log(max([*grid, *observed_um]))

    def across(x: np.ndarray) -> np.ndarray:
        return _place(np.log(x), log_ends, _LEFT, _WIDTH - 8)

    def up(y: np.ndarray) -> np.ndarray:
        return np.clip(_place(y, ends, _HEIGHT - _BOTTOM, 8), 8, _HEIGHT - _BOTTOM)

    x = across(grid)
    parts = [_area(x, up(bands[low]), up(bands[high])) for low, high in ((0, 4), (1, 3))]
    parts.append(f'<polyline class="line" points="{_points(x, up(bands[2]))}"/>')
    for a, low, high, middle in zip(
        across(observed_um), up(ppm - error), up(ppm + error), up(ppm), strict=True
    ):
        parts.append(f'<path class="error" d="M{a:.1f} {low:.1f}V{high:.1f}"/>')
        parts.append(f'<circle class="point" cx="{a:.1f}" cy="{middle:.1f}" r="1.6"/>')
    label = f"{name}: observed depths and the completed spectrum with its 68 and 95 % bands"
    x_ends = float(np.exp(log_ends[0])), float(np.exp(log_ends[1]))
    return _frame(label, "wavelength [µm]; (Rp/R☉)² [ppm]", x_ends, ends, "".join(parts))


def _points(x: np.ndarray, y: np.ndarray) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _area(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    return f'<polygon class="band" points="{_points(x, low)} {_points(x[::-1], high[::-1])}"/>'


def corner(
    name: str,
    names: Sequence[str],
    samples: Float[np.ndarray, "n d"],
    weights: Float[np.ndarray, " n"],
) -> str:
    """Densities of each parameter and pair, as a picture with the parameters' names."""
    from matplotlib.image import imsave

    d, size = samples.shape[1], _CELLS + 2
    low, high = samples.min(axis=0), samples.max(axis=0)
    high = np.where(high > low, high, low + 1e-6 * np.maximum(np.abs(low), 1.0))
    image = np.full((d * size, d * size, 4), 0.0)
    ink = np.array([0.0, 0.447, 0.698])
    for i in range(d):
        for j in range(i + 1):
            spans = [(low[j], high[j]), (low[i], high[i])]
            if i == j:
                count, _ = np.histogram(samples[:, i], _CELLS, spans[0], weights=weights)
                tall = np.round(_CELLS * count / max(count.max(), 1e-300))
                density = (np.arange(_CELLS, 0, -1)[:, None] <= tall[None, :]).astype(float)
            else:
                count, _, _ = np.histogram2d(
                    samples[:, j], samples[:, i], _CELLS, spans, weights=weights
                )
                density = np.sqrt(count.T[::-1] / max(count.max(), 1e-300))
            own = image[i * size : i * size + _CELLS, j * size : j * size + _CELLS]
            own[..., :3], own[..., 3] = ink, 0.08 + 0.92 * density
    content = io.BytesIO()
    imsave(content, image, format="png")
    url = "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
    width = d * size
    texts = "".join(
        f'<text x="{(i + 1.1) * size:.0f}" y="{i * size + size * 0.6:.0f}">'
        f"{html.escape(own)} {_number(low[i])} … {_number(high[i])}</text>"
        for i, own in enumerate(names)
    )
    label = f"{name}: densities of the parameters {', '.join(names)}, and of each pair"
    return (
        f'<svg class="corner" viewBox="0 {-size / 2:.0f} {1.6 * width:.0f} {width + size}" '
        f'style="font-size: {size / 4.5:.1f}px" role="img" '
        f'aria-label="{html.escape(label)}">'
        f'<image href="{url}" width="{width}" height="{width}"/>{texts}</svg>'
    )
