"""What the name of a column says, by the words of `columns`."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from exogan_jax.files.columns import DIFFERENCE, EXACT, FILLERS, IGNORED, UNKNOWN, WORDS
from exogan_jax.files.units import LENGTHS, split_unit

_TAGS: dict[str, frozenset[str]] = {}
for _joint, _listed in WORDS.items():
    for _entry in _listed.split():
        _TAGS[_entry] = _TAGS.get(_entry, frozenset()) | frozenset(_joint.split("+"))
_FILLERS = frozenset(FILLERS.split())

# Rp/Rs in all its spellings, with a square or without: R_p/R_*, rp_over_rs, (Rp/R*)^2, Rp^2/Rs^2.
_SQUARE = r"(?:\^?\{?2\}?|\*\*\s*2|²|[\s_]?sq\w*)"
_RATIO = re.compile(
    rf"[(\[]*\s*r_?(?:p|pl|planet)({_SQUARE})?\s*(?:/|_?over_?|_|\s+)?\s*"
    rf"r_?(?:s(?:tar)?|\*|⋆|★)(?![a-z])({_SQUARE})?\s*[)\]]*\s*({_SQUARE})?",
    re.IGNORECASE,
)
#: Units of no depth, and of no Rp/Rs: radii of planets, lengths, magnitudes, squares.
_FOREIGN = re.compile(
    r"r[\s_]*(?:j|jup|jupiter|e|earth|sun|sol|⊕|☉)|(?:jupiter|earth|solar)[\s_]*radi\w+|km|mag|mmag|k|"
    r"m?jy|(?:ppm|%|percent)\s*(?:\^|\*\*)?\s*2|scale\s*heights?|h|atm\w*|magnitudes?|dex",
    re.IGNORECASE,
)
_POWER = re.compile(
    r"(?:[x×*]\s*)?10\s*(?:\^|\*\*)\s*[-+−]?\d+|(?<![\w.])1e[-+]?\d+|"
    r"[x×]\s*10+\b|\b10+\s*[x×]|\be-\d",
    re.IGNORECASE,
)
_OF_BINS = ("wavelength", "wavenumber", "width", "half_width", "full_width")
_NO_LENGTH = re.compile(
    r"[(\[]\s*([TGM]?Hz|[kM]?eV|km/s|km s-1|1/um|um\^?-1)\s*[)\]]", re.IGNORECASE
)
#: What stands beside depths and is no 1-sigma error: variances, several sigma, shares; and logs.
_NO_ERROR = re.compile(
    r"(?:\bsigma|\bsig|σ|\berr(?:or)?s?|\bunc\w*)\s*(?:\^|\*\*)\s*2|σ²|\bi?n?v?var\b|\bvariances?\b|"
    r"\berr(?:or)?s?\s+(?:sq|squared)\b|\b9[059]\b|(?<=err)9[059]\b|\b1\.96\b|\b(?:two|three)[\s-]*sigma|\b2s\b|"
    r"\bweights?\b|\b[2-9](?:\.0)?[\s-]*(?:sigma|sig\b|σ)|\bfractional\b|\blog(?:10)?\b|\bln\b",
    re.IGNORECASE,
)
_LATEX = re.compile(r"\\(?:mathrm|mathit|rm|it|text\w*|,|;|!|left|right)(?![a-z])\s*")


class Named(NamedTuple):
    """What a column's name says."""

    role: str  # one of ROLES, IGNORED, DIFFERENCE, UNKNOWN
    label: str  # words that tell this spectrum from others in the table
    unit: str  # as in `units`, "" if the name has none; as written, if it is none of a depth
    of: str  # of an error: "depth", "rp_rs", or "" if the name does not say
    says_value: bool = False  # whether it names a depth or a ratio, not a transit alone


