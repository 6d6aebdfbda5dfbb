"""The runner and the report, on small notebooks in real kernels."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import psutil
import pytest
from rich.console import Console

from tests.reports import HOSTILE, context, make_report, write_notebook
from workbench import notebooks
from workbench.errors import BadInput, OutputError
from workbench.proof.findings import Evidence, Finding
from workbench.proof.results import AreaResults, LookedAt, load_results, safe_name
from workbench.proof.runs import NotebookRun, Progress
from workbench.report import staged, write_site
from workbench.report.folder import MARKER
from workbench.report.overview import Overview
from workbench.report.summary import summary

VOID = {"meta", "link", "img", "br", "hr", "input", "col"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[NotebookRun]]:
    return make_report(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def out(made: tuple[Path, list[NotebookRun]]) -> Path:
    return made[0]


@pytest.fixture(scope="module")
def runs(made: tuple[Path, list[NotebookRun]]) -> list[NotebookRun]:
    return made[1]


class Elements(HTMLParser):
    """The elements of a page: tag and attributes of each, and the text outside of style and script."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open[-1:]):
            self.text += data


@pytest.fixture(params=["index.html", "01_oltp_model.html", "06_security.html"])
def page(request: pytest.FixtureRequest, out: Path) -> Elements:
    return Elements(out / request.param)


def finding(name: str, *, check: str = "missing_primary_key", evidence: tuple[Evidence, ...] = ()) -> Finding:
    return Finding("oltp", check, "warn", f"public.{name}", "no key", "why", "fix;", True, "", evidence)


# the runner


def test_failing_notebook_does_not_stop_the_others(runs: list[NotebookRun]) -> None:
    """Each notebook has its own outcome; a failure says cell, source line and reason in one line."""
    ok, failed = runs

    assert (ok.outcome, ok.error) == ("ok", "")
    assert failed.outcome == "failed"
    assert failed.error == (
        "cell 2, line 2, `assert policy == 2, 'another tenant <b>reads</b>'`: "
        "AssertionError: another tenant <b>reads</b>"
    )


def test_failing_notebook_keeps_what_it_did(runs: list[NotebookRun]) -> None:
    """The partial notebook has the outputs until the failure and the error itself."""
    cells = [each for each in nbformat.read(runs[1].path, 4).cells if each.cell_type == "code"]

    assert cells[0].outputs[0].text == "before the failure\n"
    assert cells[1].outputs[0].output_type == "error"
    assert cells[2].outputs == []


def test_parameters_reach_the_notebook_typed(runs: list[NotebookRun]) -> None:
    """What was given as text is injected as the default's type, and recorded."""
    injected = next(
        each for each in nbformat.read(runs[0].path, 4).cells if "injected-parameters" in each.metadata.tags
    )

    assert "scale = 2.0" in injected.source
    assert runs[0].parameters == {"scale": 2.0}


def test_executed_notebooks_name_no_folder(out: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The folders of a run are no part of what it hands on."""
    for path in [*(out / "notebooks").glob("*.ipynb"), *out.glob("*.html"), *out.glob("*.json")]:
        assert str(tmp_path_factory.getbasetemp()) not in path.read_text(encoding="utf-8"), path.name


def test_kernel_is_this_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels run this Python, whatever kernel a notebook names, and without a home folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere" / "home"))
    path = write_notebook(tmp_path / "src", "01_a", "import sys\nprint(sys.executable)")
    document = json.loads(path.read_text())
    document["metadata"]["kernelspec"] = {"name": "julia-9", "display_name": "J", "language": "python"}
    path.write_text(json.dumps(document))

    (run,) = notebooks.run([notebooks.read(path)], {}, tmp_path / "out", jobs=1)

    assert run.ok, run.error
    assert nbformat.read(run.path, 4).cells[0].outputs[0].text.strip() == sys.executable
    assert not (tmp_path / "nowhere").exists()


def test_braces_in_a_folder_are_letters(tmp_path: Path) -> None:
    """A folder named like papermill's place holders is a folder."""
    found = notebooks.read(write_notebook(tmp_path / "{scale} {", "01_a", "1 + 1"))

    (run,) = notebooks.run([found], {}, tmp_path / "o{ut}", jobs=1)

    assert run.ok, run.error
    assert run.path.is_file()


def test_long_temporary_folder(tmp_path: Path) -> None:
    """Where the path of the temporary folder is too long for sockets in it, kernels run all the same."""
    temporary = tmp_path / ("t" * 120)
    temporary.mkdir()
    path = write_notebook(tmp_path / "src", "01_a", "1 + 1")
    code = "import sys\nfrom pathlib import Path\nfrom workbench import notebooks\n"
    code += "(run,) = notebooks.run([notebooks.read(Path(sys.argv[1]))], {}, Path(sys.argv[2]), jobs=1)\n"
    code += "print(run.outcome, run.error)"

    said = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path / "out")],
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (said.stdout.strip(), said.stderr) == ("ok", "")
    assert list(temporary.iterdir()) == []


