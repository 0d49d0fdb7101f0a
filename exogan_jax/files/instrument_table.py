"""What a retrieval found of an observation's instruments: offsets, and the size of the errors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from exogan_jax.files.atomic import replacing
from exogan_jax.physics.observation import Observation, binning_operator, check
from exogan_jax.retrieval.instruments import SCALE, SHAPE, instruments, whiten
from exogan_jax.retrieval.result import Posterior
from exogan_jax.retrieval.settings import Settings

if TYPE_CHECKING:
    from astropy.table import QTable

INSTRUMENTS = "instruments.ecsv"


def instrument_table(
    posterior: Posterior, observation: Observation, settings: Settings, star_radius: float = 1.0
) -> QTable:
    """One row per instrument, in the order of their names.

    Args:
      posterior: of the observation, retrieved with `settings.offset_sigma` or `inflate`.
      observation: for a star of 1 R_sun, as it was retrieved.
      settings: of the retrieval.
      star_radius: R_sun.

    Returns:
      columns `instrument`, `n_bins` that were compared, `offset` and `offset_error`, what is to be
      taken from its depths, (Rp/Rs)^2, 0 for the one that the others are held against; and
      `error_factor`, what its errors are to be multiplied with, 1 where they were taken as stated.
    """
    from astropy.table import QTable

    checked = check(observation, posterior.name)
    wavelength, half_width = np.asarray(checked.wavelength_um), np.asarray(checked.half_width_um)
    operator = binning_operator(wavelength, half_width, posterior.wavelength_um)
    usable = operator.sum(axis=1) > 0.999
    free = instruments(checked.instrument, usable, settings.offset_sigma, settings.inflate)
    names = np.array(checked.instrument or ("all",) * len(wavelength), dtype=str)
    inverse_sigma = 1 / np.asarray(checked.sigma)
    plain = (checked.depth - np.asarray(posterior.depth, np.float64) @ operator.T) * inverse_sigma
    plain[:, ~usable] = 0.0
    member, variance = (np.asarray(x, np.float64) for x in (free.member, free.offset))
    # The normal distribution of each sample's offsets, and the inverse gamma one of its variances.
    information = member @ np.square(inverse_sigma)
    spread = variance / (1 + variance * information)
    middle = spread * ((plain * inverse_sigma) @ member.T)
    chi2 = np.square(whiten(plain, inverse_sigma, free).residual) @ member.T
    factor = (SCALE + chi2 / 2) / (SHAPE + member.sum(axis=1) / 2 - 1)
    factor = np.where(np.asarray(free.inflated) > 0, factor, 1.0)
    mean = posterior.weights @ middle
    scatter = posterior.weights @ (np.square(middle - mean) + spread * factor)
    return QTable(
        {
            "instrument": np.unique(names[usable]),
            "n_bins": member.sum(axis=1).astype(int),
            "offset": mean / star_radius**2,
            "offset_error": np.sqrt(scatter) / star_radius**2,
            "error_factor": np.sqrt(posterior.weights @ factor),
        },
        meta={"offset_sigma": settings.offset_sigma, "star_radius": star_radius},
    )


def write_instruments(
    path: str | os.PathLike[str],
    posterior: Posterior,
    observation: Observation,
    settings: Settings,
    star_radius: float,
) -> None:
    """Writes `instrument_table` as ECSV.

    Raises:
      OSError: the folder is missing or not writable.
    """
    table = instrument_table(posterior, observation, settings, star_radius)
    with replacing(path) as temporary:
        table.write(temporary, format="ascii.ecsv")
