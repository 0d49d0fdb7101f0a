"""The table that ends a run in the terminal: one screen, whatever the number of spectra."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exogan_jax.files import headers
from exogan_jax.parameters import Parameter, Parameters
from exogan_jax.retrieval.flags import explain, split
from exogan_jax.retrieval.result import Posterior, Retrieval

_LETTERS = {"mass": "M", "radius": "R", "temperature": "T"}
_NAME = 9  # columns that a spectrum's name gets at least


def _decimals(errors: Float[np.ndarray, " n"], digits: int) -> int:
    """Decimals that show so many digits of the smallest positive error."""
    positive = errors[errors > 0]
    if not positive.size:
        return digits
    return int(np.clip(digits - 1 - np.floor(np.log10(positive.min())), 0, 4))


def _short_name(parameter: Parameter) -> str:
    """A heading for a narrow column."""
    if parameter.gas is not None:
        return parameter.gas.upper()
    if parameter.role in _LETTERS:
        return f"{_LETTERS[parameter.role]} [{parameter.unit}]"
    return parameter.name


def one_spectrum(posterior: Posterior, truth: Float[np.ndarray, " d"] | None) -> Table:
    """One row per parameter: median, errors to 16 and 84 %, and the true value where known."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("parameter", "median", "-", "+", "unit", "truth"):
        left = heading in ("parameter", "unit")
        table.add_column(heading, justify="left" if left else "right", no_wrap=True)
    parameters = posterior.parameters
    true = np.full(len(parameters), np.nan) if truth is None else truth
    for i, (low, median, high) in enumerate(posterior.quantiles().T):
        decimals = _decimals(np.array([median - low, high - median]), digits=2)
        numbers = (f"{x:.{decimals}f}" for x in (median, median - low, high - median))
        known = f"{true[i]:.{decimals}f}" if np.isfinite(true[i]) else ""
        table.add_row(parameters[i].name, *numbers, parameters[i].unit, known)
    return table


def _cells(quantiles: Float[np.ndarray, "n q"], decimals: int) -> list[str]:
    """Median and half the 16-84 % interval of one parameter of n spectra."""
    return [f"{m:.{decimals}f}±{(high - low) / 2:.{decimals}f}" for low, m, high in quantiles]


def _columns(
    quantiles: Float[np.ndarray, "n 3 d"], parameters: Parameters, room: int
) -> list[tuple[str, list[str]]]:
    """Heading and cells of the parameters' columns, no wider than `room` with a gap after each:
    where they are, decimals are dropped, and then the last parameters.
    """
    errors = (quantiles[:, 2] - quantiles[:, 0]) / 2
    names = [_short_name(p) for p in parameters]
    # The median's, so that one spectrum that is well known does not widen them all.
    decimals = [_decimals(np.median(errors[:, [i]], axis=0), digits=1) for i in range(len(names))]
    while True:
        columns = [(name, _cells(quantiles[:, :, i], decimals[i])) for i, name in enumerate(names)]
        widths = [max(map(len, (name, *cells))) + 1 for name, cells in columns]
        if sum(widths) <= room or len(names) == 1:
            return columns
        # Decimals that make a column wider than its heading; the most of them goes first.
        spare = [
            count if count > 1 and width > len(name) + 1 else 0
            for count, width, name in zip(decimals[: len(names)], widths, names, strict=True)
        ]
        if any(spare):
            decimals[int(np.argmax(spare))] -= 1
        else:
            names = names[:-1]


