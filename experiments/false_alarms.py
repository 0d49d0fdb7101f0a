"""How well the flags tell what a model knows from what it does not.

python -m experiments.false_alarms --out FILE [--model NAME] [--n 200] [--strange 60] [--seed S]

Planets of the model's own world, seen by a PRISM-like (0.6-5.3 um, 30 ppm) and a WFC3-like
instrument (1.1-1.7 um, 50 ppm) in turn, both at R = 100, should have no flag that is wrong; inputs
from elsewhere should have one (`STRANGE`). A flag of a planet of the world is not wrong where it is
true: `at_bound` of a parameter within 2 % of that bound; `featureless` and `uninformative` where
the features of the true spectrum have a chi-square below 40. Everything else counts. How often the
intervals of the world's planets hold the truth is told, too. The flags and ranks of each input are
written to FILE as they come; if killed, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float
from rich.console import Console
from rich.progress import track
from rich.table import Table

from exogan_jax.api import retrieve
from exogan_jax.gan.model import Model
from exogan_jax.parameters import Parameters
from exogan_jax.physics.forward import ForwardModel, simulate
from exogan_jax.physics.observation import Observation, binning_operator
from exogan_jax.retrieval.flags import AT_BOUND, split
from experiments.calibrate import Channel, ranked
from experiments.evaluate import TEST_SEED, physics_of
from experiments.kept_rows import keep_row, kept_rows
from experiments.ranks import inside

NEAR_BOUND = 0.02  # of the range
FAINT = 40.0  # chi-square of a true spectrum's features: twice what `featureless` asks for
COLD_K, HEAVY_M_J = 50.0, 20.0
BANDS, BAND_SIGMA, BAND_WIDTH = 3, 100.0, 0.03  # their number, peak in errors, width / wavelength
SLOPE = 500e-6  # across an instrument's range, rising to the blue as of a star's spots


INSTRUMENTS = {"prism": Channel(0.6, 5.3, 30e-6), "wfc3": Channel(1.1, 1.7, 50e-6)}

#: Planets of the world but for one parameter, by its role.
_OTHER_PLANETS: dict[str, tuple[str, float]] = {
    "50 K": ("temperature", COLD_K),
    "20 M_J": ("mass", HEAVY_M_J),
}
_Change = Callable[[np.ndarray, np.ndarray, float, np.random.Generator], np.ndarray]


def _bands(
    wavelength: np.ndarray, depth: np.ndarray, sigma: float, rng: np.random.Generator
) -> np.ndarray:
    """Absorption of other gases."""
    centre = rng.uniform(wavelength.min(), wavelength.max(), (BANDS, 1))
    shape = np.exp(-0.5 * np.square((wavelength / centre - 1) / BAND_WIDTH))
    return depth + BAND_SIGMA * sigma * shape.max(axis=0)


def _slope(
    wavelength: np.ndarray, depth: np.ndarray, sigma: float, rng: np.random.Generator
) -> np.ndarray:
    """A star that is not of one temperature."""
    place = np.log(wavelength / wavelength.min()) / np.log(wavelength.max() / wavelength.min())
    return depth + SLOPE * (1 - place)


def _flat(
    wavelength: np.ndarray, depth: np.ndarray, sigma: float, rng: np.random.Generator
) -> np.ndarray:
    """No features."""
    return np.full_like(depth, depth.mean())


#: Binned spectra that are no planet's: wavelength, depth (p,), error, random numbers -> depth.
_OTHER_SPECTRA: dict[str, _Change] = {
    "other gases": _bands,
    "flat line": _flat,
    "pure noise": _flat,
    "stellar slope": _slope,
}
STRANGE = (*_OTHER_PLANETS, *_OTHER_SPECTRA)
_NOISELESS = ("flat line",)  # all others have noise of their errors


class Found(NamedTuple):
    """What is kept of an answer."""

    flags: str
    rank: list[float]  # share of the samples below the truth, of each parameter
    effective: float  # independent samples


class Case(NamedTuple):
    """One input, and what is true of it."""

    kind: str  # "inside", or one of `STRANGE`
    instrument: str
    observation: Observation
    theta: Float[np.ndarray, " d"]
    features: float  # chi-square of the true spectrum's departure from its mean


def planets(kind: str, n: int, physics: ForwardModel, seed: int) -> np.ndarray:
    """Parameters (n, d) of a kind: those of the world but for one."""
    theta = np.array(physics.sample(jax.random.key(seed), n))
    if kind in _OTHER_PLANETS:
        role, value = _OTHER_PLANETS[kind]
        p = physics.parameters[physics.parameters.roles.index(role)]
        theta[:, physics.parameters.roles.index(role)] = np.log10(value) if p.is_log else value
    return theta


def cases(kind: str, n: int, physics: ForwardModel, seed: int) -> list[Case]:
    """Inputs of a kind, seen by the instruments in turn."""
    theta = planets(kind, n, physics, seed)
    depth = np.asarray(jax.jit(simulate)(physics, theta), np.float64)
    rng = np.random.default_rng(seed)
    grid = np.asarray(physics.wavelength_um, np.float64)
    found = []
    for i in range(n):
        name = list(INSTRUMENTS)[i % len(INSTRUMENTS)]
        wavelength, half, _ = INSTRUMENTS[name].bins()
        sigma = INSTRUMENTS[name].sigma
        seen = binning_operator(wavelength, half, grid) @ depth[i]
        if kind in _OTHER_SPECTRA:
            seen = _OTHER_SPECTRA[kind](wavelength, seen, sigma, rng)
        features = float(np.square((seen - seen.mean()) / sigma).sum())
        noise = 0.0 if kind in _NOISELESS else sigma * rng.normal(size=seen.size)
        observation = Observation(wavelength, half, seen + noise, np.full(seen.size, sigma))
        found.append(Case(kind, name, observation, theta[i], features))
    return found


def is_wrong(flag: str, case: Case, parameters: Parameters) -> bool:
    """Whether ONE flag of a planet of the model's world is wrong."""
    kind, _, name = flag.partition(":")
    if kind == AT_BOUND:
        share = parameters.to_unit(case.theta[None])[0, parameters.index(name)]
        return bool(min(share, 1 - share) > NEAR_BOUND)
    return not (kind in ("featureless", "uninformative") and case.features < FAINT)