def test_killed_kernel_is_a_failure(tmp_path: Path) -> None:
    """A kernel that is killed, as the system does when memory is short, fails its notebook alone."""
    dies = write_notebook(tmp_path, "01_dies", "import os\nos.kill(os.getpid(), 9)")
    lives = write_notebook(tmp_path, "02_lives", "1 + 1")

    first, second = notebooks.run([notebooks.read(dies), notebooks.read(lives)], {}, tmp_path / "out", jobs=2)

    assert (first.outcome, second.outcome) == ("failed", "ok")
    assert first.error.startswith("its kernel died")


def test_endless_cell_is_stopped_where_a_limit_is_set(tmp_path: Path) -> None:
    """A cell that never ends is stopped after the given seconds."""
    found = notebooks.read(write_notebook(tmp_path, "01_a", "import time\nwhile True: time.sleep(0.05)"))

    (run,) = notebooks.run([found], {}, tmp_path / "out", jobs=1, cell_timeout_s=1)

    assert run.outcome == "failed"
    assert "took longer than allowed" in run.error


def test_progress_is_told_cell_by_cell(tmp_path: Path) -> None:
    """The listener hears of each cell and of the end."""
    heard: list[Progress] = []
    found = notebooks.read(write_notebook(tmp_path, "01_a", "1", "2", "3"))

    notebooks.run([found], {}, tmp_path / "out", jobs=1, on_progress=heard.append)

    assert [(each.done, each.cells, each.state) for each in heard] == [
        (0, 3, "running"),
        (1, 3, "running"),
        (2, 3, "running"),
        (3, 3, "running"),
        (3, 3, "ok"),
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_for_people(terminal: bool) -> None:
    """A bar in a terminal, two plain lines elsewhere; brackets in a message are no markup."""
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=100, _environ={"TERM": "xterm"})

    with notebooks.progress_display(console) as listener:
        listener(Progress("01_a", 0, 2, "running"))
        listener(Progress("01_a", 1, 2, "running"))
        listener(Progress("01_a", 1, 2, "failed", 1.5, "list index [red] out of range"))

    assert "01_a" in text.getvalue()
    if terminal:
        assert "\x1b[" in text.getvalue()
    else:
        assert text.getvalue().splitlines() == [
            "01_a: running 2 cells",
            "01_a: failed in 1.5 s: list index [red] out of range",
        ]


INTERRUPTED = """
import sys
import threading
import time
from pathlib import Path
from workbench import notebooks

lock = threading.Lock()

def show(progress):
    with lock:
        print(progress.notebook, progress.state, progress.done, flush=True)

if __name__ == "__main__":
    found = notebooks.available(Path(sys.argv[1]))
    for run in notebooks.run(found, {}, Path(sys.argv[2]), jobs=2, on_progress=show):
        print("outcome", run.name, run.outcome, flush=True)
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run with one notebook that ends, one that waits in its second cell, and one that is not reached."""
    waits = [
        "import subprocess\np = subprocess.Popen(['sleep', '600'])\nprint(p.pid)",
        "import time\ntime.sleep(600)",
    ]
    write_notebook(tmp_path / "src", "01_ends", "1 + 1")
    write_notebook(tmp_path / "src", "02_waits", *waits)
    write_notebook(tmp_path / "src", "03_waits", *waits)
    write_notebook(tmp_path / "src", "04_never", "1")
    script = tmp_path / "run.py"
    script.write_text(INTERRUPTED)
    command = [sys.executable, str(script), str(tmp_path / "src"), str(tmp_path / "out")]
    temporary = tempfile.TemporaryDirectory()  # for what a killed run cannot remove
    process = subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": temporary.name},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    yield process
    for child in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
        child.kill()
    process.kill()
    process.wait()
    temporary.cleanup()


