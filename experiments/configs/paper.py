"""The paper's DCGAN and its training (Zingales & Waldmann 2018), on simulated spectra.

python -m experiments.train --config experiments/configs/paper.py --out runs/paper \
    --set data=simulator --set simulator_chunk=50

156,250 steps see 10 million spectra, none of them twice: an accelerator's work. Two cores take 1 s
a step, 42 hours in all; `--set options.width=16 --set n_steps=9000` takes them a quarter of an hour
and is far from trained (parameter_error 0.22; guessing the middle gives 0.25).
"""

from ml_collections import ConfigDict

from exogan_jax.layout import PUBLISHED


def get_config() -> ConfigDict:
    """All settings of `experiments.train`."""
    return ConfigDict(
        {
            "name": "paper",
            "layout": PUBLISHED,
            "opacities": "published",
            "network": "paper",
            "options": {"latent_dim": 100, "width": 64},
            "seed": 0,
            "data": "memory",  # "simulator" on an accelerator, or the folder of a TFDS dataset
            "simulator_chunk": 2,  # an accelerator takes hundreds
            "n_spectra": 1_000_000,  # in memory
            "parallel": "jit",
            "batch_size": 64,
            "n_steps": 156_250,
            "steps_per_call": 50,
            "checkpoint_every": 500,  # steps
            "evaluate_every": 12_500,
            "n_evaluated": 64,  # spectra to inpaint
            "optimizer": "adam",
            "warmup_steps": 0,
            "learning_rate": 2e-4,
            "discriminator_rate": 2e-4,
            "b1": 0.5,
            "b2": 0.999,
            "final_rate_fraction": 1.0,  # constant
            "objective": "paper",  # or "hinge", "relativistic"
            "generator_steps": 2,
            "r1_weight": 0.0,
            "anchor_weight": 0.0,
            "anchor_root": False,
            "adversary_weight": 1.0,
            "discriminator_every": 1,
            "chosen_by": "parameter_error",
            "ema_decay": 0.0,
            "n_held_out": 64,
        }
    )
