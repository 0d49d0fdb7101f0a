"""Settings and fixtures of the whole suite: strict promotion, and where the reference data lie."""

import os
from pathlib import Path

import jax
import pytest
from fake_retrieve import fake, no_figures  # noqa: F401  (fixtures)

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True, scope="session")
def compile_once(tmp_path_factory):
    """Programs that several tests, their child processes or the suite's other processes compile
    are kept for the session.
    """
    base = tmp_path_factory.getbasetemp()
    shared_base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = str(shared_base / "compiled")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    jax.config.update("jax_compilation_cache_dir", folder)


@pytest.fixture(autouse=True, scope="module")
def forget_compiled():
    """A file's programs leave the memory with it: all of them together take gigabytes."""
    yield
    jax.clear_caches()


@pytest.fixture(autouse=True)
def dtype_promotion(request):
    """Strict promotion of dtypes, but where optax runs: its bias correction mixes them."""
    mode = "standard" if request.node.get_closest_marker("optax") else "strict"
    with jax.numpy_dtype_promotion(mode):
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the reference data: $EXOGAN_SHARED, or `shared` beside the repository."""
    folder = Path(os.environ.get("EXOGAN_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"reference data not found in {folder}; set EXOGAN_SHARED to their folder")
    return folder
