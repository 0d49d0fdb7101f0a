import jax
import jax.numpy as jnp
import numpy as np

from exogan_jax.retrieval.ensemble import N_WALKERS, disperse, effective_samples, ensemble

SCALE = jnp.array([0.2, 0.001, 5.0])  # the last is flat in the box


def log_density(x, target):
    return -0.5 * jnp.square((x - target) / SCALE).sum()


def start(key, d=3):
    return jnp.clip(0.3 * jax.random.normal(key, (N_WALKERS, d)), -1, 1)


def test_moments_of_a_gaussian_in_a_box():
    sampler = ensemble(log_density, n_burn=400, n_kept=100, keep_every=10)
    target = jnp.array([0.1, -0.3, 0.0])
    kept, info = jax.jit(sampler.run)(jax.random.key(0), start(jax.random.key(1)), target)
    assert kept.position.shape == (100, N_WALKERS, 3)
    flat = np.asarray(kept.position).reshape(-1, 3)
    assert np.all(np.abs(flat.mean(0) - [0.1, -0.3, 0.0]) < [0.02, 2e-4, 0.06])
    np.testing.assert_allclose(flat.std(0), [0.2, 0.001, 0.573], rtol=0.06)
    assert np.abs(flat).max() <= 1
    assert 0.2 < float(info.acceptance.mean()) < 0.9
    np.testing.assert_allclose(
        kept.log_density[0], jax.vmap(log_density, (0, None))(kept.position[0], target), rtol=1e-4
    )


def test_targets_may_be_vmapped_and_steps_repeat():
    sampler = ensemble(log_density, n_burn=5, n_kept=2, keep_every=3)
    keys = jax.random.split(jax.random.key(2), 2)
    targets = jnp.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    positions = jnp.stack([start(keys[0]), start(keys[1])])
    both, _ = jax.jit(jax.vmap(sampler.run))(keys, positions, targets)
    one, _ = jax.jit(sampler.run)(keys[1], positions[1], targets[1])
    np.testing.assert_allclose(both.position[1], one.position, rtol=1e-5, atol=1e-6)


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
