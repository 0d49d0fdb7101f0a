"""The opacity table: cross-sections or k-distributions of gases, CIA and Rayleigh scattering."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from exogan_jax.atmosphere import BACKGROUNDS
from exogan_jax.physics.rayleigh import LOSCHMIDT_M3, rayleigh_cross_section

_DATA = (
    "wavelength_um",
    "temperature",
    "log10_pressure",
    "g_weight",
    "molar_mass",
    "absorption",
    "rayleigh",
    "cia_temperature",
    "cia",
)
_META = ("gases", "pairs", "background")


@partial(jax.tree_util.register_dataclass, data_fields=_DATA, meta_fields=_META)
@dataclasses.dataclass(frozen=True)
class OpacityTable:
    """Opacities of a set of gases on one wavelength grid, as a pytree.

    Absorption is kept per amagat of the gas (cross-section times Loschmidt's number), which stays
    within float32's range where m^2 per molecule times molecules per m^2 would not.
    """

    gases: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]  # collision partners, ("h2", "he")
    wavelength_um: Float[Array, " w"]
    temperature: Float[Array, " t"]  # K, ascending
    log10_pressure: Float[Array, " p"]  # of Pa, ascending
    g_weight: Float[Array, " g"]
    molar_mass: Float[Array, " gas"]  # u
    absorption: Float[Array, "t p gas g w"]  # m^-1 amagat^-1
    rayleigh: Float[Array, "species w"]  # m^-1 amagat^-1; the gases, then H2 and He
    cia_temperature: Float[Array, " c"]  # K, ascending
    cia: Float[Array, "c pair w"]  # m^-1 amagat^-2
    background: str = "filling"  # or "fixed", see `atmosphere.mix`

    def at_points(self, points: slice | Sequence[int] | np.ndarray) -> OpacityTable:
        """The table at some of its wavelengths.

        Args:
          points: their indices, or a slice.
        """
        index = points if isinstance(points, slice) else np.asarray(points)
        per_wavelength = ("wavelength_um", "absorption", "rayleigh", "cia")
        changed = {name: getattr(self, name)[..., index] for name in per_wavelength}
        return dataclasses.replace(self, **changed)

    def with_gases(self, gases: Sequence[str]) -> OpacityTable:
        """The table with some of its gases, in this order.

        Raises:
          ValueError: a gas that it does not have.
        """
        missing = [gas for gas in gases if gas not in self.gases]
        if missing:
            known = ", ".join(self.gases)
            raise ValueError(f"the opacity table has no {missing[0]!r}; it has {known}")
        rows = np.array([self.gases.index(gas) for gas in gases], int)
        scatterers = np.concatenate([rows, len(self.gases) + np.arange(2)])
        return dataclasses.replace(
            self,
            gases=tuple(gases),
            molar_mass=self.molar_mass[rows],
            absorption=self.absorption[:, :, rows],
            rayleigh=self.rayleigh[scatterers],
        )


def make_table(
    *,
    gases: tuple[str, ...],
    wavelength_um: np.ndarray,
    temperature: np.ndarray,
    pressure: np.ndarray,
    g_weight: np.ndarray,
    molar_mass: np.ndarray,
    cross_section: np.ndarray,
    cia_temperature: np.ndarray,
    cia: np.ndarray,
    pairs: tuple[tuple[str, str], ...] = (("h2", "h2"), ("h2", "he")),
    rayleigh: np.ndarray | None = None,
    background: str = "filling",
    dtype: type = np.float32,
) -> OpacityTable:
    """Builds a table from arrays.

    Args:
      gases: names in lower case.
      wavelength_um: (w,) um.
      temperature: (t,) K, ascending.
      pressure: (p,) Pa, ascending.
      g_weight: (g,) quadrature weights summing to 1.
      molar_mass: (gas,) u.
      cross_section: (gas, g, t, p, w) m^2 per molecule.
      cia_temperature: (c,) K, ascending.
      cia: (pair, c, w) m^-1 amagat^-2.
      pairs: collision partners of each `cia` entry.
      rayleigh: (gas + 2, w) scattering cross-sections of the gases, H2 and He, m^2 per molecule;
        None computes them with `rayleigh_cross_section`.
      background: "filling" or "fixed", see `atmosphere.mix`.
      dtype: of the arrays; float64 needs JAX's 64-bit mode.

    Raises:
      ValueError: shapes that do not fit, axes not ascending, weights that do not sum to 1, or
        negative or non-finite opacities.
    """
    shape = (len(gases), len(g_weight), len(temperature), len(pressure), len(wavelength_um))
    if np.shape(cross_section) != shape:
        raise ValueError(f"cross_section has shape {np.shape(cross_section)}, expected {shape}")
    if np.shape(cia) != (len(pairs), len(cia_temperature), len(wavelength_um)):
        raise ValueError(f"cia has shape {np.shape(cia)}, expected (pair, temperature, wavelength)")
    if len(molar_mass) != len(gases):
        raise ValueError(f"{len(molar_mass)} molar masses for {len(gases)} gases")
    axes = {"temperature": temperature, "pressure": pressure, "cia_temperature": cia_temperature}
    for name, axis in axes.items():
        if not np.all(np.diff(axis) > 0):
            raise ValueError(f"{name} must be strictly ascending")
    if abs(np.sum(g_weight) - 1) > 1e-3:
        raise ValueError(f"g_weight must sum to 1, not {np.sum(g_weight):g}")
    if background not in BACKGROUNDS:
        raise ValueError(f"background must be one of {', '.join(BACKGROUNDS)}, not {background!r}")
    if rayleigh is None:
        rayleigh = np.stack(
            [rayleigh_cross_section(gas, wavelength_um) for gas in (*gases, "h2", "he")]
        )
    if np.shape(rayleigh) != (len(gases) + 2, len(wavelength_um)):
        raise ValueError(f"rayleigh has shape {np.shape(rayleigh)}, expected (gas + 2, wavelength)")
    opacities = {"cross_section": cross_section, "cia": cia, "rayleigh": rayleigh}
    for name, values in opacities.items():
        if not np.all(np.isfinite(values)) or np.any(values < 0):
            raise ValueError(f"{name} holds negative or non-finite values")
    as_array = partial(jnp.asarray, dtype=dtype)
    return OpacityTable(
        gases=tuple(gases),
        pairs=tuple(pairs),
        wavelength_um=as_array(wavelength_um),
        temperature=as_array(temperature),
        log10_pressure=as_array(np.log10(pressure)),
        g_weight=as_array(g_weight),
        molar_mass=as_array(molar_mass),
        absorption=as_array(np.transpose(cross_section, (2, 3, 0, 1, 4)) * LOSCHMIDT_M3),
        rayleigh=as_array(rayleigh * LOSCHMIDT_M3),
        cia_temperature=as_array(cia_temperature),
        cia=as_array(np.transpose(cia, (1, 0, 2))),
        background=background,
    )
