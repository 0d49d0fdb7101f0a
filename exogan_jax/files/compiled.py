"""JAX's compiled programs, kept between runs in the user's cache folder: the second run of a day
compiles nothing.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import tempfile
from pathlib import Path

import jax

#: Programs that took less time [s] are not kept. None: beside its large program a retrieval has
#: some thirty small ones, which take seconds together and are read back in a third of that.
MIN_SECONDS = 0.0


def cache_folder() -> Path:
    """The user's folder for compiled programs, by the customs of the platform."""
    home = Path.home()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or home / ".cache"
    return Path(base) / "exogan_jax" / "compiled" / _machine()


def _machine() -> str:
    """Names the kind of processor: machines that share a home must not share its code."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        words = [line for line in lines if line.startswith(("model name", "flags", "Features"))]
        about = "\n".join(sorted(set(words)))
    except OSError:
        about = platform.processor()
    return f"{platform.machine()}-{hashlib.sha256(about.encode()).hexdigest()[:8]}"


def keep_compiled() -> Path | None:
    """Lets JAX keep what it compiles from now on, unless it was told where to keep it already (by
    JAX_COMPILATION_CACHE_DIR, or in its configuration).

    Returns:
      The folder; None, and nothing is kept, where it cannot be written.
    """
    told = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if told:
        return Path(told)
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, RuntimeError):  # no home, or one that is read-only
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", MIN_SECONDS)
    return folder
