"""Answers of this project beside those of its peers: the same simulated spectra, priors and cores.

python -m experiments.peers --out FILE [--model NAME] [--instrument prism] [--n 100] [--n-nested 5]
    [--taurex-python PYTHON]

Beside `fast` and `exact`: the paper's procedure (its pixel loss, 64 starts anywhere, 1,001 steps,
by this project's networks); a neural posterior estimator trained on as many spectra of this very
instrument as asked for (sbi, Tejero-Cantero et al. 2020; pip install sbi), which knows no other;
and nested sampling with this forward model (nautilus, Lange 2023; pip install nautilus-sampler) of
the first few. Each answer's ranks, errors, seconds and divergence from the nested one are written
to FILE as they come; if killed, it goes on where it stopped, training from its start. PYTHON is an
interpreter that imports taurex (`experiments.benchmark_forward`): how many of the published grid's
spectra it makes a second is told, and how long as many as nested sampling asks for take.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from rich.console import Console
from rich.table import Table

from exogan_jax.api import retrieve
from exogan_jax.files.made_with import weights_sha256
from exogan_jax.files.opacities import load_opacities
from exogan_jax.gan.model import Model
from exogan_jax.layout import PUBLISHED
from exogan_jax.parameters import Parameters
from exogan_jax.physics.forward import ForwardModel
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.diagnostics import divergences
from exogan_jax.retrieval.weighted import weighted_quantile
from experiments.benchmark_forward import taurex_rate
from experiments.calibrate import INSTRUMENTS, observed
from experiments.compare_sampling import timed
from experiments.evaluate import TEST_SEED, physics_of
from experiments.kept_rows import keep_row, kept_rows
from experiments.nested import log_likelihood, nested
from experiments.ranks import inside

#: Arguments of `retrieve`.
OWN: dict[str, dict[str, Any]] = {
    "paper": {"likelihood": "paper", "encoder": False, "n_starts": 64, "n_steps": 1001},
    "fast": {"exact": False},
    "exact": {},
}
SBI, NESTED, TAUREX = "sbi", "nested", "taurex"
HEADS = ("n", "error", "in 68 %", "in 95 %", "divergence: median", "worst", "s", "training s")
_SAMPLES = 2048  # of sbi's answers, as of this project's
_AT_ONCE = 4096  # spectra, simulated
_OF_TAUREX = 60  # spectra that TauREx is timed by


class Samples(NamedTuple):
    """One answer."""

    theta: Float[np.ndarray, "n d"]
    weight: Float[np.ndarray, " n"]
    seconds: float
    calls: int = 0  # of the likelihood, where they are counted
    training: float = 0.0  # seconds that went before


_Answer = Callable[[int, Observation], Samples]


def own_answer(model: Model, physics: ForwardModel, **options: Any) -> _Answer:
    """By this project."""

    def answer(i: int, observation: Observation) -> Samples:
        ask = partial(retrieve, observation, model, names=[str(i)], physics=physics, **options)
        found, seconds = timed(ask)
        return Samples(found[0].samples, found[0].weights, seconds)

    return answer


def nested_answer(physics: ForwardModel, parameters: Parameters, live: int) -> _Answer:
    """By nautilus."""

    def answer(i: int, observation: Observation) -> Samples:
        likelihood = log_likelihood(physics, observation)
        found, seconds = timed(partial(nested, likelihood, parameters, i, live, 5000))
        return Samples(found.theta, found.weight, seconds, found.calls)

    return answer


def features(depth: Float[np.ndarray, "n bin"], sigma: Float[np.ndarray, " bin"]) -> np.ndarray:
    """What the estimator sees: the mean depth, and the spectrum about it in its errors, both on
    scales that do not run away.
    """
    mean = depth.mean(axis=1, keepdims=True)
    return np.concatenate([np.log(mean), np.arcsinh((depth - mean) / sigma)], axis=1).astype("f4")


def sbi_answer(
    physics: ForwardModel, parameters: Parameters, name: str, n: int, seed: int, folder: Path
) -> _Answer:
    """By sbi, trained on `n` spectra as this instrument sees them; its log goes to `folder`."""
    import torch
    from sbi.inference import NPE
    from sbi.neural_nets import posterior_nn
    from sbi.neural_nets.embedding_nets import FCEmbedding
    from sbi.utils import BoxUniform
    from sbi.utils.tracking import TensorBoardTracker
    from torch.utils.tensorboard import SummaryWriter

    def trained() -> Any:
        torch.manual_seed(seed)
        x, theta = seen_spectra(physics, name, n, seed)
        d = len(parameters)
        box = BoxUniform(torch.zeros(d), torch.ones(d))
        embedding = FCEmbedding(x.shape[1], output_dim=64, num_layers=3, num_hiddens=256)
        estimator = posterior_nn("nsf", hidden_features=128, embedding_net=embedding)
        log = TensorBoardTracker(SummaryWriter(folder))
        training = NPE(prior=box, density_estimator=estimator, tracker=log)
        unit = np.asarray(parameters.to_unit(theta), np.float32).clip(1e-6, 1 - 1e-6)
        training.append_simulations(torch.as_tensor(unit), torch.as_tensor(x))
        training.train(training_batch_size=512, stop_after_epochs=5, max_num_epochs=60)
        return training.build_posterior()

    posterior, training_seconds = timed(trained)

    def drawn(i: int, observation: Observation) -> np.ndarray:
        torch.manual_seed(i)
        depth, sigma = np.asarray(observation.depth), np.asarray(observation.sigma)
        at = torch.as_tensor(features(depth[None], sigma))
        unit = posterior.sample((_SAMPLES,), x=at, show_progress_bars=False).numpy()
        return np.asarray(parameters.from_unit(unit.astype(np.float64)))

    def answer(i: int, observation: Observation) -> Samples:
        found, seconds = timed(partial(drawn, i, observation))
        weight = np.full(_SAMPLES, 1 / _SAMPLES)
        return Samples(found, weight, seconds, training=training_seconds)

    return answer


def seen_spectra(
    physics: ForwardModel, name: str, n: int, seed: int
) -> tuple[Float[np.ndarray, "n f"], Float[np.ndarray, "n d"]]:
    """Features of noisy spectra of the prior's planets, and their parameters."""
    seen, theta = [], []
    for first in range(0, n, _AT_ONCE):
        size = min(_AT_ONCE, n - first)
        # Of other seeds than those that are retrieved.
        one, of = observed(INSTRUMENTS[name], physics, size, seed + 1 + first)
        depth = np.stack([observation.depth for observation in one])
        seen.append(features(depth, np.asarray(one[0].sigma)))
        theta.append(of)
    return np.concatenate(seen), np.concatenate(theta)


