"""The options of the commands that read spectra: how files are read, and what is done with them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exogan_jax.files.exact_rule import parse_rule
from exogan_jax.retrieval import priors

if TYPE_CHECKING:
    from exogan_jax.parameters import Parameters
    from exogan_jax.retrieval.settings import Settings

_READING = ("columns", "units", "select", "star_radius")


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Parser of a whole number in [low, high]."""

    def parse(text: str) -> int:
        if not text.strip().isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, {low} to {high}")
        return int(text)

    return parse


def _prior(text: str) -> tuple[str, priors.Prior]:
    """Parser of a prior, whose error argparse shows."""
    try:
        return priors.parse_named(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _wavelengths(text: str) -> tuple[float, ...]:
    """Parser of wavelengths."""
    try:
        values = tuple(float(x) for x in text.split(","))
    except ValueError:
        values = (-1.0,)
    if not all(0 < x < 1e3 for x in values):
        raise argparse.ArgumentTypeError(f"{text!r} is no wavelength in um, nor some with commas")
    return values


def _offset(text: str) -> float:
    """Parser of an offset's prior in ppm, as a depth."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of ppm, such as 200")
    return value * 1e-6


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Adds the options that settle how files are read, and the model that they are read for."""
    parser.add_argument(
        "--model", metavar="NAME", help="a shipped model, or a file; * in `exogan models`: default"
    )
    parser.add_argument(
        "--columns",
        metavar="ROLES",
        help="what the columns are, as wavelength,half_width,depth,error (- for none), or "
        "depth=NAME,error=NAME,wavelength=NAME",
    )
    parser.add_argument(
        "--units",
        metavar="UNITS",
        help="of the columns, as um,um,ppm,ppm, or NAME=nm by a column's name or role",
    )
    parser.add_argument("--select", metavar="NAME", help="which of several spectra in a file")
    parser.add_argument("--star-radius", metavar="R_SUN", type=float, help="instead of the .par's")


def reading_choices(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `read_spectrum` that the options settle."""
    return {key: getattr(args, key) for key in _READING}


def splitting_choices(args: argparse.Namespace) -> dict[str, Any]:
    """The same, and what says which points are of one instrument."""
    return reading_choices(args) | {"split": args.split, "offsets": args.offsets > 0}


def add_inspect(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `exogan inspect`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a spectrum")
    parser.add_argument(
        "--png", metavar="PNG", type=Path, help="draw the spectra into this file too"
    )
    add_reading(parser)


def add_retrieve(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `exogan retrieve`."""
    count = whole_number(1, 1_000_000)
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="a spectrum, a folder of them, or a pattern such as 'spectra/*.dat'",
    )
    parser.add_argument(
        "--example", action="store_true", help="retrieve the bundled example spectrum"
    )
    parser.add_argument(
        "--out", required=True, metavar="DIR", type=Path, help="folder of the results"
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0, 2**32 - 1),
        default=0,
        help="of the random numbers (default 0)",
    )
    parser.add_argument("--starts", type=count, metavar="N", help="starts per spectrum; default 64")
    parser.add_argument("--steps", type=count, metavar="N", help="optimiser steps per start")
    parser.add_argument(
        "--likelihood",
        choices=("gaussian", "paper"),
        default="gaussian",
        help="compare depths with their errors, or pixels as the paper does (default gaussian)",
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="leave the answer at the generator's, not weighted by the forward model",
    )
    parser.add_argument(
        "--no-chain",
        action="store_true",
        help="with --fast: where the encoder's samples cannot be weighted, take them as they are: "
        "milliseconds a spectrum, intervals right on average but wider than the data require",
    )
    parser.add_argument(
        "--exact",
        metavar="RULE",
        type=parse_rule,
        help="with --fast: the exact answer for some of the spectra, too: flagged, those whose "
        "fast answer has a flag, or top:N, the N of most signal",
    )
    parser.add_argument(
        "--no-encoder",
        action="store_true",
        help="start anywhere, as the paper does, instead of where the model's encoder says",
    )
    parser.add_argument(
        "--prior",
        metavar="NAME=PRIOR",
        type=_prior,
        action="append",
        default=[],
        help="of a parameter, by its name or what it is, instead of the .par's or the model's: "
        "mass=0.28+-0.03, temperature=700..1200, mass=log:0.1..1, radius=1.27 (fixed), also with a "
        "unit; once per parameter",
    )
    _add_instruments(parser)
    parser.add_argument(
        "--significance",
        action="store_true",
        help="the Bayes factor of each gas, the cloud and the haze, where needed by another "
        "retrieval without it",
    )
    parser.add_argument(
        "--planets",
        metavar="TABLE",
        type=Path,
        help="stars and planets of the spectra, a row each: name, star_radius, mass, mass_error, "
        "...; see `exogan_jax.files.planets_table`",
    )
    parser.add_argument("--no-plots", action="store_true", help="write no figures")
    parser.add_argument("--overwrite", action="store_true", help="do everything again")
    add_reading(parser)


def _add_instruments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of what instruments may have wrong."""
    parser.add_argument(
        "--offsets",
        metavar="PPM",
        type=_offset,
        default=0.0,
        help="free offsets between the instruments that a file names, normal with so many ppm of "
        "the depth, for instance 200; they are integrated out, and reported",
    )
    parser.add_argument(
        "--split",
        metavar="UM",
        type=_wavelengths,
        default=(),
        help="wavelengths at which another instrument begins, where the file does not say, as 3.78 "
        "or 0.8,3.78",
    )
    parser.add_argument(
        "--inflate",
        action="store_true",
        help="the size of each instrument's errors is free; integrated out, and reported",
    )


def given_priors(args: argparse.Namespace, parameters: Parameters) -> priors.Resolved:
    """The priors that the options give.

    Raises:
      ValueError: two of one parameter, or one that the model cannot use.
    """
    names = [name for name, _ in args.prior]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"two priors of {twice[0]}")
    return priors.resolve(dict(args.prior), parameters)


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings that the options give.

    Raises:
      ValueError: options that do not go together.
    """
    from exogan_jax.retrieval.settings import Settings

    if args.exact and not args.fast:
        raise ValueError("--exact needs --fast: without it every answer is exact")
    if args.exact and args.likelihood == "paper":
        raise ValueError("--exact needs the Gaussian likelihood")
    if args.exact and args.exact.top and args.part:
        raise ValueError("--exact top:N looks at all spectra of a run: leave out --part")
    given = {"n_starts": args.starts, "n_steps": args.steps}
    return Settings(
        seed=args.seed,
        likelihood=args.likelihood,
        encoder=not args.no_encoder,
        exact=not args.fast,
        chain=not args.no_chain,
        offset_sigma=args.offsets,
        inflate=args.inflate,
        **{name: value for name, value in given.items() if value is not None},
    )
