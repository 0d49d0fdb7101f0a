import jax
import jax.numpy as jnp
import numpy as np

from exogan_jax.gan import losses


def test_adversarial_losses_at_chance_and_by_hand():
    zero = jnp.zeros(4)
    np.testing.assert_allclose(losses.discriminator_loss(zero, zero), 2 * np.log(2), rtol=1e-6)
    np.testing.assert_allclose(losses.generator_loss(zero), np.log(2), rtol=1e-6)
    real, fake = np.array([2.0, -1.0]), np.array([0.5, -3.0])
    expected = np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(fake)).mean()
    np.testing.assert_allclose(
        losses.discriminator_loss(jnp.asarray(real, jnp.float32), jnp.asarray(fake, jnp.float32)),
        expected,
        rtol=1e-6,
    )


def test_losses_stay_finite_for_large_logits():
    huge = jnp.array([1e4, -1e4])
    for value in (
        losses.discriminator_loss(huge, huge),
        losses.generator_loss(huge),
        losses.perceptual_loss(huge[1]),
    ):
        assert bool(jnp.isfinite(value))


def test_r1_of_a_linear_score_is_its_squared_norm():
    weights = jax.random.normal(jax.random.key(0), (33, 33))
    real = jax.random.uniform(jax.random.key(1), (5, 33, 33))

    def score(x):
        return jnp.tensordot(x, weights, axes=2)

    np.testing.assert_allclose(losses.r1_penalty(score, real), jnp.square(weights).sum(), rtol=1e-5)
    halved = losses.r1_penalty(score, real, lambda gradient: 0.5 * gradient)
    np.testing.assert_allclose(halved, 0.25 * jnp.square(weights).sum(), rtol=1e-5)


def test_contextual_loss_sees_visible_pixels_only():
    mask = jnp.zeros((33, 33)).at[0, :4].set(1.0)
    aspa, target = jnp.full((33, 33), 0.75), jnp.full((33, 33), 0.5)
    np.testing.assert_allclose(losses.contextual_loss(mask, aspa, target), 1.0, rtol=1e-6)
    batch = jax.jit(jax.vmap(losses.contextual_loss, (None, 0, None)))(
        mask, jnp.stack([aspa, target]), target
    )
    np.testing.assert_allclose(batch, [1.0, 0.0], rtol=1e-6)


def test_anchor_loss_by_hand():
    fake, real = jnp.full((2, 3, 3), 0.75), jnp.full((2, 3, 3), 0.5)
    np.testing.assert_allclose(losses.anchor_loss(fake, real), 0.0625, rtol=1e-6)
    doubled = losses.anchor_loss(fake, real, lambda difference: 2 * difference)
    np.testing.assert_allclose(doubled, 0.25, rtol=1e-6)


def test_roots_do_not_let_one_array_outweigh_the_others():
    real = jnp.zeros((2, 3, 3))
    fake = jnp.stack([jnp.full((3, 3), 3.0), jnp.full((3, 3), -1.0)])
    np.testing.assert_allclose(losses.anchor_loss(fake, real), (9 + 1) / 2, rtol=1e-6)
    np.testing.assert_allclose(losses.anchor_loss(fake, real, root=True), (3 + 1) / 2, rtol=1e-6)
    slopes = jax.grad(lambda x: losses.anchor_loss(x, real, root=True))(fake)
    np.testing.assert_allclose(slopes[0], -slopes[1], rtol=1e-6)  # each array pulls as hard
    right = jax.grad(lambda x: losses.anchor_loss(x, real, root=True))(real)
    np.testing.assert_array_equal(right, 0)  # no infinite slope where it is drawn exactly


def test_every_objective_at_chance_and_its_sign():
    zero = jnp.zeros(4)
    chance = {"paper": (1.3863, 0.6931), "hinge": (2.0, 0.0), "relativistic": (0.6931, 0.6931)}
    for name, objective in losses.OBJECTIVES.items():
        at_chance = objective.discriminator(zero, zero), objective.generator(zero, zero)
        np.testing.assert_allclose(at_chance, chance[name], atol=1e-4)
        # The discriminator wants real logits up, generated ones down; the generator wants these up.
        real, fake = jax.grad(lambda r, f, o=objective: o.discriminator(r, f), (0, 1))(zero, zero)
        assert bool((real < 0).all()) and bool((fake > 0).all())
        real, fake = jax.grad(lambda r, f, o=objective: o.generator(r, f), (0, 1))(zero, zero)
        assert bool((fake < 0).all())
        assert bool((real != 0).any()) == objective.generator_sees_real


def test_hinge_and_relativistic_by_hand():
    real, fake = jnp.array([2.0, 0.5]), jnp.array([-0.5, -3.0])
    np.testing.assert_allclose(losses.hinge_discriminator_loss(real, fake), 0.25 + 0.25)
    np.testing.assert_allclose(losses.hinge_generator_loss(fake), 1.75)
    expected = np.log1p(np.exp(-np.array([2.5, 3.5]))).mean()
    np.testing.assert_allclose(losses.relativistic_loss(real, fake), expected, rtol=1e-6)
