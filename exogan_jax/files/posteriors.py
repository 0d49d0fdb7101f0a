"""One spectrum's posterior as a file: NetCDF, in ArviZ's schema.

A posterior's groups are those of an ArviZ InferenceData, see `Retrieval.to_datatree`, with the
observation as `observed_data`. The file's attributes are what the result depends on, and the
problem's layout as JSON.
The draws are weighted: use `sample_stats.weight` with any statistic of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from exogan_jax.files.atomic import replacing
from exogan_jax.layout import Layout
from exogan_jax.physics.observation import Observation, check
from exogan_jax.retrieval.result import Posterior
from exogan_jax.retrieval.tables import DIAGNOSTICS

Attributes = dict[str, str | int | float]

POSTERIOR: Final = "posterior.nc"
_ENGINE: Final = "h5netcdf"
_GROUPS = ("posterior", "posterior_predictive", "sample_stats", "constant_data")
_UNITS = {"wavelength_um": "um", "half_width_um": "um", "depth": "1", "sigma": "1"}
_LAYOUT = "layout"  # name of the attribute


def _observed(observation: Observation, name: str) -> xr.Dataset:
    checked = check(observation, name)
    observed: dict[str, Any] = {
        field: ("point", getattr(checked, field), {"units": unit}) for field, unit in _UNITS.items()
    }
    if checked.instrument is not None:
        observed["instrument"] = ("point", np.array(checked.instrument, dtype=str))
    return xr.Dataset(observed)


def write_posterior(
    path: str | os.PathLike[str],
    posterior: Posterior,
    observation: Observation,
    attrs: Mapping[str, str | int | float],
) -> None:
    """Writes one spectrum's posterior as NetCDF.

    Args:
      path: the file to write.
      posterior: of one observation.
      observation: what was retrieved.
      attrs: what the result depends on (input's sha256, seed, model, settings, version); kept as
        the attributes of the file.

    Raises:
      OSError: the folder is missing or not writable.
    """
    tree = posterior.to_datatree()
    groups = {name: tree[name].to_dataset() for name in _GROUPS}
    groups["observed_data"] = _observed(observation, posterior.name)
    root = {**attrs, _LAYOUT: posterior.layout.to_json()}
    with replacing(path) as temporary:
        xr.Dataset(attrs=root).to_netcdf(temporary, engine=_ENGINE)
        for group, dataset in groups.items():
            dataset.to_netcdf(temporary, mode="a", group=group, engine=_ENGINE)


def _read_root(path: Path) -> Attributes:
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with xr.open_dataset(path, engine=_ENGINE) as root:
            attrs = dict(root.attrs)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path}: not a NetCDF file that can be read") from error
    return {key: x.item() if isinstance(x, np.generic) else x for key, x in attrs.items()}


def read_attrs(path: str | os.PathLike[str]) -> Attributes:
    """The attributes of a posterior file, as given to `write_posterior`.

    Raises:
      ValueError: not a NetCDF file; one line.
      FileNotFoundError: there is no such file.
    """
    return {key: x for key, x in _read_root(Path(path)).items() if key != _LAYOUT}


def read_posterior(path: str | os.PathLike[str]) -> tuple[Posterior, Attributes]:
    """Reads what `write_posterior` wrote.

    Returns:
      The posterior and the attributes.

    Raises:
      ValueError: not a complete posterior file; one line.
      FileNotFoundError: there is no such file.
    """
    attrs = _read_root(Path(path))
    try:
        layout = Layout.from_json(str(attrs.pop(_LAYOUT)))
        data = {name: xr.load_dataset(path, group=name, engine=_ENGINE) for name in _GROUPS}
        samples, stats, constant = (data[name] for name in (_GROUPS[0], *_GROUPS[2:]))

        def flat(values: xr.DataArray) -> np.ndarray:
            """Chain after chain (n_samples, ...)."""
            rest = [dim for dim in values.dims if dim not in ("chain", "draw")]
            found = values.transpose("chain", "draw", *rest).values
            return found.reshape(-1, *found.shape[2:])

        posterior = Posterior(
            name=str(constant["spectrum"].item()),
            layout=layout,
            samples=np.stack([flat(samples[name]) for name in layout.parameters.names], axis=-1),
            weights=flat(stats["weight"]),
            flags=str(constant["flags"].item()),
            depth=flat(data["posterior_predictive"]["transit_depth"]),
            aspa=constant["aspa"].values,
            loss=flat(stats["loss"]),
            **{name: float(constant[name].item()) for name in DIAGNOSTICS},
        )
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ValueError(f"{path}: not a posterior written by exogan_jax") from error
    return posterior, attrs
