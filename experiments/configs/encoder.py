"""The encoder of a trained model, which gives retrievals their starts, and fast answers their
samples. It begins at the model's own, if there is one.

python -m experiments.train_encoder --model runs/published/published.safetensors \
    --config experiments/configs/encoder.py --out runs/encoder

Expect, on two cores: 4 minutes of simulation, 35 of training, and what the shipped models' cards
give under "encoder". That of `published` learnt from generated spectra (n_simulated=0).
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """All settings of `experiments.train_encoder`."""
    return ConfigDict(
        {
            "options": {"width": 512, "depth": 3, "n_layers": 8},  # of `gan.npe.Encoder`
            "n_simulated": 700_000,  # spectra to observe; 0: generated ones, anew at each step
            "seed": 0,
            "batch_size": 256,
            "n_steps": 30_000,
            "steps_per_call": 100,
            "checkpoint_every": 2_000,  # steps
            "evaluate_every": 2_000,
            "n_evaluated": 8192,  # observations
            "learning_rate": 1e-3,
            "b2": 0.999,
            "ema_decay": 0.998,
        }
    )
