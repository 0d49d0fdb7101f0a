"""Large programs that run for seconds: XLA must not care for them for longer than that."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

#: Two cores, the example's sampler and walks: compiled in 10 s, not 25, and a twelfth slower to
#: run, which 160 spectra would make up for. Fusions go through LLVM's own loops, not MLIR's
#: pipelines, which take 8 s of the difference, and LLVM optimises at its first level of three. Its
#: library of kernels is for matrix products alone: its sums along rows are so slow that a chain
#: (PRISM) takes 4.6 s with them, 3.6 without.
ON_CPU: dict[str, Any] = {
    "xla_cpu_use_fusion_emitters": False,
    "xla_backend_optimization_level": 1,
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
}


@functools.cache
def is_taken(options: frozenset[tuple[str, Any]]) -> bool:
    """Whether this version of XLA has all of these options."""
    try:
        jax.jit(lambda: 0, compiler_options=dict(options))()
    except jax.errors.JaxRuntimeError:
        return False
    return True


class Lightly:
    """A function compiled by `jax.jit`, with what saves time on a CPU (`ON_CPU`): as many of these
    options as XLA takes.
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
        is_cpu = jax.default_backend() == "cpu"
        each = [frozenset([one]) for one in ON_CPU.items() if is_cpu]
        return self._compiled(frozenset().union(*filter(is_taken, each)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's value."""
        return self.program(*args, **kwargs)
