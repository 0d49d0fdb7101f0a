"""Models side by side: accuracy against time per retrieval, on the same spectra.

python -m experiments.candidates MODEL... [--n 48] [--published exogan_osf_sample.npz]

A MODEL is a shipped name or a file, with `:anywhere` after it to leave out its encoder and
`:STEPS` for another number of optimiser steps: `published:anywhere:600`. Prints one table per
problem, for noise-free spectra, parameters masked, by inpainting alone (the paper's likelihood),
with one row per model and set of spectra. Errors of gases are those of spectra in which the gas is
detectable.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from exogan_jax.files.weights import model_card
from experiments.evaluate import (
    TEST_SEED,
    detectable,
    evaluate,
    physics_of,
    published,
    simulated,
)
from experiments.training.quality import width_errors


def parse(text: str) -> tuple[str, bool, int | None]:
    """Model, whether to use its encoder, steps; see the module's docstring."""
    name, *rest = text.split(":")
    encoder, steps = True, None
    for word in rest:
        if word == "anywhere":
            encoder = False
        elif word.isdecimal() and int(word) > 0:
            steps = int(word)
        else:
            raise SystemExit(f"{text}: {word!r} is neither `anywhere` nor a number of steps")
    return name, encoder, steps


def print_row(cells: Sequence[str]) -> None:
    """Prints a row of a Markdown table, without waiting for the others."""
    print("| " + " | ".join(cells) + " |", flush=True)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--n", type=int, default=48, help="spectra of each set")
    parser.add_argument("--published", type=Path, help="archive of published spectra")
    parser.add_argument("--starts", type=int, default=16)
    parser.add_argument("--chunk", type=int, default=4)
    args = parser.parse_args(argv)
    names: tuple[str, ...] = ()
    for text in args.models:
        name, encoder, steps = parse(text)
        (model, physics), card = physics_of(name), model_card(name)
        if physics.parameters.names != names:
            names = physics.parameters.names
            columns = ("model", "weights", "trained on", "spectra", "steps", *names, "all")
            print_row((*columns, "s/spectrum"))
            print_row(["---"] * (len(columns) + 1))
        sets = {"simulated": simulated(args.n, physics, TEST_SEED, 0.0, 0.0, np.inf)}
        if args.published is not None:
            observations, theta = published(args.published, physics.parameters)
            chosen = np.random.default_rng(0).permutation(len(theta))[: args.n]
            sets["published"] = [observations[i] for i in chosen], theta[chosen]
        weights = sum(x.size for x in jax.tree.leaves((model.generator, model.discriminator)))
        training = card["training"]
        seen = card.get("steps", training["n_steps"]) * training["batch_size"]
        for title, (observations, theta) in sets.items():
            result, seconds = evaluate(
                observations,
                model,
                args.chunk,
                n_starts=args.starts,
                n_steps=steps,
                likelihood="paper",
                encoder=encoder,
            )
            median = result.quantiles((0.5,))[:, 0]
            errors = np.abs(median - theta)
            shown = detectable(theta, physics)
            everywhere = np.ones(len(theta), bool)
            cells = [
                f"{errors[shown.get(name, everywhere), i].mean():.3g}"
                for i, name in enumerate(names)
            ]
            cells.append(f"{width_errors(median, theta, physics.parameters):.4f}")
            print_row(
                [
                    text,
                    f"{weights / 1e6:.1f} M",
                    f"{seen / 1e6:.1f} M",
                    title,
                    "default" if steps is None else str(steps),
                    *cells,
                    f"{seconds:.2f}",
                ]
            )


if __name__ == "__main__":
    main()
