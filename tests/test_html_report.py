"""The page of a run: what is in it, and what its table does in a browser."""

import dataclasses
import html.parser
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from fake_results import OTHER, OTHER_TRUTH, make_observation, make_retrieval

from exogan_jax.files.html_report import picked_names, write_report
from exogan_jax.files.ledger import Ledger, save_chunk
from exogan_jax.files.results import find_results, read_rows
from exogan_jax.files.rows import Task
from exogan_jax.retrieval.flags import MEANINGS

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
HOSTILE = "</script><b>&\"'"


def make_run(folder, n, n_samples=24):
    """A run with flags, truths, a failure and a name that is no friend of HTML."""
    names = [f"planet {i:05}" for i in range(n - 2)] + [HOSTILE, "lost"]
    about = {"input_sha256": "i"}
    tasks = [
        Task(x, "s", "r", about, make_observation(), {}, OTHER_TRUTH if i % 2 else None)
        for i, x in enumerate(names[:-1])
    ]
    tasks.append(Task("lost", "s", "", about, None, {}, None, "lost.dat: no such file"))
    ledger = Ledger(folder, OTHER, n_kept=16, chunk=64)
    for i, chunk in enumerate(ledger.plan(tasks, {"r": {"seed": 3, "model": "planets"}})):
        made = make_retrieval(*(t.name for t in chunk), n_samples=n_samples, layout=OTHER, seed=i)
        pairs = [
            (t, None if t.problem else dataclasses.replace(a, flags="poor_fit" * (k % 4 == 0)))
            for k, (t, a) in enumerate(zip(chunk, made, strict=True))
        ]
        ledger.add(save_chunk(folder, pairs, 16))
    return names, ledger.close()


