"""The `.par` file beside a spectrum: the star's radius and, for a simulation, the true values.

It is the INI file of TauREx 2, which the published ExoGAN reads:

    [Star]
    radius = 1.0                          ; R_sun
    [Planet]
    radius = 1.1                          ; R_J
    mass = 1.2                            ; M_J
    [Atmosphere]
    tp_iso_temp = 1400                    ; K
    active_gases = H2O, CO2, CO, CH4
    active_gases_mixratios = 1e-4, 1e-5, 1e-6, 1e-7
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from exogan_jax import grid
from exogan_jax.files.text import fail, parse_number, quoted, read_lines

# Entry of theta -> its section and key, for the parameters that are a single number.
_SCALARS = {
    "planet_mass": ("planet", "mass"),
    "planet_radius": ("planet", "radius"),
    "temperature": ("atmosphere", "tp_iso_temp"),
}
_Entries = dict[tuple[str, str], tuple[str, int]]


def _parse(path: Path) -> _Entries:
    """(section, key) -> (value, line number); names in lower case, the last of a repeated key."""
    entries: _Entries = {}
    section, key = "", ""
    for number, raw in enumerate(read_lines(path)[0], 1):
        line = re.split(r"(?:^|\s)[#;]", raw, maxsplit=1)[0].rstrip()
        if not line.strip():
            continue
        heading = re.fullmatch(r"\s*\[+\s*(.+?)\s*\]+", line)
        if heading:
            section, key = heading[1].lower(), ""
            continue
        name, equals, value = re.match(r"([^=:]*)([=:]?)(.*)", line).groups()  # type: ignore[union-attr]
        if equals and section:
            key = name.strip().lower()
            entries[section, key] = (value.strip(), number)
        elif key and line[0].isspace():  # a value that runs on
            value, first = entries[section, key]
            entries[section, key] = (f"{value} {line.strip()}", first)
        else:
            fail(path, "neither a [Section] nor key = value", "correct or remove it", number)
    return entries


def _positive(path: Path, entries: _Entries, section: str, key: str) -> float | None:
    """The number at [section] key, None if there is none."""
    if (section, key) not in entries:
        return None
    text, line = entries[section, key]
    value = parse_number(text)
    where = f"[{section.title()}] {key}"
    if value is None:
        fail(path, f"{where} = {quoted(text)} is not a number", "give one number", line)
    if not (np.isfinite(value) and value > 0):
        fail(path, f"{where} = {text} is not positive", "give a finite number above 0", line)
    return value


def _mixing_ratios(path: Path, entries: _Entries) -> dict[str, float]:
    """Gas (lower case) -> log10 of its mixing ratio; gases of mixing ratio 0 are left out."""
    keys = [("atmosphere", "active_gases"), ("atmosphere", "active_gases_mixratios")]
    if not all(key in entries for key in keys):
        return {}
    (gas_text, _), (ratio_text, line) = (entries[key] for key in keys)
    gases = [gas.strip("'\"").lower() for gas in re.split(r"[,\s]+", gas_text.strip(", ")) if gas]
    tokens = [token for token in re.split(r"[,\s]+", ratio_text.strip(", ")) if token]
    if len(gases) != len(tokens):
        fail(
            path,
            f"{len(tokens)} active_gases_mixratios for {len(gases)} active_gases",
            "give one a gas",
            line,
        )
    ratios: dict[str, float] = {}
    for gas, token in zip(gases, tokens, strict=True):
        value = parse_number(token)
        if value is None or not 0 <= value <= 1:
            remedy = "give a volume mixing ratio between 0 and 1"
            fail(path, f"mixing ratio {quoted(token)} of {gas.upper()}", remedy, line)
        if gas in ratios:
            fail(path, f"{gas.upper()} is listed twice", "list each gas once", line)
        ratios[gas] = float(np.log10(value)) if value > 0 else np.nan
    return {gas: ratio for gas, ratio in ratios.items() if np.isfinite(ratio)}


def read_par(path: Path) -> tuple[float, Float[np.ndarray, "7"] | None, tuple[str, ...]]:
    """Reads a parameter file.

    Returns:
      The star's radius in R_sun; theta (7,) in the units of `grid.PARAMETERS`, NaN where the file
      is silent, or None if it gives no parameter; and notes, one line each.

    Raises:
      SpectrumError: malformed file, or no positive [Star] radius.
    """
    entries = _parse(path)
    star_radius = _positive(path, entries, "star", "radius")
    if star_radius is None:
        fail(path, "no [Star] radius", "add a section [Star] with radius = ... in R_sun")
    gases = _mixing_ratios(path, entries)
    truth = np.full(grid.N_PARAMETERS, np.nan)
    for i, name in enumerate(grid.PARAMETERS):
        if name in _SCALARS:
            value = _positive(path, entries, *_SCALARS[name])
            truth[i] = np.nan if value is None else value
        else:
            truth[i] = gases.get(name.removeprefix("log10_"), np.nan)
    others = sorted(set(gases) - set(grid.GASES))
    notes = (f"{path}: not retrieved: {', '.join(others).upper()}",) if others else ()
    return star_radius, (truth if np.isfinite(truth).any() else None), notes


def format_par(star_radius: float, truth: Float[np.ndarray, "7"] | None) -> str:
    """The text of a parameter file; `read_par` gives the same values back."""
    theta = np.full(grid.N_PARAMETERS, np.nan) if truth is None else np.asarray(truth, np.float64)
    values = {name: float(x) for name, x in zip(grid.PARAMETERS, theta, strict=True) if x == x}
    lines = ["[Star]", f"radius = {star_radius!r}", ""]
    for heading in ("Planet", "Atmosphere"):
        rows = [
            f"{key} = {values[name]!r}"
            for name, (section, key) in _SCALARS.items()
            if section == heading.lower() and name in values
        ]
        gases = [gas for gas in grid.GASES if f"log10_{gas}" in values]
        if heading == "Atmosphere" and gases:
            ratios = (repr(float(10.0 ** values[f"log10_{gas}"])) for gas in gases)
            rows.append(f"active_gases = {', '.join(gases).upper()}")
            rows.append(f"active_gases_mixratios = {', '.join(ratios)}")
        if rows:
            lines += [f"[{heading}]", *rows, ""]
    return "\n".join(lines)
