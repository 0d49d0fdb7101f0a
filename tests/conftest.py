"""Settings and fixtures of the whole suite: strict promotion, and where the reference data lie."""

import os
from pathlib import Path

import jax
import pytest
from fake_retrieve import fake, no_figures  # noqa: F401  (fixtures)

from exogan_jax.retrieval import lightly

# XLA's other way to make code of fusions takes twice as long to compile, and code in parts a tenth
# longer, where other tests keep the other cores busy; of child processes, too.
FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1 "
os.environ["XLA_FLAGS"] = FLAGS + os.environ.get("XLA_FLAGS", "")
jax.config.update("jax_numpy_rank_promotion", "raise")

ROOT = Path(__file__).resolve().parents[1]

#: Files that take half a minute or more: begun first, so that no process ends with one alone.
LONG = (
    "test_runs.py",
    "test_run_processes.py",
    "test_third_problem.py",
    "test_train.py",
    "test_flagged.py",
    "test_accuracy.py",
    "test_latent_prior.py",
    "test_quick.py",
    "test_step.py",
    "test_exact.py",
    "test_fitting.py",
    "test_catalogue.py",
    "test_modes.py",
    "test_encoding.py",
    "test_altitude.py",
    "test_straight.py",
    "test_parallel.py",
    "test_builder.py",
    "test_dataset.py",
    "test_user_tables.py",
    "test_cli.py",
    "test_ledger.py",
    "test_restore.py",
    "test_html_report.py",
)


#: Files of whole retrievals, and of trainings, whose keys are checked in test_fitting.py,
#: test_quick.py, test_flagged.py and test_train.py: the check is a seventh of a file's time.
KEYS_CHECKED_ELSEWHERE = (
    "test_accuracy.py",
    "test_catalogue.py",
    "test_cli.py",
    "test_cli_priors.py",
    "test_cli_reuse.py",
    "test_free_instruments.py",
    "test_latent_prior.py",
    "test_parallel.py",
    "test_radius_left.py",
    "test_restore.py",
    "test_runs.py",
    "test_significance.py",
    "test_third_problem.py",
    "test_wide.py",
)

#: Files whose programs compute for longer than they compile.
COMPUTING = ("test_accuracy.py",)


def pytest_configure(config):
    """Each of the suite's processes keeps to cores of its own, with its children: on two cores that
    is an eighth faster than two processes of two threads each.
    """
    if config.getoption("numprocesses", None):
        # NumPy is there before a process can tell its cores, and its children would else sum in
        # another order than itself.
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
    own = getattr(config, "workerinput", None)
    if own is None or not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    mine = cores[int(own["workerid"].removeprefix("gw")) :: own["workercount"]]
    if mine:
        os.sched_setaffinity(0, mine)


def pytest_collection_modifyitems(items):
    """Long files first; the others in their order."""
    rank = {name: i for i, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONG)))


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
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"  # small ones are many
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


@pytest.fixture(autouse=True, scope="module")
def programs(request):
    """XLA optimises little: a sixth of the suite's time was its care for programs that run once. A
    file's programs leave the memory with it: a process of all files would grow to 5 GB.
    """
    jax.config.update("jax_debug_key_reuse", request.path.name not in KEYS_CHECKED_ELSEWHERE)
    hastily = request.path.name not in COMPUTING
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", str(int(hastily)))  # of child processes
        jax.config.update("jax_disable_most_optimizations", hastily)
        if hastily:  # a level of their own would be taken before that
            patch.delitem(lightly.ON_CPU, "xla_backend_optimization_level")
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
