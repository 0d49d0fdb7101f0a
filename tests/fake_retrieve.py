"""What stands for a retrieval in tests of the command: made-up results, at once."""

from types import SimpleNamespace

import pytest
from fake_results import make_retrieval

from exogan_jax import api
from exogan_jax.files import headers, weights
from exogan_jax.layout import PUBLISHED
from exogan_jax.retrieval.result import concatenate

ANCHORED = SimpleNamespace(anchored=True)
THE_MODEL = SimpleNamespace(encoder=None, layout=PUBLISHED, networks=ANCHORED)


class FakeRetrieve:
    """Stands for `api.retrieve`, in chunks of two; remembers what it was asked."""

    def __init__(self):
        self.calls = []
        self.priors = []
        self.model = THE_MODEL
        self.fail_after = None

    def __call__(self, observations, model, *, names, priors, settings, chunk, on_result):
        self.calls.append((list(names), settings))
        self.priors.append(priors)
        assert model is self.model and len(observations) == len(names)
        parts = []
        for start in range(0, len(names), 2):
            if self.fail_after is not None and start >= self.fail_after:
                raise KeyboardInterrupt
            part = make_retrieval(
                *names[start : start + 2], seed=settings.seed, layout=self.model.layout
            )
            on_result(part)
            parts.append(part)
        return concatenate(parts)


@pytest.fixture
def fake(monkeypatch):
    fake = FakeRetrieve()
    monkeypatch.setattr(api, "retrieve", fake)
    monkeypatch.setattr(weights, "load_model", lambda name=None: fake.model)
    monkeypatch.setattr(headers, "model_layout", lambda name=None: fake.model.layout)
    monkeypatch.setattr(headers, "n_compared", lambda name=None, likelihood="": None)
    return fake


@pytest.fixture
def no_figures(monkeypatch):
    monkeypatch.setattr("exogan_jax.files.plots.save_figures", lambda *args: None)
