"""Layouts of any problem; the published one is compared with the published code in test_aspa."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exogan_jax import folding, masks
from exogan_jax.layout import PUBLISHED, Layout
from exogan_jax.parameters import PUBLISHED as SEVEN
from exogan_jax.parameters import Parameter, Parameters


def problem(n_parameters: int, n_wavelength: int = 120, **changes) -> Layout:
    entries = [
        Parameter(f"log10_gas{i}", "gas", "dex", f"gas {i}", -8.0, -1.0)
        for i in range(n_parameters - 1)
    ]
    entries.append(Parameter("mass", "mass", "M_J", "M", 0.1, 10.0, "log10"))
    wavelength = np.geomspace(5.0, 0.6, n_wavelength)
    sections = (0, n_wavelength // 3, n_wavelength // 2, n_wavelength)
    return Layout(wavelength, sections, Parameters(entries), **changes)


def spectrum(layout: Layout, seed: int = 0) -> jax.Array:
    return 0.01 + 1e-3 * jax.random.uniform(jax.random.key(seed), (layout.n_wavelength,))


def test_published_spectra_lie_on_the_grid(shared):
    with np.load(shared / "data" / "exogan_osf_sample.npz", allow_pickle=False) as file:
        wavelength = file["wavelength_um"]
    distance = np.abs(PUBLISHED.wavelength_um[None, :] - wavelength[:, None]).min(axis=1)
    assert np.max(distance / wavelength) < 1e-6
    assert not PUBLISHED.wavelength_um.flags.writeable


@pytest.mark.parametrize("n", [1, 2, 5, 6, 9])
def test_any_number_of_parameters_folds_and_unfolds(n):
    layout = problem(n)
    theta = layout.parameters.sample(jax.random.key(1), 1)[0]
    depth = spectrum(layout)
    values = layout.pack(depth, theta)
    image = layout.image(values)
    assert image.shape == (layout.side, layout.side)
    assert float(image.min()) >= 0 and float(image.max()) <= 1 + 1e-6
    back, parameters = layout.unpack(layout.values(image))
    np.testing.assert_allclose(back, depth, rtol=2e-6)
    np.testing.assert_allclose(parameters, theta, rtol=2e-4)
    np.testing.assert_allclose(folding.reduce(layout, image), layout.vector(values), atol=1e-6)


def test_side_follows_from_strips():
    # With s strips a side an array holds 2 s + 1 parameters; nine take 34 x 34 on the paper's grid.
    nine = Parameters(
        [*SEVEN, *(Parameter(f"log10_{g}", g, "dex", g, -8, -1) for g in ("na", "k"))]
    )
    larger = Layout(PUBLISHED.wavelength_um, PUBLISHED.sections, nine)
    assert (PUBLISHED.side, larger.side) == (33, 34)
    assert problem(5, side=40).side == 40
    with pytest.raises(ValueError, match="side 10 is too small"):
        problem(5, side=10)


def test_a_larger_side_keeps_every_value_and_fills_with_zeros():
    small, large = problem(5), problem(5, side=40)
    theta = small.parameters.sample(jax.random.key(1), 1)[0]
    values = small.pack(spectrum(small), theta)
    again = large.values(large.image(values))
    for one, other in zip(values, again, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)
    assert float((large.image(values) == 0).sum()) > 200


def test_every_point_counts_in_a_layout_without_the_published_quirk():
    layout = dataclasses.replace(PUBLISHED, n_encoded=None)
    depth = spectrum(layout).at[-1].set(0.02)
    theta = jnp.asarray(SEVEN.from_unit(np.full(7, 0.3)), jnp.float32)
    back, _ = layout.unpack(layout.values(layout.image(layout.pack(depth, theta))))
    np.testing.assert_allclose(back, depth, rtol=2e-6)
    quirk, _ = PUBLISHED.unpack(PUBLISHED.values(PUBLISHED.image(PUBLISHED.pack(depth, theta))))
    assert abs(float(quirk[-1]) - 0.02) > 1e-3


def test_vector_and_values_agree_under_jit_and_vmap_with_finite_gradients():
    layout = problem(5)
    theta = layout.parameters.sample(jax.random.key(1), 3)
    depth = jnp.stack([spectrum(layout, i) for i in range(3)])
    values = jax.jit(jax.vmap(layout.pack))(depth, theta)
    vectors = jax.jit(jax.vmap(layout.vector))(values)
    one = layout.vector(layout.pack(depth[1], theta[1]))
    np.testing.assert_allclose(vectors[1], one, atol=1e-6)
    again = jax.vmap(layout.from_vector)(vectors)
    np.testing.assert_allclose(again.low, values.low, rtol=1e-5)
    flat = jnp.full(layout.n_wavelength, 0.01)
    gradient = jax.grad(lambda d: layout.image(layout.pack(d, theta[0])).sum())(flat)
    assert bool(jnp.isfinite(gradient).all())


def test_json_hash_and_equality():
    for layout in (PUBLISHED, problem(5)):
        again = Layout.from_json(layout.to_json())
        assert again == layout and hash(again) == hash(layout)
    # Another processor's powers differ in the last digits; other wavelengths are another layout.
    for factor, same in ((1 + 4e-16, True), (1 - 4e-16, True), (1 + 1e-8, False)):
        again = dataclasses.replace(PUBLISHED, wavelength_um=PUBLISHED.wavelength_um * factor)
        assert not np.array_equal(again.wavelength_um, PUBLISHED.wavelength_um)
        assert (again == PUBLISHED) == (hash(again) == hash(PUBLISHED)) == same
    assert problem(5) != problem(6) and problem(5) != problem(5, depth_range=(1e-3, 0.1))
    for nonsense in ("{}", "[]", "nothing", '{"parameters": 3}'):
        with pytest.raises(ValueError):
            Layout.from_json(nonsense)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sections": (0, 10)}, "rise from 0 to 120"),
        ({"sections": (0, 50, 40, 120)}, "rise from 0"),
        ({"sections": (0,)}, "rise from 0"),
        ({"wavelength_um": np.array([1.0, 1.0, 2.0])}, "monotonic"),
        ({"wavelength_um": np.array([1.0, 0.0, -1.0])}, "positive"),
        ({"depth_range": (0.1, 0.01)}, "ascending"),
        ({"n_encoded": 5}, "last section"),
        ({"pixel_scale": (1.0,)}, "factor a parameter"),
    ],
)
def test_impossible_layouts_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(problem(5), side=0, **changes)


def test_observed_mask_of_everything_is_the_parameter_mask_but_for_the_bluest_points():
    everything = np.asarray(masks.observed_mask(PUBLISHED, jnp.ones(515, bool)))
    named = np.asarray(PUBLISHED.mask("parameters")).copy()
    named[22, 510 - 22 * 23 : 515 - 22 * 23] = 0
    np.testing.assert_array_equal(everything, named)


def test_observed_mask_shows_complete_sections_only():
    observed = np.zeros(515, bool)
    observed[334:384] = True  # sections 7 and 8: WFC3
    mask = np.asarray(masks.observed_mask(PUBLISHED, jnp.asarray(observed)))
    np.testing.assert_array_equal(mask, np.asarray(PUBLISHED.mask("wfc3")))
    observed[340] = False
    partial = np.asarray(masks.observed_mask(PUBLISHED, jnp.asarray(observed)))
    assert partial.sum() == (384 - 371) + 23


@pytest.mark.parametrize("layout", [PUBLISHED, problem(5)], ids=["published", "other"])
def test_observed_points_finds_each_bin(layout):
    rng = np.random.default_rng(0)
    step = abs(np.diff(np.log(layout.wavelength_um))[0])
    jitter = layout.wavelength_um * (1 + 0.4 * step * rng.uniform(-1, 1, layout.n_wavelength))
    assert masks.observed_points(layout, rng.permutation(jitter)).all()
    few = masks.observed_points(layout, np.array([0.1, 1.4, 100.0]))
    assert few.sum() == 1
    assert abs(layout.wavelength_um[few][0] / 1.4 - 1) < step
    turned = dataclasses.replace(layout, wavelength_um=layout.wavelength_um[::-1], n_encoded=None)
    np.testing.assert_array_equal(masks.observed_points(turned, np.array([1.4])), few[::-1])
