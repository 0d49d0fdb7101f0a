"""The log of a run: metrics as JSON lines and for TensorBoard, pictures of arrays, and the
versions that made it.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import jax
import matplotlib.image
import numpy as np
from jaxtyping import Float

_PACKAGES = ("exogan-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


def _git(*arguments: str) -> str:
    """The source's version by git, "" without git."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def environment() -> dict[str, object]:
    """Source, packages and devices."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "revision": _git("rev-parse", "HEAD"),
        "changed_files": _git("status", "--porcelain").splitlines(),
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions,
        "devices": [str(device) for device in jax.devices()],
        "processes": jax.process_count(),
    }


def cost(out: Path, per_call: int) -> str:
    """What training took, from the metrics of all sessions, without the evaluations.

    Args:
      out: the run's folder.
      per_call: spectra per call, each of which left a rate.
    """
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    rates = [line["spectra_per_second"] for line in lines if line["group"] == "train"]
    hours = sum(per_call / rate for rate in rates) / 3600
    kinds = sorted({device.device_kind for device in jax.devices()})
    return f"{hours:.2g} h on {jax.device_count()} x {', '.join(kinds)} ({os.cpu_count()} cores)"


class RunLog:
    """The log of a run in OUT; a resumed one forgets what was done after its checkpoint.

    OUT/metrics.jsonl, OUT/tensorboard/, OUT/samples/, OUT/sessions.jsonl
    """

    def __init__(self, out: Path, resumed_from: int) -> None:
        from tensorboardX import SummaryWriter

        self._out = out
        self._metrics = out / "metrics.jsonl"
        if self._metrics.exists():
            lines = self._metrics.read_text().splitlines(keepends=True)
            kept = [x for x in lines if x.endswith("\n") and json.loads(x)["step"] <= resumed_from]
            self._metrics.write_text("".join(kept))
        session = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "step": resumed_from}
        with (out / "sessions.jsonl").open("a") as file:
            file.write(json.dumps(session | environment()) + "\n")
        self._board = SummaryWriter(str(out / "tensorboard"), purge_step=resumed_from + 1)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._board.close()

    def write(self, step: int, numbers: Mapping[str, float], group: str = "train") -> None:
        """Adds numbers of a step."""
        rounded = {name: float(f"{value:.5g}") for name, value in numbers.items()}
        with self._metrics.open("a") as file:
            file.write(json.dumps({"step": step, "group": group} | rounded) + "\n")
        for name, value in numbers.items():
            self._board.add_scalar(f"{group}/{name}", value, step)
        self._board.flush()

    def picture(self, step: int, arrays: Float[np.ndarray, "n side side"]) -> None:
        """Keeps generated arrays, four rows of them."""
        columns = len(arrays) // 4
        image = np.pad(arrays[: 4 * columns], ((0, 0), (0, 1), (0, 1)), constant_values=1.0)
        side = image.shape[-1]
        image = image.reshape(4, columns, side, side).swapaxes(1, 2).reshape(4 * side, -1)
        colours = matplotlib.colormaps["viridis"](np.clip(image, 0, 1))[..., :3]
        folder = self._out / "samples"
        folder.mkdir(exist_ok=True)
        enlarged = colours.repeat(3, axis=0).repeat(3, axis=1)
        matplotlib.image.imsave(folder / f"{step:08d}.png", enlarged)
        self._board.add_image("generated", colours, step, dataformats="HWC")
