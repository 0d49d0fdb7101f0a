"""Units of wavelengths and depths: how files spell them, and which ones numbers can be in.

A unit is known here by one name, as `--units` takes it. `SPELLINGS` lists what files write instead;
to teach the program a new spelling, add it there.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
from jaxtyping import Float

#: Length units, and how many um one of them is.
LENGTHS = {"um": 1.0, "nm": 1e-3, "Angstrom": 1e-4, "m": 1e6, "cm": 1e4, "mm": 1e3}
#: Wavenumbers: 1e4 / (number) is the wavelength in um.
WAVENUMBER = "cm-1"
#: Units of depths (and of Rp/Rs), and what fraction one of them is.
DEPTHS = {"fraction": 1.0, "percent": 1e-2, "per mille": 1e-3, "ppm": 1e-6}

#: Unit -> its spellings, in lower case without blanks, $, \\, {, } and _.
SPELLINGS = {
    "um": "um μm mum micron microns micrometer micrometers micrometre micrometres mircons",
    "nm": "nm nanometer nanometers nanometre nanometres",
    "Angstrom": "angstrom angstroms ang å aa a 0.1nm",
    "m": "m meter meters metre metres",
    "cm": "cm centimeter centimeters centimetre centimetres",
    "mm": "mm millimeter millimeters millimetre millimetres",
    "cm-1": "cm-1 cm^-1 cm**-1 1/cm 1/cm^1 cm^(-1) kayser cm−1 percm wavenumber",
    "fraction": "1 fraction fractional dimensionless unitless none absolute - -- "
    "(rp/rs)^2 (rp/rs)**2 (rp/rs)2 (rp/r*)^2 (rp/rstar)^2 rp^2/rs^2 rp2/rs2 rprs^2 rprs2",
    "percent": "% percent percents percentage perc pct per100 0.01 1e-2 10^-2 10**-2 10-2 10−2",
    "per mille": "‰ permille permil ppt partsperthousand 0.001 1e-3 10^-3 10**-3 10-3 10−3",
    "ppm": "ppm partspermillion 1e-6 1e-06 10^-6 10**-6 10-6 10−6 0.000001",
}
_BY_SPELLING = {word: unit for unit, words in SPELLINGS.items() for word in words.split()}
#: Spellings that count as a unit even without brackets, at the end of a column's name.
_IN_NAMES = {
    word
    for unit in ("um", "nm", "Angstrom", "percent", "ppm", "per mille")
    for word in SPELLINGS[unit].split()
    if word not in ("a", "aa") and not word[0].isdigit()
}

# What a planet's spectrum can hold; outside, a unit is not guessed from numbers.
SHORTEST_UM, LONGEST_UM = 0.2, 60.0
SHALLOWEST, DEEPEST = 1e-5, 0.1  # median depth as a fraction
SURELY_FRACTION = 0.04  # a number up to this is a fraction unless a unit is given
SMALLEST_ERROR = 3e-6  # median error as a fraction


def parse_unit(text: str) -> str | None:
    """The unit that a text means ("microns", "ppm", "[%]"), or None if it is none known here."""
    plain = unicodedata.normalize("NFKC", text).strip().strip("[]").casefold()
    if plain.startswith("(") and plain.endswith(")") and ")" not in plain[:-1]:
        plain = plain[1:-1]
    plain = re.sub(r"\\(?:mathrm|rm|text\w*)(?![a-z])|^in\s+|[\s$\\{}_]", "", plain)
    plain = re.sub(r"^[x×*](?=10\W)", "", plain)  # "x 10^-6"
    return _BY_SPELLING.get(plain)


def split_unit(name: str) -> tuple[str, str]:
    """A column's name without its unit, and the unit ("" if the name has none).

    >>> split_unit("Transit depth (ppm)"), split_unit("wave_um"), split_unit("(Rp/Rs)^2")
    (('Transit depth', 'ppm'), ('wave', 'um'), ('(Rp/Rs)^2', ''))
    """
    brackets = list(re.finditer(r"\(([^()]*)\)|\[([^\[\]]*)\]", name))
    brackets.sort(key=lambda b: (b[0].strip("()[] ") != "1", b.start()))  # [1] may be a reference
    for bracket in reversed(brackets):
        content = bracket[1] if bracket[1] is not None else bracket[2]
        rest = (name[: bracket.start()] + " " + name[bracket.end() :]).strip()
        pieces = [content]
        if not re.search(r"\d", content):  # "0.1 %", "1 sigma"
            pieces += re.split(r"[,;:\s]+", content)
        for unit in (parse_unit(piece) for piece in pieces if piece.strip()):
            if unit and rest and not re.match(r"\s*(\^|\*\*|²)", name[bracket.end() :]):
                return rest, unit
    glued = re.fullmatch(r"(.*[^\s\d(\[])\s*%", name.strip())
    if glued:
        return glued[1], "percent"
    words = re.split(r"[\s_,/.-]+", name.strip())
    if len(words) > 1 and words[0].casefold() in ("percent", "pct", "%"):
        return name.strip()[len(words[0]) :].strip(" _,/.-"), "percent"
    said = re.search(r"\bin\s+(%|percent|per cent|ppm)(?!\w)", name)
    if said or name.strip().startswith("%"):
        word = said[1] if said else "%"
        return name.replace(said[0] if said else "%", " ").strip(), parse_unit(word) or ""
    # A number in the brackets makes another unit: (0.1 %), (1/um).
    if len(words) > 1 and not re.search(r"[(\[][^()\[\]]*\d[^()\[\]]*[)\]]\s*$", name):
        last = re.sub(r"[()\[\]]", "", unicodedata.normalize("NFKC", words[-1])).casefold()
        if last in _IN_NAMES:
            return name[: name.rfind(words[-1])].strip(" _,/") or name, _BY_SPELLING.get(last, "")
        if "".join(words[-2:]).casefold() in ("percent", "permille"):
            return name[: name.rfind(words[-2])].strip(" _,/"), parse_unit(
                "".join(words[-2:])
            ) or ""
    return name, ""


def to_um(values: Float[np.ndarray, " n"], unit: str) -> Float[np.ndarray, " n"]:
    """Lengths in um; wavenumbers become wavelengths."""
    if unit == WAVENUMBER:
        with np.errstate(divide="ignore"):
            return 1e4 / values
    # Division where it is exact: 1100 / 1000 is 1.1, 1100 * 1e-3 is not.
    return values * LENGTHS[unit] if LENGTHS[unit] >= 1 else values / round(1 / LENGTHS[unit])


def to_fraction(values: Float[np.ndarray, " n"], unit: str) -> Float[np.ndarray, " n"]:
    """Depths (or Rp/Rs) as fractions."""
    return values / round(1 / DEPTHS[unit])


def length_units(wavelength: Float[np.ndarray, " n"]) -> list[str]:
    """The units in which ALL of these finite numbers are wavelengths of a planet's spectrum, um
    alone if they can be in um.
    """
    fits = []
    for unit in ("um", "nm", "Angstrom", "m", "cm"):
        um = to_um(wavelength, unit)
        if um.size and um.min() >= SHORTEST_UM and um.max() <= LONGEST_UM:
            fits.append(unit)
    return ["um"] if "um" in fits else fits


def depth_units(depth: Float[np.ndarray, " n"], error: Float[np.ndarray, " n"]) -> list[str]:
    """The units in which these finite numbers are depths with errors; fraction alone up to 0.04.
    Errors above the depths fit none.
    """
    middle, scatter = float(np.median(np.abs(depth))), float(np.median(np.abs(error)))
    if not 0 < scatter <= middle:
        return []
    if SHALLOWEST <= middle <= SURELY_FRACTION and scatter >= 1e-7:
        return ["fraction"]
    return [
        unit
        for unit, factor in DEPTHS.items()
        if SHALLOWEST <= middle * factor <= DEEPEST and scatter * factor >= SMALLEST_ERROR
    ]
