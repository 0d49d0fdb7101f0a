"""The table that ends a run in the terminal: one screen, whatever the number of spectra."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import Float
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exogan_jax import grid
from exogan_jax.files import checkpoints
from exogan_jax.retrieval.results import Retrieval

_SHORT = ("H2O", "CO2", "CO", "CH4", "M [M_J]", "R [R_J]", "T [K]")
_LONG = ("log10 H2O", "log10 CO2", "log10 CO", "log10 CH4", "mass", "radius", "temperature")
_DIGITS = (1, 1, 1, 1, 1, 2, 0)
_NUMBERS_WIDTH = 69  # of the columns after the name


def _digits(*errors: float) -> int:
    """Decimals that show two digits of the smallest positive error."""
    positive = [error for error in errors if error > 0]
    return int(np.clip(1 - np.floor(np.log10(min(positive))), 0, 4)) if positive else 2


def one_spectrum(retrieval: Retrieval, truth: Float[np.ndarray, "7"] | None) -> Table:
    """A row a parameter: median, errors to 16 and 84 %, and the true value where known."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("parameter", "median", "-", "+", "unit", "truth"):
        left = heading in ("parameter", "unit")
        table.add_column(heading, justify="left" if left else "right", no_wrap=True)
    true = np.full(grid.N_PARAMETERS, np.nan) if truth is None else truth
    for i, (low, median, high) in enumerate(retrieval.quantiles()[0].T):
        digits = _digits(median - low, high - median)
        numbers = (f"{x:.{digits}f}" for x in (median, median - low, high - median))
        known = f"{true[i]:.{digits}f}" if np.isfinite(true[i]) else ""
        table.add_row(_LONG[i], *numbers, grid.UNITS[i], known)
    return table


def many_spectra(retrieval: Retrieval, width: int) -> Table:
    """A row a spectrum: median and half the 16-84 % interval; ! marks a flag."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("spectrum", no_wrap=True)
    for heading in (*_SHORT, "chi2"):
        table.add_column(heading, justify="right", no_wrap=True)
    room = max(width - _NUMBERS_WIDTH, 9)
    for i, quantiles in enumerate(retrieval.quantiles()):
        cells = [
            f"{median:.{digits}f}±{(high - low) / 2:.{digits}f}"
            for (low, median, high), digits in zip(quantiles.T, _DIGITS, strict=True)
        ]
        name = retrieval.names[i] + "!" * bool(retrieval.flags[i])
        if len(name) > room:  # the end of a name often tells one from another
            name = f"{name[: room - 5]}…{name[-4:]}"
        table.add_row(Text(name), *cells, f"{retrieval.reduced_chi2[i]:.1f}")
    return table


def print_report(
    retrieval: Retrieval, truths: list[np.ndarray | None], console: Console | None = None
) -> None:
    """Prints the table for one spectrum or for many, cut to the terminal's height.

    Args:
      retrieval: of n observations.
      truths: n arrays (7,) of true parameters, or None.
      console: where to print; standard output by default.
    """
    console = Console() if console is None else console
    if len(retrieval) == 1:
        chi2, size = retrieval.reduced_chi2[0], retrieval.effective_sample_size[0]
        title = f"{retrieval.names[0]}: reduced chi-square {chi2:.2f}, "
        title += f"{size:.0f} of {retrieval.samples.shape[1]} samples effective"
        flags = f" ({retrieval.flags[0]})" if retrieval.flags[0] else ""
        console.print(Text(title + flags))
        console.print(one_spectrum(retrieval, truths[0]))
        return
    shown = retrieval[: max(console.height - 8, 5)]
    console.print(many_spectra(shown, console.width))
    if len(retrieval) > len(shown):
        console.print(f"... and {len(retrieval) - len(shown)} more in summary.ecsv")
    if any(shown.flags):
        console.print("! see the column flags of summary.ecsv")


def print_models(console: Console | None = None) -> None:
    """Prints the shipped models with what their cards say; the default is marked *."""
    console = Console() if console is None else console
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "network", "weights", "opacities", "steps", "batch", "encoder"):
        table.add_column(heading)
    trained_on = []
    for name in checkpoints.model_names():
        model, card = checkpoints.load_model(name), checkpoints.model_card(name)
        size = sum(x.size for x in jax.tree.leaves((model.generator, model.discriminator)))
        training = card["training"]
        table.add_row(
            name + "*" * (name == checkpoints.DEFAULT_MODEL),
            model.network,
            f"{size / 1e6:.1f} M",
            training["opacities"],
            str(training["n_steps"]),
            str(training["batch_size"]),
            "no" if model.encoder is None else "yes",
        )
        trained_on.append(f"{name}: {card['data']}")
    console.print(table)
    for line in trained_on:
        console.print(line)
    console.print("* the default; `exogan_jax.files.checkpoints.model_card(name)` says more")
