import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fake_results import OTHER

from exogan_jax import load_model
from exogan_jax.files.headers import n_compared
from exogan_jax.files.opacities import load_opacities
from exogan_jax.files.weights import model_card, model_layout, model_names, save_model
from exogan_jax.gan.model import GeneratorError, Model
from exogan_jax.gan.nets import networks
from exogan_jax.gan.npe import Encoder
from exogan_jax.layout import PUBLISHED
from exogan_jax.physics.observation import Observation, check
from exogan_jax.physics.problem import problem_model
from exogan_jax.retrieval.compared import LIKELIHOODS, usable_bins
from exogan_jax.retrieval.encode import n_features


def tiny(network: str, layout=PUBLISHED, **options) -> Model:
    nets = networks(network, layout, **options)
    return Model(
        name="tiny",
        layout=layout,
        network=network,
        options=tuple(sorted(options.items())),
        generator=nets.generator.init(jax.random.key(0), jnp.zeros((1, nets.latent_dim))),
        discriminator=nets.discriminator.init(jax.random.key(1), jnp.zeros((1, *nets.shape))),
        error=GeneratorError(
            jnp.linspace(0.01, 0.02, layout.n_wavelength),
            jnp.full(layout.n_sections, 1e-4),
            jnp.full(layout.n_sections, 2e-4),
        ),
    )


