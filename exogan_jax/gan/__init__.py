"""Networks, losses and the adversarial training step."""
