"""What a retrieval returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from exogan_jax import grid
from exogan_jax.retrieval.posterior import weighted_quantile

if TYPE_CHECKING:
    from astropy.table import QTable


@dataclasses.dataclass(frozen=True)
class Retrieval:
    """Posterior samples and diagnostics of `n_obs` observations, as NumPy arrays."""

    names: tuple[str, ...]
    samples: Float[np.ndarray, "n_obs n_samples 7"]  # theta, in the units of grid.PARAMETERS
    weights: Float[np.ndarray, "n_obs n_samples"]  # each row sums to 1
    log_evidence: Float[np.ndarray, " n_obs"]  # NaN where not computed
    reduced_chi2: Float[np.ndarray, " n_obs"]  # of the best sample, with the generator's error
    effective_sample_size: Float[np.ndarray, " n_obs"]
    flags: tuple[str, ...]  # comma-separated warnings, "" where there are none
    depth: Float[np.ndarray, "n_obs n_samples 515"]  # completed spectra on grid.WAVELENGTH_UM
    aspa: Float[np.ndarray, "n_obs 33 33"]  # completed array of the best sample
    loss: Float[np.ndarray, "n_obs n_samples"]  # of each sample, -log likelihood + constant

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: slice) -> Retrieval:
        """The observations of a slice."""
        fields = (getattr(self, field.name) for field in dataclasses.fields(self))
        return Retrieval(*(field[index] for field in fields))

    def quantiles(self, q: tuple[float, ...] = (0.16, 0.5, 0.84)) -> Float[np.ndarray, "n_obs q 7"]:
        """Weighted quantiles of each parameter."""
        pairs = zip(self.samples, self.weights, strict=True)
        return np.stack([weighted_quantile(s, w, q) for s, w in pairs])

    def summary(self) -> QTable:
        """One row per observation: name, quantiles with units, diagnostics, flags."""
        from astropy import units as u
        from astropy.table import QTable

        unit_of = dict(zip(grid.PARAMETERS, grid.UNITS, strict=True))
        # Jupiter's mass and radius as ExoGAN defines them: astropy's R_jup is 2 % larger.
        known = {
            "M_J": u.Unit(grid.JUPITER_MASS_KG * u.kg),
            "R_J": u.Unit(grid.JUPITER_RADIUS_M * u.m),
            "K": u.K,
        }
        table = QTable({"name": list(self.names)})
        quantiles = self.quantiles()
        for i, parameter in enumerate(grid.PARAMETERS):
            for k, label in enumerate(("q16", "q50", "q84")):
                column = f"{parameter}_{label}"
                unit = unit_of[parameter]
                values = quantiles[:, k, i]
                table[column] = values if unit == "dex" else values * known[unit]
                table[column].info.description = f"{parameter} [{unit}], {label[1:]} % quantile"
        table["reduced_chi2"] = self.reduced_chi2
        table["effective_sample_size"] = self.effective_sample_size
        table["log_evidence"] = self.log_evidence
        table["flags"] = np.array(self.flags, dtype=str)
        return table


def concatenate(parts: Sequence[Retrieval]) -> Retrieval:
    """Joins retrievals of different observations, of equal numbers of samples."""
    joined: list[Any] = []
    for field in dataclasses.fields(Retrieval):
        values = [getattr(part, field.name) for part in parts]
        if field.name in ("names", "flags"):
            joined.append(tuple(item for value in values for item in value))
        else:
            joined.append(np.concatenate(values))
    return Retrieval(*joined)
