"""Inpainting on a linear generator, whose optimum is known."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from exogan_jax.gan import losses
from exogan_jax.gan.npe import Proposal, shape_of, to_normal
from exogan_jax.retrieval.encode import proposal_coordinates
from exogan_jax.retrieval.inpaint import PixelTarget, box, inpainter, pixel_loss

pytestmark = pytest.mark.optax
LATENT = 5


@pytest.fixture(scope="module")
def linear():
    matrix = jax.random.normal(jax.random.key(0), (33 * 33, LATENT)) / 30

    def generate(z):
        return (matrix @ z).reshape(33, 33) + 0.5

    return generate


def flat_score(array):
    return jnp.zeros((), array.dtype)


def squared(array, target):
    return jnp.square(target.mask * (array - target.array)).sum()


def make(linear, **options):
    options = {
        "optimizer": optax.adam(optax.cosine_decay_schedule(0.1, 400)),
        "n_steps": 400,
    } | options
    return inpainter(linear, flat_score, coordinates=box(LATENT), **options)


def test_finds_the_known_optimum_of_both_losses(linear):
    truth = jnp.array([0.3, -0.8, 0.1, 0.9, -0.2])
    mask = jnp.zeros((33, 33)).at[:10].set(1.0)  # a third of the array is seen
    target = PixelTarget(linear(truth), mask)
    for contextual in (pixel_loss, squared):
        state, info = make(linear, contextual_fn=contextual).run(jax.random.key(1), target)
        np.testing.assert_allclose(state.position, truth, atol=2e-3)
        assert info.loss.shape == (400,) and float(info.contextual[-1]) < 0.05


def test_latent_stays_in_its_box_when_the_optimum_is_outside(linear):
    target = PixelTarget(linear(jnp.full(LATENT, 3.0)), jnp.ones((33, 33)))
    state, _ = make(linear, contextual_fn=squared).run(jax.random.key(2), target)
    assert float(jnp.abs(state.position).max()) <= 1.0
    assert float(state.position.max()) == 1.0


def test_coordinates_of_a_proposal_start_and_step_in_its_units(linear):
    truth = jnp.array([0.3, -0.8, 0.1, 0.9, -0.2])
    mean = to_normal(truth) + 0.05
    shape = shape_of(Proposal(mean, 20 * jnp.eye(LATENT)))
    coordinates = proposal_coordinates(LATENT)
    target = PixelTarget(linear(truth), jnp.ones((33, 33)))
    paint = inpainter(
        linear,
        flat_score,
        coordinates=coordinates,
        contextual_fn=lambda array, target: squared(array, target[0]),
        optimizer=optax.adam(optax.cosine_decay_schedule(0.3, 60)),
        n_steps=60,
    )
    states = jax.vmap(paint.init, (0, None))(
        jax.random.split(jax.random.key(7), 500), (target, shape)
    )
    latents = jax.vmap(lambda s: coordinates.latent(s.position, (target, shape)))(states)
    np.testing.assert_allclose(to_normal(latents).mean(axis=0), mean, atol=0.01)
    np.testing.assert_allclose(to_normal(latents).std(axis=0), 0.05, rtol=0.1)
    state, _ = paint.run(jax.random.key(8), (target, shape))
    found = coordinates.latent(state.position, (target, shape))
    np.testing.assert_allclose(found, truth, atol=0.01)


def test_hidden_pixels_do_not_matter(linear):
    mask = jnp.ones((33, 33)).at[20:].set(0.0)
    seen = linear(jnp.full(LATENT, 0.5))
    run = make(linear, n_steps=20).run
    one, _ = run(jax.random.key(3), PixelTarget(seen, mask))
    other, _ = run(jax.random.key(3), PixelTarget(seen.at[20:].set(7.0), mask))
    np.testing.assert_array_equal(one.position, other.position)


def test_loss_is_the_papers(linear):
    target = PixelTarget(linear(jnp.zeros(LATENT)), jnp.ones((33, 33)))

    def score(aspa):
        return aspa.mean()

    paint = inpainter(linear, score, coordinates=box(LATENT))
    state = paint.init(jax.random.key(4), target)
    _, info = paint.step(state, target)
    aspa = linear(state.position)
    contextual = np.abs(np.asarray(aspa) - np.asarray(target.array)).sum()
    perceptual = np.log1p(np.exp(-np.asarray(aspa).mean()))
    np.testing.assert_allclose(info.contextual, contextual, rtol=1e-5)
    np.testing.assert_allclose(info.loss, contextual + 0.1 * perceptual, rtol=1e-5)
    np.testing.assert_allclose(losses.perceptual_loss(score(aspa)), perceptual, rtol=1e-5)


def test_vmap_over_starts_and_targets_agrees_with_single_runs(linear):
    targets = PixelTarget(
        jnp.stack([linear(jnp.full(LATENT, 0.2)), linear(jnp.full(LATENT, -0.6))]),
        jnp.ones((2, 33, 33)),
    )
    keys = jax.random.split(jax.random.key(5), (2, 3))
    run = make(linear, contextual_fn=squared, n_steps=30).run  # |x| would amplify rounding
    states, infos = jax.jit(jax.vmap(jax.vmap(run, (0, None)), (0, 0)))(keys, targets)
    assert states.position.shape == (2, 3, LATENT) and infos.loss.shape == (2, 3, 30)
    for i in range(2):
        for j in range(3):
            with jax.debug_key_reuse(False):  # the same again, on purpose
                one, info = run(keys[i, j], jax.tree.map(lambda x, i=i: x[i], targets))
            np.testing.assert_allclose(states.position[i, j], one.position, atol=2e-5)
            np.testing.assert_allclose(infos.loss[i, j], info.loss, rtol=1e-4, atol=1e-4)


def test_run_is_a_scan_over_step(linear):
    target = PixelTarget(linear(jnp.zeros(LATENT)), jnp.ones((33, 33)))
    paint = make(linear, n_steps=3)
    state = paint.init(jax.random.key(6), target)
    for _ in range(3):
        state, info = paint.step(state, target)
    final, trace = paint.run(jax.random.key(6), target)
    np.testing.assert_allclose(final.position, state.position, rtol=1e-6)
    np.testing.assert_allclose(trace.loss[-1], info.loss, rtol=1e-6)
