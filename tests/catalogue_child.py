"""`exogan` in a process of its own, with a retrieval that costs nothing but EXOGAN_TEST_DELAY [s] a
chunk, and fails for spectra whose name begins with "broken". Processes that it starts have it too.
"""

import os
import sys
import time
import zlib
from types import SimpleNamespace

from fake_results import make_retrieval

from exogan_jax import api, cli
from exogan_jax.files import headers, weights
from exogan_jax.layout import PUBLISHED

MODEL = SimpleNamespace(
    encoder=None,
    layout=PUBLISHED,
    networks=SimpleNamespace(anchored=False),
    name="published",
    opacities="published",
)


def retrieve(observations, model, *, names, priors, settings, chunk, on_result):
    """Answers that depend on all of a chunk, so that another composition is another store."""
    assert len(observations) == len(names) <= chunk
    time.sleep(float(os.environ.get("EXOGAN_TEST_DELAY", "0")))
    if any(name.startswith("broken") for name in names):
        raise FloatingPointError("divided by nothing")
    seed = zlib.crc32(" ".join(names).encode()) ^ settings.seed
    on_result(make_retrieval(*names, seed=seed, n_samples=64, layout=PUBLISHED))


api.retrieve = retrieve
weights.load_model = lambda name=None: MODEL
headers.model_layout = lambda name=None: PUBLISHED

if __name__ == "__main__":
    sys.exit(cli.main(sys.argv[1:]))
