"""A posterior from its row of the store: the same samples, and spectra that are made again."""

import dataclasses

import numpy as np
import pytest

import exogan_jax as xg
from exogan_jax.files import made_with
from exogan_jax.files.ledger import Ledger, save_chunk
from exogan_jax.files.physics import physics_of
from exogan_jax.files.posteriors import read_posterior, write_posterior
from exogan_jax.files.rows import Task
from exogan_jax.physics.observation import binning_operator

pytestmark = pytest.mark.optax
SETTINGS = xg.Settings(
    n_starts=4, n_steps=2, n_burn=4, keep_every=2, n_kept=1, n_draws=512, n_samples=128
)


@pytest.fixture(scope="module")
def model():
    return xg.load_model()


@pytest.fixture(scope="module")
def observation():
    wavelength = np.linspace(1.1, 1.7, 20)
    depth = 0.0145 + 1e-4 * np.sin(9 * wavelength)
    return xg.Observation(wavelength, np.full(20, 0.014), depth, np.full(20, 3e-4))


def stored(tmp_path, model, observation, posterior, n_kept=64):
    about = {"model": "planets", "weights_sha256": made_with.weights_sha256(None)}
    task = Task(posterior.name, "s", "r", {}, observation, {}, None)
    ledger = Ledger(tmp_path, model.layout, n_kept=n_kept, chunk=8)
    ((task,),) = ledger.plan([task], {"r": about})
    ledger.add(save_chunk(tmp_path, [(task, posterior)], n_kept))
    return xg.load_posterior(tmp_path, posterior.name)


@pytest.mark.parametrize("exact", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_spectra_are_those_of_the_samples(tmp_path, model, observation, exact):
    settings = dataclasses.replace(SETTINGS, exact=exact)
    first = xg.retrieve([observation], model, names=["a"], settings=settings, chunk=1)[0]
    first = dataclasses.replace(first, flags="")  # whatever so few samples say
    back = stored(tmp_path, model, observation, first, n_kept=128)
    np.testing.assert_array_equal(back.samples, first.samples)
    np.testing.assert_allclose(back.weights, first.weights, rtol=1e-6)
    np.testing.assert_array_equal(back.loss, first.loss)
    assert back.log_evidence == first.log_evidence and back.efficiency is not None
    operator = binning_operator(*observation[:2], model.layout.wavelength_um)
    if np.isfinite(first.efficiency) == exact:
        binned = (posterior.depth @ operator.T for posterior in (back, first))
        np.testing.assert_allclose(*binned, rtol=2e-5)
    if exact:
        np.testing.assert_allclose(back.depth[3], physics_of(model)(back.samples[3]), rtol=1e-5)
    tree = back.to_datatree()
    assert tree["posterior_predictive"]["transit_depth"].shape == (
        1,
        128,
        model.layout.n_wavelength,
    )
    write_posterior(tmp_path / "p.nc", back, observation, {})
    np.testing.assert_array_equal(read_posterior(tmp_path / "p.nc")[0].depth, back.depth)


def test_other_weights_are_refused(tmp_path, model, observation, monkeypatch):
    first = xg.retrieve([observation], model, names=["a"], settings=SETTINGS, chunk=1, exact=False)
    stored(tmp_path, model, observation, first[0])
    monkeypatch.setattr("exogan_jax.files.restore.weights_sha256", lambda name: "other")
    with pytest.raises(ValueError, match="made with other weights than those of planets"):
        xg.load_posterior(tmp_path, "a")
    with pytest.raises(KeyError, match="no spectrum 'b'"):
        xg.load_posterior(tmp_path, "b")
    with pytest.raises(FileNotFoundError, match=r"no results\.zarr in it"):
        xg.load_posterior(tmp_path / "none", "a")
