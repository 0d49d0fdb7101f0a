"""An exponential that a CPU computes several side by side, twice as fast as its library's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

LOG2_E = 1.4426950408889634
# 2^f for -1/2 <= f <= 1/2: the best polynomial that is 1 at 0, to 1e-7 of itself.
_POWERS = (1.0, 0.6931469776, 0.2402224209, 0.0555073374, 0.0096715126, 0.0013264728)
_LOWEST = -126.0  # below, 2^y is no normal float32
# Its bits end in the exponent of 1, and adding an integer to it adds this to its bits.
_SHIFT = 12582912.0 + 127.0


def exp2_of_negative(y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """2^y for y <= 0, to 2e-7 of itself; 2^-126 where it is less than that. Not differentiable.

    Whole numbers go to the exponent's bits, the rest through a polynomial: only additions and
    multiplications. Other precisions than float32 take the library's.
    """
    if y.dtype != jnp.float32:
        return jnp.exp2(y)
    y = jnp.where(y < _LOWEST, _LOWEST, y)  # NaN stays
    whole = jnp.round(y)
    rest = y - whole
    value = jnp.full_like(rest, _POWERS[-1])
    for power in _POWERS[-2::-1]:
        value = value * rest + power
    bits = jax.lax.bitcast_convert_type(whole + _SHIFT, jnp.int32)
    return value * jax.lax.bitcast_convert_type(bits << 23, jnp.float32)
