"""The published problem with the opacities that depend on temperature: for real planets.

python -m experiments.train --config experiments/configs/physical.py --out runs/physical

Expect half of what `published` takes. The weights that ship are older
and of the compact pair, as those of `published`.
"""

from ml_collections import ConfigDict

from experiments.configs import published


def get_config() -> ConfigDict:
    """All settings of `experiments.train`."""
    config = published.get_config()
    config.name = "physical"
    config.opacities = "physical"
    config.seed = 1
    config.n_spectra = 120_000
    config.n_steps = 24_000
    return config