def read_until(process: subprocess.Popen[str], *lines: str) -> list[psutil.Process]:
    """Read the output until all of *lines* came; the processes that are below *process* then."""
    waited_for = set(lines)
    assert process.stdout is not None
    deadline = threading.Timer(120, process.kill)
    deadline.start()
    while waited_for:
        line = process.stdout.readline()
        assert line, f"the run ended before it said {waited_for}"
        waited_for.discard(line.strip())
    deadline.cancel()
    return psutil.Process(process.pid).children(recursive=True)


def alive_after(processes: list[psutil.Process], *, seconds: float) -> list[psutil.Process]:
    """Those of *processes* that still run after *seconds* at most; they are killed then."""
    deadline = time.monotonic() + seconds
    while (alive := [each for each in processes if is_alive(each)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    for each in alive:
        each.kill()
    return alive


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_interrupt_ends_kernels_and_keeps_results(running: subprocess.Popen[str], tmp_path: Path) -> None:
    """Ctrl-C leaves no kernel and no child of one; what was finished is there, the rest says interrupted."""
    below = read_until(running, "01_ends ok 1", "02_waits running 1", "03_waits running 1")

    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=60)

    assert running.returncode == 0, output
    assert re.findall(r"outcome (\S+) (\S+)", output) == [
        ("01_ends", "ok"),
        ("02_waits", "interrupted"),
        ("03_waits", "interrupted"),
        ("04_never", "interrupted"),
    ]
    assert "Traceback" not in output
    assert below
    assert alive_after(below, seconds=10) == []
    assert nbformat.read(tmp_path / "out/notebooks/01_ends.ipynb", 4).cells[0].outputs


def test_killed_run_leaves_no_kernel(running: subprocess.Popen[str]) -> None:
    """Kernels end by themselves when the run that they belong to is killed."""
    kernels = [
        each
        for each in read_until(running, "02_waits running 1", "03_waits running 1")
        if "ipykernel_launcher" in " ".join(each.cmdline())
    ]

    running.kill()
    running.wait()

    assert len(kernels) == 2
    assert alive_after(kernels, seconds=30) == []


# results


def test_results_survive_saving(tmp_path: Path) -> None:
    """What is saved is what is loaded, for values of every kind that JSON knows."""
    results = AreaResults("oltp", "OLTP model")
    results.add_findings([finding("a", evidence=(Evidence("plan", "s", "e", {"rows": 3}),))])
    results.add_fact("Tables", 3, "note")
    results.add_proof("claim", "not proved", "e", why_not="reason", how_to="command")
    results.looked_at = LookedAt("s", "e", schemas=("a", "b"), tables=3)
    results.add_artifact("a.sql", "select 1;", "text")

    results.save(tmp_path)

    (loaded,) = load_results(tmp_path)
    assert loaded == results
    assert (tmp_path / "artifacts/oltp/a.sql").read_text() == "select 1;"


def test_saving_twice_replaces(tmp_path: Path) -> None:
    """A cell that is run again saves the same results again; a finding counts once."""
    results = AreaResults("oltp", "OLTP model")
    results.add_findings([finding("a"), finding("a")])
    results.save(tmp_path)
    results.add_findings([finding("a"), finding("b")])
    results.save(tmp_path)

    assert [each.object for each in load_results(tmp_path)[0].findings] == ["public.a", "public.b"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("er diagram.svg", "er_diagram.svg"),
        ("../../etc/passwd", "etc_passwd"),
        ("/absolute.sql", "absolute.sql"),
        (".hidden", "hidden"),
        ("", "unnamed"),
        ("...", "unnamed"),
        ("a\x00b\n.sql", "a_b_.sql"),
        ("表🛒.sql", "表_.sql"),
        ("con.sql", "_con.sql"),
        ("x" * 400 + ".sql", "x" * 140 + ".sql"),
        ("é" * 200, "é" * 75),
    ],
)
def test_artifact_names_are_safe(name: str, safe: str) -> None:
    """A name that comes from a source is a plain file name on every file system."""
    assert safe_name(name) == safe


def test_artifact_names_are_unique() -> None:
    """Names that differ in case only, or once they are safe, get a number."""
    results = AreaResults("oltp", "OLTP")

    made = [
        results.add_artifact(name, "", "").name
        for name in ("Users.sql", "users.sql", "users?.sql", "users.sql")
    ]

    assert made == ["Users.sql", "users-2.sql", "users_.sql", "users-3.sql"]


