"""Where walkers begin: about the modes, and where an encoder proposes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_fitting import observe
from test_quick import target_of, with_encoder
from tiny_model import LAYOUT, D

from exogan_jax.api import retrieve
from exogan_jax.gan.npe import to_normal
from exogan_jax.retrieval import sampling
from exogan_jax.retrieval.density import Density
from exogan_jax.retrieval.ensemble import begin
from exogan_jax.retrieval.latent_prior import latent_at
from exogan_jax.retrieval.moves import Coordinates, flat_coordinates
from exogan_jax.retrieval.proposed import draw_proposed, places_proposed

pytestmark = pytest.mark.optax
APART = np.arange(D) == 1
NORMAL = flat_coordinates(D).normal
PLACES = jax.jit(places_proposed, static_argnums=3)


@pytest.fixture(scope="module")
def model():
    return with_encoder(np.linspace(-0.5, 0.5, D), np.full(D, 0.6))


def places(model, priors, n=20_000):
    target = target_of(model, observe(0), priors)
    return target, np.asarray(PLACES(jax.random.key(5), model, target, n))


def begun(model, target, old, of):
    """Walkers of which half begin anew."""
    run = jax.jit(lambda key: sampling._half_proposed(key, model, target, old, of))
    return run(jax.random.key(5))  # that of `places`


def test_places_are_those_of_the_weighted_draws(model):
    """Of which three quarters are the flow's."""
    target, place = places(model, None)
    draw = jax.jit(draw_proposed, static_argnums=3)
    weighted = draw(jax.random.key(0), model, target, 20_000)
    flows = np.asarray(weighted.position)[:15_000]
    u = np.asarray(to_normal(place))
    q = [0.02, 0.16, 0.5, 0.84, 0.98]
    np.testing.assert_allclose(
        np.nanquantile(u, q, axis=0), np.nanquantile(flows, q, axis=0), atol=0.05
    )


@pytest.mark.parametrize(("prior", "ends"), [("1.0..1.6", (1.0, 1.6)), (1.3, (1.3, 1.3))])
def test_priors_narrow_them(model, prior, ends):
    target, place = places(model, {"radius": prior})
    inside = np.isfinite(place).all(axis=1)
    assert inside.mean() > 0.3 and np.abs(place[inside]).max() < 1
    latent = np.asarray(jax.vmap(lambda x: latent_at(target.prior, x))(place[inside]))
    column = LAYOUT.parameters.roles.index("radius")
    values = np.broadcast_to(np.asarray(ends)[:, None], (2, len(LAYOUT.parameters)))
    low, high = LAYOUT.parameters.to_anchor(values)[:, column]
    assert np.all((latent[:, column] > low - 1e-5) & (latent[:, column] < high + 1e-5))
    # Those that are wholly inside are not narrowed otherwise.
    other = LAYOUT.parameters.roles.index("temperature")
    free = places(model, None)[1][:, other]
    np.testing.assert_allclose(latent[:, other].std(), free.std(), rtol=0.15)


def test_every_second_walker_begins_where_the_encoder_says(model):
    def density(position):
        return Density(-jnp.square(position - 0.25).sum(), position.sum())

    def half(x):  # not its own inverse, and of some volume
        return 0.5 * x, jnp.log(2.0)

    straight = Coordinates(half, lambda y: (2 * y, 0.0), APART, NORMAL)
    of = sampling.Posterior(straight, density, None, None)
    position = jnp.asarray(np.random.default_rng(0).normal(size=(400, D)), jnp.float32)
    old = begin(position, jax.vmap(density)(position))
    target, place = places(model, None, 200)
    new = begun(model, target, old, of)
    np.testing.assert_array_equal(new.position[1::2], position[1::2])
    for value, before in zip(new.density, old.density, strict=True):
        np.testing.assert_array_equal(value[1::2], before[1::2])
    np.testing.assert_array_equal(new.position[::2, APART], position[::2, APART])
    moved = np.asarray(new.position)[::2, ~APART]
    np.testing.assert_allclose(moved, 0.5 * place[:, ~APART], atol=1e-5)
    now = jax.vmap(density)(new.position)
    np.testing.assert_allclose(new.density.log[::2], now.log[::2], rtol=1e-6)
    np.testing.assert_allclose(new.density.log_volume, now.log_volume, atol=1e-6)


@pytest.mark.parametrize("steep", [1.0, 1000.0])
def test_a_walker_stays_where_a_place_is_none_or_hopeless(model, steep):
    def density(position):
        return Density(-steep * jnp.square(position).sum(), jnp.zeros(()))

    none = Coordinates(lambda x: (x, 0.0), lambda y: (y, 0.0), np.zeros(D, bool), NORMAL)
    of = sampling.Posterior(none, density, None, None)
    position = jnp.full((400, D), 1e-3)
    old = begin(position, jax.vmap(density)(position))
    target, place = places(model, {"radius": "1.0..1.6"}, 200)
    new = begun(model, target, old, of)
    inside = np.isfinite(place).all(axis=1)
    hopeless = steep * np.square(place).sum(axis=1) > 10 * D
    stayed = np.asarray(new.position)[::2, 0] == np.float32(1e-3)
    np.testing.assert_array_equal(stayed, ~inside | hopeless)
    assert 0 < inside.sum() < 200 and np.all(np.isfinite(new.density.log))
    assert np.any(hopeless & inside) == (steep > 1)


def test_they_do_so_where_there_is_a_flow(model, monkeypatch):
    """Told while the program is traced: it need not be compiled."""

    class AskedError(Exception):
        pass

    class WalkingError(Exception):
        pass

    def raising(error):
        def function(*_, **__):
            raise error

        return function

    monkeypatch.setattr(sampling, "_half_proposed", raising(AskedError))
    monkeypatch.setattr(sampling.rounds, "draw", raising(WalkingError))
    few = {"exact": False, "n_starts": 2, "n_steps": 2, "n_burn": 3, "n_draws": 512}
    options = few | {"n_samples": 16, "n_effective": 10**6}  # draws of the encoder are not enough
    with pytest.raises(AskedError):
        retrieve(observe(0), model, **options)
    with pytest.raises(WalkingError):
        retrieve(observe(0), model, encoder=False, **options)
