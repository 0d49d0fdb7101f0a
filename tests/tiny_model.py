"""A small problem and models of it, for tests of the retrieval."""

import jax
import numpy as np

from exogan_jax.gan.model import GeneratorError, Model
from exogan_jax.gan.nets import networks
from exogan_jax.layout import Layout
from exogan_jax.parameters import Parameter, Parameters

LAYOUT = Layout(
    wavelength_um=np.geomspace(5.0, 0.6, 60),
    sections=(0, 20, 35, 60),
    parameters=Parameters(
        [
            Parameter("log10_h2o", "gas", "dex", "H2O", -8.0, -1.0),
            Parameter("planet_radius", "radius", "R_J", "R", 0.5, 2.0),
            Parameter("temperature", "temperature", "K", "T", 300.0, 3000.0),
        ]
    ),
    depth_range=(0.005, 0.02),
)
D = len(LAYOUT.parameters)
LOW, HIGH = 0.010, 0.012  # of every section of the linear model


def as_model(options, generator, discriminator, pixel=1e-6, bound=1e-9) -> Model:
    return Model(
        layout=LAYOUT,
        network="compact",
        options=tuple(sorted(options.items())),
        generator=generator,
        discriminator=discriminator,
        error=GeneratorError(np.full(60, pixel), np.full(3, bound), np.full(3, bound)),
        name="tiny",
    )


def random_model() -> Model:
    """One that has learnt nothing."""
    options = {"width": 8, "depth": 1, "latent_dim": 4}
    nets = networks("compact", LAYOUT, **options)
    return as_model(
        options,
        nets.generator.init(jax.random.key(0), np.zeros((1, 4), np.float32)),
        nets.discriminator.init(jax.random.key(1), np.zeros((1, *nets.shape), np.float32)),
        0.02,
        1e-4,
    )


def linear_map() -> np.ndarray:
    """Pixels of the linear model are 0.5 + this @ z, (60, D)."""
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(60, D))
    return 0.45 * matrix / np.abs(matrix).sum(axis=1, keepdims=True)


def linear_model() -> Model:
    """One whose pixels are linear in the latent, and whose parameters are the latent's.

    Of silu only the part is used where it is the identity to 1e-7.
    """
    options = {"width": D, "depth": 0, "latent_dim": D, "discriminator_width": 4}
    nets = networks("compact", LAYOUT, **options)
    shift = 20.0
    first = {"kernel": np.eye(D, dtype=np.float32), "bias": np.full(D, shift, np.float32)}
    padding = LAYOUT.inner**2 - 60
    by_pixel = np.concatenate([linear_map(), np.zeros((padding + 6, D))])
    theta = 0.5 * np.eye(D)[[1, 2, 0]]  # the vector holds the first parameter last
    kernel = np.concatenate([by_pixel, theta]).T
    low, high = LAYOUT.depth_range
    values = np.concatenate(
        [
            np.full(60 + padding, 0.5),
            np.full(3, HIGH / high),
            np.full(3, low / LOW),
            np.full(D, 0.5),
        ]
    )
    last = {"kernel": kernel.astype(np.float32), "bias": values - shift * kernel.sum(axis=0)}
    last["bias"] = last["bias"].astype(np.float32)
    discriminator = nets.discriminator.init(
        jax.random.key(1), np.zeros((1, *nets.shape), np.float32)
    )
    return as_model(options, {"params": {"first": first, "last": last}}, discriminator)
