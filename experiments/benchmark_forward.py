"""Speed of the forward model: by batch, beside its own exponentials, and against TauREx 3.

python -m experiments.benchmark_forward [--taurex-python PYTHON] [--batch 256] [--out FOLDER]

For both tables, the whole grid and some of its points: spectra/s under jax.vmap, in the best blocks
of jax.lax.map, and what jnp.exp of as many numbers as there are exponentials (one per g-point of
each gas and one more, for each layer and wavelength) would allow; and what the gradient of all
depths takes, as jax.lax.map of jax.grad, beside the matrix products in it alone. Each is the best
of several rounds, in which all take turns, so that another program beside them disturbs all alike.

PYTHON is an interpreter that imports taurex 3.3.2 (`pip install taurex`, in an environment of its
own if need be); without it only this project is timed. Both compute 100 layers, four gases and
Rayleigh scattering at the wavelengths of the published grid; this project also CIA. TauREx is timed
with cross-sections on those wavelengths, and with 4616 of R = 1000 binned to them, which is how its
reference spectra are made (monochromatic samples at R = 100 are not k-distributions).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from exogan_jax.files.headers import model_layout
from exogan_jax.files.opacities import load_opacities
from exogan_jax.layout import PUBLISHED
from exogan_jax.parameters import Parameters
from exogan_jax.physics.forward import ForwardModel, forward_model, simulate
from exogan_jax.physics.opacity import OpacityTable
from exogan_jax.physics.problem import problem_model
from exogan_jax.physics.rayleigh import LOSCHMIDT_M3
from experiments.reproduce.committed import write_results

_MANY = 256  # spectra side by side, which is quoted
_FEW, _LAYERS = 4, 104  # spectra of which products are timed; layers, as the model pads them
SIZES, BLOCKS = (1, 2, 8, 64, _MANY, 1024), (1, 2, 4, 8, 16)
TAUREX = """
import json, pickle, sys, time
import numpy as np
from taurex.binning import SimpleBinner
from taurex.cache import CIACache, OpacityCache
from taurex.chemistry import ConstantGas, TaurexChemistry
from taurex.contributions import (
    AbsorptionContribution, CIAContribution, RayleighContribution,
)
from taurex.model import TransmissionModel
from taurex.planet import Planet
from taurex.stellar import BlackbodyStar
from taurex.temperature import Isothermal
import taurex

folder, n, mass, radius = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
wavelength, theta = (np.load(f"{folder}/{name}.npy") for name in ("wavelength", "theta"))
OpacityCache().set_opacity_path(folder)
cia = np.load(f"{folder}/cia.npy")
for pair, alpha in zip(("H2-H2", "H2-He"), cia):
    with open(f"{folder}/{pair}.db", "wb") as file:  # the format that TauREx reads
        contents = {"wno": np.sort(1e4 / wavelength), "t": np.array([500.0, 2500.0]),
                    "xsecarr": np.stack([alpha, alpha])}
        pickle.dump(contents, file)
CIACache().set_cia_path(folder)
chemistry = TaurexChemistry(fill_gases=["H2", "He"], ratio=0.17647)
gases = ("H2O", "CO2", "CO", "CH4")
for gas in gases:
    chemistry.addGas(ConstantGas(gas, mix_ratio=1e-4))
model = TransmissionModel(
    planet=Planet(1.0, 1.0), temperature_profile=Isothermal(1500.0), chemistry=chemistry,
    star=BlackbodyStar(radius=1.0), atm_min_pressure=1e-5, atm_max_pressure=1e6, nlayers=100,
)
model.add_contribution(AbsorptionContribution())
model.add_contribution(RayleighContribution())
model.add_contribution(CIAContribution(cia_pairs=["H2-H2", "H2-He"]))
model.build()
binner = SimpleBinner(np.sort(1e4 / wavelength))
def run(x):
    for gas, value in zip(gases, x[:4]):
        model[gas] = 10.0**value
    model[mass], model[radius], model["T"] = x[4:]
    return binner.bin_model(model.model())
run(theta[0]), run(theta[1])
began = time.perf_counter()
for x in theta[:n]:
    run(x)