def _words(name: str) -> list[str]:
    """The words of a name, Rp/Rs and its square as rprs and rprs2."""
    plain = re.sub(_LATEX, "", unicodedata.normalize("NFKC", name).replace("\\ast", "*"))
    plain = re.sub(r"[$\\{}]", "", plain)
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
    plain = re.sub(r"(?i)planet[\s-]+(?:to[\s-]+)?star[\s-]+radius[\s-]+ratio", " rprs ", plain)
    plain = _RATIO.sub(lambda m: " rprs2 " if any(m.groups()) else " rprs ", plain)
    plain = re.sub(r"(?i)\brp(\^|\*\*)2", " rprs2 ", plain)
    words = [word for word in re.split(r"[^\w*σλδ²]+|_+", plain) if word]
    folded = [word if word in ("E",) else word.casefold() for word in words]
    joined: list[str] = []
    for word in folded:  # "wave length", "half width", "bad pixel"
        if joined and joined[-1] + word in _TAGS and (word not in _TAGS or joined[-1] == "d"):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _tags(word: str, first: bool) -> frozenset[str]:
    if first and word == "l":  # VizieR: l_Depth is "<" where the depth is a limit
        return frozenset({"limit"})
    if first and word in ("e", "E", "u"):  # VizieR: e_Depth, and E_Depth for the upper error
        return frozenset({"error"} | ({"up"} if word == "E" else set()))
    return _TAGS.get(word, frozenset())


def _bin_role(tags: set[str]) -> str:
    """The role of a column that speaks of wavelengths or bins."""
    if "half" in tags or ("error" in tags and "full" not in tags):
        return "half_width"
    if "full" in tags and ("width" in tags or "bin" in tags):
        return "full_width"
    if tags & {"width", "delta"}:
        return "width"
    if tags & {"min", "low"}:
        return "low_edge"
    if tags & {"max", "up"}:
        return "high_edge"
    return "wavelength" if tags & {"wave", "centre"} else UNKNOWN


def _role(tags: set[str]) -> str:
    """The role that a set of tags gives."""
    if "difference" in tags:
        return DIFFERENCE
    if "ignored" in tags:
        return IGNORED
    value = tags & {"depth", "ratio", "transit"}
    if value == {"transit"} and "centre" in tags:  # a time
        return UNKNOWN
    if "wavenumber" in tags:
        return "wavenumber" if tags <= {"wavenumber", "bin", "centre"} else UNKNOWN
    if tags & {"quality", "good"}:
        return "good" if "good" in tags else "quality"
    if not value and tags & {"wave", "width", "half", "edge", "bin"}:
        role = _bin_role(tags)
        if role or "edge" not in tags:
            return role
    if "limit" in tags and "error" not in tags:
        return "limit"
    if "error" in tags:
        if "up" in tags or "max" in tags:
            return "error_up"
        return "error_low" if tags & {"low", "min"} else "error"
    if tags & {"instrument", "order", "filter"} and not value:
        return "instrument"
    if "planet" in tags:
        return "planet"
    if value and tags & {"min", "max", "delta", "width", "half"}:
        return UNKNOWN  # a bound, a difference, or an error? The user must say
    if value and tags & {"up", "low"}:  # an error, or a bound: the numbers tell (`points`)
        return "error_up" if "up" in tags else "error_low"
    if "ratio" in tags:
        return UNKNOWN if "depth" in tags else "rp_rs"
    return "depth" if value else UNKNOWN


def is_no_error(name: str) -> bool:
    """Whether a name speaks of variances, of several sigma, of logarithms or of shares."""
    return bool(_NO_ERROR.search(name.replace("_", " ")))


def _foreign_unit(name: str, bare: str) -> str:
    """What a name gives in the place of a unit, that is none of a depth; "" if nothing."""
    for bracket in re.finditer(r"[(\[]([^()\[\]]*)[)\]]", name):
        if _FOREIGN.fullmatch(re.sub(r"[$\\{}]", "", bracket[1]).strip()):
            return bracket[1].strip()
    plain = unicodedata.normalize("NFKC", bare.replace("\\times", "x"))
    factor = re.search(r"[(\[]\s*([x×]?\s*[\d.^-]+\s*(?:%|ppm|percent))\s*[)\]]", plain)
    if factor:
        return factor[1]
    last = re.split(r"[\W_]+", plain.casefold())[-1]
    if last in ("mag", "mmag", "magnitudes", "dex", "rjup2"):
        return last
    power = _POWER.search(re.sub(r"[$\\{}]", "", plain))
    return power[0].strip() if power else ""


