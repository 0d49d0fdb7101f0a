"""What a run keeps of each spectrum: a row of the store, made of its posterior.

A row holds equally weighted samples in place of all, quantiles of the completed spectrum in place
of every draw, what was observed, and the diagnostics. Quantiles, evidence and effective sample size
are those of all samples. A spectrum that failed has a row too, whose `status` says why.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Float

from exogan_jax.layout import Layout
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.priors import Prior
from exogan_jax.retrieval.result import Posterior
from exogan_jax.retrieval.tables import DIAGNOSTICS
from exogan_jax.retrieval.weighted import QUANTILES, systematic

#: Name of a field -> values of n rows, (n, ...).
Rows = dict[str, np.ndarray]

DONE: Final = "ok"  # the status of a row without an error
#: Probabilities of the quantiles of the completed spectrum.
BANDS: Final = (0.025, *QUANTILES, 0.975)
N_KEPT: Final = 512  # samples of a spectrum, unless told


class Field(NamedTuple):
    """One array of the store."""

    dims: tuple[str, ...]  # beside `spectrum`
    dtype: str
    about: str = ""


_TEXT = {
    "name": "of the spectrum, distinct among those of the highest revision",
    "status": f"{DONE!r}, or what went wrong",
    "flags": "comma-separated, see exogan_jax.retrieval.flags.MEANINGS",
    "priors": "of parameters, in their units",
    "path": "the file, as it was named",
    "input_sha256": "of the file",
    "reading_sha256": "of what was read",
    "run": "which of the attribute `runs`: what the row was made with",
    "settings": "digest of all that the row depends on",
    "instrument": "of each observed point, a line each",
}
_OBSERVED = {
    "observed_wavelength_um": "bin centres [um]",
    "observed_half_width_um": "half of the bins' widths [um]",
    "observed_depth": "(Rp/R_sun)^2",
    "observed_sigma": "1-sigma errors of observed_depth",
}
FIELDS: Final[Mapping[str, Field]] = {
    **{name: Field((), "str", about) for name, about in _TEXT.items()},
    "revision": Field((), "i2", "how many-th row of its name; the highest one counts"),
    "star_radius": Field((), "f8", "[R_sun]"),
    "samples": Field(("draw", "parameter"), "f4", "of the posterior, in the parameters' units"),
    "weight": Field(("draw",), "f4", "of each sample, summing to 1"),
    "loss": Field(("draw",), "f4", "-log likelihood + constant"),
    "quantiles": Field(("quantile", "parameter"), "f8", "of all samples"),
    "depth_quantiles": Field(
        ("band", "wavelength"), "f4", "of the completed spectrum, (Rp/R_sun)^2, of all samples"
    ),
    **{name: Field((), "f8", "of all samples") for name in DIAGNOSTICS},
    "truth": Field(("parameter",), "f8", "true values, where they are known"),
    **{name: Field(("point",), "f8", about) for name, about in _OBSERVED.items()},
}


class Task(NamedTuple):
    """One spectrum of a run, as much as a process needs that retrieves it."""

    name: str
    settings: str  # digest, see `digest`
    run: str  # see `digest`
    about: Mapping[str, Any]  # path, star_radius, priors in words, digests of the input
    observation: Observation | None  # None: there is only the problem
    priors: Mapping[str, Prior]
    truth: Float[np.ndarray, " d"] | None
    problem: str = ""  # why it cannot be retrieved
    revision: int = 1

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells its row from others."""
        return self.name, self.settings, self.revision


def digest(contents: Mapping[str, Any]) -> str:
    """Of JSON-able contents, 16 hexadecimal digits."""
    text = json.dumps(contents, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fill_value(dtype: str) -> Any:
    """What stands where there is nothing."""
    return {"str": "", "i2": 0}.get(dtype, np.nan)


def numpy_dtype(dtype: str) -> Any:
    """The dtype of the array in memory: text is held as objects."""
    return object if dtype == "str" else dtype


def sizes(layout: Layout, n_kept: int, n_points: int) -> dict[str, int]:
    """Lengths of the fields' dimensions."""
    return {
        "draw": n_kept,
        "parameter": len(layout.parameters),
        "quantile": len(QUANTILES),
        "band": len(BANDS),
        "wavelength": layout.n_wavelength,
        "point": n_points,
    }


def depth_quantiles(
    depth: Float[np.ndarray, "n w"], weights: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "band w"]:
    """Quantiles of spectra, of as many equally weighted ones: a sort without weights takes a tenth
    of the time, and is off by less than a part in n of the probability.
    """
    equal = depth[systematic(weights, len(weights), seed=0)]
    ordered = np.sort(np.ascontiguousarray(equal.T), axis=1)
    place = np.clip(np.array(BANDS) * ordered.shape[1] - 0.5, 0, ordered.shape[1] - 1)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, ordered.shape[1] - 1)
    return np.asarray((ordered[:, low] + (place - low) * (ordered[:, high] - ordered[:, low])).T)


