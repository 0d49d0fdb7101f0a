"""Tables of the documentation that are read from the code, as Markdown in `_generated`."""

from __future__ import annotations

import ast
import dataclasses
import math
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from exogan_jax.files.columns import ROLES as COLUMN_ROLES
from exogan_jax.files.headers import model_layout
from exogan_jax.files.units import SPELLINGS
from exogan_jax.parameters import ROLES as PARAMETER_ROLES
from exogan_jax.parameters import UNITS, Parameters
from exogan_jax.retrieval.flags import MEANINGS
from exogan_jax.retrieval.settings import Settings
from experiments import peers
from experiments.kept_rows import read_rows
from experiments.ranks import inside, kept_ranks, mean_likelihood, outside_band
from experiments.reproduce.committed import (
    CALIBRATION,
    PEERS,
    PRIOR_DRAWS,
    RESULTS,
    SAMPLING,
    read_results,
)

ROOT = Path(__file__).resolve().parents[1]


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; bars in a cell are escaped."""
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def flags() -> str:
    """What each flag says, and what to do."""
    return markdown(("flag", "meaning and remedy"), ((f"`{k}`", v) for k, v in MEANINGS.items()))


def column_roles() -> str:
    """What a column of a file can be."""
    return markdown(("role", "meaning"), ((f"`{k}`", v) for k, v in COLUMN_ROLES.items()))


def units() -> str:
    """Units of files and their spellings."""
    rows = ((f"`{k}`", " ".join(f"`{word}`" for word in v.split())) for k, v in SPELLINGS.items())
    return markdown(("unit", "also spelt"), rows)


def parameter_units() -> str:
    """Units that a problem's parameters may have, in SI."""
    return markdown(("unit", "in SI"), ((f"`{k}`", f"{v:g}") for k, v in UNITS.items()))


def parameter_roles() -> str:
    """What a parameter can be to the forward model."""
    return ", ".join(f"`{role}`" for role in PARAMETER_ROLES) + "\n"


def parameters(these: Parameters) -> str:
    """Names, roles, units and bounds of a problem."""
    rows = ((f"`{p.name}`", p.role, p.unit, f"{p.lower:g}", f"{p.upper:g}", p.scale) for p in these)
    return markdown(("parameter", "role", "unit", "from", "to", "uniform on"), rows)


def settings() -> str:
    """Fields of `Settings` with their defaults."""
    rows = ((f"`{f.name}`", f"`{f.default!r}`") for f in dataclasses.fields(Settings))
    return markdown(("field", "default"), rows)


def commands(folder: str) -> str:
    """The programs of a folder, by the first sentence of their docstrings."""
    rows = []
    programs = [*(ROOT / folder).glob("*.py"), *(ROOT / folder).glob("*/__main__.py")]
    for path in sorted(programs):
        tree = ast.parse(path.read_text())
        runs = any(isinstance(n, ast.FunctionDef) and n.name == "main" for n in tree.body)
        docstring = ast.get_docstring(tree)
        if runs and docstring:
            about = " ".join(docstring.split("\n\n")[0].split())
            parts = path.with_suffix("").relative_to(ROOT).parts
            module = ".".join(part for part in parts if part != "__main__")
            rows.append((f"`python -m {module}`", about))
    return markdown(("command", "what it does"), rows)


def _interval(of: dict[str, float]) -> str:
    """A median with its 68 % interval."""
    low, middle, high = (of[f"q{q}"] for q in (16, 50, 84))
    digits = 1 if max(abs(low), abs(high)) < 100 else 0
    if max(high - middle, middle - low) < 0.1:
        digits = 3
    return f"{middle:.{digits}f} +{high - middle:.{digits}f} -{middle - low:.{digits}f}"


def planet(numbers: dict[str, Any]) -> str:
    """What was found of a real planet, fast and exact."""
    fast, exact = numbers["fast"], numbers["exact"]
    factors, sigma = numbers.get("log_bayes", {}), numbers.get("sigma", {})
    head = ["parameter", "fast", "exact"] + (["ln B", "at most"] if factors else [])
    rows = []
    for name, of in exact["parameters"].items():
        row = [f"`{name}`", _interval(fast["parameters"][name]), _interval(of)]
        if name in factors:
            row += [f"{factors[name]:.1f}", f"{sigma[name]:.1f} sigma"]
        rows.append(row + [""] * (len(head) - len(row)))
    fits = [
        (f"reduced chi-square ({numbers['n_points']} points)", "reduced_chi2", ".2f"),
        ("independent samples", "effective_sample_size", ".0f"),
    ]
    for title, field, form in fits:
        row = [title, format(fast[field], form), format(exact[field], form)]
        rows.append(row + [""] * (len(head) - len(row)))
    flags = [of["flags"].replace(",", ", ") or "none" for of in (fast, exact)]
    rows.append(["flags", *flags] + [""] * (len(head) - 3))
    return markdown(head, rows)


