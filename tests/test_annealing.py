"""A likelihood to a power that rises: what it samples, and how fast it rises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax.retrieval.annealing import follow
from exogan_jax.retrieval.density import Density, energy_of, tempered
from exogan_jax.retrieval.ensemble import init, step

FOLLOW = jax.jit(follow)


def narrow(x):
    """A likelihood of width 0.1 under a unit normal prior."""
    volume = -0.5 * jnp.square(x).sum()
    return Density(-0.5 * jnp.square(x / 0.1).sum() + volume, volume)


def test_only_the_likelihood_is_to_a_power():
    density = Density(jnp.array([-10.0, -jnp.inf]), jnp.array([-2.0, jnp.nan]))
    np.testing.assert_allclose(tempered(density, 1.0), [-10, -np.inf])
    np.testing.assert_allclose(tempered(density, 0.25), [-0.25 * 8 - 2, -np.inf])
    np.testing.assert_allclose(energy_of(density), [8, np.inf])


@pytest.mark.parametrize("power", [0.02, 0.3, 1.0])
def test_steps_sample_the_likelihood_to_a_power(power):
    state = init(jax.random.normal(jax.random.key(0), (1024, 2)), narrow)
    walk = jax.jit(lambda key, state: step(key, state, narrow, 60, power))
    moved, _ = walk(jax.random.key(1), state)
    # A normal density of precision 1 and 100 to that power.
    width = (1 + 100 * power) ** -0.5
    np.testing.assert_allclose(np.asarray(moved.position).std(axis=0), width, rtol=0.1)


def test_the_power_rises_to_where_half_of_the_walkers_can_follow():
    d, old = 6, 0.1
    unit = np.random.default_rng(0).normal(size=(200_000, d))
    likelihood = jnp.asarray(-0.5 * np.square(unit / old**0.5).sum(axis=1), jnp.float32)
    density = Density(likelihood + 3, jnp.full(likelihood.shape, 3.0))
    power, chosen = FOLLOW(jax.random.key(0), density, jnp.float32(old), False)
    # Of normal samples, weights to the power r - 1 leave ((2 r - 1) / r^2)^(d / 2).
    rise = float(power) / old
    np.testing.assert_allclose(((2 * rise - 1) / rise**2) ** (d / 2), 0.5, atol=0.01)
    after = unit[np.asarray(chosen)]
    np.testing.assert_allclose(after.std(axis=0), rise**-0.5, rtol=0.01)
    # In random order: halves of the walkers are alike, and hold different ones.
    half = len(after) // 2
    np.testing.assert_allclose(after[:half].std(), after[half:].std(), rtol=0.01)
    assert not np.all(np.diff(np.asarray(chosen)) >= 0)


def test_walkers_of_no_density_do_not_go_on():
    log = jnp.where(jnp.arange(256) % 4 == 0, -jnp.inf, -1.0)
    density = Density(log, jnp.where(jnp.isfinite(log), 0.0, jnp.nan))
    power, chosen = FOLLOW(jax.random.key(2), density, jnp.float32(0.5), False)
    assert float(power) == 1.0 and np.all(np.asarray(chosen) % 4 != 0)
    none = Density(jnp.full(256, -jnp.inf), jnp.zeros(256))
    power, chosen = FOLLOW(jax.random.key(2), none, jnp.float32(0.5), True)
    assert float(power) == 1.0 and np.all((chosen >= 0) & (chosen < 256))


def test_the_last_power_is_one_and_there_nobody_is_drawn():
    log = -1000 * jnp.arange(256.0)
    density = Density(log, jnp.zeros(256))
    power, chosen = FOLLOW(jax.random.key(3), density, jnp.float32(0.1), True)
    # However few can follow: half of them are left.
    left = np.bincount(np.asarray(chosen), minlength=256)
    assert float(power) == 1.0 and 90 < 256**2 / np.square(left).sum() < 180
    assert left[:50].sum() > 3 * left[-50:].sum() > 0
    power, chosen = FOLLOW(jax.random.key(3), density, jnp.float32(1.0), False)
    np.testing.assert_array_equal(chosen, np.arange(256))
    assert float(power) == 1.0


def test_targets_may_be_vmapped():
    likelihood = -jnp.square(jax.random.normal(jax.random.key(4), (2, 256))) * 5
    density = Density(likelihood, jnp.zeros((2, 256)))
    keys = jax.random.split(jax.random.key(5), 2)
    powers = jnp.array([0.1, 0.9])
    both = jax.jit(jax.vmap(lambda *x: follow(*x, False)))(keys, density, powers)
    with jax.debug_key_reuse(False):  # the same again, on purpose
        one = FOLLOW(keys[1], jax.tree.map(lambda x: x[1], density), powers[1], False)
    np.testing.assert_allclose(both[0][1], one[0], rtol=1e-6)
    np.testing.assert_array_equal(both[1][1], one[1])
