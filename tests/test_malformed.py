"""At least 50 malformed files of each format: a line each, exit status 2, and the rest is done."""

import re
import resource
import time

import pytest
from commands import call, errors, run
from malformed_files import columns, malformed, write

from exogan_jax.files.spectra import read_spectrum

FORMS = ("text", "csv", "ecsv", "ipac", "mrt", "fits", "hdf5", "netcdf")


@pytest.mark.parametrize("form", FORMS)
def test_malformed_files_are_a_line_each_and_the_rest_is_done(tmp_path, capsys, form, monkeypatch):
    (tmp_path / "bad").mkdir()
    monkeypatch.chdir(tmp_path)
    files = malformed(form, tmp_path / "bad")
    assert len(files) >= 50
    good = tmp_path / "good.dat"
    good.write_bytes(write(form, columns()))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    paths = [str(path) for path, *_ in files]
    status, out, err = call(capsys, "inspect", *paths[:30], good, *paths[30:])
    assert status == 2 and f"{good}: " in out and "12 points" in out
    lines = err.splitlines()
    wrong = []
    for path, cause, row in files:
        mine = [line for line in lines if line.startswith(f"exogan: error: {path}: ")]
        ok = len(mine) == 1 and cause in mine[0] and "; " in mine[0] and len(mine[0]) < 600
        ok = ok and (not row or re.search(r": (line|row) \d+: ", mine[0]))
        if not ok:
            wrong.append((path.name, cause, mine))
    assert not wrong, "\n".join(map(str, wrong))
    assert len(lines) == len(files) and "Traceback" not in out + err
    assert not (tmp_path / "pwned").exists()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 600 * 1024  # KiB


@pytest.mark.parametrize("form", ["csv", "fits"])
def test_retrieve_does_the_rest(tmp_path, capsys, fake, no_figures, form):
    (tmp_path / "bad").mkdir()
    # A folder is a run of its own.
    files = [file for file in malformed(form, tmp_path / "bad") if not file[0].is_dir()]
    good = tmp_path / "good.dat"
    good.write_bytes(write(form, columns()))
    paths = [str(path) for path, *_ in files]
    out = tmp_path / "out"
    status, text, err = run(capsys, *paths[:9], good, *paths[9:], "--out", out)
    assert status == 2 and fake.calls[0][0] == ["good"] and (out / "summary.ecsv").exists()
    said = errors(err)
    assert len(said) == len(files) and "Traceback" not in text + err


def test_an_ecsv_that_swells_is_read_in_no_time(tmp_path):
    levels = "{a: &a [x,x,x,x,x,x,x,x,x]"
    for one, next_one in zip("abcdefghi", "bcdefghij", strict=True):
        levels += f", {next_one}: &{next_one} [{','.join(['*' + one] * 9)}]"
    text = write("ecsv", columns()).decode()
    path = tmp_path / "laughs.ecsv"
    path.write_text(text.replace("# schema", f"# meta: {levels}}}\n# schema"))
    start = time.monotonic()
    assert len(read_spectrum(path).observation.depth) == 12
    assert time.monotonic() - start < 5
