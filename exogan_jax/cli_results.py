"""`exogan export` and `exogan plot`: files of single spectra, from a run's results."""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exogan_jax.cli_base import UserError, say
from exogan_jax.files.export import export_figures, export_files
from exogan_jax.files.restore import model_of
from exogan_jax.files.results import Results, find_results


def _names(results: Results, asked: list[str]) -> list[str]:
    """The names that are asked for, each once."""
    found: dict[str, None] = {}
    for text in asked:
        matches = [text] if text in results.rows else fnmatch.filter(results.rows, text)
        if not matches:
            raise UserError(f"no spectrum {text!r} among the {len(results.rows)} that are done")
        found |= dict.fromkeys(matches)
    return list(found)


def _each(args: argparse.Namespace, write: Callable[..., Path]) -> int:
    """Does something with each spectrum; returns the exit status."""
    try:
        results = find_results(args.out)
    except (FileNotFoundError, ValueError) as error:
        raise UserError(error) from None
    models: dict[str, Any] = {}
    failed = 0
    for name in _names(results, args.names):
        try:
            run = results.run_of(name)
            if run not in models:
                models[run] = model_of(results, name, args.model)
            print(write(args.out, results, name, models[run]))
        except (KeyError, ValueError) as error:
            say("error", error.args[0])
            failed += 1
        except OSError as error:
            raise UserError(f"cannot write to {args.out} ({error})") from None
    return 2 if failed else 0


def export(args: argparse.Namespace) -> int:
    """Writes posterior.nc and fit.ecsv of each, or a copy of the store; returns the exit status."""
    return _each(args, export_files) if args.zarr is None else _copy(args)


def _copy(args: argparse.Namespace) -> int:
    from exogan_jax.files.remote import copy_results

    try:
        names = _names(find_results(args.out), args.names)
        new = copy_results(args.out, names, args.zarr)
    except FileNotFoundError as error:
        raise UserError(error) from None
    except (ImportError, ValueError, OSError) as error:  # what fsspec's many parts raise
        raise UserError(f"--zarr {args.zarr}: {error}") from None
    print(f"{args.zarr}: {len(names)} spectra, {new} of them new")
    return 0


def plot(args: argparse.Namespace) -> int:
    """Draws the figures of each; returns the exit status."""
    return _each(args, export_figures)
