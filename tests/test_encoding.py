"""The made-up observations on which the encoder is trained, and its training."""

import json
import signal
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_model import random_model

from exogan_jax import load_model
from exogan_jax.files.records import Spectra
from exogan_jax.files.weights import model_names
from exogan_jax.gan.altitude import Depths
from exogan_jax.gan.model import GeneratorError
from exogan_jax.gan.npe import bend, shape_of, to_normal
from exogan_jax.layout import PUBLISHED
from exogan_jax.physics.forward import simulate
from exogan_jax.physics.observation import Observation
from exogan_jax.retrieval.encode import carry_back, propose
from exogan_jax.retrieval.levels import level_target
from exogan_jax.retrieval.likelihood import UNIT, depth_target
from experiments import train_encoder
from experiments.calibrate import INSTRUMENTS, observed
from experiments.evaluate import physics_of
from experiments.training.configure import load_config
from experiments.training.designs import (
    WINDOWS,
    Design,
    design,
    instrument_design,
    observe,
    window_design,
)
from experiments.training.encoding import (
    drawn,
    is_simulated,
    judge,
    measure_radius,
)
from experiments.training.encoding import observed as made_up

CONFIG = Path(__file__).parents[1] / "experiments" / "configs" / "encoder.py"
pytestmark = pytest.mark.optax


def test_designs_differ_and_are_usable():
    keys = jax.random.split(jax.random.key(0), 500)
    plans = jax.jit(jax.vmap(lambda key: window_design(key, PUBLISHED)))(keys)
    seen = np.asarray(plans.seen).sum(axis=1)
    assert seen.min() >= 1 and (seen == 515).mean() > 0.05 and (seen < 60).mean() > 0.1
    assert bool((jnp.diff(plans.bin, axis=1) >= 0).all()) and int(plans.bin.max()) < 515
    n_bins = np.asarray(plans.bin).max(axis=1) + 1
    assert (n_bins == 515).mean() > 0.4 and (n_bins < 40).any()
    ppm = np.asarray(plans.sigma)[:, 0] * UNIT * 1e6
    assert 0.1 < ppm.min() < 3 and 300 < ppm.max() < 1e4


def test_half_of_the_designs_are_of_instruments():
    def made(make, number=None):
        keys = jax.random.split(jax.random.key(2), 200)
        if number is not None:
            keys = jax.vmap(lambda key: jax.random.split(key, 3)[number])(keys)
        plans = jax.jit(jax.vmap(lambda key: make(key, PUBLISHED)))(keys)
        return np.asarray(plans.sigma)

    every = made(design)
    of_window = np.all(every == made(window_design, 1), axis=1)
    of_instruments = np.all(every == made(instrument_design, 2), axis=1)
    np.testing.assert_array_equal(of_window, ~of_instruments)
    assert 0.35 < of_window.mean() < 0.65


def test_designs_of_instruments_are_their_windows():
    keys = jax.random.split(jax.random.key(1), 400)
    plans = jax.jit(jax.vmap(lambda key: instrument_design(key, PUBLISHED)))(keys)
    seen, bins = np.asarray(plans.seen) > 0, np.asarray(plans.bin)
    assert seen.any(axis=1).all() and np.isfinite(plans.sigma).all()
    assert (np.diff(bins, axis=1) >= 0).all() and bins.max() < 515
    wavelength = PUBLISHED.wavelength_um
    windows = [(wavelength > low) & (wavelength < high) for low, high in WINDOWS]
    windows = [w for w in windows if w.any()]
    # Most are one instrument's: every point seen lies in one window, or is the middle one alone.
    one = [
        any((row <= w).all() and row.sum() > 0.5 * w.sum() for w in windows) or row.sum() == 1
        for row in seen
    ]
    assert 0.7 < np.mean(one) < 0.95
    n_bins = np.array([np.unique(b[s]).size for b, s in zip(bins, seen, strict=True)])
    assert (n_bins < 6).any() and (n_bins > 100).any()
    sigma = np.asarray(plans.sigma)
    ppm = np.array([s[b[k]].mean() for s, b, k in zip(sigma, bins, seen, strict=True)])
    ppm *= UNIT * 1e6
    # Half are plain: a window whole, one point per bin, one error.
    each = [e[b[k]] for e, b, k in zip(sigma, bins, seen, strict=True)]
    plain = [
        any((row == w).all() for w in windows) and np.ptp(b) == 514 and np.ptp(e) < 1e-6
        for row, b, e in zip(seen, bins, each, strict=True)
    ]
    assert 0.4 < np.mean(plain) < 0.6
    assert 1 < ppm.min() < 15 and 150 < ppm.max() < 2000 and 20 < np.median(ppm) < 80


