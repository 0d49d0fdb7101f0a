"""Programs that are compiled with little care: the same numbers, of the options that XLA takes."""

import jax
import jax.numpy as jnp
import numpy as np

from exogan_jax.retrieval import lightly
from exogan_jax.retrieval.lightly import Lightly


def powers(x, *, settings):
    """To a power and summed."""
    return jnp.sum(x**settings)


def test_it_is_jits_answer_compiled_once():
    run, x = Lightly(powers, static="settings"), jnp.arange(5.0)
    for power in (2, 3, 2):
        np.testing.assert_allclose(run(x, settings=power), np.sum(np.arange(5.0) ** power))
    assert run.program._cache_size() == 2 and run.__doc__ == powers.__doc__
    several = jax.vmap(lambda x: powers(x, settings=2))(jnp.stack([x, 2 * x]))
    np.testing.assert_allclose(several, [run(x, settings=2), run(2 * x, settings=2)])


def test_options_are_those_of_the_processor(monkeypatch):
    taken = []
    jit = jax.jit

    def noting(function, **how):
        taken.append(how.get("compiler_options"))
        return jit(function, **how)

    monkeypatch.setattr(lightly.jax, "jit", noting)
    x = jnp.arange(5.0)
    with monkeypatch.context() as patch:
        patch.setattr(lightly.jax, "default_backend", lambda: "gpu")
        Lightly(powers, static="settings")(x, settings=2)
    assert taken[-1] is None
    options = {"xla_backend_optimization_level": 0}
    monkeypatch.setattr(lightly, "ON_CPU", options)
    Lightly(powers, static="settings")(x, settings=2)
    assert taken[-1] == options


def test_an_xla_without_the_options_does_without_them(monkeypatch):
    monkeypatch.setattr(lightly, "ON_CPU", {"xla_of_another_year": True})
    run, x = Lightly(powers, static="settings"), jnp.arange(5.0)
    assert float(run(x, settings=2)) == 30
    assert not lightly.is_taken(frozenset(lightly.ON_CPU.items()))


def test_others_are_taken_all_the_same(monkeypatch):
    known = dict(lightly.ON_CPU)
    monkeypatch.setattr(lightly, "ON_CPU", {"xla_of_another_year": True} | known)
    asked = []
    run = Lightly(powers, static="settings")
    run._compiled = lambda options: asked.append(options) or (lambda *_, **__: 0)
    run(0, settings=2)
    assert asked == [frozenset(known.items())]


def test_this_xla_takes_them():
    assert lightly.is_taken(frozenset(lightly.ON_CPU.items()))
