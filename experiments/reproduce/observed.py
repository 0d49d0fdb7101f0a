"""Real planets: what the default model finds, fast and exact."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from exogan_jax.api import retrieve, significances
from exogan_jax.files.spectra import read_spectrum
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.result import Posterior
from experiments.evaluate import physics_of
from experiments.reproduce.scores import rounded


class Planet(NamedTuple):
    """A spectrum of `data/observed`, and what is known of its planet."""

    title: str
    file: str
    star_radius: float  # R_sun
    mass: str  # a prior, M_J
    range_um: tuple[float, float] = (0.0, np.inf)
    reading: Mapping[str, Any] = {}
    model: str = "planets"
    weighed: bool = False  # whether gases, cloud and haze get Bayes factors


#: Stars and masses: WASP-39 of Faedi et al. 2011 (A&A 531, A40), rounded; HD 189733's radius of
#: Torres et al. 2008 (ApJ 677, 1324), the planet's mass of radial velocities; K2-18 of Benneke et
#: al. 2019 (ApJ 887, L14) and Cloutier et al. 2019 (A&A 621, A49).
PLANETS: Mapping[str, Planet] = {
    "wasp39b_prism": Planet(
        "WASP-39 b, NIRSpec PRISM", "prt_WASP39b_nirspec_prism.txt", 0.9, "0.28+-0.03"
    ),
    "wasp39b_firefly": Planet(
        "WASP-39 b, NIRSpec PRISM 3-5.5 um (FIREFLy)", "co2_FIREFLY.txt", 0.9, "0.28+-0.03"
    ),
    "hd189733b_wfc3": Planet(
        "HD 189733 b, WFC3", "hd189733b_sing2016.txt", 0.756, "1.13+-0.05", (1.1, 1.7)
    ),
    "hd189733b": Planet(
        "HD 189733 b, STIS, WFC3 and Spitzer",
        "hd189733b_sing2016.txt",
        0.756,
        "1.13+-0.05",
        weighed=True,
    ),
    "k2_18b": Planet(
        "K2-18 b, NIRISS SOSS", "ke18_K2-18b_niriss_soss_lowres.txt", 0.4445, "0.0272+-0.0042"
    ),
}


def observation_of(planet: Planet, folder: Path) -> Observation:
    """The points of its range.

    Raises:
      OSError: there is no such file.
    """
    path = folder / planet.file
    spectrum = read_spectrum(path, star_radius=planet.star_radius, **planet.reading)
    whole = spectrum.observation
    wavelength = np.asarray(whole.wavelength_um)
    low, high = planet.range_um
    kept = (wavelength >= low) & (wavelength <= high)
    wavelength, half_width, depth, sigma = (np.asarray(x)[kept] for x in whole[:4])
    return Observation(wavelength, half_width, depth, sigma)


def run(name: str, folder: Path, said: Callable[[str], None]) -> tuple[dict[str, Any], Posterior]:
    """Numbers by way, and the exact answer."""
    planet = PLANETS[name]
    model, physics = physics_of(planet.model)
    observation = observation_of(planet, folder)
    found: dict[str, Any] = {}
    for way, options in (("fast", {"exact": False}), ("exact", {})):
        said(f"{planet.title}, {way}")
        (posterior,) = retrieve(
            observation, model, physics=physics, priors={"mass": planet.mass}, names=[name],
            **options,  # type: ignore[arg-type]
        )  # fmt: skip
        found[way] = _numbers(posterior)
    if planet.weighed:
        said(f"{planet.title}, Bayes factors")
        weighed = significances(
            posterior, observation, model, priors={"mass": planet.mass}, physics=physics
        )
        found["log_bayes"] = {one.parameter: rounded(one.log_bayes) for one in weighed}
        found["sigma"] = {one.parameter: rounded(one.sigma) for one in weighed}
    return {"n_points": len(np.asarray(observation.depth)), **found}, posterior


def _numbers(posterior: Posterior) -> dict[str, Any]:
    q = posterior.quantiles((0.025, 0.16, 0.5, 0.84, 0.975))
    names = ("q025", "q16", "q50", "q84", "q975")
    return {
        "parameters": {
            parameter: {k: rounded(float(x)) for k, x in zip(names, q[:, i], strict=True)}
            for i, parameter in enumerate(posterior.layout.parameters.names)
        },
        "reduced_chi2": rounded(float(posterior.reduced_chi2)),
        "predictive_p": rounded(float(posterior.predictive_p)),
        "effective_sample_size": rounded(float(posterior.effective_sample_size)),
        "log_evidence": rounded(float(posterior.log_evidence)),
        "flags": posterior.flags,
    }