def test_a_made_up_observation_is_what_the_likelihood_makes_of_a_real_one():
    model = load_model("published")
    values = model.values(model.generate(jnp.full(7, 0.3)))
    k = np.arange(515) // 4
    plan = Design(jnp.ones(515), jnp.asarray(k), jnp.full(515, 0.5))
    none = GeneratorError(jnp.zeros(515), jnp.zeros(14), jnp.zeros(14))
    made = observe(jax.random.key(0), values, plan, none, PUBLISHED)
    # The same bins, as an observer would state them.
    depth = np.asarray(made.depth, np.float64) * UNIT + float(made.reference)
    log_edge = np.log(PUBLISHED.wavelength_um)
    centre = np.exp([log_edge[k == b].mean() for b in range(100)])
    half = 0.5 * np.array([np.ptp(PUBLISHED.wavelength_um[k == b]) * 4 / 3 for b in range(100)])
    seen = Observation(centre, half, depth[::4][:100], np.full(100, 0.5 * UNIT))
    tiny = GeneratorError(*(np.asarray(x, float) + 1e-12 for x in none))
    back = carry_back(depth_target(seen, PUBLISHED, tiny), 515)
    inner = slice(8, 390)
    shift = (float(back.reference) - float(made.reference)) / UNIT
    error = np.abs(np.asarray(back.depth) + shift - np.asarray(made.depth))[inner]
    assert np.median(error) < 0.1  # grid points at a bin's edge see its neighbour too
    ratio = np.asarray(back.information)[inner] / np.asarray(made.information)[inner]
    np.testing.assert_allclose(np.median(ratio), 1.0, atol=0.1)


def test_errors_are_those_that_the_likelihood_assumes():
    model = load_model("published")
    values = model.values(model.generate(jnp.zeros(7)))
    plan = Design(jnp.ones(515), jnp.arange(515), jnp.full(515, 0.7))
    none = GeneratorError(jnp.zeros(515), jnp.zeros(14), jnp.zeros(14))
    keys = jax.random.split(jax.random.key(1), 400)
    many = jax.jit(jax.vmap(lambda key: observe(key, values, plan, none, PUBLISHED)))(keys)
    seen = np.asarray(many.information[0]) > 0
    assert seen.sum() == PUBLISHED.n_usable
    np.testing.assert_allclose(np.asarray(many.depth)[:, seen].std(axis=0).mean(), 0.7, rtol=0.02)
    np.testing.assert_allclose(many.information[0][seen], 1 / 0.49, rtol=1e-5)


def test_levels_tell_the_encoder_no_more_than_their_target_does():
    """The generator's own error goes with the scale height: told, it would give that away."""
    model = load_model("planets")
    n = model.layout.n_wavelength
    depths = model.some(model.generate(jnp.zeros(model.networks.latent_dim)), jnp.arange(n))
    plan = Design(jnp.ones(n), jnp.arange(n), jnp.full(n, 0.002))
    keys = jax.random.split(jax.random.key(2), 400)
    own = lambda key: observe(key, depths, plan, model.error, model.layout)  # noqa: E731
    many = jax.jit(jax.vmap(own))(keys)
    depth = np.asarray(depths.depth, np.float64)
    zero = np.zeros(n)
    seen = Observation(np.asarray(model.layout.wavelength_um), zero, depth, zero + 0.002 * UNIT)
    told = carry_back(level_target(seen, model.layout, model.error), n)
    np.testing.assert_allclose(many.information[0], told.information, rtol=1e-4)
    modes, level = (np.asarray(x, np.float64) for x in model.error)
    slope = np.asarray(depths.slope, np.float64) / UNIT
    together = (modes * slope).T @ (modes * slope)
    # Depths are counted from their mean.
    centred = np.eye(n) - 1 / n
    expected = np.diag(centred @ together @ centred) + np.square(slope * level) + 0.002**2
    assert np.median(np.sqrt(expected)) > 0.0022  # it counts
    noise = np.asarray(many.depth, np.float64)
    np.testing.assert_allclose(noise.std(axis=0), np.sqrt(expected), rtol=0.2)
    # Neighbours err together.
    apart = [noise[:, k:] - noise[:, : n - k] for k in (1, 100)]
    assert apart[0].std() < 0.8 * apart[1].std()


def test_radius_is_that_of_the_generated_spectra():
    model = load_model("published")
    mean, spread = measure_radius(model, jax.random.key(5), 500)
    z = drawn(jax.random.key(5), model, 500)
    depth = jax.vmap(lambda x: PUBLISHED.unpack(model.values(model.generate(x)))[0])(z)
    radius = np.sqrt(np.asarray(depth, np.float64).mean(axis=1))
    np.testing.assert_allclose([mean, spread], [radius.mean(), radius.std()], rtol=1e-3)
    # The shipped encoders' constants, which they were trained with.
    np.testing.assert_allclose([mean, spread], model.encoder_network.radius, rtol=0.2)


