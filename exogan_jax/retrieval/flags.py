"""What the flags of a result mean. How each is decided: `judge`."""

from __future__ import annotations

AT_BOUND = "at_bound"  # followed by a colon and the parameter

#: Flag -> what it says, and what to do.
MEANINGS = {
    "no_usable_points": (
        "no bin lies where the model knows a spectrum: the answer is the prior. Check the "
        "wavelengths and their unit, or take a model that covers them"
    ),
    "outside_model": (
        "some bins lie where the model knows no spectrum, and were left out. The answer is that of "
        "the others"
    ),
    "finer_than_grid": (
        "many bins are narrower than the model's own: it is smoother than the data may be. Average "
        "the data to the model's bins"
    ),
    AT_BOUND: (
        "the data pull this parameter to the end of what the model or the prior allows: the truth "
        "may lie beyond, and the other parameters are wrong then too. Take a model or a prior with "
        "wider bounds"
    ),
    "poor_fit": (
        "even the best of all samples misses the data by more than their errors: the planet has "
        "what the model lacks, or the errors are too small. Do not trust the answer"
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
        "the forward model disagrees with the network by so much that its weights leave hardly any "
        "sample: the answer is the network's, whose own error makes intervals wider than the data "
        "ask for"
    ),
    "featureless": (
        "one depth for all wavelengths fits as well as any spectrum of the model: beside the "
        "radius, the answer is limits, and its medians are those of the prior"
    ),
    "uninformative": (
        "the answer is the prior: the errors are too large to tell anything. Its medians say "
        "nothing of the planet"
    ),
    "few_effective_samples": (
        "the samples are worth few independent ones: quantiles are rough. Draw more of them (a "
        "larger n_draws) about more states (a larger n_burn)"
    ),
}


def split(flags: str) -> tuple[str, ...]:
    """The flags of a result, one by one; none of "" ."""
    return tuple(flag for flag in flags.split(",") if flag)


def explain(flag: str) -> str:
    """What ONE flag means, with its remedy; "" for one that this version does not know."""
    return MEANINGS.get(flag.partition(":")[0], "")