def judged(
    one: Samples, truth: np.ndarray, parameters: Parameters, known: Samples | None
) -> dict[str, Any]:
    """What is kept of an answer: errors are in the prior's widths."""
    middle = parameters.to_unit(weighted_quantile(one.theta, one.weight, (0.5,)))[0]
    row: dict[str, Any] = {
        "rank": (one.weight @ (one.theta < truth)).round(4).tolist(),
        "off": np.abs(middle - parameters.to_unit(truth)).round(5).tolist(),
        "seconds": round(one.seconds, 2),
        "training": round(one.training),
    }
    if one.calls:
        row["calls"] = one.calls
    if known is not None:
        off = divergences(one.theta, one.weight, known.theta, known.weight)
        row["divergence"] = off.round(5).tolist()
    return row


def answered(
    args: argparse.Namespace, model: Model, physics: ForwardModel
) -> Iterator[dict[str, Any]]:
    """Rows of all answers, first those that FILE has; the others are added to it."""
    kept = ("instrument", "simulations", "live", "seed", "n_nested")
    settings = {k: getattr(args, k) for k in kept} | {"model": model.name}
    rows = kept_rows(args.out, settings | {"weights": weights_sha256(args.model)})
    yield from rows
    parameters = model.layout.parameters
    observations, theta = observed(INSTRUMENTS[args.instrument], physics, args.n, args.seed)
    references = args.out.with_suffix(".nested")
    references.mkdir(exist_ok=True)
    of_sbi = args.instrument, args.simulations, args.seed, args.out.with_suffix(".sbi")
    made: dict[str, Callable[[], _Answer]] = {
        NESTED: partial(nested_answer, physics, parameters, args.live),
        **{kind: partial(own_answer, model, physics, **o) for kind, o in OWN.items()},
        SBI: partial(sbi_answer, physics, parameters, *of_sbi),
    }
    have = {(row["kind"], row["i"]) for row in rows if row["kind"] != TAUREX}
    for kind, make in made.items():
        n = args.n_nested if kind == NESTED else args.n
        left = [i for i in range(n) if (kind, i) not in have]
        if not left:
            continue
        answer = make()
        for i in left:
            one, known = answer(i, observations[i]), None
            reference = references / f"{i}.npz"
            if kind == NESTED:
                np.savez(reference, theta=one.theta, weight=one.weight)
            elif i < args.n_nested:
                with np.load(reference, allow_pickle=False) as file:
                    known = Samples(file["theta"], file["weight"], 0.0)
            row = {"kind": kind, "i": i, **judged(one, theta[i], parameters, known)}
            keep_row(args.out, row)
            yield row


