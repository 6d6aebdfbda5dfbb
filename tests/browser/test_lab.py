"""`workbench lab` in a real browser: the notebook runs, nothing is fetched from elsewhere, nothing stays."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest
from playwright.sync_api import Page, TimeoutError, sync_playwright

from workbench.engines.postgres import Server

pytestmark = pytest.mark.browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CELLS = (
    "%load_ext workbench.magics",
    """from workbench.engines.postgres import engine
from workbench.magics import connect_sql
held = engine()
server = held.__enter__()
made = server.scratch_database(label='lab')
name = made.__enter__()
connect_sql(server.url(name))""",
    "%%sql\ncreate table greetings as select 'hello from ' || 'the engine' as greeting",
    "%sql select greeting from greetings",
    "made.__exit__(None, None, None)\nheld.__exit__(None, None, None)\nprint('closed' + ' again')",
)


@pytest.fixture(scope="session")
def browser_path() -> str:
    """The path of an installed Chromium."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    pytest.skip(f"no browser is installed ({', '.join(BROWSERS)}): apt-get install chromium")


@dataclass
class Running:
    """A JupyterLab that `workbench lab` opened."""

    process: subprocess.Popen[str]
    url: str


@pytest.fixture
def running(server: Server, tmp_path: Path) -> Iterator[Running]:
    """`workbench lab` on a folder with one small notebook."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(book, folder / "small.ipynb")
    private = {
        f"{name}_DIR": str(tmp_path / name.lower())
        for name in (
            "JUPYTER_CONFIG",
            "JUPYTERLAB_SETTINGS",
            "JUPYTERLAB_WORKSPACES",
            "JUPYTER_RUNTIME",
        )
    }
    options = ["--no-browser", "--port", str(_free_port()), "--notebooks", str(folder)]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "workbench.cli", "lab", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **private, "IPYTHONDIR": str(tmp_path / "ipython")},
        )
        try:
            yield Running(process, _url(process, output.fileno()))
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(30)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _url(process: subprocess.Popen[str], output: int) -> str:
    """The address with its token, as JupyterLab prints it."""
    while True:
        printed = os.pread(output, 1_000_000, 0).decode()
        if found := re.search(r"http://127\.0\.0\.1:\d+/lab\?token=\w+", printed):
            return found[0]
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"workbench lab ended with {process.returncode}:\n{printed}")


def _run_all(page: Page, url: str) -> None:
    page.goto(url.replace("/lab?", "/lab/tree/small.ipynb?") + "&reset")
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=60_000)
    prompt = page.locator(".jp-InputPrompt").filter(has_text=re.compile(r"\[(\*|\d+)\]")).first
    for patience_ms in (10_000, 20_000, 40_000):
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        # a click that comes before the kernel's session is there does nothing
        with contextlib.suppress(TimeoutError):
            prompt.wait_for(timeout=patience_ms)
            break
    try:
        page.get_by_text("closed again", exact=True).wait_for(timeout=60_000)
    except TimeoutError:
        pytest.fail(f"the notebook did not end: {page.locator('.jp-Notebook').inner_text()}")


def test_notebook_runs_offline_and_ctrl_c_leaves_nothing(
    running: Running, browser_path: str, tmp_path: Path
) -> None:
    """Run All shows the engine's rows, no request leaves the machine, Ctrl-C ends server and kernels."""
    requests: list[str] = []
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "browser",
            executable_path=browser_path,
            args=list(FLAGS),
            viewport={"width": 1400, "height": 3600},
        )
        context.on("request", lambda request: requests.append(request.url))
        page = context.pages[0]
        _run_all(page, running.url)
        shown = page.locator(".jp-OutputArea").all_inner_texts()
        dialogs = page.locator(".jp-Dialog").count()
        news = page.get_by_text("Jupyter news").count()
        context.close()

    assert any("hello from the engine" in text for text in shown)
    assert not any("Error" in text for text in shown)
    assert (dialogs, news) == (0, 0)
    here = running.url.partition("/lab")[0]
    assert [url for url in requests if not url.startswith((here, "data:", "blob:"))] == []
    assert requests

    children = psutil.Process(running.process.pid).children(recursive=True)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(40) == 0
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