version = getattr(taurex, "__version__", "unknown")
print(json.dumps({"rate": n / (time.perf_counter() - began), "version": version}))
"""


def rate(call: Callable[[], Any], n: int, repeats: int) -> float:
    """Spectra per second: the median of `repeats` calls that make n each."""
    jax.block_until_ready(call())
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        jax.block_until_ready(call())
        seconds.append(time.perf_counter() - began)
    return n / float(np.median(seconds))


def _factors(table: OpacityTable) -> tuple[jax.Array, jax.Array]:
    """Of the products in a few gradients: each gas's opacity and its slope in temperature, at every
    node of pressure; and, in size, how the depth depends on each optical depth.
    """
    _, n, n_gases, n_g, w = table.absorption.shape
    opacity = jnp.moveaxis(table.absorption[0], 1, 0).reshape(n_gases, n, n_g * w)
    both = jnp.tile(opacity, (_FEW, 2, 1))
    return both, jax.random.normal(jax.random.key(2), (len(both), n_g * w, _LAYERS))


def speeds(title: str, model: ForwardModel, console: Console, repeats: int) -> dict[str, float]:
    """Time of every way, taking turns; what is quoted of it."""
    many = jax.jit(model.sample, static_argnums=1)(jax.random.key(0), max(SIZES))
    all_at_once = jax.jit(lambda model, theta: jax.vmap(model)(theta))
    blocks = jax.jit(
        lambda model, theta, size: jax.lax.map(model, theta, batch_size=size), static_argnums=2
    )
    slopes = jax.jit(
        lambda model, theta, size: jax.lax.map(
            jax.grad(lambda x: model(x).sum()), theta, batch_size=size
        ),
        static_argnums=2,
    )
    n_exponentials = 1 + len(model.table.gases) * model.table.g_weight.size
    numbers = jax.random.uniform(
        jax.random.key(1), (8, model.wavelength_um.size, 100), minval=-20.0, maxval=0.0
    )
    exponentials = jax.jit(
        lambda x: sum(jnp.exp(x * (1 + 0.01 * i)) for i in range(n_exponentials))
    )
    ways: dict[str, tuple[int, Callable[[], Any]]] = {
        f"vmap of {n}": (n, partial(all_at_once, model, many[:n])) for n in SIZES
    }
    ways |= {f"blocks of {n}": (64, partial(blocks, model, many[:64], n)) for n in BLOCKS}
    ways |= {f"gradient, blocks of {n}": (64, partial(slopes, model, many[:64], n)) for n in (2, 4)}
    ways["exponentials alone"] = (len(numbers), partial(exponentials, numbers))
    products = jax.jit(lambda *both: jax.lax.map(lambda pair: pair[0] @ pair[1], both))
    ways["products of a gradient alone"] = (_FEW, partial(products, *_factors(model.table)))
    best = dict.fromkeys(ways, np.inf)
    for _, call in ways.values():
        jax.block_until_ready(call())
    for _ in range(repeats):
        for name, (n, call) in ways.items():
            for _ in range(max(1, 16 // n)):
                began = time.perf_counter()
                jax.block_until_ready(call())
                best[name] = min(best[name], (time.perf_counter() - began) / n)
    forward = min(best[x] for x in ways if x.startswith(("vmap", "blocks")))
    report = Table(title=f"{title}, {n_exponentials} exponentials a layer and wavelength")
    report.add_column("")
    for heading in ("spectra/s", "speed / best", "time / exponentials"):
        report.add_column(heading, justify="right")
    for name, seconds in best.items():
        beside = seconds / best["exponentials alone"]
        report.add_row(name, f"{1 / seconds:.0f}", f"{forward / seconds:.2f}", f"{beside:.2f}")
    console.print(report)
    gradient = min(seconds for name, seconds in best.items() if name.startswith("gradient"))
    alone = best["products of a gradient alone"] / forward
    console.print(
        f"gradient: {gradient / forward:.2f} x the time of the forward model; its matrix products "
        f"alone: {alone:.2f} x"
    )
    ours, least = best[f"vmap of {_MANY}"], best["exponentials alone"]
    return {
        "a_second": round(1 / ours),
        "share_of_best": round(forward / ours, 2),
        "over_exponentials": round(ours / least, 2),
        "gradient_over_forward": round(gradient / forward, 2),
        "products_over_forward": round(alone, 2),
    }


def write_cross_sections(table: OpacityTable, wavelength_um: np.ndarray, folder: Path) -> None:
    """The table's median g-point in TauREx's format, one file per gas."""
    order = np.argsort(np.asarray(table.wavelength_um))
    wavenumber = np.sort(1e4 / wavelength_um)
    values = np.asarray(table.absorption)[:, :, :, 1] / LOSCHMIDT_M3 * 1e4
    for i, gas in enumerate(table.gases):
        rows = values[:, :, i][..., order].reshape(-1, len(order))
        at = np.stack([np.interp(1e4 / wavenumber, table.wavelength_um[order], x) for x in rows])
        with h5py.File(folder / f"{gas.upper()}.h5", "w") as file:
            file["mol_name"] = np.array([gas.upper().encode()])
            file["bin_edges"] = wavenumber
            file["t"] = np.array([500.0, 2500.0])  # the table has one node, TauREx needs two
            file["p"] = 10.0 ** np.asarray(table.log10_pressure, np.float64) / 1e5
            file["p"].attrs["units"] = "bar"
            by_pressure = at.reshape(*values.shape[:2], len(wavenumber)).transpose(1, 0, 2)
            file["xsecarr"] = np.repeat(by_pressure[:, :1], 2, axis=1)


def taurex_rate(python: str, table: OpacityTable, n_native: int, n: int) -> dict[str, Any]:
    """What TauREx does in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        native = PUBLISHED.wavelength_um
        if n_native != len(native):
            native = np.geomspace(0.3, 30.0, n_native)
        write_cross_sections(table, native, folder)
        np.save(folder / "wavelength.npy", PUBLISHED.wavelength_um)
        alpha = np.asarray(table.cia, np.float64)[0] / LOSCHMIDT_M3**2 * 1e10  # cm^5
        np.save(folder / "cia.npy", alpha[:, np.argsort(1e4 / PUBLISHED.wavelength_um)])
        theta = PUBLISHED.parameters.sample(jax.random.key(2), n + 2)
        np.save(folder / "theta.npy", np.asarray(theta))
        script = folder / "peer.py"
        script.write_text(TAUREX)
        # The published names are those of TauREx.
        names = [p.name for p in PUBLISHED.parameters if p.role in ("mass", "radius")]
        command = [python, str(script), str(folder), str(n), *names]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{python}: TauREx did not run:\n{done.stderr[-2000:]}")
        result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return result


