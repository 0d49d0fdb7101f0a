"""Which points the model can be compared with; those that it cannot use are always named."""

from __future__ import annotations

import numpy as np

from exogan_jax.files.points import Points
from exogan_jax.files.roles import LENGTH_ROLES, Reading
from exogan_jax.files.tables import Table
from exogan_jax.files.units import LENGTHS, to_um


def reached(
    table: Table,
    reading: Reading,
    points: Points,
    model_range_um: tuple[float, float],
    bluest_um: float | None,
) -> tuple[np.ndarray, list[str]]:
    """Which points (n,) the model reaches, and notes on those that it cannot use.

    Args:
      table, reading, points: what was read.
      model_range_um: points whose centres lie outside are left out.
      bluest_um: below which the comparison uses nothing; bins that reach there are named. None:
        it uses all.

    Raises:
      SpectrumError: it reaches none.
    """
    low, high = model_range_um
    w, half = points.wavelength_um, points.half_width_um
    inside = (w >= low) & (w <= high)
    if not inside.any():
        role = next(r for r in LENGTH_ROLES if r in reading.parts)
        title = table.title(reading.parts[role].column)
        unit = points.units.get(role, "um")
        found = f"{title} runs from {w.min():.4g} to {w.max():.4g} um, read in {unit}"
        raw = table.columns[reading.parts[role].column].values[points.rows]
        fits = [u for u in LENGTHS if low <= to_um(raw, u).min() <= to_um(raw, u).max() <= high]
        units = " or ".join(f"--units {role}={u}" for u in fits)
        remedy = f"if the unit is another, say {units}" if fits else "give wavelengths in um"
        problem = f"no wavelength within the model's {low:.2f}-{high:.1f} um"
        table.fail(f"{problem}: {found}", remedy, int(points.rows[0]))
    kinds = [(~inside, f"left out {{}} outside {low:.2f}-{high:.1f} um")]
    if bluest_um is not None:
        below = inside & (w - half < bluest_um * (1 - 1e-9))
        kinds.append((below, f"the model cannot use {{}} reaching below its {bluest_um:.3f} um"))
    notes = []
    for bad, what in kinds:
        if bad.any():
            places = [str(table.rows[row]) for row in points.rows[bad]]
            more = ", ..." if len(places) > 6 else ""
            count = f"{bad.sum()} point{'s' if bad.sum() > 1 else ''}"
            word = table.word + ("s" if len(places) > 1 else "")
            listed = f"{word} {', '.join(places[:6])}{more}"
            notes.append(f"{table.path}: {what.format(count)} ({listed})")
    return inside, notes
