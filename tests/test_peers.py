"""What is kept of peers' answers, and what is said of them together."""

import numpy as np

from exogan_jax.layout import PUBLISHED
from experiments.peers import HEADS, Samples, cells, features, judged, summary

PARAMETERS = PUBLISHED.parameters


def answer(n=4000, seed=0):
    """Samples of the lower half of the box."""
    unit = 0.5 * np.random.default_rng(seed).uniform(size=(n, len(PARAMETERS)))
    return Samples(PARAMETERS.from_unit(unit), np.full(n, 1 / n), 1.5)


def test_ranks_and_errors_are_those_of_the_truth():
    truth = PARAMETERS.from_unit(np.full(len(PARAMETERS), 0.375))
    row = judged(answer(), truth, PARAMETERS, None)
    np.testing.assert_allclose(row["rank"], 0.75, atol=0.03)
    np.testing.assert_allclose(row["off"], 0.125, atol=0.02)
    assert row["seconds"] == 1.5 and "divergence" not in row and "calls" not in row


def test_an_answer_diverges_from_another_one_and_not_from_its_like():
    truth = PARAMETERS.from_unit(np.full(len(PARAMETERS), 0.375))
    like = judged(answer(), truth, PARAMETERS, answer(seed=1))["divergence"]
    whole = answer()._replace(
        theta=PARAMETERS.from_unit(np.random.default_rng(2).uniform(size=(4000, len(PARAMETERS))))
    )
    other = judged(whole, truth, PARAMETERS, answer(seed=1))["divergence"]
    assert max(like) < 0.003 < 0.1 < min(other)


def test_features_know_the_depth_and_what_stands_out_in_errors():
    sigma = np.array([1e-5, 1e-5, 2e-5])
    depth = np.array([[0.01, 0.01002, 0.01001], [0.02, 0.02002, 0.02001]])
    seen = features(depth, sigma)
    np.testing.assert_allclose(np.exp(seen[:, 0]), [0.01001, 0.02001], rtol=1e-5)
    np.testing.assert_allclose(np.sinh(seen[:, 1:]), [[-1, 1, 0]] * 2, atol=1e-4)


def test_a_summary_counts_each_kind_for_itself():
    rows = [
        {"kind": "exact", "i": i, "training": 0, "rank": [rank, 0.5], "off": [0.1, 0.3],
         "seconds": seconds, "divergence": [0.01, 0.02 + i]}
        for i, (rank, seconds) in enumerate([(0.5, 9.0), (0.17, 2.0), (0.99, 2.0)])
    ]  # fmt: skip
    rows.append({"kind": "sbi", "i": 0, "training": 60, "rank": [0.5], "off": [0], "seconds": 1})
    found = summary(rows)
    assert list(found) == ["exact", "sbi"]
    exact = found["exact"]
    assert exact["n"] == 3 and exact["seconds"] == 2.0 and exact["worst"] == 2.02
    np.testing.assert_allclose(exact["error"], 0.2)
    np.testing.assert_allclose([exact["inside_68"], exact["inside_95"]], [5 / 6, 5 / 6])
    assert found["sbi"]["training_seconds"] == 60 and "divergence" not in found["sbi"]


def test_taurex_is_told_by_the_seconds_of_as_many_spectra():
    nested = {"kind": "nested", "i": 0, "training": 0, "rank": [0.5], "off": [0.1], "seconds": 9.0}
    rows = [{"kind": "taurex", "n": 60, "rate": 8.0}, nested | {"calls": 40_000}]
    found = summary(rows)
    assert found["taurex"] == {"seconds": 5_000.0}
    assert cells(found["taurex"]) == ["", "", "", "", "", "", "5,000.00", ""]
    assert len(cells(found["nested"])) == len(HEADS)
    assert list(summary(rows[:1])) == []  # without calls, nothing is known
