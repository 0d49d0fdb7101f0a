"""What results are made with: kept in their attributes."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from exogan_jax.files.headers import model_path

_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "zarr")


def weights_sha256(name_or_path: str | None) -> str:
    """Of the file of a model."""
    with model_path(name_or_path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def made_with(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings and seed, model and digest of its weights, versions, and the kind of machine.

    Args:
      settings: `rundir.common_settings`.
    """
    import jax

    return {
        **settings,
        "python": platform.python_version(),
        **{f"{name}_version": version(name) for name in _PACKAGES},
        "machine": platform.machine(),
        "device": jax.devices()[0].device_kind,
    }
