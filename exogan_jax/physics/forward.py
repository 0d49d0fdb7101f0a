"""The forward model of a problem: from theta to the spectrum, by what each parameter says it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from exogan_jax.atmosphere import PLANET_UNITS, excess, log10_mixing_of, scale_of, value_of
from exogan_jax.parameters import Parameters
from exogan_jax.physics.opacity import OpacityTable
from exogan_jax.physics.transit import transit_depth

#: What a problem must have: without them there is no atmosphere.
REQUIRED = ("mass", "radius", "temperature")
#: The slope of a haze whose strength alone is a parameter: Rayleigh's.
_RAYLEIGH_SLOPE = -4.0
_DRAWS = 1000  # of planets in place of those that do not exist


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("table",),
    meta_fields=("parameters", "options"),
)
@dataclasses.dataclass(frozen=True)
class ForwardModel:
    """theta -> transit depth, as a pytree: pass it to jitted functions, rather than close over it.

    Acts on one theta; pure and differentiable; vmap for more, or use `simulate`.
    """

    table: OpacityTable
    parameters: Parameters
    options: tuple[tuple[str, Any], ...] = ()  # keyword arguments of `transit_depth`

    @property
    def wavelength_um(self) -> Float[Array, " w"]:
        """Wavelengths of the depths."""
        return self.table.wavelength_um

    def __call__(self, theta: Float[ArrayLike, " d"]) -> Float[Array, " w"]:
        """Transit depths (w,) for a star of 1 R_sun.

        Args:
          theta: (d,) in the order and units of `parameters`.
        """
        theta = jnp.asarray(theta, self.table.absorption.dtype)
        by_role = {p.role: (p, theta[i]) for i, p in enumerate(self.parameters)}
        gases = [log10_mixing_of(*by_role[gas]) for gas in self.table.gases]
        planet = [value_of(*by_role[role], PLANET_UNITS.get(role, 1.0)) for role in REQUIRED]
        sky: dict[str, Any] = {}
        if "cloud_top" in by_role:
            sky["cloud_top_pressure"] = value_of(*by_role["cloud_top"])
        if "cloud_fraction" in by_role:
            sky["cloud_fraction"] = value_of(*by_role["cloud_fraction"])
        if "haze_strength" in by_role:
            slope = jnp.asarray(_RAYLEIGH_SLOPE, theta.dtype)
            if "haze_slope" in by_role:
                slope = value_of(*by_role["haze_slope"])
            sky["haze"] = jnp.stack([value_of(*by_role["haze_strength"]), slope])
        return transit_depth(jnp.stack([*gases, *planet]), self.table, **sky, **dict(self.options))

    def exists(self, theta: Float[ArrayLike, " d"]) -> Bool[Array, ""]:
        """Whether ONE planet holds its atmosphere and this is made of no more than all of it."""
        theta = jnp.asarray(theta, self.table.absorption.dtype)
        scale = scale_of(theta, self.parameters, self.table.molar_mass, self.table.background)
        return excess(scale, self.table.background) == 0

    def sample(self, key: Array, n: int) -> Float[Array, "n d"]:
        """Draws from the prior: uniform between the bounds, each on its scale, of planets that
        `exists` says there are; may be jitted, with a static n.

        The first draws are those of `Parameters.sample`; what does not exist is drawn again, up to
        1,000 times.
        """

        def draw_again(loop: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            number, theta, good = loop
            fresh = self.parameters.sample(jax.random.fold_in(key, number), n)
            theta = jnp.where(good[:, None], theta, fresh)
            return number + 1, theta, jax.vmap(self.exists)(theta)

        theta = self.parameters.sample(key, n)
        first = jnp.zeros((), int), theta, jax.vmap(self.exists)(theta)
        return jax.lax.while_loop(lambda x: ~x[2].all() & (x[0] < _DRAWS), draw_again, first)[1]

    def at_points(self, points: slice | Sequence[int] | np.ndarray) -> ForwardModel:
        """The model at some of its wavelengths, by their indices: it costs as much less."""
        return dataclasses.replace(self, table=self.table.at_points(points))


def forward_model(
    table: OpacityTable,
    parameters: Parameters,
    *,
    points: slice | Sequence[int] | np.ndarray | None = None,
    **options: Any,
) -> ForwardModel:
    """The forward model of a problem.

    Args:
      table: opacities of, at least, the gases among the parameters; others are left out.
      parameters: what theta holds. Mass, radius and temperature must be there; clouds and a haze
        are there if their parameters are.
      points: indices of the table's wavelengths to compute; None for all.
      **options: fixed keyword arguments of `transit_depth`, such as `n_layers` or `cia`.

    Returns:
      a function of theta (d,), a pytree: see `ForwardModel`.

    Raises:
      ValueError: a required parameter is missing, the table lacks a gas, or a parameter needs
        another that is not there.
    """
    missing = [role for role in REQUIRED if role not in parameters.roles]
    if missing:
        raise ValueError(f"no parameter is the {missing[0]}: a forward model needs one")
    for role, needed in (("cloud_fraction", "cloud_top"), ("haze_slope", "haze_strength")):
        if role in parameters.roles and needed not in parameters.roles:
            raise ValueError(f"a parameter is the {role}, but none the {needed}")
    _check_temperatures(table, parameters)
    table = table.with_gases(parameters.gases)
    model = ForwardModel(table, parameters, tuple(sorted(options.items())))
    return model if points is None else model.at_points(points)


def _check_temperatures(table: OpacityTable, parameters: Parameters) -> None:
    """Refuses temperatures beyond a table's, where its opacities depend on them."""
    nodes = np.asarray(table.temperature, np.float64)
    p = parameters[parameters.roles.index("temperature")]
    low, high = (float(value_of(p, jnp.asarray(bound))) for bound in (p.lower, p.upper))
    if nodes.size > 1 and (low < 0.999 * nodes[0] or high > 1.001 * nodes[-1]):
        raise ValueError(
            f"{p.name} goes from {low:g} to {high:g} K, the opacity table from {nodes[0]:g} to "
            f"{nodes[-1]:g} K: beyond, its opacities are not known"
        )


def simulate(
    model: ForwardModel, theta: Float[Array, "n d"], *, chunk: int | None = None
) -> Float[Array, "n w"]:
    """Transit depths of many parameter sets.

    Args:
      model: from `forward_model`.
      theta: (n, d) in the units of its parameters.
      chunk: spectra computed side by side; None for as many as are fastest on a CPU, all on an
        accelerator. For gradients on a CPU, two: they need more memory, which then stays within its
        cache.

    Returns:
      (n, w) transit depths for a star of 1 R_sun.
    """
    if chunk is None:
        return jax.vmap(model)(theta)
    return jax.lax.map(
        jax.checkpoint(partial(ForwardModel.__call__, model)), theta, batch_size=chunk
    )
