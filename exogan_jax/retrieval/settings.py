"""All that a retrieval depends on beside the observation and the model."""

from __future__ import annotations

import dataclasses
from typing import Any

from exogan_jax.retrieval.compared import LIKELIHOODS
from exogan_jax.retrieval.inpaint import N_STARTS

#: Adam steps of a start, and its largest rate (the paper's is a constant 0.01): from where the
#: encoder says, whose spread is the unit of length, and from anywhere. 32 spectra: 60 encoded steps
#: leave 0.023 of the prior's width, 600 from anywhere 0.018, 60 from anywhere 0.116.
ENCODED_STEPS, ENCODED_RATE = 60, 0.3
STEPS, RATE = 600, 0.03
#: Where the starts then climb to modes (`modes.climb`), from where the encoder says. Of 14 planets
#: of `planets` that PRISM sees (30 ppm) and 8 from 0.5 to 15 um (20 ppm), 64 starts reach the best
#: mode after 3, 10 and 60 such steps alike, to 0.4 in log density (once 0.9, after 60).
CLIMBED_STEPS = 10
#: Steps of the ensemble: to forget where it began, and between the states that are kept. Of seven
#: bent posteriors of `planets` (PRISM, 30 ppm), two runs of 1,200 steps and more agree to 0.004 nat
#: in each parameter's distribution; after 100 steps they were off by up to 0.05, and 2 to 17 % of
#: the evidence was missing; after 300, by 0.005, once 0.014. Annealed ones need fewer: of eight
#: PRISM planets and four that WFC3 sees, 100 steps leave the generator's log evidence within 0.03
#: of what 225 do (of one hard planet 0.1 more, of another 0.07 less), and as many samples.
ENCODED_BURN, ENCODED_THIN = 100, 10
BURN, THIN = 400, 75
#: Samples of an exact answer, which are wanted to be worth 1,000, and of a fast one.
EXACT_SAMPLES, FAST_SAMPLES = 2048, 512


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of a retrieval; None takes what suits the model (`for_model`).

    Raises:
      ValueError: an option is out of its range.
    """

    seed: int = 0  # of all random numbers
    n_starts: int = N_STARTS  # latents an observation is fitted from (64 in the paper)
    n_steps: int | None = None  # Adam steps per latent
    rate: float | None = None  # of Adam at its peak
    likelihood: str = "gaussian"  # one of `compared.LIKELIHOODS`
    #: Weight the generator's samples to those of the forward model, where it is known.
    exact: bool = True
    #: Prior 1-sigma of an offset in depth (for a star of 1 R_sun) of each of an observation's
    #: instruments but the one of the most bins; 0: there are none. See `retrieval.instruments`.
    offset_sigma: float = 0.0
    inflate: bool = False  # the size of each instrument's errors is free
    #: Start from samples of the model's encoder, if it has one, and step in units of its spread;
    #: otherwise start anywhere, as the paper does.
    encoder: bool = True
    n_burn: int | None = None  # steps of the ensemble before the first state is kept
    n_kept: int = 4  # states kept of each walker, about which samples are drawn
    keep_every: int | None = None  # steps between them
    n_draws: int = 32_768  # of them all, at most, each weighted by its likelihood
    n_samples: int | None = None  # that are made of the draws
    #: Independent samples that draws of the encoder's proposal, weighted by the likelihood, must be
    #: worth for a fast answer. Quantiles of 64 are known to an eighth of sigma, the evidence to
    #: 0.12.
    n_effective: int = 64
    #: Where they are worth fewer, an ensemble samples; else the encoder's own answer stays.
    chain: bool = True

    def __post_init__(self) -> None:
        if self.likelihood not in LIKELIHOODS:
            raise ValueError(f"likelihood must be one of {', '.join(LIKELIHOODS)}")
        counts = (
            "n_starts",
            "n_steps",
            "n_kept",
            "keep_every",
            "n_draws",
            "n_samples",
            "n_effective",
        )
        for name in counts:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if self.n_burn is not None and self.n_burn < 0:
            raise ValueError(f"n_burn must not be negative, got {self.n_burn}")
        if self.rate is not None and not self.rate > 0:
            raise ValueError(f"rate must be positive, got {self.rate}")
        if not 0 <= self.offset_sigma < 1:
            raise ValueError(f"offset_sigma must be a depth, 0 to 1, got {self.offset_sigma}")
        if self.frees_instruments and LIKELIHOODS[self.likelihood].log_density is None:
            raise ValueError("offset_sigma and inflate need the Gaussian likelihood")
        if self.exact and not self.chain:
            raise ValueError("chain=False (--no-chain) needs exact=False (--fast)")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be 0 to {2**32 - 1}, got {self.seed}")

    @property
    def frees_instruments(self) -> bool:
        """Whether something of the instruments is not taken as known."""
        return self.inflate or self.offset_sigma > 0

    def for_model(self, has_encoder: bool, climbs: bool = False) -> Settings:
        """The same with nothing left open, for a model with an encoder or without, whose starts
        climb to modes or not; see `fitting.suited`.
        """
        encoded = self.encoder and has_encoder
        encoded_steps = CLIMBED_STEPS if climbs else ENCODED_STEPS
        suiting: dict[str, Any] = {
            "n_steps": encoded_steps if encoded else STEPS,
            "rate": ENCODED_RATE if encoded else RATE,
            "n_burn": ENCODED_BURN if encoded else BURN,
            "keep_every": ENCODED_THIN if encoded else THIN,
            "n_samples": EXACT_SAMPLES if self.exact else FAST_SAMPLES,
        }
        open_ = {k: value for k, value in suiting.items() if getattr(self, k) is None}
        return dataclasses.replace(self, encoder=encoded, **open_)
