"""Results as files: a summary table (ECSV) and one posterior a spectrum (NetCDF, ArviZ schema).

A posterior's groups are those of an ArviZ InferenceData: `posterior` (a variable a parameter),
`posterior_predictive` (the completed spectra), `sample_stats` (weight and loss of each draw),
`observed_data`, and `constant_data` (the best draw's completed ASPA and the figures of the fit).
The draws are weighted: use `sample_stats.weight` with any statistic of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from exogan_jax import grid
from exogan_jax.files.atomic import replacing
from exogan_jax.physics.observation import Observation, check
from exogan_jax.retrieval.results import Retrieval

_ENGINE: Final = "h5netcdf"
_SCALARS = ("log_evidence", "reduced_chi2", "effective_sample_size")
_UNITS = {"wavelength_um": "um", "half_width_um": "um", "depth": "1", "sigma": "1"}


def write_summary(path: str | os.PathLike[str], retrieval: Retrieval) -> None:
    """Writes `retrieval.summary()`, a row a spectrum, as an ECSV table that astropy reads.

    Raises:
      OSError: the folder is missing or not writable.
    """
    with replacing(path) as temporary:
        retrieval.summary().write(temporary, format="ascii.ecsv")


def _groups(retrieval: Retrieval, observation: Observation) -> dict[str, xr.Dataset]:
    """The datasets of a posterior file, by group."""
    draws = ("chain", "draw")
    index = {"chain": [0], "draw": np.arange(retrieval.samples.shape[1])}
    posterior = {
        name: (draws, retrieval.samples[:, :, i], {"units": unit})
        for i, (name, unit) in enumerate(zip(grid.PARAMETERS, grid.UNITS, strict=True))
    }
    wavelength = ("wavelength", grid.WAVELENGTH_UM, {"units": "um"})
    depth = ((*draws, "wavelength"), retrieval.depth, {"units": "1", "long_name": "(Rp/R_sun)^2"})
    observed = {
        name: ("point", values, {"units": _UNITS[name]})
        for name, values in check(observation, retrieval.names[0])._asdict().items()
    }
    stats = {"weight": (draws, retrieval.weights), "loss": (draws, retrieval.loss)}
    constant: dict[str, Any] = {name: ((), getattr(retrieval, name)[0]) for name in _SCALARS}
    constant |= {"name": ((), retrieval.names[0]), "flags": ((), retrieval.flags[0])}
    constant["aspa"] = (("row", "column"), retrieval.aspa[0])
    return {
        "posterior": xr.Dataset(posterior, index),
        "posterior_predictive": xr.Dataset(
            {"transit_depth": depth}, {**index, "wavelength_um": wavelength}
        ),
        "sample_stats": xr.Dataset(stats, index),
        "observed_data": xr.Dataset(observed),
        "constant_data": xr.Dataset(constant),
    }


def write_posterior(
    path: str | os.PathLike[str],
    retrieval: Retrieval,
    observation: Observation,
    attrs: Mapping[str, str | int | float],
) -> None:
    """Writes one spectrum's posterior as NetCDF.

    Args:
      path: the file to write.
      retrieval: of one observation.
      observation: what was retrieved.
      attrs: what the result depends on (input's sha256, seed, model, settings, version); kept as
        the attributes of the file.

    Raises:
      ValueError: a retrieval of several observations.
      OSError: the folder is missing or not writable.
    """
    if len(retrieval) != 1:
        raise ValueError(f"write_posterior takes one observation, got {len(retrieval)}")
    with replacing(path) as temporary:
        xr.Dataset(attrs=dict(attrs)).to_netcdf(temporary, engine=_ENGINE)
        for group, dataset in _groups(retrieval, observation).items():
            dataset.to_netcdf(temporary, mode="a", group=group, engine=_ENGINE)


def read_attrs(path: str | os.PathLike[str]) -> dict[str, str | int | float]:
    """The attributes of a posterior file.

    Raises:
      ValueError: not a NetCDF file; one line.
      FileNotFoundError: there is no such file.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with xr.open_dataset(path, engine=_ENGINE) as root:
            attrs = dict(root.attrs)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path}: not a NetCDF file that can be read") from error
    return {key: x.item() if isinstance(x, np.generic) else x for key, x in attrs.items()}


def read_posterior(
    path: str | os.PathLike[str],
) -> tuple[Retrieval, dict[str, str | int | float]]:
    """Reads what `write_posterior` wrote.

    Returns:
      The retrieval, of one observation, and the attributes.

    Raises:
      ValueError: not a complete posterior file; one line.
      FileNotFoundError: there is no such file.
    """
    attrs = read_attrs(path)
    try:
        data = {
            group: xr.load_dataset(path, group=group, engine=_ENGINE)
            for group in ("posterior", "posterior_predictive", "sample_stats", "constant_data")
        }
        posterior, constant = data["posterior"], data["constant_data"]
        retrieval = Retrieval(
            names=(str(constant["name"].item()),),
            samples=np.stack([posterior[name].values for name in grid.PARAMETERS], axis=-1),
            weights=data["sample_stats"]["weight"].values,
            flags=(str(constant["flags"].item()),),
            depth=data["posterior_predictive"]["transit_depth"].values,
            aspa=constant["aspa"].values[None],
            loss=data["sample_stats"]["loss"].values,
            **{name: constant[name].values[None] for name in _SCALARS},
        )
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path}: not a posterior written by exogan_jax") from error
    return retrieval, attrs