def study(numbers: dict[str, Any], fields: dict[str, str]) -> str:
    """Numbers of a study: one row per case and way, one column per parameter; several fields are
    separated by bars.
    """
    rows: list[list[str]] = []
    names: list[str] = []
    for case, ways in numbers.items():
        for way, found in ways.items():
            names = list(found["parameters"])
            row = [case, way, str(found["n"])]
            for name in names:
                cells = (found["parameters"][name].get(field) for field in fields)
                each = zip(cells, fields.values(), strict=True)
                row.append(" / ".join("-" if x is None else format(x, form) for x, form in each))
            rows.append([*row, f"{found['flagged']:.0%}"])
    return markdown(["spectra", "answer", "n", *(f"`{name}`" for name in names), "flagged"], rows)


def calibration() -> str:
    """Shares of truths within intervals, by the kept ranks: one row per instrument and answer."""
    rows, names = [], []
    for of, ranks in kept_ranks(RESULTS / CALIBRATION).items():
        names = list(model_layout(of.model).parameters.names)
        shares = inside(ranks.rank)
        cells = [f"{low:.0%} / {high:.0%}" for low, high in zip(*shares, strict=True)]
        together = f"{shares[0].mean():.0%} / {shares[1].mean():.1%}"
        beyond = str(outside_band(ranks.credibility))
        mean, error = mean_likelihood(ranks.likelihood)
        worse = "-" if math.isnan(mean) else f"{mean:.2f} +- {error:.2f}"
        about = [of.instrument, of.answer, str(len(ranks.rank))]
        rows.append([*about, *cells, together, beyond, worse])
    names = [f"`{name}`" for name in names]
    head = ["seen by", "answer", "n", *names, "all", "TARP", "fit worse"]
    return markdown(head, rows)


def sampling(file: str, reference: str) -> str:
    """Answers beside a reference, one row per observation, as `compare_sampling` or `prior_draws`
    kept them: divergences of the median and of the worst parameter.
    """
    _, kept = read_rows(RESULTS / file)
    last = {row["number"]: row for row in kept}
    rows = []
    for row in (last[number] for number in sorted(last)):
        exact, known, seconds = row["exact"], row["reference"], row["seconds"]
        offs = (row[kind]["divergence"] for kind in ("exact", "fast"))
        rows.append(
            [
                f"{row['number'] + 1}, {row['instrument']}",
                *(f"{statistics.median(off):.4f} / {max(off):.4f}" for off in offs),
                f"{exact['log_evidence']:.2f} +- {exact['error']:.2f}",
                f"{known['log_evidence']:.2f}",
                f"{known['effective']:,} of {known['calls']:,}",
                f"{seconds['reference']:.0f}",
            ]
        )
    drawn = f"samples of {'calls' if file == SAMPLING else 'draws'}"
    head = ["observation", "exact", "fast", "log evidence", reference, drawn, "its s"]
    return markdown(head, rows)


def beside_peers() -> str:
    """Answers of this project and of its peers to the same spectra, one row per kind."""
    _, rows = read_rows(RESULTS / PEERS)
    found = peers.summary(rows).items()
    return markdown(["answer", *peers.HEADS], ([kind, *peers.cells(one)] for kind, one in found))


def of_results() -> dict[str, str]:
    """Tables of the committed results of `experiments.reproduce`."""
    shares = {"inside_68": ".0%", "inside_95": ".0%"}
    errors = {"mean_absolute_error": ".3g", "r2": ".3f"}
    sigmas = {"within_1_sigma": ".0%", "within_2_sigma": ".0%"}
    there = {"error_there": ".2g"}
    pages = {}
    for name, numbers in read_results().items():
        if "exact" in numbers:
            pages[name] = planet(numbers)
        elif all(isinstance(ways, dict) and "parameters" not in ways for ways in numbers.values()):
            for kind, fields in (("errors", errors), ("inside", shares), ("sigma", sigmas)):
                pages[f"{name}_{kind}"] = study(numbers, fields)
            pages[f"{name}_there"] = study(numbers, there)
    return {f"result_{name}": text for name, text in pages.items()}


def write_all(folder: Path) -> None:
    """Writes all tables; files that are the same stay untouched."""
    pages = {
        "flags": flags(),
        "column_roles": column_roles(),
        "units": units(),
        "parameter_units": parameter_units(),
        "parameter_roles": parameter_roles(),
        "settings": settings(),
        "published": parameters(model_layout("published").parameters),
        "planets": parameters(model_layout("planets").parameters),
        "calibration": calibration(),
        "sampling": sampling(SAMPLING, "nested"),
        "prior_draws": sampling(PRIOR_DRAWS, "of the prior"),
        "peers": beside_peers(),
        "experiments": commands("experiments"),
        "opacity_commands": commands("data_prep/opacities"),
    }
    pages |= of_results()
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
