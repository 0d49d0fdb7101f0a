"""Results as files, and what the README and the documentation quote of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from exogan_jax.files.atomic import replacing
from exogan_jax.files.weights import model_card

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MODELS = ("published", "planets")
RESULTS, FIGURES = HERE / "results", ROOT / "docs" / "figures"
CALIBRATION = "calibration"  # folder of ranks within that of results, see `experiments.calibrate`
SAMPLING = "sampling.jsonl"  # beside them, of `experiments.compare_sampling`
PRIOR_DRAWS = "prior_draws.jsonl"  # of `experiments.prior_draws`
PEERS = "peers.jsonl"  # and of `experiments.peers`


class Quote(NamedTuple):
    """Words of a page that hold numbers of the results."""

    page: str  # relative to the repository
    words: str


def write_results(folder: Path, name: str, numbers: Mapping[str, Any]) -> None:
    """Writes a study's numbers.

    Raises:
      OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(numbers, indent=1, allow_nan=False) + "\n")


def read_results(folder: Path = RESULTS) -> dict[str, Any]:
    """The numbers of all studies in a folder, by name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def quotes(results: Mapping[str, Any]) -> list[Quote]:
    """What pages say of the results; `tests/test_reproduce.py` looks whether they do."""
    readme, trust, evidence = "README.md", "docs/trust.md", "docs/evidence.md"
    tutorial = "docs/tutorials/catalogue.md"
    forward, catalogue = results["forward"], results["catalogue"]
    (prism,) = (case["exact"] for case in results["prism"].values())
    paper = results["accuracy"]["noise-free"]["paper"]
    there = [of["error_there"] for of in paper["parameters"].values() if "error_there" in of]
    radius = next(p for p in catalogue["parameters"] if p.endswith("radius"))
    of_radius = catalogue["parameters"][radius]
    inside = range_of(catalogue, "inside_68"), range_of(catalogue, "inside_95")
    speed = f"{catalogue['a_second']:.0f} spectra/s"
    quality = [model_card(name)["quality"] for name in ("planets", "published")]
    network = ", ".join(f"{of['own_error_ppm']:.2f}" for of in quality)
    scales = f"{quality[0]['own_error_scale_heights']:.3f} scale heights"
    said = f"68 % intervals hold {range_of(prism, 'inside_68')}"
    exact = results["accuracy"]["noise-free"]["exact"]
    success = f"{exact['n']} exact answers", f"{range_of(exact, 'within_1_sigma')} within one sigma"
    whole = [results["speed"][name] for name in MODELS]
    rates = [f"{hundreds(of['a_second']):,}" for of in whole]
    beside = " and ".join(f"{of['over_exponentials']:.2f}" for of in whole)
    products = "-".join(sorted(f"{of['products_over_forward']:.1f}" for of in whole))
    return [
        *(Quote(readme, words) for words in success),
        Quote(readme, f"{rates[0]}, {rates[1]} spectra/s"),
        Quote(evidence, f"{rates[0]} spectra/s (`published`), {rates[1]} (`planets`)"),
        Quote(evidence, f"{beside} times the time of their exponentials"),
        Quote(evidence, f"its matrix products alone take {products} times"),
        Quote(readme, f"{forward['median']:.1f} ppm (median), {forward['rms']:.2f} ppm (rms)"),
        Quote(evidence, f"{forward['median']:.1f} ppm median, {forward['q95']:.1f} ppm 95 %"),
        Quote(readme, f"{network} ppm (median)"),
        Quote(evidence, scales),
        Quote(readme, f"{paper['n']:,} unseen spectra"),
        Quote(readme, "off by " + ", ".join(f"{x:.3f}" for x in there) + " dex"),
        Quote(readme, f"hold {range_of(prism, 'inside_68')}, {range_of(prism, 'inside_95')}"),
        Quote(trust, f"Of {prism['n']} planets"),
        Quote(trust, said),
        Quote(readme, f"hold {inside[0]}, {inside[1]}"),
        Quote(readme, speed),
        Quote(trust, f"{100 * of_radius['inside_95']:.0f} % of the radii"),
        Quote(tutorial, f"Of {catalogue['n']:,} planets"),
        Quote(tutorial, f"hold {inside[0]} of the truths, 95 % intervals {inside[1]}"),
        Quote(tutorial, f"{catalogue['a_second']:.1f} spectra a second"),
        Quote(tutorial, f"a million spectra take {1e6 / catalogue['a_second'] / 3600:.0f} hours"),
    ]


def hundreds(rate: float) -> int:
    """A rate, to what two runs agree to."""
    return 100 * round(rate / 100)


def range_of(study: Mapping[str, Any], field: str) -> str:
    """The least and the most that a share is among the parameters, in per cent."""
    values = [100 * each[field] for each in study["parameters"].values()]
    return f"{min(values):.0f}-{max(values):.0f} %"
