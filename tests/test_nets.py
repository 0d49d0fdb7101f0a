import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax.gan.nets import networks
from exogan_jax.layout import PUBLISHED, Layout
from exogan_jax.parameters import Parameters

#: Another problem, of a side that is no power of two plus one.
SMALL = Layout(
    np.linspace(1.0, 2.0, 30), (0, 10, 30), Parameters(PUBLISHED.parameters[i] for i in range(4))
)


def n_parameters(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def start(module, x):
    """Output and variables of a new network; compiled, since operation by operation is slow."""
    return jax.jit(module.init_with_output)(jax.random.key(1), x)


BOTH = pytest.mark.parametrize(
    ("name", "options"),
    [("paper", {"width": 2}), ("compact", {"width": 8, "depth": 2})],
)


@BOTH
def test_shapes_and_ranges(name, options):
    nets = networks(name, PUBLISHED, **options)
    z = jax.random.uniform(jax.random.key(0), (3, 100), minval=-1.0)
    drawn, _ = start(nets.generator, z)
    assert drawn.shape == (3, *nets.shape) and drawn.dtype == jnp.float32
    assert float(drawn.min()) >= 0 and float(drawn.max()) <= 1
    logits, _ = start(nets.discriminator, drawn)
    assert logits.shape == (3,)


@BOTH
def test_shapes_follow_the_layout(name, options):
    nets = networks(name, SMALL, **options)

    def chain(key, z):
        drawn, _ = nets.generator.init_with_output(key, z)
        logits, _ = nets.discriminator.init_with_output(key, drawn)
        return drawn, logits, nets.values(drawn[0]), nets.image(drawn[0])

    example = jax.random.key(0), jnp.zeros((3, 100))
    drawn, logits, values, image = jax.eval_shape(chain, *example)
    assert drawn.shape == (3, *nets.shape) and logits.shape == (3,)
    assert [x.shape for x in values] == [(30,), (2,), (2,), (4,)]
    assert image.shape == (SMALL.side, SMALL.side) == (9, 9)


def test_what_the_networks_see_of_a_spectrum_is_its_array():
    depth = jnp.asarray(np.random.default_rng(0).uniform(0.01, 0.02, 515), jnp.float32)
    packed = PUBLISHED.pack(depth, jnp.asarray(PUBLISHED.parameters.lower, jnp.float32))
    for name in ("paper", "compact"):
        nets = networks(name, PUBLISHED)
        drawn = nets.draw(packed)
        assert drawn.shape == nets.shape
        np.testing.assert_allclose(nets.image(drawn), PUBLISHED.image(packed), atol=1e-6)
        for found, expected in zip(nets.values(drawn), packed, strict=True):
            usable = slice(PUBLISHED.n_usable) if found.size == 515 else slice(None)
            np.testing.assert_allclose(found[usable], expected[usable], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("compact", {"width": 8, "depth": 1}),
        ("compact", {"width": 8, "depth": 1, "whitened": True}),
    ],
)
def test_some_of_the_points_are_those_of_all(name, options):
    nets = networks(name, SMALL, **options)
    z = jax.random.uniform(jax.random.key(0), (1, 100), minval=-1.0)
    drawn, variables = start(nets.generator, z)
    points = jnp.array([3, 17, 4])
    some, whole = nets.at_points(variables, points)(z), nets.values(drawn[0])
    np.testing.assert_allclose(some.pixels, whole.pixels[points], atol=1e-6)
    for a, b in zip(some[1:], whole[1:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_paper_networks_have_the_papers_parameters():
    nets = networks("paper", PUBLISHED)
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
    nets = networks("paper", PUBLISHED, width=2)
    images = jax.random.uniform(jax.random.key(0), (4, 33, 33))
    together, variables = start(nets.discriminator, images)
    score = jax.jit(nets.discriminator.apply)
    alone = jnp.concatenate([score(variables, x[None]) for x in images])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_batch_statistics_move_in_training_only():
    nets = networks("paper", PUBLISHED, width=2)
    z = jax.random.uniform(jax.random.key(0), (8, 100), minval=-1.0)
    _, variables = start(nets.generator, z)
    train = jax.jit(partial(nets.generator.apply, train=True, mutable=["batch_stats"]))
    _, updated = train(variables, z)
    before = jax.tree.leaves(variables["batch_stats"])
    after = jax.tree.leaves(updated["batch_stats"])
    assert any(bool(jnp.any(a != b)) for a, b in zip(before, after, strict=True))


def test_compact_strips_are_constant_by_construction():
    nets = networks("compact", PUBLISHED, width=8, depth=1)
    z = jax.random.uniform(jax.random.key(0), (2, 100), minval=-1.0)
    drawn = nets.generator.apply(nets.generator.init(jax.random.key(1), z), z)
    images = np.asarray(jax.vmap(nets.image)(drawn))
    assert np.ptp(images[:, 23:, 23:], axis=(1, 2)).max() == 0
    assert np.ptp(images[:, :12, 23:30], axis=1).max() == 0
    assert np.ptp(images[:, 12:23, 23:30], axis=1).max() == 0
    assert np.ptp(images[:, 30:, :23], axis=2).max() == 0


def test_jit_agrees():
    nets = networks("compact", PUBLISHED, width=8, depth=1)
    z = jax.random.uniform(jax.random.key(0), (2, 100), minval=-1.0)
    variables = nets.generator.init(jax.random.key(1), z)
    np.testing.assert_allclose(
        jax.jit(nets.generator.apply)(variables, z), nets.generator.apply(variables, z), atol=1e-6
    )


def test_unknown_networks_are_refused():
    with pytest.raises(ValueError, match="paper, compact"):
        networks("stylegan", PUBLISHED)
