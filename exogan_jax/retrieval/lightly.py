"""Large programs that run for seconds: XLA must not care for them for longer than that."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

#: Two cores, the example's sampler and walks: compiled in 10 s, not 25, and a twelfth slower to
#: run, which 160 spectra would make up for. Fusions go through LLVM's own loops, not MLIR's
#: pipelines, which take 8 s of the difference, and LLVM optimises at its first level of three.
ON_CPU: dict[str, Any] = {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1}


@functools.cache
def is_taken(options: frozenset[tuple[str, Any]]) -> bool:
    """Whether this version of XLA has all of these options."""
    try:
        jax.jit(lambda: 0, compiler_options=dict(options))()
    except jax.errors.JaxRuntimeError:
        return False
    return True


class Lightly:
    """A function compiled by `jax.jit`, with what saves time on a CPU (`ON_CPU`), where XLA takes
    it.
    """

    def __init__(self, function: Callable[..., Any], static: str) -> None:
        functools.update_wrapper(self, function)
        self._compiled = functools.cache(
            lambda options: jax.jit(
                function, static_argnames=static, compiler_options=dict(options) or None
            )
        )

    @property
    def program(self) -> Any:
        """What `jax.jit` made for the default device."""
        options = frozenset(ON_CPU.items())
        is_usual = jax.default_backend() != "cpu" or not is_taken(options)
        return self._compiled(frozenset() if is_usual else options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's value."""
        return self.program(*args, **kwargs)