def test_unproved_needs_a_reason() -> None:
    """A claim that was not proved says why; an outcome is one of three."""
    results = AreaResults("oltp", "OLTP")

    with pytest.raises(BadInput, match="say why"):
        results.add_proof("claim", "not proved", "engine")
    with pytest.raises(BadInput, match="is none of"):
        results.add_proof("claim", "perhaps", "engine")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="is not a name"):
        AreaResults("../oltp", "OLTP")


def test_broken_results_are_named(tmp_path: Path) -> None:
    """A file that is no results is named, in one line."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results/oltp.json").write_text("{")

    with pytest.raises(BadInput, match=r"oltp\.json holds no results"):
        load_results(tmp_path)


# the report


def test_findings_json_is_valid_and_complete(out: Path) -> None:
    """findings.json holds every finding with its evidence; what JSON has no number for is text."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    text = (out / "findings.json").read_text(encoding="utf-8")
    found = json.loads(text, parse_constant=refuse)

    assert len(found) == len(HOSTILE) + 2
    assert set(found[0]) == {
        *("id", "area", "check", "severity", "object", "title", "why", "fix", "verified"),
        *("unverified_because", "evidence"),
    }
    assert {each["object"] for each in found} == {f"public.{name}" for name in HOSTILE}
    facts = found[0]["evidence"][0]["facts"]
    assert (facts["ratio"], facts["most"], facts["day"], facts["price"]) == (
        "NaN",
        "Infinity",
        "2026-01-02",
        9.9,
    )
    assert [each["severity"] for each in found] == ["error"] * len(HOSTILE) + ["info"] * 2


def test_pages_load_nothing(page: Elements) -> None:
    """A page refers to nothing that is loaded from elsewhere, and runs one script: its own."""
    loaded = [
        (tag, value)
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "srcset", "data", "poster", "background", "action", "formaction", "xlink:href")
        or (name == "href" and tag != "a")
        if not value.startswith(("data:", "#"))
    ]

    assert loaded == []
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not {"iframe", "object", "embed", "form", "base", "foreignobject"} & {
        tag for tag, _ in page.elements
    }


def test_pages_run_nothing_of_the_source(page: Elements) -> None:
    """No attribute of a page acts, and no link runs a script."""
    for tag, attributes in page.elements:
        assert [name for name in attributes if name.startswith("on")] == [], tag
        assert not attributes.get("href", "").lower().startswith("javascript:"), tag


def test_policy_names_the_script_and_nothing_else(page: Elements) -> None:
    """The content security policy allows the page's script by its hash, inline styles and embedded images."""
    policy = next(each["content"] for _, each in page.elements if each.get("http-equiv"))

    assert re.fullmatch(
        r"default-src 'none'; script-src 'sha256-[\w+/=]+'; style-src 'unsafe-inline'; img-src data:; "
        r"base-uri 'none'; form-action 'none'",
        policy,
    )


def test_pages_are_whole(page: Elements) -> None:
    """Elements are closed in their order, ids are unique, headings and tables have their heads."""
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    tags = [tag for tag, _ in page.elements]

    assert page.unbalanced == []
    assert page.open == []
    assert len(ids) == len(set(ids)), sorted(each for each in ids if ids.count(each) > 1)
    assert tags.count("h1") == 1
    assert all("scope" in attributes for tag, attributes in page.elements if tag == "th" and attributes)


def test_links_lead_somewhere(out: Path) -> None:
    """Every link inside the report leads to a file or an anchor that is there."""
    for path in out.glob("*.html"):
        elements = Elements(path).elements
        anchors = {attributes.get("id") for _, attributes in elements}
        for tag, attributes in elements:
            href = attributes.get("href", "")
            if tag != "a" or href.startswith(("http", "mailto:")) or "javascript" in href or not href:
                continue
            file, _, anchor = href.partition("#")
            if file:
                assert (out / unquote(file)).is_file(), (path.name, href)
            else:
                assert unquote(anchor) in anchors, (path.name, href)


def test_index_shows_hostile_names_as_they_are(out: Path) -> None:
    """A name of the source is text on the first page, whatever it holds."""
    shown = " ".join(Elements(out / "index.html").text.split())

    for name in HOSTILE:
        assert " ".join(f"public.{name}".split()) in shown


def test_index_says_what_was_not_run_as_written(out: Path) -> None:
    """What was stood in for and left out stands on the first page, with lines."""
    shown = Elements(out / "index.html").text

    assert "lines 3, 9" in shown
    assert "1,204" in shown


