"""A posterior whose likelihood counts to a power that rises to 1, as in tempered sequential Monte
Carlo (Del Moral et al. 2006, J. R. Stat. Soc. B 68, 411): each time to where a share of the walkers
can follow, which are then drawn anew by their weights.

Walkers that begin wider than the posterior would else gather where they first find it, and reach
into its tails late. The prior keeps its power: with it tempered, too, the walkers leave for the
walls of the prior's box.

One target; callers vmap over targets.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from exogan_jax.retrieval.density import Density, energy_of
from exogan_jax.retrieval.importance import resample

#: The first power. Of three planets that miss a tail of high clouds without annealing (PRISM,
#: 30 ppm), two runs each from 0.02, with 300 steps in all, and from 0.1, with 150, found it alike.
BEGIN = 0.05
_FOLLOW = 0.5  # share of the walkers that their weights must leave at the next power
_HALVINGS = 16  # of an interval of powers: it is found to 1e-5


def follow(
    key: Array, density: Density, power: Float[Array, ""], last: bool | Array
) -> tuple[Float[Array, ""], Int[Array, " walker"]]:
    """The next power, and which walkers go on with it.

    Args:
      key: PRNG key.
      density: of the walkers, which sample it at `power`.
      power: until now.
      last: whether the next one must be 1, however few can follow: the others walk there.

    Returns:
      the power, and the numbers of walkers, in random order; those that there are where the power
      was 1 already.
    """
    likelihood = -energy_of(density)
    likelihood = likelihood - likelihood.max()
    n = likelihood.size

    def enough(rise: Array) -> Array:
        weight = jnp.exp(rise * likelihood)
        return jnp.square(weight.sum()) >= _FOLLOW * n * jnp.square(weight).sum()

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        good = enough(middle)
        return jnp.where(good, middle, low), jnp.where(good, high, middle)

    whole = 1 - power
    rise, _ = jax.lax.fori_loop(0, _HALVINGS, halve, (jnp.zeros_like(whole), whole))
    all_ = enough(whole)
    rise = jnp.where(all_, whole, rise)
    resample_key, order_key = jax.random.split(key)
    chosen = resample(resample_key, rise * likelihood, n)
    chosen = jax.random.permutation(order_key, chosen)
    # Where fits are poor, by the last weights one walker would be all of them, and never move.
    following = jnp.where(all_ | last, 1.0, power + rise)
    return following, jnp.where(power < 1, chosen, jnp.arange(n))
