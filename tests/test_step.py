import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from exogan_jax import aspa, grid
from exogan_jax.gan.anchor import anchored_latents, scale_theta, unscale_theta
from exogan_jax.gan.nets import networks
from exogan_jax.gan.step import gan, generate, score

pytestmark = pytest.mark.optax


def batch(n=8):
    return jax.random.uniform(jax.random.key(9), (n, 33, 33))


@pytest.fixture(scope="module", params=["paper", "compact"])
def pair(request):
    options = {"width": 1} if request.param == "paper" else {"width": 8, "depth": 1}
    return networks(request.param, **options)


def changed(before, after) -> bool:
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    return any(bool(jnp.any(a != b)) for a, b in pairs)


def test_one_compiled_step_with_donated_state():
    training = gan(networks("compact", width=8, depth=1), r1_weight=0.1, ema_decay=0.9)
    step = jax.jit(training.step, donate_argnums=1)
    state = training.init(jax.random.key(0))
    for i in range(3):
        state, info = step(jax.random.key(i), state, batch())
    assert step._cache_size() == 1
    assert int(state.step) == 3
    assert all(bool(jnp.isfinite(x)) for x in info)


def test_step_changes_both_networks_and_repeats(pair):
    training = gan(pair, generator_steps=1)  # the DCGAN takes long to compile
    step = jax.jit(training.step)
    state = training.init(jax.random.key(0))
    one, info = step(jax.random.key(1), state, batch())
    same, _ = step(jax.random.key(1), state, batch())
    other, _ = step(jax.random.key(2), state, batch())
    assert step._cache_size() == 1
    assert changed(state.generator, one.generator)
    assert changed(state.discriminator, one.discriminator)
    assert not changed(one, same) and changed(one, other)
    # Untrained, the discriminator is near chance.
    assert 0.5 < float(info.discriminator_loss) < 5


@pytest.mark.slow
def test_bfloat16_computes_and_float32_keeps():
    steps = {}
    for dtype in ("float32", "bfloat16"):
        nets = networks("compact", width=16, depth=1, dtype=dtype)
        training = gan(nets, generator_steps=1)
        state = training.init(jax.random.key(0))
        steps[dtype] = jax.jit(training.step)(jax.random.key(1), state, batch())
    state, info = steps["bfloat16"]
    assert {x.dtype for x in jax.tree.leaves((state.generator, state.discriminator))} == {
        jnp.dtype("float32")
    }
    for found, exact in zip(info, steps["float32"][1], strict=True):
        np.testing.assert_allclose(found, exact, atol=0.03)


def test_papers_order_is_one_discriminator_step_then_two_of_the_generator():
    nets = networks("compact", width=8, depth=1)
    training = gan(nets)
    state, _ = jax.jit(training.step)(jax.random.key(1), training.init(jax.random.key(0)), batch())
    assert int(state.discriminator_opt[0].count) == 1
    assert int(state.generator_opt[0].count) == 2


def test_discriminator_learns_to_tell_arrays_apart():
    nets = networks("compact", width=16, depth=1)
    training = gan(
        nets,
        generator_optimizer=optax.set_to_zero(),
        discriminator_optimizer=optax.adam(3e-3),
        generator_steps=1,
    )
    state = training.init(jax.random.key(0))
    step = jax.jit(training.step)
    first = last = None
    for i in range(40):
        state, info = step(jax.random.key(i), state, batch(32))
        first = info if first is None else first
        last = info
    assert float(last.discriminator_loss) < 0.2 * float(first.discriminator_loss)
    assert not changed(training.init(jax.random.key(0)).generator, state.generator)
    z = jax.random.uniform(jax.random.key(3), (16, 100), minval=-1.0)
    fake = generate(nets, state, z)
    assert float(score(nets, state, batch(16)).mean()) > float(score(nets, state, fake).mean())


