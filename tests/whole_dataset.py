"""All spectra of a dataset, for tests of what makes it."""

import numpy as np

from exogan_jax.files.dataset import RecordSource
from exogan_jax.physics.split import SPLITS


def everything(folder):
    """All depths and thetas, sorted by theta."""
    parts = []
    for split in SPLITS:
        source = RecordSource(folder, split)
        parts.append(source.read(range(len(source))))
    depth, theta = (np.concatenate(x) for x in zip(*parts, strict=True))
    order = np.lexsort(theta.T)
    return depth[order], theta[order]
