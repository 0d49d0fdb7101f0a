import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax.gan.nets import networks


def n_parameters(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def start(module, x):
    """Output and variables of a new network; compiled, since operation by operation is slow."""
    return jax.jit(module.init_with_output)(jax.random.key(1), x)


@pytest.mark.parametrize(
    ("name", "options"),
    [("paper", {"width": 2}), ("compact", {"width": 8, "depth": 2})],
)
def test_shapes_and_ranges(name, options):
    nets = networks(name, **options)
    z = jax.random.uniform(jax.random.key(0), (3, 100), minval=-1.0)
    images, _ = start(nets.generator, z)
    assert images.shape == (3, 33, 33) and images.dtype == jnp.float32
    assert float(images.min()) >= 0 and float(images.max()) <= 1
    logits, _ = start(nets.discriminator, images)
    assert logits.shape == (3,)


def test_paper_networks_have_the_papers_parameters():
    nets = networks("paper")
    g = jax.eval_shape(nets.generator.init, jax.random.key(0), jnp.zeros((1, 100)))
    d = jax.eval_shape(nets.discriminator.init, jax.random.key(0), jnp.zeros((1, 33, 33)))
    channels = [512, 256, 128, 64, 1]
    pairs = list(itertools.pairwise(channels))
    linear = 100 * 4608 + 4608
    norms = 2 * (512 + 256 + 128 + 64)
    assert n_parameters(g["params"]) == linear + norms + sum(25 * a * b + b for a, b in pairs)
    channels = [1, 64, 128, 256, 512]
    pairs = list(itertools.pairwise(channels))
    norms = 2 * (128 + 256 + 512)
    assert n_parameters(d["params"]) == 4608 + 1 + norms + sum(25 * a * b + b for a, b in pairs)


def test_discriminator_does_not_mix_the_images_of_a_batch():
    # The published code did.
    nets = networks("paper", width=2)
    images = jax.random.uniform(jax.random.key(0), (4, 33, 33))
    together, variables = start(nets.discriminator, images)
    score = jax.jit(nets.discriminator.apply)
    alone = jnp.concatenate([score(variables, x[None]) for x in images])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_batch_statistics_move_in_training_only():
    nets = networks("paper", width=2)
    z = jax.random.uniform(jax.random.key(0), (8, 100), minval=-1.0)
    _, variables = start(nets.generator, z)
    train = jax.jit(partial(nets.generator.apply, train=True, mutable=["batch_stats"]))
    _, updated = train(variables, z)
    before = jax.tree.leaves(variables["batch_stats"])
    after = jax.tree.leaves(updated["batch_stats"])
    assert any(bool(jnp.any(a != b)) for a, b in zip(before, after, strict=True))


def test_compact_strips_are_constant_by_construction():
    nets = networks("compact", width=8, depth=1)
    z = jax.random.uniform(jax.random.key(0), (2, 100), minval=-1.0)
    images = np.asarray(nets.generator.apply(nets.generator.init(jax.random.key(1), z), z))
    assert np.ptp(images[:, 23:, 23:], axis=(1, 2)).max() == 0
    assert np.ptp(images[:, :12, 23:30], axis=1).max() == 0
    assert np.ptp(images[:, 12:23, 23:30], axis=1).max() == 0
    assert np.ptp(images[:, 30:, :23], axis=2).max() == 0


def test_jit_agrees():
    nets = networks("compact", width=8, depth=1)
    z = jax.random.uniform(jax.random.key(0), (2, 100), minval=-1.0)
    variables = nets.generator.init(jax.random.key(1), z)
    np.testing.assert_allclose(
        jax.jit(nets.generator.apply)(variables, z), nets.generator.apply(variables, z), atol=1e-6
    )


def test_unknown_networks_are_refused():
    with pytest.raises(ValueError, match="paper, compact"):
        networks("stylegan")
