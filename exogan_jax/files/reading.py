"""Reading the spectra of a run: what was read, what was inferred, and what cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from exogan_jax.files.averaging import averaged_spectrum
from exogan_jax.files.inspect import line_of
from exogan_jax.files.planets_table import Planet, read_with
from exogan_jax.files.spectra import Spectrum, SpectrumError, notes_for

if TYPE_CHECKING:
    from exogan_jax.files.catalogue_tables import CatalogueRow
    from exogan_jax.layout import Layout

READING = "reading.txt"
Source: TypeAlias = "str | CatalogueRow"


class Input(NamedTuple):
    """One spectrum of a run."""

    name: str  # of its results
    path: str  # as it was named
    spectrum: Spectrum | None  # averaged to the model's grid; None: it cannot be read
    problem: str = ""


def read_all(
    sources: Iterable[Source],
    names: Sequence[str],
    layout: Layout,
    choices: Mapping[str, Any],
    planets: Mapping[str, Planet],
    say: Callable[[str, object], None],
) -> list[Input]:
    """Reads files, each a spectrum, and rows of catalogues.

    Args:
      sources: paths, or rows.
      names: for the results of each.
      layout: of the model.
      choices: see `planets_table.read_with`.
      planets: rows of a table of planets, by name; may be empty.
      say: told ("read", "note" or "error", line) of each.
    """
    found = []
    grid = layout.wavelength_um
    for source, name in zip(sources, names, strict=True):
        path = source if isinstance(source, str) else str(source.table.path)
        try:
            if isinstance(source, str):
                spectrum = read_with(planets, source, grid, **choices)
            else:
                spectrum = source.read(planets, grid, **choices)
            found.append(taken(spectrum, stem_of(source), path, name, layout, say))
        except SpectrumError as error:
            say("error", error)
            found.append(Input(name, path, None, str(error)))
    return found


def stem_of(source: Source) -> str:
    """What the results of a file, or of a row, are called."""
    return Path(source).stem if isinstance(source, str) else source.name


def taken(
    spectrum: Spectrum,
    stem: str,
    path: str,
    name: str,
    layout: Layout,
    say: Callable[[str, object], None],
) -> Input:
    """A spectrum as it is retrieved: averaged to the model's grid. Says what was read."""
    say("read", line_of(spectrum))
    spectrum = averaged_spectrum(spectrum, layout.wavelength_um)
    for note in (*spectrum.notes, *notes_for(spectrum, layout)):
        say("note", note)
    # `--select` adds a label to it.
    label = spectrum.name[len(stem) :] if spectrum.name.startswith(stem) else ""
    return Input(name + label, path, spectrum)


class Quiet:
    """Keeps what is said of many spectra for a file, and passes on the errors."""

    def __init__(self, say: Callable[[str, object], None]) -> None:
        self.say = say
        self.lines: list[str] = []
        self.counts = {"read": 0, "note": 0, "error": 0}

    def __call__(self, kind: str, message: object) -> None:
        """Takes one line."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.lines.append(f"{kind}: {' '.join(str(message).split())}")
        if kind == "error":
            self.say(kind, message)

    def close(self, folder: Path) -> None:
        """Writes the lines, and says how many there are.

        Raises:
          OSError: the folder cannot be written.
        """
        text = "".join(f"{line}\n" for line in self.lines)
        (folder / READING).write_text(text, encoding="utf-8", errors="backslashreplace")
        read, notes, errors = (self.counts[kind] for kind in ("read", "note", "error"))
        self.say(
            "note",
            f"{read} spectra read, with {notes} notes and {errors} errors: {folder / READING}",
        )
