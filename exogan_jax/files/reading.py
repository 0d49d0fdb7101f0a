"""Reading the spectra of a run: what was read, what was inferred, and what cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from exogan_jax.files.averaging import averaged_spectrum
from exogan_jax.files.inspect import line_of
from exogan_jax.files.planets_table import Planet, read_with
from exogan_jax.files.spectra import Spectrum, SpectrumError, notes_for

if TYPE_CHECKING:
    from exogan_jax.layout import Layout

READING = "reading.txt"


class Input(NamedTuple):
    """One spectrum of a run."""

    name: str  # of its results
    path: str  # as it was named
    spectrum: Spectrum | None  # averaged to the model's grid; None: it cannot be read
    problem: str = ""


def read_all(
    files: Iterable[str],
    names: Sequence[str],
    layout: Layout,
    choices: Mapping[str, Any],
    planets: Mapping[str, Planet],
    say: Callable[[str, object], None],
) -> list[Input]:
    """Reads files, each a spectrum.

    Args:
      files: their paths.
      names: for the results of each.
      layout: of the model.
      choices: see `planets_table.read_with`.
      planets: rows of a table of planets, by name; may be empty.
      say: told ("read", "note" or "error", line) of each.
    """
    found = []
    for file, name in zip(files, names, strict=True):
        try:
            spectrum = read_with(
                planets, file, layout.wavelength_um, n_usable=layout.n_usable, **choices
            )
            found.append(taken(spectrum, file, name, layout, say))
        except SpectrumError as error:
            say("error", error)
            found.append(Input(name, file, None, str(error)))
    return found


def taken(
    spectrum: Spectrum, file: str, name: str, layout: Layout, say: Callable[[str, object], None]
) -> Input:
    """A spectrum as it is retrieved: averaged to the model's grid. Says what was read."""
    say("read", line_of(spectrum))
    spectrum = averaged_spectrum(spectrum, layout.wavelength_um)
    for note in (*spectrum.notes, *notes_for(spectrum, layout)):
        say("note", note)
    stem = Path(file).stem  # `--select` adds a label to it
    label = spectrum.name[len(stem) :] if spectrum.name.startswith(stem) else ""
    return Input(name + label, file, spectrum)


class Quiet:
    """Keeps what is said of many spectra for a file, and passes on the first errors."""

    def __init__(self, say: Callable[[str, object], None], most: int = 20) -> None:
        self.say, self.most = say, most
        self.lines: list[str] = []
        self.counts = {"read": 0, "note": 0, "error": 0}

    def __call__(self, kind: str, message: object) -> None:
        """Takes one line."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.lines.append(f"{kind}: {' '.join(str(message).split())}")
        if kind == "error" and self.counts[kind] <= self.most:
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
