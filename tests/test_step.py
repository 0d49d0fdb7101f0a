from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from exogan_jax.gan.anchor import anchored_latents
from exogan_jax.gan.loop import steps
from exogan_jax.gan.nets import networks
from exogan_jax.gan.step import Training, generate, init, score, step
from exogan_jax.layout import PUBLISHED

pytestmark = pytest.mark.optax
PARAMETERS = PUBLISHED.parameters


@cache
def batch(n=8):
    """Values of arrays of noise, as no planet has them."""
    noise = jax.random.uniform(jax.random.key(9), (n, PUBLISHED.n_vector), minval=0.1)
    return jax.jit(jax.vmap(PUBLISHED.from_vector))(noise)


def training_of(nets, **options):
    return Training(nets, PARAMETERS, **options)


def compact(width=8, **options):
    return networks("compact", PUBLISHED, width=width, depth=1, **options)


def begin(training):
    return jax.jit(partial(init, training=training))(jax.random.key(0))


def compiled(training, **options):
    return jax.jit(partial(step, training=training), **options)


@pytest.fixture(scope="module", params=[pytest.param("paper", marks=pytest.mark.slow), "compact"])
def pair(request):
    return networks("paper", PUBLISHED, width=1) if request.param == "paper" else compact()


def changed(before, after) -> bool:
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    return any(bool(jnp.any(a != b)) for a, b in pairs)


def test_one_compiled_step_with_donated_state():
    training = training_of(compact(), r1_weight=0.1, ema_decay=0.9)
    run = compiled(training, donate_argnums=1)
    state = begin(training)
    for i in range(3):
        state, info = run(jax.random.key(i), state, batch())
    assert run._cache_size() == 1
    assert int(state.step) == 3
    assert all(bool(jnp.isfinite(x)) for x in info)


def test_step_changes_both_networks_and_repeats(pair):
    training = training_of(pair, generator_steps=1)  # the DCGAN takes long to compile
    run = compiled(training)
    state = begin(training)
    one, info = run(jax.random.key(1), state, batch())
    same, _ = run(jax.random.key(1), state, batch())
    other, _ = run(jax.random.key(2), state, batch())
    assert run._cache_size() == 1
    assert changed(state.generator, one.generator)
    assert changed(state.discriminator, one.discriminator)
    assert not changed(one, same) and changed(one, other)
    # Untrained, the discriminator is near chance.
    assert 0.5 < float(info.discriminator_loss) < 5


@pytest.mark.slow
def test_bfloat16_computes_and_float32_keeps():
    made = {}
    for dtype in ("float32", "bfloat16"):
        training = training_of(compact(16, dtype=dtype), generator_steps=1)
        state = begin(training)
        made[dtype] = compiled(training)(jax.random.key(1), state, batch())
    state, info = made["bfloat16"]
    assert {x.dtype for x in jax.tree.leaves((state.generator[:2], state.discriminator[:2]))} == {
        jnp.dtype("float32")
    }
    for found, exact in zip(info, made["float32"][1], strict=True):
        np.testing.assert_allclose(found, exact, atol=0.03)


def test_papers_order_is_one_discriminator_step_then_two_of_the_generator():
    training = training_of(compact())
    state, _ = compiled(training)(jax.random.key(1), begin(training), batch())
    assert int(state.discriminator.optimizer[0].count) == 1
    assert int(state.generator.optimizer[0].count) == 2


def test_discriminator_learns_to_tell_arrays_apart():
    nets = compact(16)
    training = training_of(
        nets,
        generator_optimizer=optax.set_to_zero(),
        discriminator_optimizer=optax.adam(3e-3),
        generator_steps=1,
    )
    state = begin(training)
    run = compiled(training)
    first = last = None
    for i in range(40):
        state, info = run(jax.random.key(i), state, batch(32))
        first = info if first is None else first
        last = info
    assert float(last.discriminator_loss) < 0.2 * float(first.discriminator_loss)
    assert not changed(begin(training).generator.params, state.generator.params)
    z = jax.random.uniform(jax.random.key(3), (16, 100), minval=-1.0)
    fake = generate(nets, state, z)
    real = jax.vmap(nets.draw)(batch(16))
    assert float(score(nets, state, real).mean()) > float(score(nets, state, fake).mean())


