"""Instruments of a file that names none, by their wavelengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from exogan_jax.files.spectra import Spectrum


def split_at(spectrum: Spectrum, edges_um: Sequence[float], wanted: bool = False) -> Spectrum:
    """A spectrum whose points on either side of some wavelengths are of other instruments; within
    those that the file names.

    Args:
      spectrum: as read.
      edges_um: wavelengths; none: as it is.
      wanted: whether there should be several instruments: a note says where there are not.
    """
    names = spectrum.instrument
    wavelength = np.asarray(spectrum.observation.wavelength_um)
    if len(edges_um):
        edges = np.sort(np.asarray(edges_um, np.float64))
        ends = ["", *(f"{x:g}" for x in edges), ""]
        part = np.array([f"{ends[i]}-{ends[i + 1]}um" for i in np.searchsorted(edges, wavelength)])
        names = part if names is None else np.char.add(np.char.add(names, " "), part)
        observation = spectrum.observation._replace(instrument=tuple(map(str, names)))
        spectrum = spectrum._replace(observation=observation)
    if wanted and (names is None or len(set(names)) < 2):
        note = (
            f"{spectrum.path}: one instrument, as far as it says, so no offset is free; --split "
            "3.78 tells those on either side of 3.78 um apart"
        )
        spectrum = spectrum._replace(notes=(*spectrum.notes, note))
    return spectrum
