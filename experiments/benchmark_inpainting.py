"""Times one inpainting iteration against one matrix product of as many operations.

python -m experiments.benchmark_inpainting [--network paper|compact] [--latents 64]

An iteration is what the paper repeats 1001 times: generator and discriminator forward, back to z,
Adam, clip. Both are timed in turn in the same run; medians and their ratio are printed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from exogan_jax.gan.nets import Networks, networks
from exogan_jax.layout import PUBLISHED
from exogan_jax.retrieval.inpaint import PixelTarget, box, inpainter, pixel_loss


def operations(nets: Networks, generator: Any, discriminator: Any, n: int) -> float:
    """Floating-point operations of one iteration, from the shapes of the layers.

    A product of (a, b) and (b, c) takes 2 a b c. A strided convolution's taps that fall on padding
    count, as in the usual figure; a transposed convolution does the work of the convolution it
    transposes. Backward to the input costs what forward costs.

    Args:
      nets: the networks.
      generator, discriminator: their parameters.
      n: latents.
    """
    total = 0
    for params in (generator, discriminator):
        kernels = [x for x in jax.tree.leaves(params) if x.ndim > 1]
        convolutions = [x for x in kernels if x.ndim == 4]
        side = nets.shape[0]
        for kernel in sorted(convolutions, key=lambda x: x.size):
            side = -(-side // 2)  # of the smaller of its two images
            total += side**2 * kernel.size
        total += sum(x.size for x in kernels if x.ndim == 2)
    return 2.0 * 2.0 * total * n


def seconds(call: Callable[[], jax.Array]) -> float:
    """Wall time of one call, waiting for its result."""
    began = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - began


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", choices=("paper", "compact"), default="paper")
    parser.add_argument("--latents", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args(argv)
    nets = networks(args.network, PUBLISHED)
    n = args.latents
    g = nets.generator.init(jax.random.key(0), jnp.zeros((1, nets.latent_dim)))
    d = nets.discriminator.init(jax.random.key(1), jnp.zeros((1, *nets.shape)))
    paint = inpainter(
        lambda z: nets.generator.apply(g, z[None])[0],
        lambda x: nets.discriminator.apply(d, x[None])[0],
        coordinates=box(nets.latent_dim),
        contextual_fn=lambda drawing, target: pixel_loss(nets.image(drawing), target),
    )
    depth = jnp.linspace(0.01, 0.012, PUBLISHED.n_wavelength)
    theta = PUBLISHED.parameters.from_unit(jnp.full(len(PUBLISHED.parameters), 0.5))
    target = PixelTarget(
        PUBLISHED.image(PUBLISHED.pack(depth, theta)), PUBLISHED.mask("parameters")
    )
    states = jax.vmap(paint.init, (0, None))(jax.random.split(jax.random.key(2), n), target)
    step = jax.jit(jax.vmap(paint.step, (0, None)))

    # A product of k x k matrices with as many operations.
    total = operations(nets, g["params"], d["params"], n)
    k = round((total / 2) ** (1 / 3))
    a = jax.random.normal(jax.random.key(3), (k, k))
    product = jax.jit(lambda x: x @ x)
    seconds(lambda: step(states, target)), seconds(lambda: product(a))  # compile
    times = np.array(
        [
            (seconds(lambda: step(states, target)), seconds(lambda: product(a)))
            for _ in range(args.repeats)
        ]
    )
    iteration, floor = np.median(times, axis=0)
    print(f"{args.network}, {n} latents, {total / 1e9:.1f} GFLOP")
    print(f"one iteration     {iteration * 1e3:7.1f} ms")
    print(f"a matrix product  {floor * 1e3:7.1f} ms ({total / floor / 1e9:.0f} GFLOP/s)")
    print(f"ratio             {np.median(times[:, 0] / times[:, 1]):7.2f} (median of pairs)")


if __name__ == "__main__":
    main()
