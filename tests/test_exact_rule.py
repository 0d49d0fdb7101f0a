"""`--exact RULE`: which spectra of a fast run get the exact answer, and how such a run goes on."""

import argparse
import dataclasses

import numpy as np
import pytest
from astropy.table import QTable
from commands import contents, errors, run
from fake_results import make_observation

from exogan_jax import api
from exogan_jax.files.exact_rule import Rule, parse_rule, signal, top
from exogan_jax.files.results import find_results
from exogan_jax.files.rows import Task
from exogan_jax.files.spectra import write_spectrum

NAMES = [f"p{i:02}" for i in range(25)]
FLAGGED = ["p03", "p10", "p11", "p24"]


@pytest.fixture
def spectra(tmp_path):
    folder = tmp_path / "spectra"
    folder.mkdir()
    for i, name in enumerate(NAMES):
        made = make_observation(12 if i < 12 else 32)
        # The later, the smaller the errors, and the more there is to tell.
        made = made._replace(sigma=made.sigma * 0.9**i)
        write_spectrum(folder / f"{name}.dat", made, star_radius=1.0)
    return folder


@pytest.fixture
def flagging(monkeypatch, fake):
    """The fake retrieval, whose fast answers to some have flags."""

    def retrieve(observations, model, *, on_result, settings, **others):
        def flag(part):
            flags = ["poor_fit" if n in FLAGGED and not settings.exact else "" for n in part.names]
            on_result(dataclasses.replace(part, flags=tuple(flags)))

        return fake(observations, model, on_result=flag, settings=settings, **others)

    monkeypatch.setattr(api, "retrieve", retrieve)
    return fake


def exact_names(out):
    """Names whose row that counts is exact."""
    results = find_results(out)
    return [name for name in results.rows if results.made_with(name)["exact"]]


@pytest.mark.parametrize(
    ("rule", "picked"), [("flagged", FLAGGED), ("top:3", NAMES[-3:]), ("top:99", NAMES)]
)
def test_those_that_a_rule_picks_are_exact(tmp_path, capsys, flagging, spectra, rule, picked):
    out = tmp_path / "out"
    options = [spectra, "--out", out, "--fast", "--exact", rule]
    status, _, err = run(capsys, *options)
    assert status == 0 and errors(err) == []
    assert f"{len(picked)} of 25 spectra get the exact answer" in " ".join(err.split())
    assert sorted(exact_names(out)) == picked
    asked = {exact: [] for exact in (True, False)}
    for names, settings in flagging.calls:
        asked[settings.exact] += names
        assert settings.chain and settings.n_samples == (2048 if settings.exact else 512)
    fast = NAMES if rule == "flagged" else [n for n in NAMES if n not in picked]
    assert sorted(asked[True]) == picked and sorted(asked[False]) == fast
    table = QTable.read(out / "summary.ecsv")
    assert list(table["name"]) == NAMES and set(table["status"]) == {"ok"}
    flags = dict(zip(table["name"], np.ma.filled(table["flags"], ""), strict=True))
    assert [n for n in NAMES if flags[n]] == [n for n in FLAGGED if n not in picked]
    first, calls = contents(out), len(flagging.calls)
    assert run(capsys, *options)[0] == 0  # again: nothing is left to do
    assert contents(out) == first and len(flagging.calls) == calls


@pytest.mark.parametrize("rule", ["flagged", "top:4"])
@pytest.mark.parametrize("after", [3, 27])
def test_a_killed_run_goes_on_to_the_same(
    tmp_path, capsys, monkeypatch, flagging, spectra, rule, after
):
    options = [spectra, "--fast", "--exact", rule, "--chunk", 1, "--out"]
    run(capsys, *options, tmp_path / "whole")
    retrieve, left = api.retrieve, [after]

    def killed(observations, *args, **others):
        left[0] -= len(observations)
        if left[0] < 0:
            raise KeyboardInterrupt
        return retrieve(observations, *args, **others)

    monkeypatch.setattr(api, "retrieve", killed)
    status = run(capsys, *options, tmp_path / "out")[0]
    # top:4 has 21 fast and 4 exact answers, flagged 25 and 4.
    assert (status != 0) == (after < (29 if rule == "flagged" else 25))
    left[0] = 10**6
    assert run(capsys, *options, tmp_path / "out")[0] == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_few_spectra_have_the_files_of_their_own_answers(tmp_path, capsys, flagging, spectra):
    out = tmp_path / "out"
    files = [spectra / f"{name}.dat" for name in ("p02", "p03")]
    options = ["--fast", "--exact", "flagged", "--no-plots", "--out", out]
    assert run(capsys, *files, *options)[0] == 0
    from exogan_jax.files.posteriors import read_attrs

    exact = {n: read_attrs(out / n / "posterior.nc")["exact"] for n in ("p02", "p03")}
    assert exact == {"p02": 0, "p03": 1}
    calls = len(flagging.calls)
    assert run(capsys, *files, *options)[0] == 0 and len(flagging.calls) == calls
    assert run(capsys, *files, *options, "--overwrite")[0] == 0
    assert len(flagging.calls) == 2 * calls and exact_names(out) == ["p03"]


@pytest.mark.parametrize(
    "options",
    [
        ["--exact", "flagged"],
        ["--fast", "--likelihood", "paper", "--exact", "flagged"],
        ["--fast", "--exact", "top:3", "--part", "0/2"],
    ],
)
def test_what_does_not_go_with_it_is_said(tmp_path, capsys, fake, spectra, options):
    status, _, err = run(capsys, spectra, "--out", tmp_path / "out", *options)
    assert status == 2 and len(errors(err)) == 1 and "--exact" in errors(err)[0]
    assert fake.calls == []


@pytest.mark.parametrize("text", ["", "top", "top:", "top:0", "top:-1", "top:x", "best"])
def test_no_other_rules(text):
    with pytest.raises(argparse.ArgumentTypeError, match="flagged nor top:N"):
        parse_rule(text)


def test_rules_are_written_as_they_are_read():
    for text in ("flagged", "top:7"):
        assert str(parse_rule(text)) == text
    assert parse_rule("top:7") == Rule(7)


def test_signal_is_what_noise_does_not_explain():
    """Of noise alone it is 0 on average, with a spread of sqrt(2 n)."""
    rng = np.random.default_rng(0)
    made = make_observation(400)
    flat = made._replace(depth=0.01 + made.sigma * rng.normal(size=400))
    assert abs(signal(flat)) < 3 * np.sqrt(800)
    wave = made._replace(depth=0.01 + 1e-4 * np.sin(40 * np.asarray(made.wavelength_um)))
    expected = np.square((wave.depth - wave.depth.mean()) / 5e-5).sum() - 399
    np.testing.assert_allclose(signal(wave), expected)
    tasks = [
        Task(name, "", "", {}, observation, {}, None)
        for name, observation in [("flat", flat), ("bad", None), ("a", wave), ("b", wave)]
    ]
    assert top(tasks, 1) == {"a"} and top(tasks, 2) == {"a", "b"}
