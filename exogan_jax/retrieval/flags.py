"""What the flags of a result mean. How each is decided: `judge`."""

from __future__ import annotations

AT_BOUND = "at_bound"  # followed by a colon and the parameter

#: Flag -> what it says, and what to do.
MEANINGS = {
    "no_usable_points": (
        "no bin lies within the model's wavelengths: the answer is the prior. Check the "
        "wavelengths and their unit, or take a model that covers them"
    ),
    "outside_model": (
        "some bins lie outside of the model's wavelengths and were left out. The answer is that of "
        "the others"
    ),
    "finer_than_grid": (
        "many bins are narrower than the model's own: it is smoother than the data may be. Average "
        "the data to the model's bins"
    ),
    AT_BOUND: (
        "the data pull this parameter to a bound of the model or the prior: the truth "
        "may lie beyond, and the other parameters are wrong then too. Take a model or a prior with "
        "wider bounds"
    ),
    "poor_fit": (
        "even the best sample misses the data by more than their errors: the planet has "
        "something that the model lacks, or the errors are too small. Do not trust the answer"
    ),
    "structured_residuals": (
        "neighbouring bins miss the model to the same side: a feature or a slope that it cannot "
        "make, such as another gas, spots of the star, or an offset between instruments"
    ),
    "generator_off": (
        "the fitted spectrum is not the forward model's at the same parameters, by as much as the "
        "data's errors: the network is too coarse for these data. Do not trust narrow intervals"
    ),
    "not_exact": (
        "the forward model and the network disagree by so much that no samples of the exact "
        "posterior were found: the answer is the network's, whose own error makes intervals wider "
        "than the data require"
    ),
    "not_weighted": (
        "the samples are the encoder's own, not weighted by a likelihood (--no-chain): right on "
        "average over many spectra, but wider than the data require. Leave --no-chain out"
    ),
    "featureless": (
        "one depth for all wavelengths fits as well as any spectrum of the model: except for the "
        "radius, the answer consists of limits, and its medians are those of the prior"
    ),
    "uninformative": (
        "the answer is the prior: the errors are too large to constrain anything. Its medians say "
        "nothing about the planet"
    ),
    "few_effective_samples": (
        "the samples are worth only a few independent ones: quantiles are rough. Draw more (a "
        "larger n_draws) after a longer burn-in (a larger n_burn)"
    ),
}


def split(flags: str) -> tuple[str, ...]:
    """The flags of a result, one by one; none of "" ."""
    return tuple(flag for flag in flags.split(",") if flag)


def explain(flag: str) -> str:
    """What ONE flag means, with its remedy; "" for one that this version does not know."""
    return MEANINGS.get(flag.partition(":")[0], "")
