"""Sphinx settings: `sphinx-build -W --keep-going docs docs/_build`."""

import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]  # experiments, data_prep; the generator of tables

import tables  # noqa: E402

from exogan_jax.files.compiled import cache_folder  # noqa: E402

# Pages that run share compiled programs, with each other, with `exogan` and with the next build.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache_folder()))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])

project = "exogan_jax"
author = "The exogan_jax developers"
copyright = f"2026, {author}"
version = release = version_of("exogan-jax")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx_argparse_cli",
]
exclude_patterns = ["_build", "_generated", "jupyter_execute"]
default_role = "code"  # single backquotes in docstrings

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 900  # of a cell, on a busy machine
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings give shapes and units
napoleon_numpy_docstring = False
napoleon_use_rtype = False

sphinx_argparse_cli_prefix_document = True

html_theme = "furo"
html_title = f"exogan_jax {release}"
html_static_path = ["_static"]
html_css_files = ["wide_tables.css"]


def setup(app):
    """Writes the tables that come from the code before any page is read."""
    app.connect("builder-inited", lambda _: tables.write_all(HERE / "_generated"))
