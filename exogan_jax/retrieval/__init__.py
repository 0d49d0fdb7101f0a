"""Inpainting and the posteriors that come of it."""