def judged(
    made: Sequence[Case],
    model: Model,
    physics: ForwardModel,
    known: dict[int, Found],
    path: Path,
    chunk: int,
) -> list[Found]:
    """What is found of each case; what is not known yet is added to `path`."""
    known = dict(known)
    left = {
        name: [i for i, x in enumerate(made) if x.instrument == name and i not in known]
        for name in INSTRUMENTS
    }
    parts = [rows[i : i + chunk] for rows in left.values() for i in range(0, len(rows), chunk)]
    for rows in track(parts, description="retrieving"):
        result = retrieve(
            [made[i].observation for i in rows],
            model,
            names=[f"{made[i].kind} {i}" for i in rows],
            physics=physics,
            chunk=chunk,
        )
        for i, one in zip(rows, result, strict=True):
            rank = ranked(one, made[i].theta, physics.parameters, i)[0].round(4).tolist()
            known[i] = Found(one.flags, rank, round(one.effective_sample_size, 1))
            keep_row(path, {"input": i, **known[i]._asdict()})
    return [known[i] for i in range(len(made))]


def report(made: Sequence[Case], flags: Sequence[str], parameters: Parameters) -> Table:
    """One row per kind of input: how many have a flag, and how many have each; wrong flags of
    planets of the world have a row of their own.
    """
    table = Table(title="flags of each kind of input")
    for heading in ("kind", "inputs", "flagged", "with"):
        table.add_column(heading, justify="left" if heading in ("kind", "with") else "right")
    rows: dict[str, list[list[str]]] = {}
    for case, found in zip(made, flags, strict=True):
        rows.setdefault(case.kind, []).append(list(split(found)))
        if case.kind == "inside":
            wrong = [flag for flag in split(found) if is_wrong(flag, case, parameters)]
            rows.setdefault("inside, wrongly", []).append(wrong)
    for kind, each in rows.items():
        counts = Counter(flag for row in each for flag in row)
        names = ", ".join(f"{flag} {count}" for flag, count in counts.most_common())
        table.add_row(kind, str(len(each)), str(sum(map(bool, each))), names)
    return table


def coverage(made: Sequence[Case], found: Sequence[Found], parameters: Parameters) -> Table:
    """How often intervals hold the truths of the world's planets, by instrument."""
    table = Table(title="planets of the world: truths within the 68 / 95 % intervals, %")
    table.add_column("parameter")
    of = {
        name: np.array(
            [
                one.rank
                for case, one in zip(made, found, strict=True)
                if case.kind == "inside" and case.instrument == name
            ]
        )
        for name in INSTRUMENTS
    }
    of = {name: rank for name, rank in of.items() if rank.size}
    for name, rank in of.items():
        table.add_column(f"{name}, {len(rank)}", justify="right")
    for i, parameter in enumerate(parameters.names):
        shares = [100 * inside(rank)[:, i] for rank in of.values()]
        table.add_row(parameter, *(f"{low:.0f} / {high:.0f}" for low, high in shares))
    return table


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="file of the flags, .jsonl")
    parser.add_argument("--model", help="shipped name or file; default: the shipped default")
    parser.add_argument("--n", type=int, default=200, help="planets of the model's world")
    parser.add_argument("--strange", type=int, default=60, help="inputs from elsewhere")
    parser.add_argument("--chunk", type=int, default=4)
    parser.add_argument("--seed", type=int, default=TEST_SEED, help="of the inputs")
    args = parser.parse_args(argv)
    model, physics = physics_of(args.model)
    made = cases("inside", args.n, physics, args.seed) if args.n else []
    for k, kind in enumerate(STRANGE):
        n = args.strange // len(STRANGE)
        made += cases(kind, n, physics, args.seed + k + 1) if n else []
    settings = {k: getattr(args, k) for k in ("n", "strange", "seed")} | {"model": model.name}
    known = {row.pop("input"): Found(**row) for row in kept_rows(args.out, settings)}
    found = judged(made, model, physics, known, args.out, args.chunk)
    flags = [one.flags for one in found]
    console = Console()
    console.print(report(made, flags, physics.parameters))
    console.print(coverage(made, found, physics.parameters))
    wrong = sum(
        any(is_wrong(flag, case, physics.parameters) for flag in split(own))
        for case, own in zip(made, flags, strict=True)
        if case.kind == "inside"
    )
    strange = [own for case, own in zip(made, flags, strict=True) if case.kind != "inside"]
    console.print(
        f"inside, flagged wrongly: {wrong} of {args.n} (at most 5 %); "
        f"from elsewhere, flagged: {sum(map(bool, strange))} of {len(strange)} (at least 95 %)"
    )


if __name__ == "__main__":
    main()
