"""What JAX compiles is kept in the user's cache folder, and found there by the next process."""

import os
import subprocess
import sys

import pytest

from exogan_jax.files import compiled

CODE = """
import jax
import jax.numpy as jnp
from exogan_jax.files.compiled import keep_compiled

counts = {"hits": 0, "misses": 0}


def count(event, **_):
    name = event.removeprefix("/jax/compilation_cache/cache_")
    if name in counts:
        counts[name] += 1


jax.monitoring.register_event_listener(count)
folder = keep_compiled()


def slow(x):
    for i in range(300):
        x = jnp.sin(x) @ jnp.cos(x.T + i)
    return x


jax.jit(slow)(jnp.ones((3, 3)))
print(folder, counts["hits"], counts["misses"], sep="|")
"""


def run(**variables):
    """The folder, and the programs found in it and not found, of a process."""
    environment = {k: x for k, x in os.environ.items() if not k.startswith("JAX_")}
    environment |= {"JAX_PLATFORMS": "cpu", **variables}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    folder, hits, misses = done.stdout.strip().split("|")
    return folder, int(hits), int(misses)


def test_a_second_process_compiles_nothing(tmp_path):
    folder, hits, misses = run(XDG_CACHE_HOME=str(tmp_path))
    assert folder.startswith(str(tmp_path / "exogan_jax" / "compiled"))
    kept = sorted(p.name for p in (tmp_path / "exogan_jax" / "compiled").rglob("*slow*-cache"))
    assert len(kept) == 1 and hits == 0 and misses >= 1
    again, found, missed = run(XDG_CACHE_HOME=str(tmp_path))
    assert again == folder and found == misses and missed == 0


def test_jaxs_own_variable_wins(tmp_path):
    told = str(tmp_path / "mine")
    folder, _, _ = run(XDG_CACHE_HOME=str(tmp_path / "x"), JAX_COMPILATION_CACHE_DIR=told)
    assert folder == told and not (tmp_path / "x").exists()


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").write_text("")
    folder, hits, misses = run(XDG_CACHE_HOME=str(tmp_path / "file"))
    assert folder == "None" and hits == misses == 0


@pytest.mark.parametrize(
    ("platform", "variable", "parts"),
    [
        ("linux", "XDG_CACHE_HOME", ()),
        ("linux", None, (".cache",)),
        ("darwin", None, ("Library", "Caches")),
        ("win32", "LOCALAPPDATA", ()),
    ],
)
def test_the_folder_is_the_platforms(tmp_path, monkeypatch, platform, variable, parts):
    monkeypatch.setattr(compiled.sys, "platform", platform)
    monkeypatch.setattr(compiled.Path, "home", lambda: tmp_path)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    if variable is not None:
        monkeypatch.setenv(variable, str(tmp_path))
    folder = compiled.cache_folder()
    assert folder.parent == tmp_path.joinpath(*parts, "exogan_jax", "compiled")
