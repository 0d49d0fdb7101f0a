"""The compact pair, trained on the opacities that depend on temperature: for real planets.

python -m experiments.train --config experiments/configs/physical.py --out runs/physical

Expect what `compact.py` says, and two minutes more of simulation.
"""

from ml_collections import ConfigDict

from experiments.configs import compact


def get_config() -> ConfigDict:
    """All settings of `experiments.train`."""
    config = compact.get_config()
    config.name = "physical"
    config.opacities = "physical"
    config.seed = 1
    return config
