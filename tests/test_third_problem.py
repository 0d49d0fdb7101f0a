"""Another problem costs one file: a configuration, written here and nowhere else, is simulated,
trained, saved, loaded and retrieved.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units as u

from exogan_jax import Layout, Observation, Parameters, load_model, load_opacities, retrieve
from exogan_jax.files.weights import model_card
from exogan_jax.physics.forward import simulate
from exogan_jax.physics.problem import problem_model
from experiments import train
from experiments.training.configure import load_config
from experiments.training.data import simulate_blocks

# Orbax and TensorStore warn of things that are not ours.
pytestmark = [pytest.mark.optax, pytest.mark.filterwarnings("ignore")]

CONFIG = '''
"""Warm planets between the Earth and Neptune, 0.6 to 6.5 um."""

import numpy as np
from ml_collections import ConfigDict

from exogan_jax import Layout, Parameter, Parameters

LAYOUT = Layout(
    # Every other point of the table's grid.
    wavelength_um=0.3015 * 1.01 ** np.arange(308, 68, -2),
    sections=(0, 30, 55, 90, 120),
    parameters=Parameters(
        [
            Parameter("water", "h2o", "dex", "H2O", -7.0, -1.0),
            Parameter("methane", "ch4", "dex", "CH4", -7.0, -1.0),
            Parameter("core_mass", "mass", "M_E", "M [M_E]", 8.0, 40.0, "log10"),
            Parameter("core_radius", "radius", "R_E", "R [R_E]", 1.5, 3.0),
            Parameter("warmth", "temperature", "K", "T [K]", 300.0, 800.0),
        ]
    ),
    depth_range=(1e-4, 0.01),
)


def get_config():
    return ConfigDict(
        {
            "name": "warm",
            "layout": LAYOUT,
            "opacities": "planets",
            "network": "compact",
            "options": {"latent_dim": 5, "width": 32, "depth": 1, "whitened": True},
            "generator_floor": 0.003,
            "discriminator_floor": 0.2,
            "anchor_weight": 1e4,
            "anchor_power": 0.65,
            "anchor_root": False,
            "adversary_weight": 1.0,
            "discriminator_every": 1,
            "seed": 0,
            "data": "memory",
            "n_spectra": 256,
            "parallel": "jit",
            "batch_size": 32,
            "n_steps": 100,
            "steps_per_call": 20,
            "checkpoint_every": 100,
            "evaluate_every": 100,
            "n_evaluated": 2,
            "chosen_by": "parameter_error",
            "optimizer": "adam",
            "warmup_steps": 0,
            "learning_rate": 1e-2,
            "discriminator_rate": 5e-4,
            "b1": 0.5,
            "b2": 0.99,
            "final_rate_fraction": 0.1,
            "objective": "paper",
            "generator_steps": 1,
            "r1_weight": 0.03,
            "ema_decay": 0.9,
            "n_held_out": 64,
        }
    )
'''
NAMES = ("water", "methane", "core_mass", "core_radius", "warmth")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "warm.py"
    path.write_text(CONFIG)
    return load_config(path, [])


TRUTH = np.array([-3.0, -4.0, 12.0, 2.5, 600.0], np.float32)


@pytest.fixture(scope="module")
def depth(config):
    """The spectrum of one planet (120,)."""
    model = problem_model(load_opacities(config.opacities), config.layout)
    np.testing.assert_allclose(model.wavelength_um, config.layout.wavelength_um, rtol=1e-6)
    # As many as the training simulates: the same program.
    return np.asarray(jax.jit(simulate)(model, jnp.asarray(np.tile(TRUTH, (256, 1)))))[0]


@pytest.fixture(scope="module")
def weights(config, tmp_path_factory):
    return train.train(config, tmp_path_factory.mktemp("warm"))


def test_the_layout_is_of_five_parameters_and_120_wavelengths(config):
    layout = config.layout
    assert (layout.n_wavelength, layout.n_sections, len(layout.parameters)) == (120, 4, 5)
    assert layout.side == 11 + 2 + 2
    assert layout == Layout.from_json(layout.to_json())


def test_it_is_simulated_within_its_bounds(config, depth):
    theta = np.asarray(config.layout.parameters.sample(jax.random.key(0), 2000))
    lower, upper = config.layout.parameters.lower, config.layout.parameters.upper
    assert np.all(theta >= lower) and np.all(theta <= upper)
    # Half of the planets lie below the middle of the logarithm, not of the mass.
    assert abs(np.mean(theta[:, 2] < np.sqrt(8.0 * 40.0)) - 0.5) < 0.05
    rock = (2.5 * 6.3781e6 / 6.955e8) ** 2
    assert depth.shape == (120,) and np.all(depth > rock) and np.all(depth < 2 * rock)


def of_mass(config, lower, upper):
    """The forward model of the problem between other masses."""
    other = dataclasses.replace(config.layout.parameters[2], lower=lower, upper=upper)
    entries = [other if p.name == other.name else p for p in config.layout.parameters]
    layout = dataclasses.replace(config.layout, parameters=Parameters(entries))
    return problem_model(load_opacities(config.opacities), layout)


def test_planets_that_lose_their_atmosphere_are_drawn_again(config):
    model = of_mass(config, 0.5, 40.0)
    assert not jax.vmap(model.exists)(model.parameters.sample(jax.random.key(0), 64)).all()
    spectra = simulate_blocks(jax.random.key(0), 64, model)
    assert jax.vmap(model.exists)(spectra.theta).all() and np.isfinite(spectra.depth).all()


def test_bounds_that_hold_no_atmosphere_are_named(config):
    with pytest.raises(ValueError, match=r"do not hold their atmosphere.*core_mass.*Narrow the"):
        simulate_blocks(jax.random.key(0), 64, of_mass(config, 0.001, 0.002))


def test_its_weights_carry_it(config, weights):
    model, card = load_model(weights), model_card(weights)
    assert weights.name == "warm.safetensors" and model.layout == config.layout
    assert Layout.from_json((weights.parent / "layout.json").read_text()) == config.layout
    assert card["steps"] == 100 and "layout" not in card["training"]
    assert card["limits"] == "isothermal, clear atmospheres of H2O, CH4 in H2/He within the bounds"
    assert set(card["quality"]) >= {f"error_{name}" for name in NAMES}
    assert [np.shape(x) for x in model.error] == [(120,), (4,), (4,)]
    # A hundred steps are enough to know which planets are large.
    z = jax.random.uniform(jax.random.key(1), (200, 5), minval=-1.0)
    made = jax.vmap(lambda x: model.values(model.generate(x)))(z)
    assert np.corrcoef(made.theta[:, 3], z[:, 3])[0, 1] > 0.8


def test_a_spectrum_is_retrieved_in_its_units(config, weights, depth):
    layout, part = config.layout, slice(10, 60)
    seen = Observation(layout.wavelength_um[part], np.zeros(50), depth[part], np.full(50, 3e-5))
    found = retrieve(
        seen,
        load_model(weights),
        n_starts=4,
        n_steps=10,
        n_burn=20,
        n_kept=2,
        keep_every=2,
        n_draws=512,
        n_samples=64,
    )
    assert found.parameters.names == NAMES and found.layout == layout
    assert found.samples.shape == (1, found.weights.shape[1], 5)
    assert found.depth.shape[2:] == (120,) and found.aspa.shape == (1, 15, 15)
    low, high = layout.parameters.lower, layout.parameters.upper
    slack = 1e-5 * np.abs(high)
    assert np.all(found.samples >= low - slack) and np.all(found.samples <= high + slack)
    row = found.summary()[0]
    assert row["core_mass_q50"].to_value(u.kg) / 5.9722e24 == pytest.approx(
        found.quantiles()[0, 1, 2], rel=1e-6
    )
    assert row["core_radius_q50"].to_value(u.m) / 6.3781e6 == pytest.approx(
        found.quantiles()[0, 1, 3], rel=1e-6
    )
    assert row["warmth_q50"].unit == u.K and 300 <= row["warmth_q50"].value <= 800
    assert not hasattr(row["water_q50"], "unit") or row["water_q50"].unit is None
