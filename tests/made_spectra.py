"""A small spectrum, as files of all kinds hold it."""

import io

import numpy as np

W = np.round(np.linspace(1, 2.9, 20), 4)
DEPTH = 0.014 + 2e-4 * np.sin(6 * W)
ERROR = np.full(20, 5e-5)
HALF = np.full(20, 0.05)


def rows(*columns, sep=" "):
    lines = [
        sep.join(x if isinstance(x, str) else f"{x:.9g}" for x in row)
        for row in zip(*columns, strict=True)
    ]
    return "\n".join(lines) + "\n"


PPM = rows(W, DEPTH * 1e6, ERROR * 1e6)
RATIO, RATIO_ERROR = np.sqrt(DEPTH), ERROR / 2 / np.sqrt(DEPTH)


def check_same(spectrum, bins, rtol=1e-5):
    observation = spectrum.observation
    np.testing.assert_allclose(observation.wavelength_um, W, rtol=1e-7)
    np.testing.assert_allclose(observation.half_width_um, HALF if bins else 0 * HALF, rtol=1e-6)
    np.testing.assert_allclose(observation.depth, DEPTH, rtol=rtol)
    np.testing.assert_allclose(observation.sigma, ERROR, rtol=1e-5)


def hdf5(write):
    import h5py

    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        write(file)
    return out.getvalue()
