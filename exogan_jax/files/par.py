"""The `.par` file beside a spectrum: the star's radius, what is known of the planet and, for a
simulation, the true values.

It is the INI file of TauREx 2, which the published ExoGAN reads. Values are found by what they are
of an atmosphere, so that a file means the same whatever is retrieved:

    [Star]
    radius = 1.0                          ; R_sun
    [Planet]
    radius = 1.1                          ; R_J
    mass = 1.2                            ; M_J
    [Atmosphere]
    tp_iso_temp = 1400                    ; K
    clouds_pressure = 1e4                 ; Pa, of the top of a grey cloud
    active_gases = H2O, CO2
    active_gases_mixratios = 1e-4, 1e-5

A value with an error, `mass = 0.28 +- 0.03`, is a measurement: a prior of the retrieval. One
without is a true value, which a retrieval does not see. The star's radius may have an error too,
which the planet's radius then shares.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float

from exogan_jax.files.text import fail, parse_number, quoted, read_lines
from exogan_jax.parameters import ROLES, UNITS, Parameter, Parameters
from exogan_jax.retrieval.priors import Normal, parse

#: Role (see `parameters.ROLES`) or gas -> its value: a role's in the file's unit, a gas's as log10
#: of its mixing ratio. Only what is known is in it.
Truth = Mapping[str, float]

# Role -> its section, key and unit in a file.
_SCALARS = {
    "mass": ("planet", "mass", "M_J"),
    "radius": ("planet", "radius", "R_J"),
    "temperature": ("atmosphere", "tp_iso_temp", "K"),
    "cloud_top": ("atmosphere", "clouds_pressure", "Pa"),
}


class Par(NamedTuple):
    """What a file tells."""

    star_radius: float  # [R_sun]
    truth: Truth
    measured: Mapping[str, Normal]  # role -> prior, in the file's unit
    star_error: float = 0.0  # 1 sigma of the star's radius


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


def _measured(path: Path, entries: _Entries, role: str) -> Normal | None:
    """The value with an error of a role, None if there is no error."""
    section, key, unit = _SCALARS[role]
    prior = _with_error(path, entries, section, key)
    if prior is None or prior.unit:
        return prior
    return dataclasses.replace(prior, unit=unit)


def _with_error(path: Path, entries: _Entries, section: str, key: str) -> Normal | None:
    """The value with an error at [section] key, None if there is no error."""
    text, line = entries.get((section, key), ("", 0))
    if not re.search(r"±|\+/?-", text):
        return None
    try:
        prior = parse(text)
    except ValueError as error:
        fail(path, f"[{section.title()}] {key}: {error}", "", line)
    assert isinstance(prior, Normal)
    return prior


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
            "give one per gas",
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


def read_par(path: Path) -> Par:
    """Reads a parameter file.

    Raises:
      SpectrumError: malformed file, or no positive [Star] radius.
    """
    entries = _parse(path)
    star_error = 0.0
    if (measured_star := _with_error(path, entries, "star", "radius")) is not None:
        line = entries["star", "radius"][1]
        entries["star", "radius"] = (repr(measured_star.mean), line)
        star_error = measured_star.sigma
    star_radius = _positive(path, entries, "star", "radius")
    if star_radius is None:
        fail(path, "no [Star] radius", "add a section [Star] with radius = ... in R_sun")
    truth = _mixing_ratios(path, entries)
    measured = {}
    for role, (section, key, _) in _SCALARS.items():
        prior = _measured(path, entries, role)
        if prior is not None:
            measured[role] = prior
            continue
        value = _positive(path, entries, section, key)
        if value is not None:
            truth[role] = value
    return Par(star_radius, truth, measured, star_error)


def format_par(star_radius: float, truth: Truth) -> str:
    """The text of a parameter file of true values; `read_par` gives the same back."""
    lines = ["[Star]", f"radius = {star_radius!r}", ""]
    for heading in ("Planet", "Atmosphere"):
        rows = [
            f"{key} = {float(truth[role])!r}"
            for role, (section, key, _) in _SCALARS.items()
            if section == heading.lower() and role in truth
        ]
        gases = gases_of(truth)
        if heading == "Atmosphere" and gases:
            ratios = (repr(float(10.0 ** truth[gas])) for gas in gases)
            rows.append(f"active_gases = {', '.join(gases).upper()}")
            rows.append(f"active_gases_mixratios = {', '.join(ratios)}")
        if rows:
            lines += [f"[{heading}]", *rows, ""]
    return "\n".join(lines)


def gases_of(truth: Truth) -> tuple[str, ...]:
    """The gases that a file tells of."""
    return tuple(key for key in truth if key not in ROLES)


def truth_theta(truth: Truth, parameters: Parameters) -> Float[np.ndarray, " d"]:
    """A file's values as theta.

    Returns:
      (d,) in the order and units of `parameters`, NaN where the file is silent.
    """
    known = [
        _to_unit(truth[p.role], p) if p.role in truth and _is_read(p) else np.nan
        for p in parameters
    ]
    return np.array(known, np.float64)


def truth_of(theta: Float[ArrayLike, " d"], parameters: Parameters) -> Truth:
    """Theta as a file tells of it: inverse of `truth_theta`, without what a file has no place for.

    Args:
      theta: (d,) in the order and units of `parameters`, NaN where unknown.
      parameters: what theta is of.
    """
    pairs = zip(parameters, np.asarray(theta, np.float64), strict=True)
    return {p.role: _from_unit(float(x), p) for p, x in pairs if np.isfinite(x) and _is_read(p)}


def _is_read(parameter: Parameter) -> bool:
    """Whether a file has a place for a parameter."""
    return parameter.gas is not None or parameter.role in _SCALARS


def _factor(parameter: Parameter) -> float:
    """The file's unit in that of a parameter which is no gas."""
    return UNITS[_SCALARS[parameter.role][2]] / parameter.in_si


def _to_unit(value: float, parameter: Parameter) -> float:
    if parameter.gas is not None:
        return value if parameter.is_log else 10.0**value
    scaled = value * _factor(parameter)
    return float(np.log10(scaled)) if parameter.is_log else scaled


def _from_unit(value: float, parameter: Parameter) -> float:
    if parameter.gas is not None:
        return value if parameter.is_log else float(np.log10(value))
    return (10.0**value if parameter.is_log else value) / _factor(parameter)