@lru_cache(maxsize=4096)
def describe(name: str) -> Named:
    """What a name says of its column.

    >>> describe("tr_depth_errneg").role, describe("Bin half-width").role
    ('error_low', 'half_width')
    >>> describe("depth A"), describe("Rp/R* error").of
    (Named(role='depth', label='A', unit='', of='', says_value=True), 'rp_rs')
    """
    bare, unit = split_unit(name)
    exact = re.sub(r"\W+", "_", bare.strip()).casefold().strip("_")
    if exact in EXACT:
        return Named(EXACT[exact], "", unit, "rp_rs" if exact.startswith("rp_err") else "")
    if re.search(r"(depth|\))\s*[-−–]\s*(the\s+)?mean", bare, re.IGNORECASE):
        return Named(DIFFERENCE, "", unit, "")
    words = _words(bare)
    tags: set[str] = set()
    label = []
    for i, word in enumerate(words):
        found = _tags(word, i == 0 and len(words) > 1)
        stem = re.fullmatch(r"([^\W\d]+)(\d+)", word)
        if not found and stem and _TAGS.get(stem[1]):  # depth1, err2
            found = _TAGS[stem[1]]
            label.append(stem[2])
        elif not found and word not in _FILLERS:
            label.append(word)
        tags |= found
    if "error" in tags and {"m", "p"} & set(words):  # err_m, err_p
        tags |= {"low"} if "m" in words else {"up"}
        label = [word for word in label if word not in ("m", "p")]
    if "error" in tags and not re.search(r"\+\s*/\s*-|±", bare):
        if re.search(r"\+", bare):
            tags.add("up")
        elif re.search(r"^\s*[-−]|[-−]\s*$", bare):
            tags.add("low")
    if "dppm" in exact and not unit:
        unit = "ppm"
    if tags == {"bin"} and unit in LENGTHS:
        tags.add("width")  # bin_um: no number of a bin has a unit
    role = _role(tags)
    if role == "rp_rs" and (words[-1] == "2" or label[-1:] == ["2"]):  # squared, or the second?
        role = UNKNOWN
    if role == "rp_rs" and {"squared", "sq", "square"} & set(words):
        role = "depth"
    if bare.strip() in ("±", "+/-", "+-"):
        role = "error"
    if {"pixel", "pixels", "pix"} & set(words) and role in ("wavelength", "width", "half_width"):
        role = UNKNOWN
    if role == "depth" and "depth" not in tags and {"radius", "radii"} & set(words):
        role = UNKNOWN  # a radius, in units of the star's or not
    if is_no_error(bare) and role not in (IGNORED, DIFFERENCE):
        role = UNKNOWN
    if role == UNKNOWN:
        label = []
    if role in _OF_BINS and not unit:
        strange = _NO_LENGTH.search(name)
        unit = strange[1] if strange else ""
    if role in ("depth", "rp_rs") or role.startswith("error"):
        foreign = "" if unit else _foreign_unit(name, bare)
        if foreign:
            return Named(role, "", foreign, "")
    of = ""
    if role.startswith("error"):
        squared = bool({"squared", "sq", "square"} & set(words))
        of = (
            "rp_rs"
            if "ratio" in tags and not squared
            else "depth"
            if tags & {"depth", "transit", "ratio"}
            else ""
        )
    raw = {part.casefold(): part for part in re.split(r"[\W_]+", bare)}
    says_value = bool(tags & {"depth", "ratio"})
    return Named(role, " ".join(raw.get(word, word) for word in label), unit, of, says_value)
