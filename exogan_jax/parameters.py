"""What an atmosphere is described by: for each parameter its name, unit and bounds, and what it is
to the forward model. A problem's parameters are data: nothing else in the package names them.

Nothing here imports JAX before a random number is drawn; arrays may be NumPy's or JAX's.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    import jax

#: What a parameter can be to the forward model, beside a gas's mixing ratio.
ROLES = (
    "mass",
    "radius",  # at the bottom of the atmosphere
    "temperature",
    "cloud_top",  # pressure of an opaque deck's top
    "cloud_fraction",  # share of the terminator that the deck covers
    "haze_strength",  # scattering at 0.35 um, in that of H2
    "haze_slope",  # power of wavelength
)
SCALES = ("linear", "log10")

#: Units that a parameter may have, in SI. Jupiter's mass and radius are those of TauREx 2, which
#: made the published training set (astropy's R_jup is 2 % larger). "dex" is log10 of a number,
#: "dex(Pa)" log10 of a quantity.
UNITS = {
    "1": 1.0,
    "M_J": 1.898e27,
    "M_E": 5.9722e24,
    "kg": 1.0,
    "R_J": 6.9911e7,
    "R_E": 6.3781e6,
    "m": 1.0,
    "K": 1.0,
    "Pa": 1.0,
    "bar": 1e5,
}


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter of a problem.

    Raises:
      ValueError: an unknown unit or scale, or bounds that are not finite and ascending.
    """

    name: str
    #: One of `ROLES`, or the gas whose mixing ratio it is ("h2o"; "gas" takes it from the name).
    role: str
    unit: str  # one of `UNITS`, "dex", or "dex(...)" of one of them
    label: str  # for figures, with LaTeX
    lower: float  # bounds of the problem, in `unit`
    upper: float
    scale: str = "linear"  # on which the prior is uniform: "linear" or "log10"

    def __post_init__(self) -> None:
        if self.role == "gas":
            object.__setattr__(self, "role", self.name.removeprefix("log10_"))
        if self.scale not in SCALES:
            raise ValueError(f"{self.name}: scale must be one of {', '.join(SCALES)}")
        if self.unit != "dex" and self._linear_unit not in UNITS:
            known = ", ".join(("dex", *UNITS))
            raise ValueError(f"{self.name}: unknown unit {self.unit!r}; choose one of {known}")
        if not (math.isfinite(self.lower) and math.isfinite(self.upper)):
            raise ValueError(f"{self.name}: bounds must be finite")
        if not self.lower < self.upper or (self.scale == "log10" and self.lower <= 0):
            raise ValueError(
                f"{self.name}: bounds {self.lower:g} to {self.upper:g} are not ascending, or not "
                "positive on a log10 scale"
            )

    @property
    def gas(self) -> str | None:
        """The gas whose mixing ratio this is, or None."""
        return None if self.role in ROLES else self.role

    @property
    def is_log(self) -> bool:
        """Whether values are logarithms."""
        return self.unit.startswith("dex")

    @property
    def _linear_unit(self) -> str:
        return self.unit[4:-1] if self.unit.startswith("dex(") else self.unit

    @property
    def in_si(self) -> float:
        """Size of the unit in SI; of what the logarithm is of, where values are logarithms."""
        return 1.0 if self.unit == "dex" else UNITS[self._linear_unit]


