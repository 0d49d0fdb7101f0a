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
    from exogan_jax import layout as layout
    from exogan_jax import parameters as parameters
    from exogan_jax.api import retrieve as retrieve
    from exogan_jax.api import significances as significances
    from exogan_jax.files.instrument_table import instrument_table as instrument_table
    from exogan_jax.files.opacities import load_opacities as load_opacities
    from exogan_jax.files.opacities import save_opacities as save_opacities
    from exogan_jax.files.restore import load_posterior as load_posterior
    from exogan_jax.files.results import open_results as open_results
    from exogan_jax.files.spectra import Spectrum as Spectrum
    from exogan_jax.files.spectra import SpectrumError as SpectrumError
    from exogan_jax.files.spectra import read_spectra as read_spectra
    from exogan_jax.files.spectra import read_spectrum as read_spectrum
    from exogan_jax.files.spectra import write_spectrum as write_spectrum
    from exogan_jax.files.user_tables import read_opacities as read_opacities
    from exogan_jax.files.weights import load_model as load_model
    from exogan_jax.gan.model import Model as Model
    from exogan_jax.layout import Layout as Layout
    from exogan_jax.parameters import Parameter as Parameter
    from exogan_jax.parameters import Parameters as Parameters
    from exogan_jax.physics.forward import forward_model as forward_model
    from exogan_jax.physics.forward import simulate as simulate
    from exogan_jax.physics.observation import Observation as Observation
    from exogan_jax.physics.opacity import OpacityTable as OpacityTable
    from exogan_jax.physics.transit import transit_depth as transit_depth
    from exogan_jax.retrieval import priors as priors
    from exogan_jax.retrieval.result import Posterior as Posterior
    from exogan_jax.retrieval.result import Retrieval as Retrieval
    from exogan_jax.retrieval.settings import Settings as Settings

__version__ = _version("exogan-jax")

# Loaded on first use: `exogan --help` and the reading of files need no JAX.
_SOURCES = {
    "Layout": "exogan_jax.layout",
    "Model": "exogan_jax.gan.model",
    "Observation": "exogan_jax.physics.observation",
    "OpacityTable": "exogan_jax.physics.opacity",
    "Parameter": "exogan_jax.parameters",
    "Parameters": "exogan_jax.parameters",
    "Posterior": "exogan_jax.retrieval.result",
    "Retrieval": "exogan_jax.retrieval.result",
    "Settings": "exogan_jax.retrieval.settings",
    "Spectrum": "exogan_jax.files.spectra",
    "SpectrumError": "exogan_jax.files.spectra",
    "forward_model": "exogan_jax.physics.forward",
    "instrument_table": "exogan_jax.files.instrument_table",
    "load_model": "exogan_jax.files.weights",
    "load_opacities": "exogan_jax.files.opacities",
    "load_posterior": "exogan_jax.files.restore",
    "open_results": "exogan_jax.files.results",
    "read_opacities": "exogan_jax.files.user_tables",
    "read_spectra": "exogan_jax.files.spectra",
    "read_spectrum": "exogan_jax.files.spectra",
    "retrieve": "exogan_jax.api",
    "save_opacities": "exogan_jax.files.opacities",
    "significances": "exogan_jax.api",
    "simulate": "exogan_jax.physics.forward",
    "transit_depth": "exogan_jax.physics.transit",
    "write_spectrum": "exogan_jax.files.spectra",
}
_MODULES = {
    "aspa": "exogan_jax.aspa",
    "layout": "exogan_jax.layout",
    "parameters": "exogan_jax.parameters",
    "priors": "exogan_jax.retrieval.priors",
}
__all__ = [*_SOURCES, *_MODULES]


def __getattr__(name: str) -> Any:
    import importlib

    if name in _SOURCES:
        return getattr(importlib.import_module(_SOURCES[name]), name)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    raise AttributeError(f"module 'exogan_jax' has no attribute {name!r}")
