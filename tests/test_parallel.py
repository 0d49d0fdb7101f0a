"""One device, two, and two processes: the same training."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from exogan_jax import parallel

CHILD = Path(__file__).with_name("parallel_child.py")


def start(*arguments, devices=2):
    # Little is computed and much compiled: no optimisation.
    flags = f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0"
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    command = [sys.executable, str(CHILD), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def finish(*processes):
    for process in processes:
        _, errors = process.communicate(timeout=400)
        assert process.returncode == 0, errors[-3000:]


def trained(path):
    with np.load(path) as file:
        return [file[name] for name in file.files]


def assert_same(found, expected):
    assert len(found) == len(expected) > 10
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(
    # The paper's networks normalise batches: `test_step` compares that within one process.
    "network",
    ["compact", pytest.param("paper", marks=pytest.mark.slow)],
)
def test_jit_over_two_devices_pmap_and_one_device_agree(tmp_path, network):
    ways = {"one": 1, "jit": 2, "pmap": 2}
    finish(*(start(w, network, tmp_path / f"{w}.npz", devices=n) for w, n in ways.items()))
    expected = trained(tmp_path / "one.npz")
    for way in ("jit", "pmap"):
        assert_same(trained(tmp_path / f"{way}.npz"), expected)


def test_two_processes_train_as_one_with_two_devices(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    finish(
        *(start("jit", "compact", tmp_path / "two.npz", address, i, devices=1) for i in range(2))
    )
    finish(start("jit", "compact", tmp_path / "one.npz"))
    assert_same(trained(tmp_path / "two.npz"), trained(tmp_path / "one.npz"))


def test_a_single_process_is_not_connected():
    assert not parallel.connect(environment={"SLURM_NTASKS": "1", "TPU_WORKER_HOSTNAMES": "here"})
    with pytest.raises(ValueError, match="all three"):
        parallel.connect("127.0.0.1:1234")


@pytest.mark.parametrize(
    "environment",
    [{"SLURM_NTASKS": "4"}, {"OMPI_COMM_WORLD_SIZE": "2"}, {"TPU_WORKER_HOSTNAMES": "a,b"}],
)
def test_clusters_are_recognised(monkeypatch, environment):
    calls = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *a: calls.append(a))
    parallel.connect(environment=environment)
    assert calls == [()]


def test_batches_must_divide(monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 3)
    parallel.check_batch(6)
    with pytest.raises(ValueError, match="3 devices cannot share batches of 8"):
        parallel.check_batch(8)


def test_a_flag_of_this_process():
    assert parallel.any_process(True) and not parallel.any_process(False)
