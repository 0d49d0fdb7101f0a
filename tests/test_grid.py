import numpy as np

from exogan_jax import grid


def test_grid_follows_its_formula():
    k = np.arange(515)
    np.testing.assert_allclose(grid.WAVELENGTH_UM, 0.3015 * 1.01 ** (514 - k), rtol=1e-13)
    assert grid.WAVELENGTH_UM[0] > 50 and grid.WAVELENGTH_UM[-1] == 0.3015


def test_constants_cannot_be_changed_by_accident():
    for array in (grid.WAVELENGTH_UM, grid.LOWER, grid.UPPER):
        assert not array.flags.writeable


def test_sections_tile_the_grid():
    assert grid.SECTION_EDGES[0] == 0 and grid.SECTION_EDGES[-1] == grid.N_WAVELENGTH
    assert np.all(np.diff(grid.SECTION_EDGES) > 0) and grid.N_SECTIONS == 14


def test_bounds_are_the_published_ones():
    np.testing.assert_allclose(grid.LOWER[4] * grid.JUPITER_MASS_KG, 1.5184e27)
    np.testing.assert_allclose(grid.UPPER[4] * grid.JUPITER_MASS_KG, 3.796e27)
    np.testing.assert_allclose(grid.LOWER[5] * grid.JUPITER_RADIUS_M, 5.59288e7)
    np.testing.assert_allclose(grid.UPPER[5] * grid.JUPITER_RADIUS_M, 1.048665e8)


def test_published_spectra_lie_on_the_grid(shared):
    with np.load(shared / "data" / "exogan_osf_sample.npz", allow_pickle=False) as file:
        wavelength = file["wavelength_um"]
    distance = np.abs(grid.WAVELENGTH_UM[None, :] - wavelength[:, None]).min(axis=1)
    assert np.max(distance / wavelength) < 1e-6
