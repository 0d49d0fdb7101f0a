"""Tables of the documentation that are read from the code, as Markdown in `_generated`."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable
from pathlib import Path

from exogan_jax.files.columns import ROLES as COLUMN_ROLES
from exogan_jax.files.headers import model_layout
from exogan_jax.files.units import SPELLINGS
from exogan_jax.parameters import ROLES as PARAMETER_ROLES
from exogan_jax.parameters import UNITS, Parameters
from exogan_jax.retrieval.flags import MEANINGS
from exogan_jax.retrieval.settings import Settings

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
    for path in sorted((ROOT / folder).glob("*.py")):
        tree = ast.parse(path.read_text())
        runs = any(isinstance(n, ast.FunctionDef) and n.name == "main" for n in tree.body)
        docstring = ast.get_docstring(tree)
        if runs and docstring:
            about = " ".join(docstring.split("\n\n")[0].split())
            rows.append((f"`python -m {'.'.join((*Path(folder).parts, path.stem))}`", about))
    return markdown(("command", "what it does"), rows)


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
        "experiments": commands("experiments"),
        "opacity_commands": commands("data_prep/opacities"),
    }
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
