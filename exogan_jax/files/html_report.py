"""One page of a run, in one HTML file that needs no other: a table that sorts, filters and
searches, overviews, and a small spectrum and corner plot of some spectra.
"""

from __future__ import annotations

import fnmatch
import html
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from exogan_jax import __version__
from exogan_jax.files.atomic import replacing
from exogan_jax.files.html_drawings import corner, histogram, spectrum
from exogan_jax.files.restore import observation_of
from exogan_jax.files.results import Results, read_rows
from exogan_jax.files.rows import DONE, Rows, split
from exogan_jax.files.summary import COLUMNS
from exogan_jax.parameters import Parameters
from exogan_jax.retrieval.flags import explain
from exogan_jax.retrieval.flags import split as split_flags

REPORT: Final = "report.html"
PICKED: Final = 24  # spectra that are drawn, unless told


def picked_names(rows: Rows, patterns: Sequence[str] = ()) -> list[str]:
    """The spectra to draw: those of the patterns, or the worst fits of those with flags and the
    first of those without, half of each.
    """
    good = rows["status"] == DONE
    names = list(rows["name"][good])
    if patterns:
        return [n for n in names if any(fnmatch.fnmatchcase(n, pattern) for pattern in patterns)]
    flagged = np.array([bool(flags) for flags in rows["flags"][good]], bool)
    worst = np.argsort(-rows["reduced_chi2"][good], kind="stable")
    bad = [names[i] for i in worst if flagged[i]]
    fine = [name for name, flag in zip(names, flagged, strict=True) if not flag]
    n_bad = min(len(bad), max(PICKED // 2, PICKED - len(fine)))
    return bad[:n_bad] + fine[: PICKED - n_bad]


def _listed(values: np.ndarray) -> list[float | None]:
    """Numbers for JSON, to six digits."""
    return [float(f"{x:.6g}") if np.isfinite(x) else None for x in np.asarray(values, float)]


def _digits(errors: np.ndarray) -> int:
    known = errors[np.isfinite(errors) & (errors > 0)]
    if not known.size:
        return 2
    return int(np.clip(1 - np.floor(np.log10(np.median(known))), 0, 5))


def _data(rows: Rows, parameters: Parameters, picked: Sequence[str]) -> dict[str, Any]:
    """What the page's table is made of."""
    columns: list[dict[str, Any]] = []
    for i, parameter in enumerate(parameters):
        low, median, high = rows["quantiles"][:, :, i].T
        errors = (high - low) / 2
        name = (
            parameter.name
            if parameter.unit in ("1", "dex")
            else f"{parameter.name} [{parameter.unit}]"
        )
        columns.append(
            {
                "name": name,
                "values": _listed(median),
                "errors": _listed(errors),
                "digits": _digits(errors),
            }
        )
    for field, name in (
        ("reduced_chi2", "reduced χ²"),
        ("predictive_p", "p"),
        ("effective_sample_size", "samples"),
        ("log_evidence", "ln Z"),
    ):
        columns.append({"name": name, "values": _listed(rows[field]), "digits": None})
    status = [s if s != DONE else f for s, f in zip(rows["status"], rows["flags"], strict=True)]
    known = sorted({flag for row in rows["flags"] for flag in split_flags(row)})
    return {
        "name": [str(name) for name in rows["name"]],
        "columns": columns,
        "flags": status,
        "known": [*known, *(["failed"] if any(rows["status"] != DONE) else [])],
        "picked": {name: i for i, name in enumerate(picked)},
    }


def _overview(rows: Rows, parameters: Parameters) -> str:
    figures = [
        f"<figure>{histogram(rows['quantiles'][:, 1, i], f'{p.name} [{p.unit}]')}</figure>"
        for i, p in enumerate(parameters)
    ]
    figures.append(f"<figure>{histogram(rows['reduced_chi2'], 'reduced chi-square')}</figure>")
    figures.append(f"<figure>{histogram(rows['predictive_p'], 'predictive p')}</figure>")
    return (
        "<h2>Overview</h2><p class='dim'>Medians of all spectra, and how well they fit: p is "
        "evenly spread where the model is right.</p>"
        f"<div class='grid'>{''.join(figures)}</div>" + _coverage(rows, parameters)
    )


def _coverage(rows: Rows, parameters: Parameters) -> str:
    """How often the 68 % intervals hold the truth, where it is known."""
    low, high = rows["quantiles"][:, 0], rows["quantiles"][:, 2]
    truth = rows["truth"]
    known = np.isfinite(truth) & np.isfinite(low)
    if not known.any():
        return ""
    lines = []
    for i, parameter in enumerate(parameters):
        n = int(known[:, i].sum())
        if n:
            inside = (truth[:, i] >= low[:, i]) & (truth[:, i] <= high[:, i]) & known[:, i]
            share, chance = 100 * inside.sum() / n, 100 * np.sqrt(0.68 * 0.32 / n)
            lines.append(
                f"<tr><td>{html.escape(parameter.name)}</td><td>{n}</td><td>{share:.0f} %</td>"
                f"<td>68 ± {chance:.0f} %</td></tr>"
            )
    head = "<tr><th scope='col'>parameter</th><th scope='col'>known</th>"
    head += "<th scope='col'>within 16–84 %</th><th scope='col'>expected</th></tr>"
    return (
        "<h2>Coverage</h2><p class='dim'>True values within the 68 % intervals.</p>"
        f"<div class='scroll'><table><thead>{head}</thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _picked(results: Results, names: Sequence[str], parameters: Parameters) -> str:
    if not names:
        return ""
    fields = ("name", "samples", "weight", "depth_quantiles", "flags", "instrument")
    observed = tuple(f"observed_{x}" for x in ("wavelength_um", "half_width_um", "depth", "sigma"))
    rows = split(read_rows(results, names, (*fields, *observed)))
    grid = np.asarray(results.stores[0].layout.wavelength_um)
    cards = []
    for i, (name, row) in enumerate(zip(names, rows, strict=True)):
        seen, drawn = observation_of(row), row["weight"] > 0
        depth = (np.asarray(x) for x in (seen.wavelength_um, seen.depth, seen.sigma))
        cards.append(
            f"<section class='card' id='picked-{i}' aria-labelledby='name-{i}'>"
            f"<h3 id='name-{i}'>{html.escape(name)}</h3>"
            f"<p class='dim'>{html.escape(row['flags'].replace(',', ', ')) or 'no flags'}</p>"
            f"<figure>{spectrum(name, grid, row['depth_quantiles'], *depth)}</figure>"
            f"<figure>{corner(name, parameters.names, row['samples'][drawn], row['weight'][drawn])}"
            "</figure></section>"
        )
    return f"<h2>Some of them</h2>{''.join(cards)}"


def _pairs(title: str, pairs: Mapping[str, Any]) -> str:
    lines = "".join(
        f"<dt>{html.escape(str(key))}</dt><dd>{html.escape(str(value))}</dd>"
        for key, value in pairs.items()
    )
    return f"<h2>{title}</h2><dl>{lines}</dl>" if pairs else ""


def write_report(
    folder: Path, results: Results, names: Sequence[str], pick: Sequence[str] = ()
) -> Path:
    """Writes `report.html`.

    Args:
      folder: of the run.
      results: of the run.
      names: of its spectra, in the order of the table.
      pick: patterns of the names of spectra to draw; none: `PICKED` of them, see `picked_names`.

    Returns:
      The file.

    Raises:
      OSError: the folder cannot be written.
    """
    rows = read_rows(results, names, (*COLUMNS, "truth"))
    parameters = results.stores[0].layout.parameters
    picked = picked_names(rows, pick)
    failed = int(np.sum(rows["status"] != DONE))
    flagged = int(sum(bool(flags) for flags in rows["flags"]))
    words = f"{len(names)} spectra, {flagged} with flags, {failed} without an answer. Medians with "
    words += "half of the interval from 16 to 84 %. Made by exogan_jax " + __version__ + "."
    occurring = dict.fromkeys(flag for row in rows["flags"] for flag in split_flags(row))
    data = json.dumps(_data(rows, parameters, picked), ensure_ascii=True, separators=(",", ":"))
    filled = {
        "@TITLE@": html.escape(f"Retrieval of {len(names)} spectra: {folder.resolve().name}"),
        "@INTRODUCTION@": f"<p>{html.escape(words)}</p>",
        "@FLAGS@": _pairs("What the flags mean", {flag: explain(flag) for flag in occurring}),
        "@OVERVIEW@": _overview(rows, parameters),
        "@PICKED@": _picked(results, picked, parameters),
        "@MADE_WITH@": "".join(_pairs("Made with", about) for about in results.runs.values()),
        "@DATA@": data.replace("<", "\\u003c"),  # no name can end the script
    }
    source = importlib.resources.files("exogan_jax") / "assets" / "report.html"
    page = source.read_text(encoding="utf-8")
    for mark, value in filled.items():
        page = page.replace(mark, value)
    path = folder / REPORT
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")
    return path
