"""What test_parallel.py runs in processes of their own: a few training steps, in one of several
ways, whose state is saved.

python tests/parallel_child.py WAY NETWORK OUT [COORDINATOR PROCESS]
"""

import sys
from functools import partial
from itertools import islice

import jax
import numpy as np
import optax
from jax.sharding import Mesh

from exogan_jax import parallel
from exogan_jax.files.dataset import ArraySource, Part, stream
from exogan_jax.files.records import Spectra
from exogan_jax.gan.loop import steps
from exogan_jax.gan.nets import networks
from exogan_jax.gan.step import Training, init
from exogan_jax.layout import PUBLISHED

OPTIONS = {"paper": {"width": 2, "latent_dim": 8}, "compact": {"width": 8, "depth": 1}}


def spectra(n=24):
    rng = np.random.default_rng(0)
    theta = PUBLISHED.parameters.from_unit(rng.uniform(size=(n, 7))).astype(np.float32)
    return Spectra(rng.uniform(0.006, 0.03, (n, 515)).astype(np.float32), theta)


def main(way, name, out, *distributed):
    if distributed:
        assert parallel.connect(distributed[0], 2, int(distributed[1]))
    options = dict(OPTIONS[name])
    axis = {}
    if way == "pmap":
        axis = {"axis_name": parallel.AXIS}
        if name == "paper":
            options |= axis
    training = Training(
        networks(name, PUBLISHED, **options),
        PUBLISHED.parameters,
        generator_optimizer=optax.sgd(0.05),
        discriminator_optimizer=optax.sgd(0.05),
        generator_steps=1,
        anchor_weight=1.0,
        ema_decay=0.5,
        **axis,
    )
    run = partial(steps, training=training, layout=PUBLISHED)
    if way == "pmap":
        compiled = parallel.mapped(run)
    elif way == "one":
        compiled = parallel.sharded(run, Mesh(jax.devices()[:1], (parallel.AXIS,)))
    else:
        compiled = parallel.sharded(run)
    state = compiled.init(partial(init, training=training), jax.random.key(0))
    part = Part(jax.process_index(), jax.process_count())
    for stack in islice(iter(stream(ArraySource(spectra()), batch_size=8, steps=2, part=part)), 2):
        state, info = compiled.run(jax.random.key(1), state, *map(compiled.place, stack))
    state = compiled.to_one(state)
    if jax.process_index() == 0:
        leaves = jax.tree.leaves((state, info))
        np.savez(out, **{str(i): np.asarray(leaf) for i, leaf in enumerate(leaves)})
    assert int(state.step) == 4


if __name__ == "__main__":
    main(*sys.argv[1:])
