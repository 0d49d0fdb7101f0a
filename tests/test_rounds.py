"""Rounds of an ensemble find what its walkers began without."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax.retrieval import rounds
from exogan_jax.retrieval.density import Density
from exogan_jax.retrieval.ensemble import N_WALKERS, init
from exogan_jax.retrieval.importance import integral, resample
from exogan_jax.retrieval.settings import Settings

D = 4
SETTINGS = Settings(n_burn=120, keep_every=10, n_draws=8192, n_samples=2048)


def spike_and_plain(width):
    """A tenth in a narrow peak, beside the unit normal prior that has the rest; both of integral
    (2 pi)^(D/2)."""

    def density(x):
        plain = -0.5 * jnp.square(x).sum()
        peak = -0.5 * jnp.square((x - 1.5) / width).sum() - D * np.log(width)
        return Density(jnp.logaddexp(jnp.log(0.1) + peak, jnp.log(0.9) + plain), plain)

    return density


LOG_Z = 0.5 * D * np.log(2 * np.pi)


def in_the_peak(key, width=0.2):
    """Walkers where starts would have climbed to."""
    return init(1.5 + width * jax.random.normal(key, (N_WALKERS, D)), spike_and_plain(width))


def drawn(seed, settings=SETTINGS, width=0.2):
    begin_key, key, choose_key = jax.random.split(jax.random.key(seed), 3)
    begin, density = in_the_peak(begin_key, width), spike_and_plain(width)
    run, found = jax.jit(lambda key: rounds.draw(key, begin, density, settings))(key)
    total = integral(found.log_weight)
    chosen = np.asarray(resample(choose_key, found.log_weight, 2048))
    near = np.abs(np.asarray(found.position)[chosen] - 1.5) < 5 * width
    return run, total, np.all(near, axis=1).mean()


@pytest.mark.parametrize("seed", [0, 1])
def test_walkers_that_begin_in_a_peak_find_the_plain(seed):
    run, total, share = drawn(seed)
    assert abs(float(total.log) - LOG_Z) < 4 * float(total.error) < 0.3
    np.testing.assert_allclose(share, 0.1, atol=0.03)
    assert run.kept.position.shape == (SETTINGS.n_kept, N_WALKERS, D)
    assert float(run.power) == 1.0


def test_more_rounds_only_where_draws_are_worth_too_few(monkeypatch):
    """Told by the acceptance, which is of the last round."""
    few, many = (dataclasses.replace(SETTINGS, n_samples=n) for n in (1, 10**6))
    (one, *_), (all_, total, _) = drawn(2, few), drawn(2, many)
    monkeypatch.setattr(rounds, "MOST", 1)
    (still, *_) = drawn(2, many)
    np.testing.assert_array_equal(one.kept.position, still.kept.position)
    assert not np.array_equal(one.kept.position, all_.kept.position)
    assert abs(float(total.log) - LOG_Z) < 4 * float(total.error)


def test_half_of_the_walkers_go_on_from_the_draws():
    run, found = jax.jit(
        lambda key: rounds.draw(key, in_the_peak(jax.random.key(5)), spike_and_plain(0.2), SETTINGS)
    )(jax.random.key(6))
    drawn_ = {tuple(x) for x in np.asarray(found.position)}
    is_drawn = np.array([tuple(x) in drawn_ for x in np.asarray(run.state.position)])
    np.testing.assert_array_equal(is_drawn, np.arange(N_WALKERS) % 2 == 0)
    kept = np.asarray(run.kept.position[-1])
    np.testing.assert_array_equal(np.asarray(run.state.position)[1::2], kept[1::2])
    log = jax.vmap(spike_and_plain(0.2))(run.state.position).log
    np.testing.assert_allclose(run.state.density.log, log, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("most", "n_blocks"), [(1, 12 + 4), (2, 4), (3, 4)])
def test_later_rounds_keep_their_states_at_once(most, n_blocks, monkeypatch):
    def told(key, at, density_fn, n_blocks, **_):
        del key, density_fn
        return at._replace(acceptance=jnp.full(at.acceptance.shape, n_blocks, float))

    monkeypatch.setattr(rounds.ensemble, "run", told)
    monkeypatch.setattr(rounds, "MOST", most)
    begin, never = in_the_peak(jax.random.key(7)), dataclasses.replace(SETTINGS, n_samples=10**6)
    run, _ = rounds.draw(jax.random.key(8), begin, spike_and_plain(0.2), never)
    np.testing.assert_array_equal(run.acceptance, n_blocks)


def test_without_annealing_the_plain_is_missed_and_nothing_says_so(monkeypatch):
    """What annealing is for."""
    monkeypatch.setattr(rounds, "_ANNEALED", 0.0)
    monkeypatch.setattr(rounds, "MOST", 1)
    _, total, share = drawn(0, width=0.05)
    assert float(total.log) < LOG_Z - 1 and share > 0.9


def test_targets_may_be_vmapped():
    keys = jax.random.split(jax.random.key(3), 2)
    begin = jax.vmap(in_the_peak)(jax.random.split(jax.random.key(4), 2))
    short = Settings(n_burn=20, keep_every=5, n_draws=512, n_samples=100)

    def total(key, begin):
        return integral(rounds.draw(key, begin, spike_and_plain(0.2), short)[1].log_weight).log

    both = jax.jit(jax.vmap(total))(keys, begin)
    with jax.debug_key_reuse(False):  # the same again, on purpose
        one = jax.jit(total)(keys[1], jax.tree.map(lambda x: x[1], begin))
    np.testing.assert_allclose(both[1], one, rtol=1e-3)