def test_index_says_what_failed_and_why(out: Path) -> None:
    """A notebook that failed is on the first page with the reason, and its page leads to the cell."""
    assert "AssertionError: another tenant <b>reads</b>" in Elements(out / "index.html").text
    assert "before the failure" in Elements(out / "06_security.html").text
    assert {"id": "failed", "class": "cell failed"} in [
        each for _, each in Elements(out / "06_security.html").elements
    ]


def test_index_says_what_was_proved_and_not(out: Path) -> None:
    """Claims stand with outcome and engine, those not proved with the reason and what would help."""
    shown = Elements(out / "index.html").text

    assert "Of 3 claims, 1 proved, 1 refuted and 1 not proved." in shown
    assert "PostgreSQL 18.6, embedded" in shown
    assert f"lacks {HOSTILE[1]}" in shown
    assert f"get {HOSTILE[2]}" in shown


def test_code_is_folded(out: Path) -> None:
    """Code is inside closed details on a page, but for the cell that failed."""
    classes = [each for tag, each in Elements(out / "01_oltp_model.html").elements if tag == "details"]

    assert any(each["class"] == "code" for each in classes)
    assert not any("open" in each for each in classes if each["class"] == "code")
    failed = [each for tag, each in Elements(out / "06_security.html").elements if tag == "details"]
    assert sum("open" in each for each in failed) == 1


def test_wide_pictures_have_a_file_of_their_own(out: Path) -> None:
    """A picture too wide for the page is linked to a clean copy; ids differ from picture to picture."""
    pictures = sorted(each.name for each in (out / "pictures").iterdir())

    assert pictures == ["01_oltp_model-1.svg", "01_oltp_model-2.svg"]
    text = (out / "pictures/01_oltp_model-1.svg").read_text()
    assert "url(#01_oltp_model-1-a)" in text
    assert not re.search(r"script|onload|javascript|example\.org|iframe", text)


def test_no_notebook_and_no_results(tmp_path: Path) -> None:
    """A report of nothing is a page that says so."""
    index = write_site(tmp_path, [], context())

    assert "No notebook ran to its end." in Elements(index).text
    assert json.loads((tmp_path / "findings.json").read_text()) == []


def test_many_findings_stay_readable(tmp_path: Path) -> None:
    """500 findings of three checks are three groups, closed, each finding once, in about a megabyte."""
    results = AreaResults("oltp", "OLTP")
    results.add_findings(finding(f"table_{n}", check=f"check_{n % 3}") for n in range(500))
    results.save(tmp_path)

    elements = Elements(write_site(tmp_path, [], context())).elements

    groups = [each for tag, each in elements if tag == "details" and each.get("class") == "check"]
    assert len(groups) == 3
    assert not any("open" in each for each in groups)
    assert sum(each.get("class") == "finding" for _, each in elements) == 500
    assert (tmp_path / "index.html").stat().st_size < 1_500_000


def test_check_of_two_severities_is_two_groups(tmp_path: Path) -> None:
    """Where a check finds what matters and what hardly does, each severity has a group of its own."""
    results = AreaResults("oltp", "OLTP")
    results.add_findings([finding("a"), replace(finding("b"), severity="info")])
    results.save(tmp_path)

    elements = Elements(write_site(tmp_path, [], context())).elements

    groups = [each["id"] for tag, each in elements if tag == "details" and each.get("class") == "check"]
    assert groups == ["check-oltp-missing_primary_key-warn", "check-oltp-missing_primary_key-info"]


# the summary


def test_summary_is_inert(out: Path, runs: list[NotebookRun]) -> None:
    """Names in summary.md are text: no HTML, no link, no table cell and no mention comes of them."""
    from nbconvert.filters.markdown import markdown2html

    text = summary(Overview(tuple(load_results(out))), runs, context(HOSTILE[0]))
    html = markdown2html(text)

    assert text == (out / "summary.md").read_text(encoding="utf-8")
    assert not re.search(r"<(script|img|svg|a href=.javascript)", html.replace('<a class="anchor-link"', ""))
    assert "@all" not in re.sub(r"`[^`]*`", "", text)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}


def test_summary_fits_a_comment(tmp_path: Path, runs: list[NotebookRun]) -> None:
    """With thousands of findings and claims it stays below the 65,536 letters of a comment."""
    results = AreaResults("oltp", "OLTP")
    results.add_findings(finding("t" * 200 + str(n), check=f"check_{n % 90}") for n in range(3000))
    for n in range(500):
        results.add_proof(f"claim {n} " + "c" * 200, False, "engine")
        results.add_proof(f"open {n}", "not proved", "engine", why_not=f"reason {n} " + "r" * 200)

    assert len(summary(Overview((results,)), runs, context())) < 65_536