def scaling(theta: jax.Array, table: OpacityTable, console: Console, repeats: int) -> None:
    """How the time grows with wavelengths and gases; WFC3's are those of 1.1-1.7 um."""
    report = Table(title="Milliseconds a spectrum")
    for heading in ("wavelengths", "4 gases", "2 gases"):
        report.add_column(heading, justify="right")

    n, wavelength = PUBLISHED.n_wavelength, PUBLISHED.wavelength_um
    wfc3 = np.flatnonzero((wavelength > 1.1) & (wavelength < 1.7))
    for points in (wfc3, *(np.arange(k * n) % n for k in (1, 2, 4))):
        cells = []
        for n_gases in (4, 2):
            few = PUBLISHED.parameters.gases[:n_gases]
            kept = [p.gas is None or p.gas in few for p in PUBLISHED.parameters]
            parameters = Parameters(
                p for p, keep in zip(PUBLISHED.parameters, kept, strict=True) if keep
            )
            model = forward_model(table, parameters, points=points)
            run = partial(jax.jit(simulate), model, theta[:, np.flatnonzero(kept)])
            cells.append(1e3 / rate(run, len(theta), repeats))
        label = f"{len(points)}, WFC3" if points is wfc3 else str(len(points))
        report.add_row(label, *(f"{x:.3f}" for x in cells))
    console.print(report)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--taurex-python", help="interpreter that imports taurex")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--points", type=int, default=60, help="of the grid, for its part")
    parser.add_argument("--out", type=Path, help="folder of the numbers")
    args = parser.parse_args(argv)
    console = Console()
    table = load_opacities("published")
    theta = PUBLISHED.parameters.sample(jax.random.key(0), args.batch)
    models = {
        "published": problem_model(table, PUBLISHED),
        "planets": problem_model(load_opacities(), model_layout()),
    }
    console.print(f"{jax.devices()[0].device_kind}, {os.cpu_count()} CPUs")
    found: dict[str, dict[str, float]] = {}
    for name, model in models.items():
        n = model.wavelength_um.size
        found[name] = speeds(f"{name}, {n} wavelengths", model, console, args.repeats)
        few = model.at_points(slice(n // 4, n // 4 + args.points))
        some = speeds(f"{name}, {few.wavelength_um.size} of them", few, console, args.repeats)
        found[f"{name}, {args.points} points"] = some
    if args.out is not None:
        write_results(args.out, "speed", {"cpus": os.cpu_count(), **found})
    run = jax.jit(simulate)
    forward = rate(lambda: run(models["published"], theta), args.batch, args.repeats)
    memory = run.lower(models["published"], theta).compile().memory_analysis()
    console.print(f"published: batch {args.batch}, {forward:.0f} spectra/s")
    if memory is not None:
        console.print(f"temporary memory {memory.temp_size_in_bytes / 1e6:.0f} MB")
    if args.taurex_python is not None:
        for n_native, n in ((4616, 20), (PUBLISHED.n_wavelength, 60)):
            peer = taurex_rate(args.taurex_python, table, n_native, n)
            console.print(
                f"TauREx {peer['version']}, {n_native} native wavelengths: {peer['rate']:.2f} "
                f"spectra/s; this project is {forward / peer['rate']:.0f} x as fast"
            )
    scaling(theta, table, console, args.repeats)


if __name__ == "__main__":
    main()
