"""The studies: what each makes, and how its spectra are retrieved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from exogan_jax.api import retrieve
from exogan_jax.files.opacities import load_opacities
from exogan_jax.gan.model import Model
from exogan_jax.physics.forward import ForwardModel
from experiments import fast_catalogue
from experiments.evaluate import TEST_SEED, detectable, physics_of
from experiments.reproduce import worlds
from experiments.reproduce.scores import rounded, score
from experiments.validate_forward import compare_published, statistics_of

#: How a spectrum is retrieved: arguments of `retrieve`. The paper's procedure is that of its pixel
#: loss, here from where the encoder says.
WAYS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"likelihood": "paper"},
    "fast": {"exact": False},
    "exact": {},
}
_CHUNK = 8
_Make = Callable[[ForwardModel, int], Iterator[tuple[str, worlds.Spectra]]]


class Study(NamedTuple):
    """Cases of simulated spectra that are retrieved in several ways."""

    title: str
    make: _Make
    n: Mapping[str, int]  # by way: spectra of each case
    n_full: Mapping[str, int]  # the same of a full run
    model: str = "published"

    def run(self, full: bool, said: Callable[[str], None]) -> dict[str, Any]:
        """Numbers by case, way and parameter."""
        model, physics = physics_of(self.model)
        found: dict[str, Any] = {}
        for way, n in (self.n_full if full else self.n).items():
            for case, spectra in self.make(physics, n):
                said(f"{case}, {way}, {n} spectra")
                found.setdefault(case, {})[way] = _answered(spectra, model, physics, way)
        return found


def _answered(
    spectra: worlds.Spectra, model: Model, physics: ForwardModel, way: str
) -> dict[str, Any]:
    began = time.perf_counter()
    result = retrieve(spectra.observations, model, physics=physics, chunk=_CHUNK, **WAYS[way])
    seconds = time.perf_counter() - began
    shows = detectable(spectra.truth, physics)
    numbers = score(result, spectra.truth, shows)
    return {**numbers, "seconds_with_compilation": rounded(seconds)}


#: By name; the paper's experiments, and one of the default model.
STUDIES: Mapping[str, Study] = {
    "accuracy": Study(
        "Spectra without noise, parameters masked",
        worlds.accuracy,
        {"paper": 500, "fast": 48, "exact": 48},
        {"paper": 1000, "fast": 1000, "exact": 1000},
    ),
    "noise": Study(
        "Noise of 0 to 100 ppm",
        worlds.noise,
        {"paper": 40, "exact": 4},
        {"paper": 1000, "fast": 100, "exact": 100},
    ),
    "wfc3": Study(
        "All but the WFC3 masked",
        worlds.wfc3,
        {"fast": 16, "exact": 16},
        {"fast": 200, "exact": 200},
    ),
    "clouds": Study(
        "Clouds, of which the model knows nothing",
        worlds.clouds,
        {"paper": 40, "exact": 4},
        {"paper": 1000, "exact": 100},
    ),
    "gases": Study(
        "A gas that the model does not know",
        worlds.gases,
        {"paper": 40, "fast": 8},
        {"paper": 1000, "fast": 100, "exact": 100},
    ),
    "temperatures": Study(
        "Temperatures outside of the training",
        worlds.temperatures,
        {"paper": 40, "fast": 8},
        {"paper": 1000, "fast": 100, "exact": 100},
    ),
    "prism": Study(
        "Planets of the default model's world",
        worlds.prism,
        {"exact": 32},
        {"fast": 500, "exact": 500},
        model="planets",
    ),
}


def forward(sample: Path) -> dict[str, Any]:
    """The forward model against published spectra that its table was not fitted to [ppm]."""
    residual, _, theta = compare_published(sample, load_opacities("published"))
    found = statistics_of(residual)
    numbers = {"median": found.median, "q95": found.q95, "rms": found.rms}
    return {"n": len(theta), **{name: rounded(x) for name, x in numbers.items()}}


def catalogue(full: bool) -> dict[str, Any]:
    """A catalogue of four instruments at the speed of the networks."""
    found = fast_catalogue.measure(10_000 if full else 2_000, seed=TEST_SEED)
    return {
        "n": found.n,
        "seconds": rounded(found.seconds),
        "a_second": rounded(found.n / found.seconds),
        "first_chunk_seconds": rounded(found.first),
        "weighted": rounded(found.weighted),
        "parameters": {
            name: {
                f"inside_{100 * level:.0f}": rounded(float(share[i]))
                for level, share in found.inside.items()
            }
            for i, name in enumerate(found.names)
        },
    }
