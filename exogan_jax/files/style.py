"""Colours and Matplotlib settings of the figures.

The colours are those of Okabe and Ito, which colour-blind readers can tell apart.
"""

from typing import Any

BLUE, SKY, RED = "#0072B2", "#56B4E9", "#D55E00"

#: For `matplotlib.rc_context`: a figure does not depend on the user's own settings.
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.linewidth": 0.8,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "legend.frameon": False,
}
DPI = 150
