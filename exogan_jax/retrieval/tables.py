"""A retrieval as a table with units, and as xarray in ArviZ's layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from exogan_jax.parameters import UNITS, Parameter, Parameters
from exogan_jax.retrieval.flags import explain, split

if TYPE_CHECKING:
    import xarray as xr
    from astropy.table import QTable

    from exogan_jax.retrieval.result import Retrieval

DIAGNOSTICS = (
    "reduced_chi2",
    "effective_sample_size",
    "acceptance",
    "efficiency",
    "predictive_p",
    "divergence",
    "log_evidence",
    "log_evidence_error",
)
#: SI unit of what has one in `parameters.UNITS`.
_SI = {"M_": "kg", "R_": "m"}


def astropy_unit(parameter: Parameter) -> Any:
    """The parameter's unit for astropy, None for plain numbers and logarithms.

    Jupiter's and the Earth's mass and radius are those of `parameters.UNITS`: astropy's R_jup is
    2 % larger.
    """
    from astropy import units as u

    if parameter.is_log or parameter.unit == "1":
        return None
    si = _SI.get(parameter.unit[:2])
    return u.Unit(parameter.unit) if si is None else u.Unit(UNITS[parameter.unit] * u.Unit(si))


def summary(retrieval: Retrieval) -> QTable:
    """One row per observation: name, 16, 50 and 84 % quantiles, diagnostics, flags. The
    meanings of the flags that occur are in the table's `meta`.
    """
    values = {name: getattr(retrieval, name) for name in DIAGNOSTICS}
    return summary_of(
        retrieval.parameters, retrieval.names, retrieval.quantiles(), values, retrieval.flags
    )


def summary_of(
    parameters: Parameters,
    names: Sequence[str],
    quantiles: Float[np.ndarray, "n q d"],
    diagnostics: Mapping[str, Float[np.ndarray, " n"]],
    flags: Sequence[str],
) -> QTable:
    """The same of what a retrieval's posteriors come to: 16, 50 and 84 % quantiles, the
    `DIAGNOSTICS` by their names, and flags.
    """
    from astropy.table import QTable

    table = QTable({"name": np.array(names, dtype=str)})
    for i, parameter in enumerate(parameters):
        unit = astropy_unit(parameter)
        for k, label in enumerate(("q16", "q50", "q84")):
            column, values = f"{parameter.name}_{label}", quantiles[:, k, i]
            table[column] = values if unit is None else values * unit
            text = f"{parameter.name} [{parameter.unit}], {label[1:]} % quantile"
            table[column].info.description = text
    for name in DIAGNOSTICS:
        table[name] = diagnostics[name]
    table["predictive_p"].info.description = "share of made data that are as bad"
    table["divergence"].info.description = "fast from exact answer [nat], largest"
    table["reduced_chi2"].info.description = "of the best sample, with the data's own errors"
    table["flags"] = np.array(flags, dtype=str)
    table["flags"].info.description = "when not to trust the row; empty where there is no reason"
    occurring = dict.fromkeys(flag for row in flags for flag in split(row))
    if occurring:
        table.meta["flags"] = {flag: explain(flag) for flag in occurring}
    return table


def datatree(retrieval: Retrieval) -> xr.DataTree:
    """See `Retrieval.to_datatree`."""
    import xarray as xr

    n_samples = retrieval.weights.shape[1]
    dims = ("chain", "draw", "spectrum")
    index = {
        "chain": np.arange(1),
        "draw": np.arange(n_samples),
        "spectrum": list(retrieval.names),
    }

    def by_chain(values: np.ndarray) -> np.ndarray:
        return np.moveaxis(values[:, None], 0, 2)

    samples = by_chain(retrieval.samples)
    posterior = {
        p.name: (dims, samples[..., i], {"units": p.unit})
        for i, p in enumerate(retrieval.parameters)
    }
    depth = ((*dims, "wavelength"), by_chain(retrieval.depth), {"long_name": "(Rp/R_sun)^2"})
    wavelength = ("wavelength", retrieval.wavelength_um, {"units": "um"})
    stats = {
        "weight": (dims, by_chain(retrieval.weights)),
        "loss": (dims, by_chain(retrieval.loss)),
    }
    constant: dict[str, Any] = {k: ("spectrum", getattr(retrieval, k)) for k in DIAGNOSTICS}
    constant["flags"] = ("spectrum", np.array(retrieval.flags, dtype=str))
    constant["aspa"] = (("spectrum", "row", "column"), retrieval.aspa)
    names = {"spectrum": index["spectrum"]}
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(posterior, index),
            "posterior_predictive": xr.Dataset(
                {"transit_depth": depth}, {**index, "wavelength_um": wavelength}
            ),
            "sample_stats": xr.Dataset(stats, index),
            "constant_data": xr.Dataset(constant, names),
        }
    )
