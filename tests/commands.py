"""The command line, in this process and in others, and spectra for it."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from fake_results import TRUTH, make_observation

from exogan_jax import cli
from exogan_jax.files import folders
from exogan_jax.files.par import truth_of
from exogan_jax.files.spectra import write_spectrum
from exogan_jax.files.store import STORE
from exogan_jax.layout import PUBLISHED

FIGURES = ["aspa.png", "corner.png", "histograms.png", "spectrum.png"]
CHILD = Path(__file__).with_name("catalogue_child.py")
#: So many that they go to the store alone.
MANY = folders.FEW + 3


def three_spectra(folder):
    """Paths of three files."""
    paths = [folder / f"planet_{letter}.dat" for letter in "abc"]
    for path in paths:
        write_spectrum(path, make_observation(), truth=truth_of(TRUTH, PUBLISHED.parameters))
    return [str(path) for path in paths]


def write_spectra(folder, n, name="planet"):
    """A folder of so many files, of two instruments in turn."""
    folder.mkdir(exist_ok=True)
    for i in range(n):
        observation = make_observation(12 + 20 * (i % 2))
        write_spectrum(folder / f"{name}_{i:03}.dat", observation, star_radius=0.9)
    return folder


def call(capsys, *arguments):
    """Exit status, output and errors of `exogan`."""
    status = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return status, out, err


def run(capsys, *arguments):
    """The same of `exogan retrieve`."""
    return call(capsys, "retrieve", *arguments)


def errors(err):
    return [line for line in err.splitlines() if line.startswith("exogan: error: ")]


def contents(folder):
    """Path -> digest of the results in a folder."""
    found = [folder / "summary.ecsv", *sorted((folder / STORE).rglob("*"))]
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in found
        if p.is_file()
    }


def child(*arguments, **environment):
    """Starts `exogan` in a process of its own."""
    command = [sys.executable, str(CHILD), *map(str, arguments)]
    paths = [str(CHILD.parent), str(CHILD.parents[1])]
    own = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        command,
        env={**own, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process):
    """Status and output of a process."""
    text, _ = process.communicate(timeout=300)
    assert "Traceback" not in text, text
    return process.returncode, text
