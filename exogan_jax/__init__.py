"""ExoGAN in JAX: exoplanet transmission spectra in, atmospheric parameters out.

>>> import exogan_jax as xg
>>> table = xg.load_opacities()
>>> depth = xg.transit_depth([-3.5, -5, -4, -6, 1.0, 1.2, 1400], table)
>>> depth.shape
(515,)
"""

from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exogan_jax import aspa as aspa
    from exogan_jax import grid as grid
    from exogan_jax.api import retrieve as retrieve
    from exogan_jax.files.checkpoints import load_model as load_model
    from exogan_jax.files.spectra import Spectrum as Spectrum
    from exogan_jax.files.spectra import SpectrumError as SpectrumError
    from exogan_jax.files.spectra import read_spectra as read_spectra
    from exogan_jax.files.spectra import read_spectrum as read_spectrum
    from exogan_jax.files.spectra import write_spectrum as write_spectrum
    from exogan_jax.gan.model import Model as Model
    from exogan_jax.physics.observation import Observation as Observation
    from exogan_jax.physics.opacity import OpacityTable as OpacityTable
    from exogan_jax.physics.opacity import load_opacities as load_opacities
    from exogan_jax.physics.opacity import save_opacities as save_opacities
    from exogan_jax.physics.transit import transit_depth as transit_depth
    from exogan_jax.physics.user_tables import read_opacities as read_opacities
    from exogan_jax.retrieval.results import Retrieval as Retrieval

__version__ = _version("exogan-jax")

# Loaded on first use: `exogan --help` and the reading of files need no JAX.
_SOURCES = {
    "Model": "exogan_jax.gan.model",
    "Observation": "exogan_jax.physics.observation",
    "OpacityTable": "exogan_jax.physics.opacity",
    "Retrieval": "exogan_jax.retrieval.results",
    "load_model": "exogan_jax.files.checkpoints",
    "load_opacities": "exogan_jax.physics.opacity",
    "Spectrum": "exogan_jax.files.spectra",
    "SpectrumError": "exogan_jax.files.spectra",
    "read_opacities": "exogan_jax.physics.user_tables",
    "read_spectra": "exogan_jax.files.spectra",
    "read_spectrum": "exogan_jax.files.spectra",
    "retrieve": "exogan_jax.api",
    "save_opacities": "exogan_jax.physics.opacity",
    "transit_depth": "exogan_jax.physics.transit",
    "write_spectrum": "exogan_jax.files.spectra",
}
__all__ = [*_SOURCES, "aspa", "grid"]


def __getattr__(name: str) -> Any:
    import importlib

    if name in _SOURCES:
        return getattr(importlib.import_module(_SOURCES[name]), name)
    if name in ("aspa", "grid"):
        return importlib.import_module(f"exogan_jax.{name}")
    raise AttributeError(f"module 'exogan_jax' has no attribute {name!r}")
