"""The direction of imports, and what the package may import at all."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "exogan_jax"

# A module may import from its own rank or below.
RANKS = {
    "parameters": 0,
    "atmosphere": 1,
    "folding": 1,
    "triangular": 0,
    "extra_commands": 0,
    "masks": 1,
    "layout": 1,
    "aspa": 2,
    "physics": 2,
    "gan": 2,
    "retrieval": 3,
    "files": 4,
    "parallel": 4,
    "api": 5,
    "batches": 6,
    "distributed": 6,
    "cli_base": 6,
    "cli_run": 6,
    "cli_outcome": 6,
    "cli_exact": 6,
    "cli_retrieve": 6,
    "cli_results": 6,
    "cli": 6,
    "__init__": 7,
}
SIDE_BY_SIDE = {("physics", "gan"), ("gan", "physics")}
FOREIGN = {
    "experiments",
    "data_prep",
    "tensorflow",
    "tensorflow_datasets",
    "absl",
    "ml_collections",
}


def imports(path: Path) -> set[str]:
    """Full names of what a file imports, those under TYPE_CHECKING included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def top(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.name))
def test_nothing_imports_upward(path):
    here = top(path)
    assert here in RANKS, f"{path}: give it a place in the order"
    for name in imports(path):
        root = name.split(".")[0]
        assert root not in FOREIGN, f"{path} imports {name}"
        if root != "exogan_jax" or here == "__init__":
            continue
        parts = name.split(".")
        there = parts[1] if len(parts) > 1 else "__init__"
        if there not in RANKS:
            continue  # a name of the package itself, such as __version__
        assert RANKS[there] <= RANKS[here], f"{path} imports {name} from above"
        assert (here, there) not in SIDE_BY_SIDE, f"{path} imports {name} from beside"


@pytest.mark.parametrize("name", ["inpaint", "ensemble"])
def test_samplers_know_neither_networks_nor_planets(name):
    names = imports(PACKAGE / "retrieval" / f"{name}.py")
    foreign = ("nets", "layers", "model", "layout", "parameters", "physics")
    assert not any(word in name for name in names for word in foreign)


# What only the modules of the published problem may name: its parameters, bounds and shapes.
_NUMBERS = {515, 510, 529, 564, 334, 384, 1.898e27, 6.9911e7, 0.0301803471629, 0.00650370296635}
_NAMES = ("log10_h2o", "log10_co", "log10_ch4", "planet_mass", "planet_radius")
_MAY = {PACKAGE / f"{name}.py" for name in ("parameters", "layout", "aspa")}
_MAY.add(ROOT / "experiments" / "configs" / "planets.py")  # a problem of its own


@pytest.mark.parametrize(
    "path",
    sorted({*PACKAGE.rglob("*.py"), *(ROOT / "experiments").rglob("*.py")} - _MAY),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_module_names_the_published_problem(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Constant):
            continue
        if isinstance(node.value, int | float):
            assert node.value not in _NUMBERS, f"line {node.lineno}: {node.value}"
        elif isinstance(node.value, str):
            named = [name for name in _NAMES if name in node.value]
            assert not named, f"line {node.lineno}: {named[0]}"
            # Shapes in annotations: "n 33 33", "515".
            words = set(node.value.split())
            shapes = words & {"515", "33", "529", "564"}
            assert not (shapes and len(words) < 5), f"line {node.lineno}: {node.value}"


def test_files_and_functions_are_short():
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "experiments").rglob("*.py")]:
        text = path.read_text()
        assert len(text.splitlines()) <= 300, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                length = node.end_lineno - node.lineno + 1
                assert length <= 80, f"{path}: {node.name} has {length} lines"


def test_experiments_and_data_prep_do_not_import_each_other():
    for folder, other in (("experiments", "data_prep"), ("data_prep", "experiments")):
        for path in (ROOT / folder).rglob("*.py"):
            assert not any(name.split(".")[0] == other for name in imports(path)), path


def test_no_file_unpickles():
    for folder in (PACKAGE, ROOT / "experiments", ROOT / "data_prep"):
        for path in folder.rglob("*.py"):
            assert "allow_pickle=True" not in path.read_text(), path
