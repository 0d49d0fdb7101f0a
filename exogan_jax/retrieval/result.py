"""What a retrieval returns: the posterior of one spectrum, or of many."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from jaxtyping import Float

from exogan_jax.layout import Layout
from exogan_jax.parameters import Parameters
from exogan_jax.retrieval.weighted import QUANTILES, systematic, weighted_quantile

if TYPE_CHECKING:
    import xarray as xr
    from astropy.table import QTable

#: Fields that all observations of a retrieval share.
_COMMON = ("layout",)


@dataclasses.dataclass(frozen=True)
class Posterior:
    """Posterior samples and diagnostics of ONE observation."""

    name: str
    layout: Layout
    samples: Float[np.ndarray, "n_samples d"]  # theta, in the units of `parameters`
    weights: Float[np.ndarray, " n_samples"]  # summing to 1
    log_evidence: float  # natural, of depths for 1 R_sun; NaN where not computed
    log_evidence_error: float  # 1 sigma
    efficiency: float  # independent samples for each forward model; NaN: the generator's alone
    #: Share of simulated data that fit worse than these: near 0 where the model does not fit.
    predictive_p: float
    #: Jensen-Shannon divergence [nat] of the generator's answer from the exact one, for the
    #: parameter where it is largest; NaN where there is only one answer.
    divergence: float
    reduced_chi2: float  # of the best sample or start, with the data's own errors
    effective_sample_size: float
    acceptance: float  # share of the sampler's moves; NaN where it made none
    flags: str  # comma-separated, see `flags.MEANINGS`; "" where there are none
    depth: Float[np.ndarray, "n_samples w"]  # completed spectra on `wavelength_um`
    aspa: Float[np.ndarray, "side side"]  # completed array of the best start
    loss: Float[np.ndarray, " n_samples"]  # of each sample, -log likelihood + constant

    @property
    def parameters(self) -> Parameters:
        """What the samples are of."""
        return self.layout.parameters

    @property
    def wavelength_um(self) -> Float[np.ndarray, " w"]:
        """Wavelengths of the completed spectra."""
        return self.layout.wavelength_um

    def quantiles(self, q: tuple[float, ...] = QUANTILES) -> Float[np.ndarray, "q d"]:
        """Weighted quantiles of each parameter."""
        return weighted_quantile(self.samples, self.weights, q)

    def equal_samples(self, n: int, seed: int = 0) -> Float[np.ndarray, "n d"]:
        """Equally weighted samples: each is drawn as often as its weight says, up to one.

        Args:
          n: number of samples.
          seed: of the only random number.
        """
        return self.samples[systematic(self.weights, n, seed)]

    def summary(self) -> QTable:
        """One row: see `Retrieval.summary`."""
        return as_retrieval(self).summary()

    def to_datatree(self) -> xr.DataTree:
        """As xarray, in ArviZ's layout: see `Retrieval.to_datatree`."""
        return as_retrieval(self).to_datatree().isel(spectrum=0, missing_dims="ignore")