def test_running_mean_follows_its_decay():
    nets = networks("compact", width=8, depth=1)
    for decay in (0.0, 0.75):
        training = gan(nets, ema_decay=decay)
        state = training.init(jax.random.key(0))
        new, _ = jax.jit(training.step)(jax.random.key(1), state, batch())
        expected = jax.tree.map(
            lambda old, now, d=decay: d * old + (1 - d) * now, state.generator, new.generator
        )
        for a, b in zip(jax.tree.leaves(new.ema), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_replicas_of_a_mapped_axis_agree_with_one_device():
    # Not Adam, which scales up the rounding of small gradients. See also test_parallel.py.
    sgd = {"generator_optimizer": optax.sgd(0.1), "discriminator_optimizer": optax.sgd(0.1)}
    settings = {"r1_weight": 0.1, "anchor_weight": 1.0, "ema_decay": 0.9} | sgd
    nets = networks("compact", width=8, depth=1)
    one, two = gan(nets, **settings), gan(nets, **settings, axis_name="replica")
    state = one.init(jax.random.key(0))
    expected = jax.jit(one.step)(jax.random.key(1), state, batch())
    states = jax.tree.map(lambda x: jnp.stack([x, x]), state)
    keys = jnp.stack([jax.random.key(1)] * 2)
    found = jax.jit(jax.vmap(two.step, axis_name="replica"))(
        keys, states, batch().reshape(2, 4, 33, 33)
    )
    for leaf, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(leaf[0], leaf[1], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(leaf[0], other, rtol=1e-4, atol=1e-5)


def test_anchored_generator_learns_which_array_belongs_to_which_parameters():
    nets = networks("compact", latent_dim=8, width=32, depth=1)
    scaled = jax.random.uniform(jax.random.key(4), (64, 7), minval=-1.0)
    theta = jax.vmap(unscale_theta)(scaled)
    depth = 0.01 + 0.002 * jnp.linspace(0.5, 1.5, 515)[None] * scaled[:, 5:6]
    real = jax.vmap(aspa.encode)(depth, theta)
    training = gan(nets, generator_optimizer=optax.adam(3e-3), anchor_weight=1e3)
    step = jax.jit(training.step)
    state = training.init(jax.random.key(0))
    losses = []
    for i in range(100):
        state, info = step(jax.random.key(i), state, real)
        losses.append(float(info.anchor))
    assert losses[-1] < 0.2 * losses[0]
    free = jax.random.uniform(jax.random.key(1), (64, 8), minval=-1.0)
    z = anchored_latents(free, real)
    np.testing.assert_array_equal(z[:, 7:], free[:, 7:])
    np.testing.assert_allclose(z[:, :7], scaled, atol=1e-4)
    found = jax.vmap(aspa.decode_theta)(generate(nets, state, z))
    assert np.corrcoef(found[:, 5], theta[:, 5])[0, 1] > 0.9


def test_scaled_parameters_span_the_prior():
    np.testing.assert_allclose(scale_theta(grid.LOWER), -1, atol=1e-6)
    np.testing.assert_allclose(scale_theta(grid.UPPER), 1, atol=1e-6)
    theta = jnp.array([-3.0, -4.0, -7.5, -1.2, 0.9, 1.4, 1234.0])
    np.testing.assert_allclose(unscale_theta(scale_theta(theta)), theta, rtol=1e-5)
    batch = jax.jit(jax.vmap(scale_theta))(theta[None])
    np.testing.assert_allclose(batch[0], scale_theta(theta), rtol=1e-6)


def test_too_short_latents_cannot_be_anchored():
    with pytest.raises(ValueError, match="latent_dim >= 7"):
        gan(networks("compact", latent_dim=5), anchor_weight=1.0)


@pytest.mark.parametrize(
    "options",
    [{"generator_steps": 0}, {"r1_weight": -1}, {"anchor_weight": -1}, {"ema_decay": 1}],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="gan needs"):
        gan(networks("compact"), **options)
