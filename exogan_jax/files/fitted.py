"""The fit in the observer's terms: a table of the observation's bins, in (Rp/Rs)^2 of its star."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from exogan_jax.files.atomic import replacing
from exogan_jax.physics.observation import Observation, binning_operator, check
from exogan_jax.retrieval.result import Posterior
from exogan_jax.retrieval.weighted import weighted_quantile

if TYPE_CHECKING:
    from astropy.table import QTable

FITTED = "fit.ecsv"


def fitted_table(posterior: Posterior, observation: Observation, star_radius: float) -> QTable:
    """One row per bin, in the observation's order.

    Args:
      posterior: of the observation.
      observation: for a star of 1 R_sun, as it was retrieved.
      star_radius: R_sun.

    Returns:
      columns `wavelength` and `half_width` [um], `instrument` where the observation names them,
      `depth` and `error` as observed, `model_q16`, `model_q50`, `model_q84` and `best` of the
      samples' spectra, all (Rp/Rs)^2, and `residual`, of the best in errors. Where the model knows
      no spectrum they are NaN.
    """
    from astropy import units as u
    from astropy.table import QTable

    checked = check(observation, posterior.name)
    wavelength, half_width = np.asarray(checked.wavelength_um), np.asarray(checked.half_width_um)
    operator = binning_operator(wavelength, half_width, posterior.wavelength_um)
    known = operator.sum(axis=1) > 0.999
    binned = np.asarray(posterior.depth, np.float64) @ operator.T
    chi2 = np.square((binned - checked.depth) / checked.sigma)[:, known].sum(axis=1)
    rows = np.vstack([weighted_quantile(binned, posterior.weights), binned[chi2.argmin()]])
    rows[:, ~known] = np.nan
    own = star_radius**2
    table = QTable({"wavelength": checked.wavelength_um * u.um})
    table["half_width"] = checked.half_width_um * u.um
    if checked.instrument is not None:
        table["instrument"] = np.array(checked.instrument, dtype=str)
    table["depth"], table["error"] = checked.depth / own, checked.sigma / own
    for name, row in zip(("model_q16", "model_q50", "model_q84", "best"), rows, strict=True):
        table[name] = row / own
    table["residual"] = (checked.depth - rows[-1]) / checked.sigma
    for name in ("depth", "error", "model_q16", "model_q50", "model_q84", "best"):
        table[name].info.description = "(Rp/Rs)^2"
    table["residual"].info.description = "(depth - best) / error"
    table.meta["star_radius"] = star_radius
    return table


def write_fitted(
    path: str | os.PathLike[str], posterior: Posterior, observation: Observation, star_radius: float
) -> None:
    """Writes `fitted_table` as ECSV.

    Raises:
      OSError: the folder is missing or not writable.
    """
    table = fitted_table(posterior, observation, star_radius)
    with replacing(path) as temporary:
        table.write(temporary, format="ascii.ecsv")
