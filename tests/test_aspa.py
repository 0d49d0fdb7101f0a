import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exogan_jax import aspa
from exogan_jax.layout import PUBLISHED
from exogan_jax.parameters import UNITS

THETA = np.array([-3.0, -4.0, -5.0, -6.0, 1.2, 1.1, 1500.0], np.float32)


def spectrum(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scale = rng.uniform(1e-5, 3e-3)
    return (rng.uniform(0.007, 0.025) + scale * rng.random(515)).astype(np.float32)


@pytest.fixture(scope="module")
def reference(shared):
    with np.load(shared / "data" / "aspa_reference.npz", allow_pickle=False) as file:
        data = {name: file[name] for name in file.files}
    p = data["params"]
    theta = np.column_stack(
        [
            np.log10(p[:, :4]),
            p[:, 4] / UNITS["M_J"],
            p[:, 5] / UNITS["R_J"],
            p[:, 6],
        ]
    )
    return data, theta


def test_encode_equals_the_published_code(reference):
    data, theta = reference
    ours = jax.vmap(aspa.encode)(
        jnp.asarray(data["spectrum"], jnp.float32), jnp.asarray(theta, jnp.float32)
    )
    assert np.abs(np.asarray(ours) - data["aspa"]).max() <= 1e-6


def test_decode_equals_the_published_code(reference):
    data, theta = reference
    depth, decoded = jax.vmap(aspa.decode)(jnp.asarray(data["aspa"], jnp.float32))
    assert np.abs(np.asarray(depth) - data["recon"][:, :515]).max() <= 1e-7
    np.testing.assert_allclose(decoded, theta, rtol=1e-5)


@given(st.integers(0, 2**31), st.lists(st.floats(0, 1), min_size=7, max_size=7))
@settings(max_examples=50, deadline=None)
def test_decode_inverts_encode(seed, fractions):
    depth = spectrum(seed)
    theta = PUBLISHED.parameters.from_unit(np.array(fractions)).astype(np.float32)
    decoded, parameters = aspa.decode(aspa.encode(depth, theta))
    np.testing.assert_allclose(decoded[:510], depth[:510], rtol=2e-6)
    np.testing.assert_allclose(parameters, theta, rtol=1e-5)


def test_values_lie_in_the_unit_interval():
    array = aspa.encode(spectrum(1), THETA)
    assert array.shape == (33, 33)
    assert float(array.min()) >= 0 and float(array.max()) <= 1


def test_constant_section_is_stored_as_zeros_with_a_finite_gradient():
    depth = np.full(515, 0.01, np.float32)
    array = aspa.encode(depth, THETA)
    assert np.all(np.asarray(array[:22, :23]) == 0)
    decoded, _ = aspa.decode(array)
    np.testing.assert_allclose(decoded[:510], 0.01, rtol=1e-5)
    gradient = jax.grad(lambda d: aspa.encode(d, jnp.asarray(THETA)).sum())(jnp.asarray(depth))
    assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("lowest", [0.0, -0.001])
def test_minimum_that_is_not_positive_has_empty_pixels(lowest):
    depth = spectrum(2)
    depth[170] = lowest  # section 1
    array = aspa.encode(depth, THETA)
    assert np.all(np.asarray(array[12:23, 24]) == 0)
    assert np.all(np.asarray(array[12:23, 23]) > 0)
    assert float(array.ravel()[170 // 23 * 33 + 170 % 23]) == 0
    assert float(PUBLISHED.values(array).low[1]) == 0


def test_last_section_keeps_the_published_quirk():
    depth = spectrum(3)
    flat = np.asarray(aspa.encode(depth, THETA))[:23, :23].ravel()
    assert np.all(flat[510:514] == 0)
    assert flat[514] == depth[514]
    np.testing.assert_allclose(flat[515:], depth.mean() / 0.0301803471629, rtol=1e-5)


def test_jit_and_vmap_agree_with_the_plain_call():
    depth = jnp.stack([jnp.asarray(spectrum(i)) for i in range(3)])
    theta = jnp.broadcast_to(jnp.asarray(THETA), (3, 7))
    batch = jax.jit(jax.vmap(aspa.encode))(depth, theta)
    for i in range(3):
        np.testing.assert_allclose(batch[i], aspa.encode(depth[i], theta[i]), atol=2e-5)
    depths, thetas = jax.jit(jax.vmap(aspa.decode))(batch)
    one, parameters = aspa.decode(batch[1])
    np.testing.assert_allclose(depths[1], one, rtol=1e-6)
    np.testing.assert_allclose(thetas[1], parameters, rtol=1e-6)


def test_wrong_shapes_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"jax\.vmap"):
        aspa.encode(jnp.zeros((2, 515)), jnp.zeros(7))
    with pytest.raises(ValueError, match=r"jax\.vmap"):
        aspa.decode(jnp.zeros((2, 33, 33)))


# Hidden pixels, counted by hand from the published masks.
@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("parameters", 6 * 33 - 9 + 100 - 51),
        ("wfc3", 33 * 33 - 50 - 2 * 23),
        ("center", 16 * 16),
        ("left", 16 * 33),
        ("full", 0),
        ("grid", 33 * 33 - 81),
        ("lowres", 33 * 33),
    ],
)
def test_masks_hide_what_they_should(name, hidden):
    mask = np.asarray(aspa.mask(name))
    assert mask.shape == (33, 33) and set(np.unique(mask)) <= {0.0, 1.0}
    assert int((mask == 0).sum()) == hidden


def test_parameter_mask_hides_every_parameter_pixel_and_no_other():
    base = aspa.encode(spectrum(4), THETA)
    other = aspa.encode(spectrum(4), THETA + np.float32(0.5))
    changed = np.asarray(base != other)
    hidden = np.asarray(aspa.mask("parameters")) == 0
    assert np.all(hidden[changed])
    assert np.all(changed[hidden])


def test_random_mask_hides_a_fifth_and_needs_a_key():
    masks = jax.vmap(lambda key: aspa.mask("random", key))(jax.random.split(jax.random.key(0), 50))
    assert abs(float((masks == 0).mean()) - 0.2) < 0.01
    with pytest.raises(ValueError, match="PRNG key"):
        aspa.mask("random")
    with pytest.raises(ValueError, match="parameters, wfc3"):
        aspa.mask("hubble")
