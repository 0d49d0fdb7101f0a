"""The direction of imports, and what the package may import at all."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "exogan_jax"

# A module may import from its own rank or below.
RANKS = {
    "grid": 0,
    "aspa": 1,
    "physics": 2,
    "gan": 2,
    "retrieval": 3,
    "files": 4,
    "parallel": 4,
    "api": 5,
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


def test_inpainting_does_not_know_the_networks():
    names = imports(PACKAGE / "retrieval" / "inpaint.py")
    assert not any(word in name for name in names for word in ("nets", "layers", "model"))


def test_experiments_and_data_prep_do_not_import_each_other():
    for folder, other in (("experiments", "data_prep"), ("data_prep", "experiments")):
        for path in (ROOT / folder).rglob("*.py"):
            assert not any(name.split(".")[0] == other for name in imports(path)), path


def test_no_file_unpickles():
    for folder in (PACKAGE, ROOT / "experiments", ROOT / "data_prep"):
        for path in folder.rglob("*.py"):
            assert "allow_pickle=True" not in path.read_text(), path