def test_running_mean_follows_its_decay():
    for decay in (0.0, 0.75):
        training = training_of(compact(), ema_decay=decay)
        state = begin(training)
        new, _ = compiled(training)(jax.random.key(1), state, batch())
        expected = jax.tree.map(
            lambda old, now, d=decay: d * old + (1 - d) * now,
            state.generator.params,
            new.generator.params,
        )
        for a, b in zip(jax.tree.leaves(new.ema), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_replicas_of_a_mapped_axis_agree_with_one_device():
    # Not Adam, which scales up the rounding of small gradients. See also test_parallel.py.
    sgd = {"generator_optimizer": optax.sgd(0.1), "discriminator_optimizer": optax.sgd(0.1)}
    settings = {"r1_weight": 0.1, "anchor_weight": 1.0, "ema_decay": 0.9} | sgd
    nets = compact()
    one, two = (training_of(nets, **settings, axis_name=name) for name in (None, "replica"))
    state = init(jax.random.key(0), one)
    expected = compiled(one)(jax.random.key(1), state, batch())
    states = jax.tree.map(lambda x: jnp.stack([x, x]), state)
    halves = jax.tree.map(lambda x: x.reshape(2, 4, *x.shape[1:]), batch())
    mapped = jax.vmap(partial(step, training=two), in_axes=(None, 0, 0), axis_name="replica")
    found = jax.jit(mapped)(jax.random.key(1), states, halves)
    for leaf, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(leaf[0], leaf[1], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(leaf[0], other, rtol=1e-4, atol=1e-5)


def test_anchored_generator_learns_which_array_belongs_to_which_parameters():
    nets = compact(32, latent_dim=8)
    share = jax.random.uniform(jax.random.key(4), (64, 7))
    theta = PARAMETERS.from_unit(share)
    depth = 0.01 + 0.002 * jnp.linspace(0.5, 1.5, 515)[None] * (2 * share[:, 5:6] - 1)
    real = jax.vmap(PUBLISHED.pack)(depth, theta)
    training = training_of(nets, generator_optimizer=optax.adam(3e-3), anchor_weight=1e3)
    run = compiled(training)
    state = begin(training)
    losses = []
    for i in range(100):
        state, info = run(jax.random.key(i), state, real)
        losses.append(float(info.anchor))
    assert losses[-1] < 0.2 * losses[0]
    free = jax.random.uniform(jax.random.key(1), (64, 8), minval=-1.0)
    z = anchored_latents(free, theta, PARAMETERS)
    np.testing.assert_array_equal(z[:, 7:], free[:, 7:])
    np.testing.assert_allclose(z[:, :7], 2 * share - 1, atol=1e-4)
    found = jax.vmap(nets.values)(generate(nets, state, z)).theta
    assert np.corrcoef(found[:, 5], theta[:, 5])[0, 1] > 0.9


def test_anchors_span_the_prior():
    free = jnp.zeros((2, 9))
    ends = jnp.asarray(np.stack([PARAMETERS.lower, PARAMETERS.upper]), jnp.float32)
    anchored = anchored_latents(free, ends, PARAMETERS)
    np.testing.assert_allclose(anchored[:, :7], [[-1] * 7, [1] * 7], atol=1e-6)
    assert not np.any(anchored[:, 7:])


def test_steps_of_one_call_are_those_of_many():
    # Where a step stands decides its randomness, not how many a call takes.
    rng = np.random.default_rng(0)
    depth = jnp.asarray(rng.uniform(0.01, 0.02, (4, 8, 515)), jnp.float32)
    theta = PARAMETERS.from_unit(jnp.asarray(rng.uniform(size=(4, 8, 7)), jnp.float32))
    training = training_of(compact(), generator_steps=1)
    run = jax.jit(partial(steps, training=training, layout=PUBLISHED))
    begun = begin(training)
    whole, _ = run(jax.random.key(1), begun, depth, theta)
    half, _ = run(jax.random.key(1), begun, depth[:2], theta[:2])
    both, _ = run(jax.random.key(1), half, depth[2:], theta[2:])
    assert int(whole.step) == 4
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(both), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_discriminator_that_is_not_heard_learns_from_one_batch_in_two():
    options = {"generator_steps": 1, "adversary_weight": 0.0, "anchor_weight": 1.0}
    nets = compact(latent_dim=7)
    always, seldom = (training_of(nets, discriminator_every=n, **options) for n in (1, 2))
    run = compiled(seldom)
    begun = begin(seldom)
    first, info = run(jax.random.key(1), begun, batch())
    expected, known = compiled(always)(jax.random.key(1), begun, batch())
    for leaf, other in zip(jax.tree.leaves(first), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(leaf, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(info, known, rtol=1e-5)
    second, info = run(jax.random.key(2), first, batch())
    assert not changed(first.discriminator, second.discriminator)
    assert changed(first.generator, second.generator)
    assert np.isnan(info.discriminator_loss) and np.isfinite(info.anchor)
    depth = jnp.asarray(np.random.default_rng(0).uniform(0.01, 0.02, (4, 8, 515)), jnp.float32)
    theta = PARAMETERS.from_unit(jax.random.uniform(jax.random.key(3), (4, 8, 7)))
    _, mean = jax.jit(partial(steps, training=seldom, layout=PUBLISHED))(
        jax.random.key(1), begun, depth, theta
    )
    assert all(bool(jnp.isfinite(x)) for x in mean)


def test_too_short_latents_cannot_be_anchored():
    with pytest.raises(ValueError, match="latent_dim >= 7"):
        training_of(compact(latent_dim=5), anchor_weight=1.0)


@pytest.mark.parametrize(
    "options",
    [
        {"generator_steps": 0},
        {"discriminator_every": 0},
        {"r1_weight": -1},
        {"anchor_weight": -1},
        {"ema_decay": 1},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="training needs"):
        training_of(compact(), **options)


def test_unknown_objectives_are_refused():
    with pytest.raises(ValueError, match="choose one of paper, hinge, relativistic"):
        training_of(compact(), objective="wasserstein")