# the folder


def report_into(out: Path, text: str = "new") -> None:
    with staged(out) as staging:
        (staging / "index.html").write_text(text)
        (staging / text).mkdir()


def test_new_folder_is_made(tmp_path: Path) -> None:
    """A folder that is not there is made, with those above it."""
    report_into(tmp_path / "a/b")

    assert sorted(each.name for each in (tmp_path / "a/b").iterdir()) == [MARKER, "index.html", "new"]


def test_former_report_is_replaced(tmp_path: Path) -> None:
    """A second report takes the place of all that the first wrote, and of nothing else."""
    report_into(tmp_path / "out", "first")
    (tmp_path / "out/mine.txt").write_text("mine")
    report_into(tmp_path / "out", "second")

    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        MARKER,
        "index.html",
        "mine.txt",
        "second",
    ]


@pytest.mark.parametrize("raised", [RuntimeError, KeyboardInterrupt])
def test_failed_run_leaves_the_former_report(tmp_path: Path, raised: type[BaseException]) -> None:
    """Where a run raises, the former report is as it was and nothing else is left."""
    report_into(tmp_path / "out", "first")
    with pytest.raises(raised), staged(tmp_path / "out") as staging:
        (staging / "index.html").write_text("second")
        raise raised

    assert (tmp_path / "out/index.html").read_text() == "first"
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [MARKER, "first", "index.html"]


def test_failed_first_run_leaves_no_folder(tmp_path: Path) -> None:
    """A folder that was made for a report which came to nothing is removed."""
    with pytest.raises(RuntimeError), staged(tmp_path / "a/b"):
        raise RuntimeError

    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    """The passing folder of a run that was killed does not stand in the way of the next."""
    code = "import os, sys\nfrom pathlib import Path\nfrom workbench.report import staged\n"
    code += "with staged(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=False)
    assert list((tmp_path / "out").glob(".staging-*"))

    report_into(tmp_path / "out")

    assert not list((tmp_path / "out").glob(".staging-*"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text(""), "is a file"),
        (
            lambda path: (path.mkdir(), (path / "thesis.txt").write_text("")),
            "is not empty and holds no report",
        ),
    ],
)
def test_folder_that_is_no_report_is_refused(tmp_path: Path, make: object, message: str) -> None:
    """A file, or a folder with other people's files, is refused in one line and left as it is."""
    make(tmp_path / "out")  # type: ignore[operator]
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(OutputError, match=message) as raised:
        report_into(tmp_path / "out")

    assert "\n" not in str(raised.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    """A folder inside a file cannot be, which is said in one line."""
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match="cannot be written"):
        report_into(tmp_path / "file/out")


READ_ONLY = """
import os, sys
from pathlib import Path
from workbench.errors import OutputError
from workbench.report import staged
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    with staged(Path(sys.argv[1])):
        pass
except OutputError as error:
    print(error)
"""


@pytest.mark.parametrize("below", ["", "new"])
def test_read_only_folder_is_refused(below: str) -> None:
    """A folder that may not be written to is refused in one line, by a user who is not root."""
    with tempfile.TemporaryDirectory() as reachable:
        Path(reachable).chmod(0o755)  # pytest's own folders are closed to other users
        out = Path(reachable) / "out"
        out.mkdir(mode=0o555)

        said = subprocess.run(
            [sys.executable, "-c", READ_ONLY, str(out / below)], capture_output=True, text=True, check=True
        )

    assert re.fullmatch(rf"{re.escape(str(out / below))}: (may not|cannot) be written.*\n", said.stdout)


def test_full_disk_is_said(tmp_path: Path) -> None:
    """A disk without space gives one line; /dev/full answers as a full disk does."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")

    def fill() -> None:
        with staged(tmp_path / "out") as staging:
            (staging / "index.html").symlink_to("/dev/full")
            try:
                (staging / "index.html").write_text("x" * 100_000)
            except OSError as exc:
                raise OSError(exc.errno, os.strerror(exc.errno or 0), str(staging / "index.html")) from exc

    with pytest.raises(OutputError, match="no space is left"):
        fill()

    assert not (tmp_path / "out").exists()
