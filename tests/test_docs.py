"""README and documentation name what is there. (That pages build and run: `.ci/run`.)"""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import exogan_jax

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("data_prep/**/*.md")]
)
PAGES = [p for p in PAGES if not {"_build", "_generated", "jupyter_execute"} & {*p.parts}]


def ids(path):
    return str(path.relative_to(ROOT))


def test_every_public_name_is_in_the_reference():
    text = (ROOT / "docs" / "reference" / "api.md").read_text()
    missing = [name for name in exogan_jax.__all__ if f"exogan_jax.{name}" not in text]
    assert not missing


def blocks(path, language):
    return re.findall(rf"^```{language}[^\n]*\n(.*?)^```", path.read_text(), re.S | re.M)


@pytest.mark.parametrize("path", PAGES, ids=ids)
def test_python_in_pages_uses_public_names(path):
    for block in [*blocks(path, "python"), *blocks(path, r"\{code-cell\} ipython3")]:
        options = re.compile(r"\A---\n.*?\n---\n|^%%.*\n|^:tags:.*\n", re.S | re.M)
        for node in ast.walk(ast.parse(options.sub("", block))):
            of = node.value if isinstance(node, ast.Attribute) else None
            if isinstance(of, ast.Name) and of.id == "xg":
                assert node.attr in exogan_jax.__all__, f"{path}: xg.{node.attr}"


@pytest.mark.parametrize("path", PAGES, ids=ids)
def test_linked_and_named_files_are_there(path):
    text = path.read_text()
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in link:
            assert (path.parent / link).exists(), f"{path}: {link}"
    # Modules that are run, and files that are named in full.
    for module in re.findall(r"python -m ((?:experiments|data_prep)[\w.]*)", text):
        place = ROOT / module.replace(".", "/")
        programs = place.with_suffix(".py"), place / "__main__.py"
        assert any(program.exists() for program in programs), f"{path}: {module}"
    for file in re.findall(
        r"`((?:exogan_jax|experiments|data_prep|tests|docs)/[\w/.]+\.py)`", text
    ):
        assert (ROOT / file).exists(), f"{path}: {file}"


def test_the_readme_is_short_and_begins_with_the_two_commands():
    readme = ROOT / "README.md"
    assert len(readme.read_text().splitlines()) <= 110
    first, second = blocks(readme, "bash")[:2]
    assert "exogan retrieve --example" in first
    assert "python -m pytest" in second


def test_the_citation_is_of_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(rf"^version: {re.escape(project['version'])}$", citation, re.M)
    assert re.search(rf"^license: {project['license']}$", citation, re.M)


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "exogan_jax" / "py.typed").is_file()
