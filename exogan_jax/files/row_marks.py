"""What columns of words say of a table's rows: good or bad, a limit or none, or of which of several
kinds each is.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from exogan_jax.files.columns import UNKNOWN
from exogan_jax.files.names import describe
from exogan_jax.files.roles import Part, Reading
from exogan_jax.files.tables import Column, Table

_TRUE = frozenset("true t yes y 1".split())  # noqa: SIM905
_FALSE = frozenset("false f no n 0".split())  # noqa: SIM905
_GOOD = frozenset("good ok okay valid used fine pass".split())  # noqa: SIM905
_BAD = frozenset(
    "bad rejected reject flagged outlier masked invalid unused fail ignore".split()  # noqa: SIM905
)
_LIMIT = frozenset(["<", ">", "<=", ">=", "≤", "≥", "l", "u", "upper", "lower", "limit", "ul"])
_VALUE = frozenset(["", "=", "value", "measured", "detection"])
#: Names of columns whose words tell different data apart, never instruments.
_OF_KINDS = frozenset("type kind pipeline reduction method analysis".split())  # noqa: SIM905
_MARKS = _TRUE | _FALSE | _GOOD | _BAD | _LIMIT | _VALUE
#: Roles of columns that may hold such words; the edges, as "upper limit" may be one.
MARKED = ("quality", "good", "limit", "low_edge", "high_edge")


def are_marks(fields: list[str]) -> bool:
    """Whether a column's fields are all words that mark rows."""
    return all(field.casefold() in _MARKS for field in fields)


def with_marks(table: Table) -> Table:
    """The table with the words of columns that mark rows as numbers: 0 where `quality` is good,
    where `good` is bad, and where `limit` is none.
    """
    columns = []
    for column in table.columns:
        role = describe(column.name).role
        if not column.numeric and role in MARKED and are_marks(list(column.values)):
            column = Column(column.name, "", _numbers(column.values, role))
        columns.append(column)
    return replace(table, columns=tuple(columns))


def _numbers(words: np.ndarray, role: str) -> Float[np.ndarray, " n"]:
    said = [str(word).casefold() for word in words]
    if role == "good":
        return np.array([float(word in _TRUE | _GOOD) for word in said])
    return np.array([float(word in _TRUE | _BAD | _LIMIT) for word in said])


def by_kind(table: Table, reading: Reading) -> list[Reading]:
    """A reading for each kind of rows that a column of words of unknown meaning tells apart, such
    as transits and eclipses, or two reductions. Where each kind has wavelengths of its own, they
    are taken to be instruments.
    """
    used = {part.column for part in reading.parts.values()}
    rows = np.arange(len(table.rows)) if reading.rows is None else reading.rows
    wavelength = _positions(table, reading)
    if wavelength is None:
        return [reading]
    for index, column in enumerate(table.columns):
        if index in used or column.numeric or describe(column.name).role != UNKNOWN:
            continue
        words = column.values[rows]
        kinds = list(dict.fromkeys(str(word) for word in words))
        if not 1 < len(kinds) <= len(words) / 2 or "" in kinds or are_marks(kinds):
            continue
        of_kind = {kind: words == kind for kind in kinds}
        groups = [wavelength[rows][own] for own in of_kind.values()]
        named = bool(_OF_KINDS & set(column.name.casefold().split()))
        if not named and _apart(groups):
            if "instrument" in reading.parts:
                continue
            note = f"{table.path}: {table.title(index)} is taken for the instrument"
            parts = reading.parts | {"instrument": Part(index, "", "numbers")}
            return [replace(reading, parts=parts, notes=(*reading.notes, note))]
        if not named and not _beside(groups):
            continue  # remarks on some of the bins
        if "instrument" in reading.parts and _same(
            of_kind, table.columns[reading.parts["instrument"].column].values[rows]
        ):
            continue
        label = f"{reading.label} " if reading.label else ""
        return [
            replace(reading, label=label + kind, rows=rows[own]) for kind, own in of_kind.items()
        ]
    return [reading]


def _positions(table: Table, reading: Reading) -> Float[np.ndarray, " n"] | None:
    roles = ("wavelength", "wavenumber", "low_edge")
    role = next((role for role in roles if role in reading.parts), None)
    return None if role is None else table.columns[reading.parts[role].column].values


def _apart(groups: list[np.ndarray]) -> bool:
    """Whether no group of numbers reaches into another's range."""
    ends = sorted((np.nanmin(x), np.nanmax(x)) for x in groups if np.isfinite(x).any())
    return all(one[1] < other[0] for one, other in itertools.pairwise(ends))


def _beside(groups: list[np.ndarray]) -> bool:
    """Whether most of one group's wavelengths lie beside another's, nearer than bins of one
    spectrum do.
    """
    most = max(groups, key=len)
    few = np.concatenate([x for x in groups if x is not most])
    own = np.diff(np.sort(most[np.isfinite(most)]))
    if not own.size or not few.size:
        return False
    nearest = np.abs(few[:, None] - most[None]).min(axis=1)
    return bool(np.mean(nearest < 0.5 * np.median(own)) > 0.5)


def _same(of_kind: dict[str, Bool[np.ndarray, " n"]], instrument: np.ndarray) -> bool:
    """Whether the kinds are those of the instruments."""
    return all(len(set(instrument[own].tolist())) == 1 for own in of_kind.values())