class Page(html.parser.HTMLParser):
    """What is in a page: attributes of elements, and the data of its table."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)
        data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
        self.data = json.loads(data[1])

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, tag):
        return [attrs for name, attrs in self.found if name == tag]


def test_the_page_needs_no_other_file_and_holds_all(tmp_path):
    names, results = make_run(tmp_path, 40)
    text = write_report(tmp_path, results, names).read_text()
    page = Page(text)
    used = [a[k] for _, a in page.found for k in ("src", "href") if a.get(k)]
    assert all(url.startswith(("data:", "#picked-")) for url in used)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "") and "@" not in re.sub(
        r"<style>.*?</style>|base64,[^\"]*", "", text, flags=re.S
    )
    assert page.data["name"] == names and not page.all("b")
    rows = read_rows(results, names, ["quantiles", "reduced_chi2"])
    temperature = next(c for c in page.data["columns"] if c["name"] == "temperature [K]")
    np.testing.assert_allclose(temperature["values"][:-1], rows["quantiles"][:-1, 1, 3], rtol=1e-5)
    assert temperature["values"][-1] is None
    assert (
        page.data["flags"][-1] == "lost.dat: no such file" and page.data["flags"][0] == "poor_fit"
    )
    assert MEANINGS["poor_fit"].split(":")[0] in text and "planets" in text
    # Everything drawn has words for those who cannot see it, every field a label.
    drawn = page.all("svg")
    assert len(drawn) == 5 + 2 + 2 * 24 and all(a["aria-label"] for a in drawn)
    labels = {a["for"] for a in page.all("label")}
    assert labels == {a["id"] for a in [*page.all("input"), *page.all("select")]}
    assert page.all("html")[0]["lang"] == "en"


def test_coverage_is_that_of_the_intervals(tmp_path):
    names, results = make_run(tmp_path, 40)
    text = write_report(tmp_path, results, names).read_text()
    rows = read_rows(results, names, ["quantiles", "truth"])
    known = np.isfinite(rows["truth"][:, 3])
    low, _, high = rows["quantiles"][known, :, 3].T
    inside = (low <= OTHER_TRUTH[3]) & (OTHER_TRUTH[3] <= high)
    wanted = f"<td>temperature</td><td>{known.sum()}</td><td>{100 * inside.mean():.0f} %</td>"
    assert wanted in text and known.sum() == 19


def test_the_worst_and_the_first_are_drawn_or_those_picked(tmp_path):
    names, results = make_run(tmp_path, 100)
    rows = read_rows(results, names, ["name", "status", "flags", "reduced_chi2"])
    picked = picked_names(rows)
    flagged = [n for n, flags in zip(names, rows["flags"], strict=True) if flags]
    chi2 = dict(zip(names, rows["reduced_chi2"], strict=True))
    assert picked[:12] == sorted(flagged, key=lambda name: -chi2[name])[:12]
    assert picked[12:14] == ["planet 00001", "planet 00002"] and len(picked) == 24
    assert picked_names(rows, ["planet 0001?", "lost"]) == [f"planet {i:05}" for i in range(10, 20)]


_DRIVER = """
<script>
window.addEventListener("load", () => {
  const said = [], out = {}, by = (id) => document.getElementById(id);
  window.addEventListener("error", (event) => said.push(event.message));
  const cells = (row) => [...row.cells].map((cell) => cell.textContent);
  const rows = () => [...document.querySelectorAll("#table tbody tr")].map(cells);
  const hottest = () => rows().map((row) => parseFloat(row[4]));
  const timed = (name, action) => {
    const began = performance.now();
    action();
    document.body.offsetHeight;
    out[name] = performance.now() - began;
  };
  const type = (id, value) => {
    by(id).value = value;
    by(id).dispatchEvent(new Event(by(id).tagName === "SELECT" ? "change" : "input"));
  };
  const heads = [...document.querySelectorAll("#table thead button")];
  const click = (name) => heads.find((b) => b.textContent.startsWith(name)).click();
  out.loaded = performance.now();
  out.first = rows().length;
  timed("sort", () => click("temperature"));
  out.ascending = hottest();
  out.sorted = heads.map((b) => b.parentNode.getAttribute("aria-sort"));
  timed("reverse", () => click("temperature"));
  out.descending = hottest();
  timed("search", () => type("search", "00017"));
  out.searched = rows().map((row) => row[0]);
  type("search", "");
  timed("filter", () => type("flag", "poor_fit"));
  out.filtered = by("count").textContent;
  type("flag", "");
  type("column", "3");
  timed("range", () => type("low", "900"));
  out.ranged = hottest();
  by("reset").click();
  by("next").click();
  out.second = by("count").textContent;
  type("search", "script");
  out.hostile = rows()[0][0];
  out.errors = said;
  const node = document.createElement("pre");
  node.id = "result";
  node.textContent = JSON.stringify(out);
  document.body.append(node);
});
</script>
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here: install one to test the page in it")
def test_ten_thousand_rows_in_a_browser(tmp_path):
    names, results = make_run(tmp_path, 10_000, n_samples=8)
    path = write_report(tmp_path, results, names)
    driven = tmp_path / "driven.html"
    driven.write_text(path.read_text().replace("</body>", f"{_DRIVER}</body>"))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000"]
    command += ["--dump-dom", driven.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    assert "CONSOLE" not in done.stderr
    result = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.S)
    found = json.loads(html.unescape(result[1]))
    assert found["errors"] == [] and found["first"] == 100 and found["hostile"] == HOSTILE
    medians = read_rows(results, names, ["quantiles"])["quantiles"][:-1, 1, 3]
    np.testing.assert_allclose(found["ascending"], np.sort(medians)[:100], atol=1)
    np.testing.assert_allclose(found["descending"], np.sort(medians)[::-1][:100], atol=1)
    assert found["sorted"][4] == "ascending" and set(found["sorted"]) == {"none", "ascending"}
    assert found["searched"] == [name for name in names if "00017" in name]
    rows = read_rows(results, names, ["flags"])
    assert found["filtered"].endswith(f"of {sum(map(bool, rows['flags']))} (all: 10000)")
    assert min(found["ranged"]) >= 899 and found["second"] == "101 to 200 of 10000 (all: 10000)"
    times = {k: found[k] for k in ("loaded", "sort", "reverse", "search", "filter", "range")}
    print(times)
    assert times.pop("loaded") < 3000 and max(times.values()) < 300, times


def test_the_command_writes_it(tmp_path, capsys, fake, no_figures):
    from commands import run, write_spectra

    spectra = write_spectra(tmp_path / "spectra", 4)
    out = tmp_path / "out"
    options = ["--report", "--pick", "planet_00[12]"]
    status, text, _ = run(capsys, spectra, "--out", out, *options)
    assert status == 0 and str(out / "report.html") in "".join(text.split())
    page = Page((out / "report.html").read_text())
    assert list(page.data["picked"]) == ["planet_001", "planet_002"]
    assert len(find_results(out).rows) == 4