def _kept(posterior: Posterior, n_kept: int) -> dict[str, np.ndarray]:
    """Samples, weights and losses of so many draws: all of them, then none of weight 0, or equally
    weighted ones.
    """
    n = len(posterior.weights)
    if n > n_kept:
        rows = systematic(posterior.weights, n_kept, zlib.crc32(posterior.name.encode()))
        weight = np.full(n_kept, 1 / n_kept)
        return {"samples": posterior.samples[rows], "weight": weight, "loss": posterior.loss[rows]}
    pad = n_kept - n
    return {
        "samples": np.pad(posterior.samples, ((0, pad), (0, 0)), constant_values=np.nan),
        "weight": np.pad(posterior.weights, (0, pad)),
        "loss": np.pad(posterior.loss, (0, pad), constant_values=np.nan),
    }


def _observed(observation: Observation) -> dict[str, Any]:
    instrument = observation.instrument
    if isinstance(instrument, str):
        instrument = (instrument,) * len(np.asarray(observation.depth))
    values = dict(zip(_OBSERVED, (np.asarray(x) for x in observation[:4]), strict=True))
    return {**values, "instrument": "" if instrument is None else "\n".join(instrument)}


def row_of(task: Task, posterior: Posterior | None, n_kept: int) -> dict[str, Any]:
    """The fields of ONE row; those that are not there have no value to have.

    Args:
      task: the spectrum.
      posterior: its answer; None: the task's problem is.
      n_kept: samples to keep.

    Raises:
      ValueError: numbers of the posterior are not finite.
    """
    row: dict[str, Any] = {
        "name": task.name,
        "settings": task.settings,
        "run": task.run,
        "revision": task.revision,
        "status": task.problem or DONE,
        **task.about,
    }
    if task.truth is not None:
        row["truth"] = task.truth
    if task.observation is not None:
        row |= _observed(task.observation)
    if posterior is None:
        return row
    if not (np.isfinite(posterior.samples).all() and np.isfinite(posterior.depth).all()):
        raise ValueError("samples are not finite")
    row |= _kept(posterior, n_kept)
    row |= {name: getattr(posterior, name) for name in DIAGNOSTICS}
    row["flags"] = posterior.flags
    row["quantiles"] = posterior.quantiles()
    row["depth_quantiles"] = depth_quantiles(posterior.depth, posterior.weights)
    return row


def corner(rows: Any, shape: Sequence[int]) -> Any:
    """Index of rows, and of the first elements of the other dimensions."""
    return (rows, *(slice(0, n) for n in shape))


def stack(rows: Sequence[Mapping[str, Any]], lengths: Mapping[str, int]) -> Rows:
    """Rows as arrays, filled up where a row lacks a field or has fewer points.

    Args:
      rows: from `row_of`, or rows of other such arrays.
      lengths: from `sizes`.
    """
    found: Rows = {}
    for name, field in FIELDS.items():
        shape = (len(rows), *(lengths[dim] for dim in field.dims))
        values = np.full(shape, fill_value(field.dtype), numpy_dtype(field.dtype))
        for i, row in enumerate(rows):
            if name not in row:
                continue
            if field.dims:
                own = np.asarray(row[name])
                values[corner(i, own.shape)] = own
            else:
                values[i] = str(row[name]) if field.dtype == "str" else row[name]
        found[name] = values
    return found


def split(rows: Rows) -> list[dict[str, Any]]:
    """Rows one by one: the inverse of `stack`."""
    return [{name: values[i] for name, values in rows.items()} for i in range(len(rows["name"]))]
