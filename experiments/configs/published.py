"""The published problem, by networks that draw levels (gan/altitude.py).

python -m experiments.train --config experiments/configs/published.py --out runs/published

Expect, on two cores: 4 minutes of simulation, about 25 of training.
"""

from ml_collections import ConfigDict

from exogan_jax.layout import PUBLISHED


def get_config() -> ConfigDict:
    """All settings of `experiments.train`."""
    return ConfigDict(
        {
            "name": "published",
            "layout": PUBLISHED,  # the problem: wavelengths, sections, parameters and their bounds
            "opacities": "published",  # or "planets", or a file
            "network": "altitude",
            "options": {
                "latent_dim": len(PUBLISHED.parameters),  # see gan/anchor.py
                "n_components": 256,
                "width": 512,
                "depth": 4,
                "discriminator_width": 256,
                "whitened": True,
            },
            "generator_floor": 1e-3,  # of the whitening, in levels
            "discriminator_floor": 0.2,
            "anchor_weight": 1e4,
            "anchor_power": 0.5,
            "anchor_root": False,  # see gan/losses.py
            "adversary_weight": 0.0,
            "discriminator_every": 8,  # it is not heard, but ships
            "seed": 0,
            "data": "memory",  # or "simulator", or the folder of a TFDS dataset
            "simulator_chunk": 2,  # an accelerator takes hundreds
            "n_spectra": 200_000,  # in memory
            "parallel": "jit",  # or "pmap"
            "batch_size": 256,
            "n_steps": 48_000,
            "steps_per_call": 200,
            "checkpoint_every": 4_000,  # steps
            "evaluate_every": 8_000,
            "n_evaluated": 0,  # spectra to inpaint
            "chosen_by": "level_error",  # which evaluation chooses the best checkpoint
            "optimizer": "adam",  # of the generator; or "soap", see training/soap.py
            "warmup_steps": 0,  # of the generator, to its rate
            "learning_rate": 1.5e-3,  # of the generator
            "discriminator_rate": 5e-4,
            "b1": 0.9,  # of the generator's Adam
            "b2": 0.99,  # of Adam; with 0.999 and a rate of 2e-3 training came apart at step 10,000
            "final_rate_fraction": 0.01,  # cosine decay to this fraction
            "objective": "paper",  # or "hinge", "relativistic"
            "generator_steps": 1,
            "r1_weight": 0.03,
            "ema_decay": 0.999,
            "n_held_out": 4096,  # spectra that measure the generator's own error
        }
    )
