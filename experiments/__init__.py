"""Thin mains and their configurations; run as `python -m experiments.<name>`."""