def test_simulated_spectra_are_observed_as_they_are():
    """At their own latents, without what a generator errs by."""
    model, physics = physics_of("planets")
    theta = np.asarray(physics.sample(jax.random.key(6), 2))
    depth = np.asarray(jax.jit(simulate)(physics, theta))
    n = model.layout.n_wavelength
    run = jax.jit(made_up, static_argnums=(2, 3))

    def features_of(spectra):
        return map(np.asarray, run(jax.random.key(7), model, 64, (0.0, 1.0), spectra))

    z, x = features_of(Spectra(depth, theta))
    latents = model.layout.parameters.to_anchor(theta)
    second = np.abs(z - latents[1]).max(axis=1) < 1e-6
    assert 10 < second.sum() < 54
    np.testing.assert_allclose(z[~second], np.broadcast_to(latents[0], z[~second].shape), atol=1e-6)
    # The mean radius that is seen, about the true one.
    for row, radius in zip((0, 1), np.sqrt(depth.mean(axis=1)), strict=True):
        np.testing.assert_allclose(np.median(x[second == row, 3 * n]), radius, rtol=0.03)
    # Nothing but depths and noise: of other levels, the generator's would be off by the same.
    _, larger = features_of(Spectra(4 * depth, theta))
    np.testing.assert_allclose(np.median(larger[:, 3 * n] / x[:, 3 * n]), 2, rtol=0.01)


def test_a_simulated_spectrum_has_no_error_but_the_observers():
    model = load_model("planets")
    layout, n = model.layout, model.layout.n_wavelength
    depth = jnp.linspace(0.01, 0.011, n)
    none = jnp.zeros(n)
    spectrum = Depths(none, depth, none, jnp.zeros(11), jnp.zeros(11), jnp.zeros(()))
    plan = Design(jnp.ones(n), jnp.arange(n), jnp.full(n, 1e-3))
    keys = jax.random.split(jax.random.key(3), 200)
    run = jax.jit(jax.vmap(lambda k: observe(k, spectrum, plan, model.error, layout)))
    made = run(keys)
    off = np.asarray(made.depth * UNIT + made.reference[:, None] - depth[None], np.float64)
    np.testing.assert_allclose(off.std(axis=0).mean(), 1e-3 * UNIT, rtol=0.05)


def test_which_models_observe_simulated_spectra():
    assert all(is_simulated(load_model(name)) for name in model_names())
    assert not is_simulated(random_model())


def test_shipped_encoders_are_calibrated_on_observations_they_never_saw():
    for name in model_names():
        model = load_model(name)
        found = judge(model, jax.random.key(12), 2048)
        prior = model.networks.latent_dim / 2
        assert found["loss"] < prior - 5
        assert 0.9 < found["residual"] < 1.15
        assert abs(found["inside_68"] - 0.68) < 0.05 and abs(found["inside_95"] - 0.95) < 0.02


def test_the_shipped_flow_is_calibrated_on_the_likelihoods_targets():
    """Not only on what training makes up: the forward model's spectra, told as a retrieval does."""
    model, physics = physics_of("planets")
    seen, theta = observed(INSTRUMENTS["prism"], physics, 160, 13)
    targets = [level_target(one, model.layout, model.error) for one in seen]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *targets)
    truth = to_normal(jnp.asarray(model.layout.parameters.to_anchor(theta), jnp.float32))

    def below(key, target, truth):
        proposal = propose(model, target)
        unit = jax.random.normal(key, (200, truth.size))
        bent, _ = bend(model.encoder_network, model.encoder, unit, proposal.context[None])
        u = proposal.mean[None] + bent @ shape_of(proposal).spread.T
        return (u < truth[None]).mean(axis=0)

    keys = jax.random.split(jax.random.key(14), len(seen))
    ranks = np.asarray(jax.jit(jax.vmap(below))(keys, stacked, truth))
    inside = np.mean((ranks > 0.025) & (ranks < 0.975), axis=0)
    assert inside.min() > 0.88 and abs(inside.mean() - 0.95) < 0.02, inside
    assert abs(np.mean((ranks > 0.16) & (ranks < 0.84)) - 0.68) < 0.05


@pytest.mark.slow
def test_training_learns_resumes_and_ships(tmp_path, monkeypatch):
    changes = [
        "options.width=24", "options.depth=1", "batch_size=64", "n_steps=60", "steps_per_call=20",
        "checkpoint_every=20", "evaluate_every=60", "n_evaluated=64", "n_simulated=256",
    ]  # fmt: skip
    config = load_config(CONFIG, changes)
    whole = train_encoder.train("published", config, tmp_path / "whole")
    # Told to stop after the first call, and started again.
    out = tmp_path / "stopped"
    real = train_encoder.RunLog.write

    def write(self, step, *args):
        real(self, step, *args)
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch, pytest.raises(train_encoder.Stopped, match="step 20"):
        patch.setattr(train_encoder.RunLog, "write", write)
        train_encoder.train("published", config, out)
    resumed = load_model(train_encoder.train("published", config, out))
    jax.tree.map(np.testing.assert_array_equal, resumed, load_model(whole))
    with np.load(out / "spectra.npz") as file:
        assert file["depth"].shape == (256, 515)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["group"] == "train"]
    assert len(losses) == 3 and losses[-1] < losses[0] - 0.2
    model = load_model(whole)
    options = dict(model.encoder_options)
    assert (options["width"], options["depth"]) == (24, 1)
    assert model.encoder_network.radius == options["radius"] != (0.118, 0.02)
    z = jnp.full(7, 0.5)
    np.testing.assert_array_equal(model.generate(z), load_model("published").generate(z))
