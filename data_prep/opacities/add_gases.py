"""A table of opacities with more gases: those of an embedded table or another one, and others from
files of TauREx, ExoMolOP, petitRADTRANS, NEMESIS or Exo_Transmit (see `read_opacities`).

python -m data_prep.opacities.add_gases SO2=so2.h5 H2S=h2s.h5 --out sulphur.nc

A problem names it: `config.opacities = "sulphur.nc"`, with parameters whose roles are the gases
("so2", "h2s"), and `python -m experiments.train` trains a model on it. Wavelengths that a file does
not cover are left out, and said.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from rich.console import Console

from exogan_jax.files.opacities import EMBEDDED, load_opacities, save_opacities
from exogan_jax.files.user_tables import read_opacities, wavelengths_covered
from exogan_jax.physics.opacity import OpacityTable


def add_gases(base: OpacityTable, files: Mapping[str, str | Path]) -> OpacityTable:
    """A table with the gases of another, then those of files, on its wavelengths and nodes.

    Beyond a file's temperatures and pressures its last ones hold.

    Args:
      base: the table to add to.
      files: path of each gas's file; the gases as formulae, "SO2".

    Raises:
      ValueError: a gas that is there already, no wavelength of the table's that all files cover, or
        see `read_opacities`.
    """
    known = [gas for gas in files if gas.lower() in base.gases]
    if known:
        raise ValueError(f"{known[0]} is among the table's gases: {', '.join(base.gases)}")
    low, high = wavelengths_covered(files)
    # Half a bin of room at the ends.
    grid = np.asarray(base.wavelength_um, np.float64)
    step = np.abs(np.diff(np.log(grid))).max()
    seen = np.flatnonzero((grid > low * np.exp(step)) & (grid < high * np.exp(-step)))
    if seen.size < 2:
        raise ValueError(f"the files cover {low:.4g}-{high:.4g} um, too few of the table's bins")
    part = base.at_points(seen)
    added = read_opacities(
        files,
        wavelength_um=grid[seen],
        g_weight=np.asarray(base.g_weight, np.float64),
        temperature=np.asarray(base.temperature, np.float64),
        pressure=10.0 ** np.asarray(base.log10_pressure, np.float64),
        collision=base,
    )
    # The tables' order of wavelengths may differ.
    added = added.at_points(np.argsort(np.argsort(-grid[seen])))
    n = len(base.gases)
    return dataclasses.replace(
        part,
        gases=(*base.gases, *added.gases),
        molar_mass=jnp.concatenate([part.molar_mass, added.molar_mass]),
        absorption=jnp.concatenate([part.absorption, added.absorption], axis=2),
        rayleigh=jnp.concatenate(
            [part.rayleigh[:n], added.rayleigh[: len(files)], part.rayleigh[n:]]
        ),
    )


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("gases", nargs="+", metavar="GAS=FILE")
    parser.add_argument("--base", default="planets", help=f"{', '.join(EMBEDDED)}, or a file")
    parser.add_argument("--out", type=Path, required=True, help="the table to write")
    args = parser.parse_args(argv)
    pairs = [text.partition("=") for text in args.gases]
    if not all(gas and path for gas, _, path in pairs):
        parser.error("gases are given as GAS=FILE, SO2=so2.h5")
    base = load_opacities(args.base)
    try:
        table = add_gases(base, {gas: path for gas, _, path in pairs})
    except (OSError, ValueError, ImportError) as error:
        parser.error(str(error))
    sources = "; ".join(f"{gas}: {Path(path).name}" for gas, _, path in pairs)
    save_opacities(args.out, table, {"history": f"{args.base} with {sources}"})
    grid, left = np.asarray(table.wavelength_um), base.wavelength_um.size - table.wavelength_um.size
    Console().print(
        f"{args.out}: {', '.join(table.gases)}; {grid.size} wavelengths of {grid.min():.4g} to "
        f"{grid.max():.4g} um" + (f", {left} left out that a file does not cover" if left else "")
    )


if __name__ == "__main__":
    main()
