"""Inpainting, and posteriors from it."""
