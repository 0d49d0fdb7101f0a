"""The functions at the top of the package: the shipped model and the retrieval together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from exogan_jax.files.checkpoints import load_model
from exogan_jax.gan.model import Model
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval import catalogue
from exogan_jax.retrieval.inpaint import N_STARTS
from exogan_jax.retrieval.results import Retrieval


def retrieve(
    observations: Observation | Sequence[Observation],
    model: Model | None = None,
    *,
    names: Sequence[str] | None = None,
    seed: int = 0,
    n_starts: int = N_STARTS,
    n_steps: int | None = None,
    likelihood: str = "gaussian",
    encoder: bool = True,
    chunk: int = 8,
    progress: Callable[[int, int], None] | None = None,
    on_result: Callable[[Retrieval], None] | None = None,
) -> Retrieval:
    """Retrieves one or many observations by inpainting, with the shipped model unless told.

    Args:
      observations: an `Observation` or a sequence of them, of any lengths and wavelengths.
      model: from `load_model`; None for the default pretrained one.
      names, seed, n_starts, n_steps, likelihood, encoder, chunk, progress, on_result: see
        `retrieval.catalogue.retrieve`.

    Returns:
      A `Retrieval` with `samples` (n_obs, n_samples, 7), `weights` (n_obs, n_samples),
      `log_evidence` (n_obs,) and `summary()`.

    Raises:
      ValueError: an unusable observation or option.
    """
    return catalogue.retrieve(
        [observations] if isinstance(observations, Observation) else observations,
        load_model() if model is None else model,
        names=names,
        seed=seed,
        n_starts=n_starts,
        n_steps=n_steps,
        likelihood=likelihood,
        encoder=encoder,
        chunk=chunk,
        progress=progress,
        on_result=on_result,
    )