@dataclasses.dataclass(frozen=True)
class Retrieval:
    """Posterior samples and diagnostics of `n_obs` observations: a sequence of `Posterior`."""

    names: tuple[str, ...]
    layout: Layout
    samples: Float[np.ndarray, "n_obs n_samples d"]  # theta, in the units of `parameters`
    weights: Float[np.ndarray, "n_obs n_samples"]  # each row sums to 1
    log_evidence: Float[np.ndarray, " n_obs"]  # natural, of depths for 1 R_sun; or NaN
    log_evidence_error: Float[np.ndarray, " n_obs"]  # 1 sigma
    #: Share of the samples that exact weights leave; NaN where they are the generator's alone.
    efficiency: Float[np.ndarray, " n_obs"]
    #: Posterior predictive p-value of the chi-square, see `diagnostics.predictive_p`.
    predictive_p: Float[np.ndarray, " n_obs"]
    #: Jensen-Shannon divergence [nat] of the generator's answer from the exact one, for the
    #: parameter where it is largest; NaN where there is only one answer.
    divergence: Float[np.ndarray, " n_obs"]
    #: Of the best sample or start, with the data's own errors: chi-square / (bins - parameters).
    reduced_chi2: Float[np.ndarray, " n_obs"]
    effective_sample_size: Float[np.ndarray, " n_obs"]
    acceptance: Float[np.ndarray, " n_obs"]  # of the sampler's moves; NaN where it made none
    flags: tuple[str, ...]  # comma-separated, see `flags.MEANINGS`; "" where there are none
    depth: Float[np.ndarray, "n_obs n_samples w"]  # completed spectra on `wavelength_um`
    aspa: Float[np.ndarray, "n_obs side side"]  # completed array of the best start
    loss: Float[np.ndarray, "n_obs n_samples"]  # of each sample, -log likelihood + constant

    @property
    def parameters(self) -> Parameters:
        """What the samples are of."""
        return self.layout.parameters

    @property
    def wavelength_um(self) -> Float[np.ndarray, " w"]:
        """Wavelengths of the completed spectra."""
        return self.layout.wavelength_um

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Posterior: ...
    @overload
    def __getitem__(self, index: slice) -> Retrieval: ...
    def __getitem__(self, index: int | slice) -> Posterior | Retrieval:
        """The posterior of one observation, or the observations of a slice."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        taken = {k: value if k in _COMMON else value[index] for k, value in fields.items()}
        if isinstance(index, slice):
            return Retrieval(**taken)
        taken["name"] = taken.pop("names")
        return Posterior(
            **{
                k: x.item() if np.ndim(x) == 0 and isinstance(x, np.generic) else x
                for k, x in taken.items()
            }
        )

    def __iter__(self) -> Iterator[Posterior]:
        return (self[i] for i in range(len(self)))

    def quantiles(self, q: tuple[float, ...] = QUANTILES) -> Float[np.ndarray, "n_obs q d"]:
        """Weighted quantiles of each parameter."""
        pairs = zip(self.samples, self.weights, strict=True)
        return np.stack([weighted_quantile(s, w, q) for s, w in pairs])

    def summary(self) -> QTable:
        """One row per observation: name, quantiles with units, diagnostics, flags."""
        from exogan_jax.retrieval.tables import summary

        return summary(self)

    def to_datatree(self) -> xr.DataTree:
        """As xarray, in the layout of ArviZ's InferenceData: groups `posterior` (one variable per
        parameter), `posterior_predictive` (completed spectra), `sample_stats` (weight and loss of
        each draw) and `constant_data`; dimensions chain (one: samples do not depend on each
        other), draw, spectrum.

        The draws are weighted: use `sample_stats.weight` with any statistic of them.
        """
        from exogan_jax.retrieval.tables import datatree

        return datatree(self)


def as_retrieval(posterior: Posterior) -> Retrieval:
    """A retrieval of one observation."""
    fields: dict[str, Any] = {
        f.name: getattr(posterior, f.name) for f in dataclasses.fields(posterior)
    }
    fields["names"] = fields.pop("name")
    several: dict[str, Any] = {
        k: value
        if k in _COMMON
        else (value,)
        if isinstance(value, str)
        else np.asarray(value)[None]
        for k, value in fields.items()
    }
    return Retrieval(**several)


def concatenate(parts: Sequence[Retrieval]) -> Retrieval:
    """Joins retrievals of different observations, of one problem and equal numbers of samples.

    Raises:
      ValueError: they are of different problems.
    """
    first = parts[0]
    joined: dict[str, Any] = {}
    for field in dataclasses.fields(Retrieval):
        values = [getattr(part, field.name) for part in parts]
        if field.name in _COMMON:
            if any(value != values[0] for value in values):
                raise ValueError(f"retrievals of another {field.name} cannot be joined")
            joined[field.name] = getattr(first, field.name)
        elif isinstance(values[0], tuple):
            joined[field.name] = tuple(item for value in values for item in value)
        else:
            joined[field.name] = np.concatenate(values)
    return Retrieval(**joined)