@pytest.mark.parametrize(
    ("network", "layout", "options"),
    [
        ("compact", PUBLISHED, {"width": 8, "depth": 1, "latent_dim": 5}),
        ("compact", OTHER, {"width": 8, "depth": 1, "latent_dim": 5}),
        pytest.param("paper", PUBLISHED, {"width": 2}, marks=pytest.mark.slow),
    ],
    ids=["compact", "other", "paper"],
)
def test_a_saved_model_comes_back_the_same(tmp_path, network, layout, options):
    model = tiny(network, layout, **options)
    path = tmp_path / "tiny.safetensors"
    save_model(path, model, {"data": "none", "metrics": {"loss": 1.5}})
    back = load_model(path)
    assert back.network == network and dict(back.options) == options
    assert back.layout == layout == model_layout(path)
    z = jax.random.uniform(jax.random.key(2), (model.networks.latent_dim,), minval=-1.0)
    np.testing.assert_array_equal(back.generate(z), model.generate(z))
    np.testing.assert_array_equal(back.score(back.generate(z)), model.score(model.generate(z)))
    for ours, theirs in zip(back.error, model.error, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert model_card(path) == {"data": "none", "metrics": {"loss": 1.5}}
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.safetensors"]
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_an_encoder_is_kept_with_its_model(tmp_path):
    network = Encoder(5, width=8, depth=1)
    x = jax.random.normal(jax.random.key(4), (n_features(PUBLISHED.n_wavelength),))
    model = dataclasses.replace(
        tiny("compact", width=8, depth=1, latent_dim=5),
        encoder=network.init(jax.random.key(5), x[None]),
        encoder_options=(("depth", 1), ("width", 8)),
    )
    save_model(tmp_path / "tiny.safetensors", model, {})
    back = load_model(tmp_path / "tiny.safetensors")
    jax.tree.map(np.testing.assert_array_equal, back.propose(x), model.propose(x))
    assert back.encoder_options == model.encoder_options
    wrong = dataclasses.replace(model, encoder_options=(("depth", 1), ("width", 9)))
    save_model(tmp_path / "wrong.safetensors", wrong, {})
    with pytest.raises(ValueError, match="the encoder's arrays do not fit its options"):
        load_model(tmp_path / "wrong.safetensors")


def test_jit_and_vmap_take_a_model_as_an_argument():
    model = tiny("compact", width=8, depth=1, latent_dim=5)
    z = jax.random.uniform(jax.random.key(3), (4, 5), minval=-1.0)
    batch = jax.jit(lambda m, z: jax.vmap(m.generate)(z))(model, z)
    np.testing.assert_allclose(batch[2], model.generate(z[2]), atol=1e-6)


def test_default_model_ships_and_draws_plausible_arrays():
    assert model_names() == ("planets", "published")
    model = load_model()
    assert model.name == "planets" and model.layout == model_layout()
    assert load_model("published").layout == PUBLISHED
    theta = problem_model(load_opacities(), model.layout).sample(jax.random.key(0), 16)
    z = model.layout.parameters.to_anchor(theta)  # of planets that exist
    draw = jax.jit(lambda model, z: jax.vmap(lambda one: model.image(model.generate(one)))(z))
    arrays = np.asarray(draw(model, z))
    assert arrays.shape == (16, 33, 33) and arrays.min() >= 0 and arrays.max() <= 1
    assert arrays.std(axis=0).mean() > 0.05  # not one mode
    assert model.error.level.shape == (422,) and bool((model.error.level > 0).all())
    assert float(jnp.median(model.error.level)) < 0.2  # scale heights, their correlation included
    assert {"data", "training", "limits"} <= set(model_card())


def test_a_model_knows_its_opacities(tmp_path):
    assert [load_model(name).opacities for name in ("planets", "published")] == [
        "planets", "published"
    ]  # fmt: skip
    model = tiny("compact", width=8, depth=1, latent_dim=5)
    save_model(tmp_path / "tiny.safetensors", model, {"training": {"opacities": "mine.nc"}})
    assert load_model(tmp_path / "tiny.safetensors").opacities == "mine.nc"
    save_model(tmp_path / "tiny.safetensors", model, {})
    assert load_model(tmp_path / "tiny.safetensors").opacities == ""


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="neither a file nor a shipped model"):
        load_model(tmp_path / "none.safetensors")
    text = tmp_path / "text.safetensors"
    text.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ValueError, match=r"text\.safetensors: not a readable safetensors file"):
        load_model(text)
    from safetensors.numpy import save_file

    other = tmp_path / "other.safetensors"
    save_file({"x": np.zeros(3)}, other)
    with pytest.raises(ValueError, match="not an exogan_jax model"):
        load_model(other)
    path = tmp_path / "tiny.safetensors"
    save_model(path, tiny("compact", width=8, depth=1), {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="not a readable"):
        load_model(path)


def test_arrays_that_do_not_fit_their_options_are_refused(tmp_path):
    model = tiny("compact", width=8, depth=1)
    wrong = dataclasses.replace(model, options=(("depth", 1), ("width", 9)))
    save_model(tmp_path / "wrong.safetensors", wrong, {})
    with pytest.raises(ValueError, match="do not fit its options"):
        load_model(tmp_path / "wrong.safetensors")


def test_arrays_of_another_layout_are_refused(tmp_path):
    path = tmp_path / "wrong.safetensors"
    save_model(path, dataclasses.replace(tiny("compact", width=8, depth=1), layout=OTHER), {})
    assert model_layout(path) == OTHER
    with pytest.raises(ValueError, match="do not fit its options and layout"):
        load_model(path)


def test_weights_without_a_layout_are_the_published_problems(tmp_path):
    from safetensors import safe_open
    from safetensors.numpy import save_file

    path, old = tmp_path / "tiny.safetensors", tmp_path / "old.safetensors"
    save_model(path, tiny("compact", width=8, depth=1), {})
    with safe_open(path, framework="numpy") as file:
        header = {k: x for k, x in file.metadata().items() if k != "layout"}
        save_file({k: file.get_tensor(k) for k in file.keys()}, old, header)  # noqa: SIM118
    assert model_layout(old) == load_model(old).layout == PUBLISHED
    save_file({"x": np.zeros(3)}, old, header | {"layout": "{}"})
    for read in (model_layout, load_model):
        with pytest.raises(ValueError, match=r"old\.safetensors: not a usable exogan_jax model"):
            read(old)


def test_reading_a_layout_needs_no_networks():
    import subprocess
    import sys

    code = """
import sys
from exogan_jax.files.headers import model_layout
assert len(model_layout().parameters) == 11
heavy = {"flax", "optax", "matplotlib", "xarray"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_pixels_alone_lack_the_bluest_wavelengths():
    assert n_compared("published") is None and n_compared() is None
    assert n_compared("published", "paper") == PUBLISHED.n_usable < len(PUBLISHED.wavelength_um)


def test_what_is_not_compared_is_what_is_named():
    """Bins that reach below the layout's pixels count in the likelihood of levels."""
    w = np.array([0.305, 0.31, 0.33, 1.1])
    seen = check(Observation(w, 0 * w, 0 * w + 0.0145, 0 * w + 1e-4))
    target = LIKELIHOODS["gaussian"].target(seen, load_model("published"), None)
    assert usable_bins(target)[:4].all()