def summary(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Numbers of each kind of answer; of TauREx only the seconds of nested sampling's spectra."""
    out: dict[str, dict[str, Any]] = {}
    for kind in dict.fromkeys(row["kind"] for row in rows if row["kind"] != TAUREX):
        own = [row for row in rows if row["kind"] == kind]
        rank = np.array([row["rank"] for row in own])
        shares = inside(rank).mean(axis=1)
        off = [row["divergence"] for row in own if "divergence" in row]
        out[kind] = {
            "n": len(own),
            "error": float(np.mean([row["off"] for row in own])),
            "inside_68": float(shares[0]),
            "inside_95": float(shares[1]),
            # The first compiles.
            "seconds": float(np.median([row["seconds"] for row in own])),
            "training_seconds": max(row["training"] for row in own),
        }
        if off:
            out[kind] |= {"divergence": float(np.median(off)), "worst": float(np.max(off))}
        if "calls" in own[0]:
            out[kind]["calls"] = float(np.median([row["calls"] for row in own]))
    for row in rows:
        if row["kind"] == TAUREX and NESTED in out:
            out[TAUREX] = {"seconds": out[NESTED]["calls"] / row["rate"]}
    return out


def cells(numbers: dict[str, Any]) -> list[str]:
    """Of ONE kind of answer, under `HEADS`; empty where nothing is known."""
    forms = {
        "n": "d",
        "error": ".4f",
        "inside_68": ".0%",
        "inside_95": ".0%",
        "divergence": ".4f",
        "worst": ".4f",
        "seconds": ",.2f",
        "training_seconds": ",.0f",
    }
    return [format(numbers[k], form) if k in numbers else "" for k, form in forms.items()]


def report(numbers: dict[str, dict[str, Any]]) -> Table:
    """A line for each kind of answer."""
    table = Table(title="errors in prior widths; divergence from nested sampling in nat")
    for heading in ("answer", *HEADS):
        table.add_column(heading, justify="left" if heading == "answer" else "right")
    for kind, one in numbers.items():
        table.add_row(kind, *cells(one))
    return table


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="file of what is found, .jsonl")
    parser.add_argument("--model", default="published", help="shipped name or file")
    parser.add_argument("--instrument", choices=INSTRUMENTS, default="prism")
    parser.add_argument("--n", type=int, default=100, help="spectra")
    parser.add_argument("--n-nested", type=int, default=5, help="of them by nested sampling")
    parser.add_argument("--simulations", type=int, default=200_000, help="that sbi learns from")
    parser.add_argument("--live", type=int, default=1000, help="live points of nested sampling")
    parser.add_argument("--seed", type=int, default=TEST_SEED)
    parser.add_argument("--taurex-python", help="interpreter that imports taurex")
    args = parser.parse_args(argv)
    console = Console()
    model, physics = physics_of(args.model)
    rows = []
    for row in answered(args, model, physics):
        rows.append(row)
        if row["kind"] != TAUREX:
            console.print(f"{row['kind']} {row['i']}: {row['seconds']} s")
    if args.taurex_python is not None:
        n = PUBLISHED.n_wavelength
        found = taurex_rate(args.taurex_python, load_opacities("published"), n, _OF_TAUREX)
        rows.append({"kind": TAUREX, "n": _OF_TAUREX, "rate": round(found["rate"], 3)})
        keep_row(args.out, rows[-1])
    console.print(report(summary(rows)))


if __name__ == "__main__":
    main()
