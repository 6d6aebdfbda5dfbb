"""Every notebook runs by papermill, and nbval finds the same outputs when it runs a second time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import papermill
import pytest

from workbench import notebooks
from workbench.engines.postgres import Server
from workbench.proof.results import RESULTS_VARIABLE, load_results
from workbench.proof.runs import Notebook

ROOT = Path(__file__).parent.parent.parent
SANITIZE = Path(__file__).parent / "sanitize.cfg"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
SMALL = {
    "source": "ecommerce",
    "scale": 0.001,
    "seed": 7,
    "failures": False,
    "anew": False,
    "mutants": False,
    "evidence": False,
    "volumes": "",
    "prove_limit_s": 20.0,
}


@dataclass(frozen=True)
class Executed:
    """A notebook of the project, executed with small parameters; its results are in *results*."""

    notebook: Notebook
    path: Path
    results: Path


@pytest.fixture(scope="module", params=notebooks.available(), ids=lambda each: each.name)
def executed(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Executed]:
    """One of the notebooks, executed once in a folder of its own."""
    notebook: Notebook = request.param
    folder = tmp_path_factory.mktemp(notebook.name)
    path = folder / f"{notebook.name}.ipynb"
    parameters = {name: value for name, value in SMALL.items() if name in notebook.parameter_names}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(RESULTS_VARIABLE, str(folder / "results"))
        environment.setenv("IPYTHONDIR", str(folder / "ipython"))  # no profile of the user's
        papermill.execute_notebook(notebook.path, path, parameters=parameters, progress_bar=False, cwd=folder)
        yield Executed(notebook, path, folder / "results")


def test_notebook_saves_results(executed: Executed) -> None:
    """A run ends with results of the notebook's area, among them what was proved and on which engine."""
    (results,) = load_results(executed.results)

    assert results.area == executed.notebook.area
    assert results.looked_at is not None
    assert results.proofs
    assert all(proof.engine for proof in results.proofs)


def test_every_cell_ran_without_a_warning(executed: Executed) -> None:
    """No cell was left out, and none wrote to the standard error."""
    book = nbformat.read(executed.path, as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]

    assert all(cell.execution_count for cell in code)
    assert [output.text for cell in code for output in cell.outputs if output.get("name") == "stderr"] == []


def test_a_second_run_has_the_same_outputs(executed: Executed) -> None:
    """nbval runs the executed notebook and finds its outputs again, times and sizes apart."""
    checked = _nbval(executed.path, "--nbval", f"--nbval-sanitize-with={SANITIZE}")

    assert checked.returncode == 0, checked.stdout[-20_000:]


@pytest.mark.parametrize(
    ("printed", "differs"),
    [
        ("12 rows in wb_source_4711_0f3a took 0.3 ms at 2026-01-31 10:11:12 UTC", False),
        ("13 rows in wb_source_1_ab took 250 ms at 2025-12-24 18:00:01 UTC", True),
        ("12 rows of wb_source_1_ab took 250 ms at 2025-12-24 18:00:01 UTC", True),
    ],
)
def test_only_times_and_scratch_names_may_differ(tmp_path: Path, printed: str, differs: bool) -> None:
    """The comparison is not vacuous: a time may differ, a count or a word may not."""
    cell = nbformat.v4.new_code_cell(
        "print('12 rows in wb_source_1_ab took 250 ms at 2025-12-24 18:00:01 UTC')",
        execution_count=1,
        outputs=[nbformat.v4.new_output("stream", name="stdout", text=f"{printed}\n")],
    )
    path = tmp_path / "small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": KERNEL}), path)
    checked = _nbval(path, "--nbval", f"--nbval-sanitize-with={SANITIZE}")

    assert checked.returncode == int(differs), checked.stdout


def _nbval(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """pytest on the notebook *path* alone, without this project's own options."""
    arguments = ["-q", "-p", "no:cacheprovider", "-o", "addopts=", *options, path.name]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=path.parent,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
    )
