"""The forward model: opacities, transit depth, observations."""
