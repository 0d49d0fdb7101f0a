"""What is known of a parameter before its spectrum is seen: from a radial velocity, a transit, an
earlier paper. Given by a parameter's name, or by what it is ("mass"); the others keep the model's
own prior, uniform between its bounds, each on its scale.

>>> parse("0.28+-0.03 M_J")
Normal(mean=0.28, sigma=0.03, unit='M_J')
>>> parse_named("temperature=700..1200")
('temperature', Uniform(low=700.0, high=1200.0, unit=None))

Numbers only: nothing here imports JAX, so that a mistake is reported at once.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from exogan_jax.parameters import UNITS, Parameter, Parameters

#: A normal is cut at so many sigma. Less than 2e-9 of it is lost.
N_SIGMA = 6.0
_FAR = 3.0  # sigma outside of the model's bounds: there, the model knows nothing of what is meant
#: Of the model's bounds: the latent is in float32, which can hold nothing narrower.
_NARROWEST = 1e-6
_KINDS = (("M_J", "M_E", "kg"), ("R_J", "R_E", "m"), ("Pa", "bar"), ("K",), ("1",))

_NUMBER = r"[+-]?(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:nan|inf(?:inity)?)"
_FORMS = re.compile(
    rf"(?:(?P<kind>[a-z]+)\s*:)?\s*(?P<a>{_NUMBER})"
    rf"(?:\s*(?P<between>\+/-|\+-|±|\.\.|,)\s*(?P<b>{_NUMBER}))?"
    r"(?:\s*(?P<unit>[A-Za-z][\w()]*))?",
    re.IGNORECASE,
)
NOT_ANCHORED = (
    "this model takes no priors: its latents are not anchored to its parameters (a model with as "
    "many latent entries as parameters does, see `exogan models`)"
)
HOW = "write 0.28+-0.03, 700..1200, log:0.1..1, or 1.27 to fix it; a unit may follow"


@dataclasses.dataclass(frozen=True)
class _Prior:
    """Numbers in `unit`, None being that of the parameter.

    Raises:
      ValueError: numbers that are not finite, or not in order.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "unit":
                continue
            if not math.isfinite(value):
                raise ValueError(f"{field.name} must be a finite number, got {value}")
            object.__setattr__(self, field.name, float(value))
        self._check()

    def _check(self) -> None: ...

    @property
    def numbers(self) -> tuple[float, ...]:
        """All fields but the unit."""
        return tuple(x for x in dataclasses.astuple(self) if isinstance(x, float))

    def __str__(self) -> str:
        """As `parse` reads it."""
        numbers = ",".join(map(repr, self.numbers))
        unit = getattr(self, "unit", None)
        kind = next(kind for kind, of in _BY_NAME.items() if isinstance(self, of))
        return f"{kind}:{numbers}" + (f" {unit}" if unit else "")


@dataclasses.dataclass(frozen=True)
class Uniform(_Prior):
    """Uniform between two values."""

    low: float
    high: float
    unit: str | None = None

    def _check(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a range must ascend, got {self.low:g} to {self.high:g}")


@dataclasses.dataclass(frozen=True)
class LogUniform(Uniform):
    """Uniform in the logarithm, between two values above 0."""

    def _check(self) -> None:
        super()._check()
        if not self.low > 0:
            raise ValueError(f"a range of logarithms must begin above 0, got {self.low:g}")


@dataclasses.dataclass(frozen=True)
class Normal(_Prior):
    """A measurement with its 1-sigma error, cut at the model's bounds."""

    mean: float
    sigma: float
    unit: str | None = None

    def _check(self) -> None:
        if not self.sigma > 0:
            raise ValueError(f"sigma must be above 0, got {self.sigma:g}")


@dataclasses.dataclass(frozen=True)
class Fixed(_Prior):
    """A value that is held fixed."""

    value: float
    unit: str | None = None


Prior = Uniform | LogUniform | Normal | Fixed
#: What a user gives: objects, text that `parse` reads, or numbers to hold a parameter at.
Priors = Mapping[str, Prior | str | float]
#: One per parameter, in its unit and within its bounds; None: the model's own.
Resolved = tuple[Prior | None, ...]

_BY_NAME: dict[str, type[Any]] = {
    "log": LogUniform,
    "loguniform": LogUniform,
    "uniform": Uniform,
    "normal": Normal,
    "fixed": Fixed,
}


def parse(text: str) -> Prior:
    """A prior from text: `0.28+-0.03` (`±`, `+/-`, `normal:0.28,0.03`), `700..1200`
    (`uniform:700,1200`), `log:0.1..1`, or `1.27` (`fixed:1.27`); a unit may follow.

    Raises:
      ValueError: something else; says how it is written.
    """
    match = _FORMS.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text.strip()!r} is no prior: {HOW}")
    between = match["between"]
    implied = {None: "fixed", "..": "uniform", ",": None}.get(between, "normal")
    kind = (match["kind"] or implied or "").lower()
    fits = {"fixed": (None,), "normal": ("+-", "+/-", "±", ",")}.get(kind, ("..", ","))
    if kind not in _BY_NAME or between not in fits:
        raise ValueError(f"{text.strip()!r} is no prior: {HOW}")
    numbers = [float(match[name]) for name in ("a", "b") if match[name] is not None]
    prior: Prior = _BY_NAME[kind](*numbers, unit=match["unit"])
    return prior


