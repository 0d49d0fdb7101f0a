"""The paper's experiments and the project's own claims, as numbers that a command makes again:
`python -m experiments.reproduce`. What is quoted in the README and in `docs/` is in `results/`.
"""