def many_spectra(rows: Mapping[str, Any], parameters: Parameters, width: int) -> Table:
    """One row per spectrum: median and half the 16-84 % interval; ! marks a flag.

    Args:
      rows: `name`, `quantiles` (n, 3, d), `reduced_chi2` and `flags` of them.
      parameters: the problem's.
      width: columns of the terminal.
    """
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("spectrum", no_wrap=True)
    fit = [f"{chi2:.1f}" for chi2 in rows["reduced_chi2"]]
    rest = max(map(len, ("chi2", *fit)))
    room = width - rest - _NAME - 1
    columns = [*_columns(rows["quantiles"], parameters, room), ("chi2", fit)]
    for heading, _ in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    taken = sum(max(map(len, (heading, *cells))) + 1 for heading, cells in columns)
    room = max(width - taken, _NAME)
    for i, flags in enumerate(rows["flags"]):
        name = rows["name"][i] + "!" * bool(flags)
        if len(name) > room:  # the end of a name often tells one from another
            name = f"{name[: room - 5]}…{name[-4:]}"
        table.add_row(Text(name), *(cells[i] for _, cells in columns))
    return table


def print_report(
    retrieval: Retrieval,
    truths: Sequence[Float[np.ndarray, " d"] | None],
    console: Console | None = None,
) -> None:
    """Prints the table for one spectrum or for many, cut to the terminal's height.

    Args:
      retrieval: of n observations.
      truths: n arrays (d,) of true parameters, NaN where unknown, or None.
      console: where to print; standard output by default.
    """
    console = Console() if console is None else console
    if len(retrieval) == 1:
        posterior = retrieval[0]
        chi2, size = posterior.reduced_chi2, posterior.effective_sample_size
        title = f"{posterior.name}: reduced chi-square {chi2:.2f}, "
        title += f"{size:.0f} of {len(posterior.weights)} samples effective"
        console.print(Text(title))
        console.print(one_spectrum(posterior, truths[0]))
        for flag in split(posterior.flags):
            console.print(Text(f"! {flag}: {explain(flag)}"))
        return
    rows = {
        "name": retrieval.names,
        "quantiles": retrieval.quantiles(),
        "reduced_chi2": retrieval.reduced_chi2,
        "flags": retrieval.flags,
    }
    print_rows(rows, retrieval.parameters, "summary.ecsv", console)


def print_rows(
    rows: Mapping[str, Any], parameters: Parameters, table: str, console: Console | None = None
) -> None:
    """Prints many spectra, see `many_spectra`, cut to the terminal's height; `table` is the file
    with all of them.
    """
    console = Console() if console is None else console
    n, most = len(rows["name"]), max(console.height - 9, 5)
    shown = {name: values[:most] for name, values in rows.items()}
    printed = many_spectra(shown, parameters, console.width)
    console.print(printed)
    if n > most:
        console.print(f"... and {n - most} more in {table}")
    hidden = len(parameters) + 2 - len(printed.columns)
    if hidden:
        console.print(f"{hidden} more parameter{'s' * (hidden > 1)} in {table}")
    if any(shown["flags"]):
        console.print(f"! see the flags of {table} and, above its table, what they mean")


def print_models(console: Console | None = None) -> None:
    """Prints the shipped models with what their cards say; the default is marked *."""
    console = Console() if console is None else console
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "network", "weights", "opacities", "steps", "batch", "encoder"):
        table.add_column(heading)
    lines = []
    for name in headers.model_names():
        path = headers.model_path(name)
        header, arrays = headers.read_header(path), headers.array_sizes(path)
        card = json.loads(header["card"])
        training = card["training"]
        size = sum(n for part, n in arrays.items() if part in ("generator", "discriminator"))
        table.add_row(
            name + "*" * (name == headers.DEFAULT_MODEL),
            header["network"],
            f"{size / 1e6:.1f} M",
            training["opacities"],
            str(training["n_steps"]),
            str(training["batch_size"]),
            "yes" if "encoder" in arrays else "no",
        )
        problem = ", ".join(headers.layout_of(header, path).parameters.names)
        lines += [f"{name}: {card['data']}", f"  retrieves {problem}"]
    console.print(table)
    for line in lines:
        console.print(line, highlight=False)
    console.print("* the default; `exogan_jax.files.weights.model_card(name)` says more")
