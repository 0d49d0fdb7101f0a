import jax
import jax.numpy as jnp
import numpy as np

from exogan_jax.retrieval.annealing import BEGIN
from exogan_jax.retrieval.density import Density
from exogan_jax.retrieval.ensemble import (
    N_WALKERS,
    disperse,
    effective_samples,
    init,
    run,
    start,
    step,
    walk,
)

SCALE = jnp.array([0.2, 0.001, 5.0])  # the last is flat in the box


def to(target):
    def density(x):
        inside = jnp.all(jnp.abs(x) <= 1)
        log = jnp.where(inside, -0.5 * jnp.square((x - target) / SCALE).sum(), -jnp.inf)
        return Density(log, jnp.zeros(()))

    return density


def places(key, d=3):
    return jnp.clip(0.3 * jax.random.normal(key, (N_WALKERS, d)), -1, 1)


def test_moments_of_a_gaussian_in_a_box():
    target = jnp.array([0.1, -0.3, 0.0])

    def sample(key, x):
        begin = start(init(x, to(target)), 100, BEGIN)
        return run(key, begin, to(target), 140, n_annealed=20, keep_every=10)

    end = jax.jit(sample)(jax.random.key(0), places(jax.random.key(1)))
    kept = end.kept
    assert kept.position.shape == (100, N_WALKERS, 3)
    flat = np.asarray(kept.position).reshape(-1, 3)
    assert np.all(np.abs(flat.mean(0) - [0.1, -0.3, 0.0]) < [0.02, 2e-4, 0.06])
    np.testing.assert_allclose(flat.std(0), [0.2, 0.001, 0.573], rtol=0.06)
    assert np.abs(flat).max() <= 1
    assert end.acceptance.shape == (100,) and 0.2 < float(end.acceptance.mean()) < 0.9
    np.testing.assert_allclose(
        kept.density.log[0], jax.vmap(to(target))(kept.position[0]).log, rtol=1e-4
    )


def test_targets_may_be_vmapped_and_runs_repeat():
    targets = jnp.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    positions = jnp.stack([places(jax.random.key(3)), places(jax.random.key(4))])

    def sample(key, position, target):
        begin = start(init(position, to(target)), 2, BEGIN)
        return run(key, begin, to(target), 4, n_annealed=1, keep_every=3)

    keys = jax.random.split(jax.random.key(2), 2)
    both = jax.jit(jax.vmap(sample))(keys, positions, targets)
    with jax.debug_key_reuse(False):  # the same again, on purpose
        one = jax.jit(sample)(keys[1], positions[1], targets[1])
    assert both.acceptance.shape == (2, 2)
    np.testing.assert_allclose(both.kept.position[1], one.kept.position, rtol=1e-5, atol=1e-6)


def test_what_is_kept_and_what_is_wide():
    target, key = jnp.array([0.1, -0.3, 0.0]), jax.random.key(10)
    begin = start(init(places(jax.random.key(11)), to(target)), 3, 1e-5)
    np.testing.assert_array_equal(begin.wide[0], begin.state.position)

    @jax.jit
    def go(n_blocks):
        return run(key, begin, to(target), n_blocks, n_annealed=6, keep_every=2)

    ends = {n: go(n) for n in range(3, 10)}
    for n, end in ends.items():
        # What was kept is where the walkers are, drawn anew where the power rose.
        rose = n <= 6
        same = np.array_equal(end.kept.position[-1], end.state.position)
        assert same != rose and (float(end.power) < 1) == (n < 6)
    np.testing.assert_array_equal(ends[9].kept.position[0], ends[7].kept.position[2])
    # The last four at powers below 1, narrower each time; none of those after.
    np.testing.assert_array_equal(ends[9].wide, ends[6].wide)
    np.testing.assert_array_equal(ends[6].wide[-3:], ends[6].kept.position)
    spread = np.asarray(ends[9].wide)[..., 0].std(axis=1)
    assert np.all(np.diff(spread) < 0) and spread[-1] > ends[9].kept.position[-1, :, 0].std()
    # Nothing is annealed where the power is 1 from the first.
    plain = start(begin.state, 3, 1.0)
    cold = jax.jit(lambda key: run(key, plain, to(target), 3, n_annealed=0, keep_every=2))(
        jax.random.clone(key)
    )
    np.testing.assert_array_equal(cold.wide, plain.wide)
    np.testing.assert_array_equal(cold.kept.position[-1], cold.state.position)


def test_a_step_moves_both_halves_and_keeps_each_walkers_density():
    target = jnp.array([0.1, -0.3, 0.0])
    state = init(places(jax.random.key(5)), to(target))
    moved, info = jax.jit(lambda k, s: step(k, s, to(target)))(jax.random.key(6), state)
    stays = jnp.all(moved.position == state.position, axis=1)
    np.testing.assert_allclose(1 - stays.mean(), info.acceptance, rtol=1e-5)
    half = N_WALKERS // 2
    assert 0 < int(stays[:half].sum()) < half and 0 < int(stays[half:].sum()) < half
    now = jax.vmap(to(target))(moved.position)
    np.testing.assert_allclose(moved.density.log, now.log, rtol=1e-5)


def test_walkers_start_about_the_best_latents_inside_the_box():
    latents = jnp.array([[0.5, 1.0], [-0.5, -1.0], [0.0, 0.0]])
    walkers = disperse(jax.random.key(0), latents, jnp.array([0.0, -1.0, -1e4]))
    assert walkers.shape == (N_WALKERS, 2) and float(jnp.abs(walkers).max()) <= 1
    near = jnp.abs(walkers[:, None] - latents[None]).max(axis=2) < 0.08
    assert bool(near[:, :2].any(axis=1).all()) and not bool(near[:, 2].any())
    assert bool(near[:, 0].any()) and bool(near[:, 1].any())


def test_effective_samples_of_white_and_of_frozen_walkers():
    white = jax.random.normal(jax.random.key(0), (50, 64, 2))
    assert 2500 < float(effective_samples(white)) <= 3200
    frozen = jnp.broadcast_to(white[:1], white.shape)
    assert float(effective_samples(frozen)) < 2
    np.testing.assert_allclose(effective_samples(jnp.zeros((3, 64, 2))), 1.0)


def test_a_walk_about_others_keeps_the_density_and_leaves_them_alone():
    target = jnp.array([0.1, -0.3, 0.0])
    unit = jax.random.normal(jax.random.key(7), (2, 1024, 2))
    flat = jax.random.uniform(jax.random.key(8), (2, 1024, 1), minval=-1.0)
    # The density's own samples; the box cuts the third to what is nearly uniform.
    cut = [x[None, None, :2] for x in (target, SCALE)]
    both = jnp.concatenate([cut[0] + cut[1] * unit, flat], axis=2)
    state = init(both[0], to(target))
    walked, info = jax.jit(lambda key, state: walk(key, state, both[1], to(target), 20))(
        jax.random.key(9), state
    )
    moved = np.asarray(walked.position)
    assert 0.2 < float(info.acceptance) < 0.9
    assert np.mean(np.any(moved != both[0], axis=1)) > 0.95
    assert np.all(np.abs(moved.mean(0) - [0.1, -0.3, 0.0]) < 4 * np.array([0.2, 0.001, 0.58]) / 32)
    np.testing.assert_allclose(moved.std(0), [0.2, 0.001, 0.577], rtol=0.09)
    density = jax.vmap(to(target))(walked.position)
    np.testing.assert_allclose(walked.density.log, density.log, rtol=1e-4, atol=1e-4)
