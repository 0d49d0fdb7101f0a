"""A minute's run of the whole training on tiny data, for the test suite.

python -m experiments.train --config experiments/configs/quicktest.py --out runs/quicktest

Expect: a model file, and nothing learnt.
"""

from ml_collections import ConfigDict

from experiments.configs import published


def get_config() -> ConfigDict:
    """All settings of `experiments.train`."""
    config = published.get_config()
    config.name = "quicktest"
    config.options.width = config.options.discriminator_width = 16
    config.options.depth = 1
    config.optimizer = "soap"  # the one with the more to remember
    config.warmup_steps = 5
    config.n_spectra = 64
    config.batch_size = 8
    config.n_steps = 20
    config.steps_per_call = 5
    config.checkpoint_every = 5
    config.evaluate_every = 10
    config.n_evaluated = 2
    config.n_held_out = 16
    return config
