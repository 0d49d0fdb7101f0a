"""The compact dense pair, the network of the shipped weights.

python -m experiments.train --config experiments/configs/compact.py --out runs/compact

Expect, on two cores: 6 minutes of simulation, 20 of training, a generator error of 0.02 of a
section's range and 100 ppm in its bounds. The shipped weights are of this configuration, but for a
rate that was scheduled for 38,000 steps during the first 8,000.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """All settings of `experiments.train`."""
    return ConfigDict(
        {
            "name": "compact",
            "network": "compact",
            "options": {"width": 512, "depth": 3, "whitened": True},
            "whitening_floor": 0.2,
            "seed": 0,
            "n_spectra": 120_000,
            "batch_size": 128,
            "n_steps": 32_000,
            "steps_per_call": 200,
            "checkpoint_every": 2_000,  # steps
            "learning_rate": 5e-4,
            "final_rate_fraction": 0.02,  # cosine decay to this fraction
            "generator_steps": 1,
            "r1_weight": 0.03,
            "ema_decay": 0.999,
            "n_held_out": 64,  # spectra that measure the generator's own error
        }
    )
