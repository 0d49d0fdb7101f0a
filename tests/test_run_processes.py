"""Runs of many spectra in processes of their own: refused, killed, side by side, out of disk."""

import os
import random
import shutil
import signal
import subprocess
import time

import pytest
import xarray as xr
from astropy.table import QTable
from commands import MANY, child, contents, ended, write_spectra

from exogan_jax.files.store import STORE


@pytest.fixture
def spectra(tmp_path):
    return write_spectra(tmp_path / "spectra", MANY)


def test_a_second_process_is_refused_and_a_dead_one_holds_nothing(tmp_path, spectra):
    out = tmp_path / "out"
    first = child("retrieve", spectra, "--out", out, EXOGAN_TEST_DELAY="60")
    while not (out / ".lock.holder").exists():
        assert first.poll() is None
        time.sleep(0.1)
    for part in ([], ["--part", "0/2"]):
        status, text = ended(child("retrieve", spectra, "--out", out, *part))
        assert status == 2 and f"process {first.pid} on " in text and "--part 0/2" in text
    first.kill()
    first.communicate()
    status, _ = ended(child("retrieve", spectra, "--out", out))
    assert status == 0 and len(QTable.read(out / "summary.ecsv")) == MANY


def test_processes_side_by_side_make_the_same_store(tmp_path, spectra):
    for n in (1, 2):
        out = tmp_path / f"out_{n}"
        assert ended(child("retrieve", spectra, "--out", out, "--jobs", n, "--chunk", 4))[0] == 0
    assert contents(tmp_path / "out_1") == contents(tmp_path / "out_2")


def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_room(tmp_path, spectra):
    out = tmp_path / "small"
    out.mkdir()
    options = "size=1500k" if os.geteuid() == 0 else ""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(out)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        more = write_spectra(spectra, 60, "more")
        status, text = ended(child("retrieve", more, "--out", out))
        assert status == 2 and "No space left on device" in text and "what was done is kept" in text
        subprocess.run(["mount", "-o", "remount,size=50m", str(out)], check=True)
        status, text = ended(child("retrieve", more, "--out", out))
        assert status == 0
        assert ended(child("retrieve", more, "--out", tmp_path / "whole"))[0] == 0
        assert contents(out) == contents(tmp_path / "whole")
    finally:
        subprocess.run(["umount", str(out)], check=True)


@pytest.mark.slow
def test_killed_twenty_times_the_results_are_the_same(tmp_path):
    spectra = write_spectra(tmp_path / "spectra", 150)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    arguments = ("retrieve", spectra, "--chunk", 2)
    assert ended(child(*arguments, "--out", whole))[0] == 0
    rng = random.Random(1)
    kills = 0
    while kills < 20:
        process = child(*arguments, "--out", killed, EXOGAN_TEST_DELAY="0.05")
        began = time.monotonic()
        while not (killed / ".lock.holder").exists() and process.poll() is None:
            time.sleep(0.05)
        time.sleep(rng.uniform(0, time.monotonic() - began + 1))
        if process.poll() is not None:  # it came to its end: once more
            assert ended(process)[0] == 0
            assert contents(killed) == contents(whole)
            shutil.rmtree(killed)
            continue
        process.send_signal(signal.SIGKILL)
        process.communicate()
        (killed / ".lock.holder").unlink(missing_ok=True)
        kills += 1
    status, _ = ended(child(*arguments, "--out", killed))
    assert status == 0 and contents(killed) == contents(whole)
    names = list(QTable.read(killed / "summary.ecsv")["name"])
    assert names == [f"planet_{i:03}" for i in range(150)]
    assert list(xr.open_zarr(killed / STORE, chunks=None)["name"].values) == sorted(
        names, key=lambda name: (int(name[-1]) % 2, name)
    )
