"""One spectrum's posterior from a row of the store.

The store keeps no spectrum of every sample: they are made again from the samples, by the forward
model where the answer is its, else by the generator.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from exogan_jax.files.headers import model_names
from exogan_jax.files.made_with import weights_sha256
from exogan_jax.files.physics import physics_of
from exogan_jax.files.results import Results, find_results, read_rows
from exogan_jax.files.rows import DONE
from exogan_jax.files.weights import load_model
from exogan_jax.gan.model import Model
from exogan_jax.layout import Layout
from exogan_jax.physics.forward import simulate
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.flags import split
from exogan_jax.retrieval.result import Posterior
from exogan_jax.retrieval.tables import DIAGNOSTICS

_BATCH = 128  # spectra at once


def row_named(results: Results, name: str) -> dict[str, Any]:
    """The fields of ONE spectrum's row.

    Raises:
      KeyError: there is no such spectrum, or it has no answer; says so.
      ValueError: the store is damaged.
    """
    if name not in results.rows:
        raise KeyError(f"no spectrum {name!r} among the {len(results.rows)} that are done")
    row = {field: values[0] for field, values in read_rows(results, [name]).items()}
    if row["status"] != DONE:
        raise KeyError(f"{name}: has no answer: {row['status']}")
    return row


def observation_of(row: dict[str, Any]) -> Observation:
    """What was observed, of a row."""
    known = np.isfinite(row["observed_depth"])
    fields = ("wavelength_um", "half_width_um", "depth", "sigma")
    names = tuple(str(row["instrument"]).split("\n")) if row["instrument"] else None
    wavelength, half_width, depth, sigma = (row[f"observed_{name}"][known] for name in fields)
    return Observation(wavelength, half_width, depth, sigma, names)


def posterior_of(row: dict[str, Any], model: Model) -> Posterior:
    """The posterior of one spectrum of the store.

    Args:
      row: of the spectrum, from `row_named`.
      model: that it was retrieved with.

    Raises:
      ValueError: the spectra of its samples cannot be made again.
    """
    layout = model.layout
    drawn = np.isfinite(row["loss"])
    samples = np.array(row["samples"][drawn])
    weights = row["weight"][drawn].astype(np.float64)
    depth = spectra_of(samples, model, exact=_is_exact(row))
    best = int(np.argmin(row["loss"][drawn]))
    diagnostics = {field: float(row[field]) for field in DIAGNOSTICS}
    return Posterior(
        name=str(row["name"]),
        layout=layout,
        samples=samples,
        weights=weights / weights.sum(),
        flags=str(row["flags"]),
        depth=depth,
        aspa=np.asarray(_image(layout, depth[best], samples[best].astype(np.float32))),
        loss=np.array(row["loss"][drawn]),
        **diagnostics,
    )


def _is_exact(row: dict[str, Any]) -> bool:
    return bool(np.isfinite(row["efficiency"])) and "not_exact" not in split(str(row["flags"]))


@partial(jax.jit, static_argnames="layout")
def _image(layout: Layout, depth: Float[Array, " w"], theta: Float[Array, " d"]) -> Array:
    return layout.image(layout.pack(depth, theta))


@jax.jit
def _generated(model: Model, theta: Float[Array, "n d"]) -> Float[Array, "n w"]:
    def one(theta: Array) -> Array:
        latent = model.layout.parameters.to_anchor(theta)
        return model.layout.unpack(model.values(model.generate(latent)))[0]

    return jax.vmap(one)(theta)


_simulated = jax.jit(simulate)


def spectra_of(
    samples: Float[np.ndarray, "n d"], model: Model, *, exact: bool
) -> Float[np.ndarray, "n w"]:
    """Spectra of samples, float32: of the forward model where `exact`, or where the generator's
    latents are not the parameters; else of the generator.

    Raises:
      ValueError: neither can make them.
    """
    physics = physics_of(model)
    every: Callable[[np.ndarray], Any]
    if physics is not None and (exact or not model.networks.anchored):
        every = partial(_simulated, physics)
    elif model.networks.anchored:
        every = partial(_generated, model)
    else:
        raise ValueError(
            f"the spectra of {model.name}'s samples cannot be made again: its latents are not its "
            "parameters, and its opacities do not ship"
        )
    rows = -(-len(samples) // _BATCH) * _BATCH
    padded = np.resize(samples, (rows, samples.shape[1])).astype(np.float32)
    parts = [np.asarray(every(padded[i : i + _BATCH])) for i in range(0, rows, _BATCH)]
    return np.concatenate(parts)[: len(samples)].astype(np.float32)


def model_of(results: Results, name: str, model: str | os.PathLike[str] | None = None) -> Model:
    """The model that a row was made with.

    Args:
      results: where it is.
      name: of the spectrum.
      model: its file, if it does not ship.

    Raises:
      ValueError: its file has to be said, or is another one.
    """
    about = results.made_with(name)
    if not about:
        row_named(results, name)  # says why there is no answer
    named = str(about["model"]) if model is None else os.fspath(model)
    if named not in model_names() and not Path(named).is_file():
        raise ValueError(f"made with the model {named}: say where its file is (--model)")
    if weights_sha256(named) != about["weights_sha256"]:
        raise ValueError(f"made with other weights than those of {named} (--model)")
    return load_model(named)


def load_posterior(
    folder: str | os.PathLike[str], name: str, model: Model | None = None
) -> Posterior:
    """The posterior of one spectrum of a run; `to_datatree()` turns it into ArviZ's layout.

    Args:
      folder: of the run.
      name: of the spectrum.
      model: that it was retrieved with; None: the shipped one that the store names.

    Raises:
      FileNotFoundError: there are no results.
      KeyError: there is no such spectrum, or it has no answer.
      ValueError: the store is damaged, or the model is another one.
    """
    results = find_results(folder)
    row = row_named(results, name)
    return posterior_of(row, model_of(results, name) if model is None else model)