@dataclasses.dataclass(frozen=True)
class Parameters:
    """The parameters of a problem, in the order of theta; hashable, so a static argument of jit.

    Raises:
      ValueError: none, or two of one name or role.
    """

    entries: tuple[Parameter, ...]

    def __init__(self, entries: Iterable[Parameter]) -> None:
        object.__setattr__(self, "entries", tuple(entries))
        if not self.entries:
            raise ValueError("a problem needs at least one parameter")
        for kind in ("name", "role"):
            values = [getattr(p, kind) for p in self.entries]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"two parameters have the {kind} {twice[0]!r}")

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.entries)

    def __getitem__(self, index: int) -> Parameter:
        return self.entries[index]

    @property
    def names(self) -> tuple[str, ...]:
        """Names, in order."""
        return tuple(p.name for p in self.entries)

    @property
    def units(self) -> tuple[str, ...]:
        """Units, in order."""
        return tuple(p.unit for p in self.entries)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels for figures, in order."""
        return tuple(p.label for p in self.entries)

    @property
    def roles(self) -> tuple[str, ...]:
        """What each is to the forward model, in order."""
        return tuple(p.role for p in self.entries)

    @property
    def gases(self) -> tuple[str, ...]:
        """The gases among them, in order."""
        return tuple(p.gas for p in self.entries if p.gas is not None)

    @cached_property
    def lower(self) -> Float[np.ndarray, " d"]:
        """Lower bounds (d,), in `units`."""
        return _constant([p.lower for p in self.entries])

    @cached_property
    def upper(self) -> Float[np.ndarray, " d"]:
        """Upper bounds (d,), in `units`."""
        return _constant([p.upper for p in self.entries])

    def index(self, name: str) -> int:
        """Index of a parameter in theta.

        Raises:
          ValueError: no parameter has that name.
        """
        if name not in self.names:
            raise ValueError(f"no parameter {name!r}; there are {', '.join(self.names)}")
        return self.names.index(name)

    def index_of_role(self, role: str) -> int | None:
        """Index of the parameter of a role in theta, None without one."""
        return self.roles.index(role) if role in self.roles else None

    def to_unit(self, theta: Any) -> Float[Any, "*n d"]:
        """Theta as the share of the way from the lower to the upper bound, on each one's scale.

        Args:
          theta: (..., d) in `units`; an array of NumPy or JAX, which the result is too.

        Returns:
          (..., d), in [0, 1] within the bounds.
        """
        xp, theta = _array(theta)
        low, width, logarithmic = self._scaled(theta)
        floor = np.asarray(np.finfo(theta.dtype).tiny, theta.dtype)
        scaled = xp.where(logarithmic, xp.log10(xp.maximum(theta, floor)), theta)
        return (scaled - low) / width

    def from_unit(self, share: Any) -> Float[Any, "*n d"]:
        """Inverse of `to_unit`."""
        xp, share = _array(share)
        low, width, logarithmic = self._scaled(share)
        scaled = low + share * width
        ten = np.asarray(10.0, share.dtype)
        return xp.where(logarithmic, ten ** xp.where(logarithmic, scaled, scaled * 0), scaled)

    def to_anchor(self, theta: Any) -> Float[Any, "*n d"]:
        """Theta scaled to [-1, 1], as the first entries of anchored latents have it."""
        return 2 * self.to_unit(theta) - 1

    def from_anchor(self, anchor: Any) -> Float[Any, "*n d"]:
        """Inverse of `to_anchor`."""
        return self.from_unit((anchor + 1) / 2)

    def _scaled(self, like: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lower bound and width on each parameter's scale, and which scales are logarithmic; of
        the dtype and the number of axes of an array.
        """
        logarithmic = np.array([p.scale == "log10" for p in self.entries])
        low, high = (
            np.where(logarithmic, np.log10(np.where(logarithmic, bound, 1.0)), bound)
            for bound in (self.lower, self.upper)
        )
        shape = (1,) * (like.ndim - 1) + (len(self),)
        low, width = (x.astype(like.dtype).reshape(shape) for x in (low, high - low))
        return low, width, logarithmic.reshape(shape)

    def sample(self, key: jax.Array, n: int) -> Float[jax.Array, "n d"]:
        """Draws from the prior: uniform between the bounds, each on its scale.

        Args:
          key: PRNG key.
          n: number of draws.

        Returns:
          (n, d) theta in `units`, float32.
        """
        import jax
        import jax.numpy as jnp

        theta = self.from_unit(jax.random.uniform(key, (n, len(self))))
        low, high = (jnp.asarray(x, theta.dtype)[None] for x in (self.lower, self.upper))
        return jnp.clip(theta, low, high)  # rounding must not leave the box

    def to_json(self) -> list[dict[str, Any]]:
        """Plain data, for `from_json`."""
        return [dataclasses.asdict(p) for p in self.entries]

    @classmethod
    def from_json(cls, data: list[dict[str, Any]]) -> Parameters:
        """Inverse of `to_json`.

        Raises:
          ValueError: not what `to_json` gives.
        """
        try:
            return cls(Parameter(**entry) for entry in data)
        except TypeError as error:
            raise ValueError(f"not a list of parameters ({error})") from None


def _constant(values: list[float]) -> np.ndarray:
    array = np.array(values, np.float64)
    array.setflags(write=False)
    return array


def _array(x: Any) -> tuple[Any, Any]:
    """The module of an array's functions, NumPy's or JAX's, and the array."""
    if not hasattr(x, "__array_namespace__"):
        x = np.asarray(x, np.float64)
    if not np.issubdtype(x.dtype, np.inexact):
        x = x.astype(np.float32)
    return x.__array_namespace__(), x


def _mixing_ratio(gas: str, formula: str) -> Parameter:
    return Parameter(f"log10_{gas}", gas, "dex", rf"$\log_{{10}}$ {formula}", -8.0, -1.0)


#: The seven of the published training set and their bounds (Zingales & Waldmann 2018, table 1).
PUBLISHED = Parameters(
    (
        _mixing_ratio("h2o", r"H$_2$O"),
        _mixing_ratio("co2", r"CO$_2$"),
        _mixing_ratio("co", "CO"),
        _mixing_ratio("ch4", r"CH$_4$"),
        Parameter("planet_mass", "mass", "M_J", r"$M_\mathrm{p}$ [M$_\mathrm{J}$]", 0.8, 2.0),
        Parameter("planet_radius", "radius", "R_J", r"$R_\mathrm{p}$ [R$_\mathrm{J}$]", 0.8, 1.5),
        Parameter("temperature", "temperature", "K", r"$T$ [K]", 1000.0, 2000.0),
    )
)
