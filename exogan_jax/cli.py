"""The command `exogan`.

Nothing heavy is imported before every input file has been read and checked, so that a mistake is
reported at once. Exit status: 0, 1 if a figure could not be drawn, 2 if an input or an option was
bad (what could be retrieved is), 130 if interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from exogan_jax import __version__
from exogan_jax.cli_base import UserError, load, say
from exogan_jax.extra_commands import is_there
from exogan_jax.files import options, run_options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="exogan",
        allow_abbrev=False,
        description="Atmospheres of transiting planets from their spectra.",
    )
    parser.add_argument("--version", action="version", version=f"exogan {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    sub = commands.add_parser(
        "retrieve",
        help="retrieve atmospheric parameters from transmission spectra",
        allow_abbrev=False,
        description="Retrieves from each spectrum the parameters of a model's problem, which "
        "`exogan models` lists. A FILE is a table of wavelengths, transit depths and errors: text, "
        "CSV, ECSV, IPAC, CDS, FITS, HDF5 or NetCDF; `exogan inspect FILE` shows how it is read. A "
        "file of the same name that ends in .par gives the star's radius, and measured masses, "
        "radii and temperatures as priors.",
        epilog="Writes DIR/summary.ecsv and DIR/results.zarr; of up to 20 spectra posterior.nc and "
        "figures in DIR/<spectrum>/ too, which `exogan export` and `exogan plot` make of any. "
        "A spectrum already done in DIR with the same input and options is not done again.",
    )
    options.add_retrieve(sub)
    run_options.add_running(sub)
    sub = commands.add_parser(
        "export",
        help="write files of single spectra from a run's results",
        allow_abbrev=False,
        description="Writes posterior.nc (NetCDF, ArviZ's schema) and fit.ecsv into DIR/<NAME>/, "
        "from DIR/results.zarr.",
    )
    run_options.add_export(sub)
    sub = commands.add_parser(
        "plot",
        help="draw the figures of single spectra from a run's results",
        allow_abbrev=False,
        description="Draws the four figures of each NAME into DIR/<NAME>/, from DIR/results.zarr.",
    )
    run_options.add_plot(sub)
    sub = commands.add_parser(
        "inspect",
        help="show what is read from the file of a spectrum",
        allow_abbrev=False,
        description="Shows the columns of each FILE with the roles and units they are given, "
        "the number of points, their range, signal to noise, instruments, a plot and all notes.",
    )
    options.add_inspect(sub)
    commands.add_parser("models", help="list the models that ship with the package")
    if is_there("data"):
        commands.add_parser("data", help="build datasets for training (`exogan data --help`)")
    return parser


def _inspect(args: argparse.Namespace) -> int:
    from exogan_jax.files.headers import model_layout, n_compared
    from exogan_jax.files.inspect import inspect_files

    layout = load(model_layout, args.model)
    choices = options.reading_choices(args) | {"n_usable": load(n_compared, args.model)}
    try:
        bad = inspect_files(args.files, layout, choices, args.png, lambda e: say("error", e))
    except OSError as error:
        raise UserError(f"--png: cannot write {args.png} ({error.strerror})") from None
    return 2 if bad else 0


def _models() -> int:
    from exogan_jax.files.report import print_models

    print_models()
    return 0


def _other_command(name: str, argv: Sequence[str]) -> int:
    """Runs a command that another package brings, by the entry point that it declares."""
    from importlib.metadata import entry_points

    try:
        (entry,) = entry_points(group="exogan.commands", name=name)
        run = entry.load()
    except (ValueError, ImportError):
        say("error", f"{name}: needs the source and its extra: pip install -e '.[prep]' there")
        return 2
    return int(run(argv))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status (see the module's docstring).

    Args:
      argv: the arguments, `sys.argv[1:]` by default.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] == ["data"]:
        return _other_command("data", argv[1:])
    parser = _parser()
    args = parser.parse_args(argv)
    retrieving = args.command == "retrieve"
    if retrieving and not (args.files or args.example or args.catalogue):
        parser.error("name at least one spectrum FILE or a --catalogue, or use --example")
    try:
        return _run(args)
    except UserError as error:
        say("error", error)
        return 2
    except KeyboardInterrupt:
        again = f"; run the same command again to go on from {args.out}" if retrieving else ""
        say("error", f"interrupted{again}")
        return 130


def _run(args: argparse.Namespace) -> int:
    if args.command == "models":
        return _models()
    if args.command == "inspect":
        return _inspect(args)
    if args.command == "retrieve":
        from exogan_jax.cli_retrieve import retrieve

        return retrieve(args)
    from exogan_jax import cli_results

    return cli_results.export(args) if args.command == "export" else cli_results.plot(args)


if __name__ == "__main__":
    sys.exit(main())