def parse_named(text: str) -> tuple[str, Prior]:
    """A name and a prior from `name=prior`.

    Raises:
      ValueError: something else; says how it is written.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"{text!r} is not name=prior, such as temperature=700..1200")
    try:
        return name.strip(), parse(value)
    except ValueError as error:
        raise ValueError(f"{name.strip()}: {error}") from None


def resolve(priors: Priors | None, parameters: Parameters) -> Resolved:
    """A prior for each parameter, in its unit; ranges cut to the model's bounds.

    Args:
      priors: by the parameters' names, or by their roles ("mass", "h2o").
      parameters: the model's.

    Raises:
      ValueError: a name that no parameter has, two priors of one, a unit of another kind, or what
        the model's bounds do not hold.
    """
    found: list[Prior | None] = [None] * len(parameters)
    for name, given in (priors or {}).items():
        i = parameters.index_of_role(name) if name not in parameters.names else None
        i = parameters.index(name) if i is None else i
        if found[i] is not None:
            raise ValueError(f"two priors of {parameters[i].name}")
        try:
            prior = given if isinstance(given, Prior) else parse(str(given))
            found[i] = _within(_in_unit(prior, parameters[i]), parameters[i])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return tuple(found)


def resolve_each(
    priors: Priors | Sequence[Priors | None] | None, names: Sequence[str], parameters: Parameters
) -> list[Resolved]:
    """`resolve` for many observations.

    Args:
      priors: one for all of them, or one per name.
      names: of the observations.
      parameters: the model's.

    Raises:
      ValueError: as `resolve`, or not as many as names.
    """
    if priors is None or isinstance(priors, Mapping):
        return [resolve(priors, parameters)] * len(names)
    if len(priors) != len(names):
        raise ValueError(f"{len(priors)} priors for {len(names)} observations: give one each")
    found = []
    for name, own in zip(names, priors, strict=True):
        try:
            found.append(resolve(own, parameters))
        except ValueError as error:
            raise ValueError(f"{name}: prior of {error}") from None
    return found


def by_name(resolved: Resolved, parameters: Parameters) -> dict[str, Prior]:
    """What `resolve` took, by the parameters' names."""
    pairs = zip(parameters.names, resolved, strict=True)
    return {name: prior for name, prior in pairs if prior is not None}


def _kind_of(unit: str) -> Any:
    return next((kind for kind in _KINDS if unit in kind), None)


def _in_unit(prior: Prior, parameter: Parameter) -> Prior:
    """A prior in the parameter's unit."""
    if prior.unit is None or prior.unit == parameter.unit:
        return dataclasses.replace(prior, unit=None)
    inner = re.fullmatch(r"dex\((.+)\)", prior.unit)
    plain, own = inner[1] if inner else prior.unit, parameter.unit
    own = own[4:-1] if own.startswith("dex(") else own
    if bool(inner) != parameter.is_log or _kind_of(plain) is None or own not in _kind_of(plain):
        possible = _kind_of(own) or (own,)
        form = "dex({})" if parameter.unit.startswith("dex(") else "{}"
        known = ", ".join(form.format(unit) for unit in possible)
        raise ValueError(f"unit {prior.unit!r} does not suit; give it in {known}")
    factor = UNITS[plain] / parameter.in_si
    change: dict[str, Any] = {"unit": None}
    for field in ("low", "high", "mean", "sigma", "value"):
        if hasattr(prior, field):
            value = getattr(prior, field)
            shift = 0.0 if field == "sigma" else math.log10(factor)
            change[field] = value + shift if inner else value * factor
    return dataclasses.replace(prior, **change)


def _within(prior: Prior, parameter: Parameter) -> Prior:
    """A prior that the parameter's bounds hold, a range cut to them."""
    low, high = parameter.lower, parameter.upper
    where = f"the model's bounds, {low:g} to {high:g} {parameter.unit}"
    if isinstance(prior, Fixed):
        if not low <= prior.value <= high:
            raise ValueError(f"{prior.value:g} is outside of {where}")
        return prior
    if isinstance(prior, LogUniform) and parameter.is_log:
        raise ValueError("its values are logarithms already: give a range without log:")
    if isinstance(prior, Normal):
        beyond = max(low - prior.mean, prior.mean - high) / prior.sigma
        if beyond > _FAR:
            raise ValueError(
                f"{prior.mean:g} +- {prior.sigma:g} is {beyond:.1f} sigma outside of {where}"
            )
        middle = min(max(prior.mean, low), high - prior.sigma)
        ends = max(middle, low), middle + prior.sigma
    else:
        if prior.low >= high or prior.high <= low:
            raise ValueError(f"{prior.low:g} to {prior.high:g} is outside of {where}")
        prior = dataclasses.replace(prior, low=max(prior.low, low), high=min(prior.high, high))
        ends = prior.low, prior.high
    share = Parameters([parameter]).to_unit([[x] for x in ends])
    if share[1, 0] - share[0, 0] < _NARROWEST:
        raise ValueError(f"too narrow to be sampled within {where}: fix the value")
    return prior
