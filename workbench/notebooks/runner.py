"""Notebooks run by papermill, several at a time, each in a kernel of its own.

A notebook that fails keeps what it had done and does not stop the others. Ctrl-C ends the kernels,
and what was finished stays.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from workbench.errors import BadInput
from workbench.notebooks.kernels import Kernels
from workbench.proof.runs import Notebook, NotebookRun, Progress, ProgressListener

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CELL_LINE = re.compile(r"Cell In\[\d+\], line (\d+)")
_LONGEST_REASON = 400


def run(
    notebooks: Sequence[Notebook],
    parameters: Mapping[str, Mapping[str, Any]],
    out: Path,
    *,
    jobs: int,
    on_progress: ProgressListener | None = None,
    cell_timeout_s: int | None = None,
) -> list[NotebookRun]:
    """Execute *notebooks*, *jobs* at a time, into <out>/notebooks/NAME.ipynb; one run each, in their order.

    *parameters* are those of `check_parameters`: by notebook, typed, without any secret, for they are
    recorded. What a notebook saves with `AreaResults.save()` goes to *out*. *cell_timeout_s* limits
    each cell. After Ctrl-C the runs that were not finished have the outcome ``interrupted``.
    """
    if jobs < 1:
        raise BadInput(f"{jobs} notebooks at a time cannot be: give at least 1")
    executed = out / "notebooks"
    executed.mkdir(parents=True, exist_ok=True)
    listener = on_progress or (lambda progress: None)
    with _quiet(), Kernels(results=out) as kernels, ThreadPoolExecutor(jobs, "notebook") as pool:
        tasks = [
            _Task(
                notebook,
                dict(parameters.get(notebook.name, {})),
                (executed / f"{notebook.name}.ipynb").absolute(),
                kernels,
                listener,
                cell_timeout_s,
            )
            for notebook in notebooks
        ]
        futures = [pool.submit(task.run) for task in tasks]
        _wait(futures, kernels)
        return [future.result() for future in futures]


def _wait(futures: Sequence[Future[NotebookRun]], kernels: Kernels) -> None:
    """Wait for *futures*; Ctrl-C asks the kernels to end, a second one or 8 s later kills them."""
    try:
        wait(futures)
    except KeyboardInterrupt:
        with contextlib.suppress(KeyboardInterrupt):
            kernels.interrupt()
            wait(futures, timeout=8)
        kernels.kill()
        wait(futures)


class _Task:
    """One notebook's execution, told cell by cell."""

    def __init__(
        self,
        notebook: Notebook,
        parameters: dict[str, Any],
        path: Path,
        kernels: Kernels,
        listener: ProgressListener,
        cell_timeout_s: int | None,
    ) -> None:
        self.notebook = notebook
        self.parameters = parameters
        self.path = path
        self.kernels = kernels
        self.listener = listener
        self.cell_timeout_s = cell_timeout_s
        self.cells = 0
        self.done = 0
        self.started = time.monotonic()

    def run(self) -> NotebookRun:
        """Execute the notebook; whatever becomes of it is in the result."""
        self.started = time.monotonic()
        error = ""
        if not self.kernels.interrupted:
            try:
                with contextlib.ExitStack() as stack:
                    stack.callback(_forget_folders, self.path)
                    self._execute()
            except Exception as exc:  # one notebook's failure, of whatever kind, is that notebook's result
                error = failure(exc)
        elapsed_s = time.monotonic() - self.started
        if self.kernels.interrupted and (error or self.done < self.cells or not self.cells):
            result = NotebookRun(
                self.notebook, "interrupted", elapsed_s, self.path, self.parameters, "interrupted by Ctrl-C"
            )
        else:
            result = NotebookRun(
                self.notebook, "failed" if error else "ok", elapsed_s, self.path, self.parameters, error
            )
        self._tell(result.outcome, elapsed_s, result.error if result.outcome == "failed" else "")
        return result

    def _execute(self) -> None:
        import nbformat
        from papermill.execute import execute_notebook

        document = nbformat.read(self.notebook.path, as_version=4)  # type: ignore[no-untyped-call]
        self.cells = _code_cells(document) + (bool(self.parameters))
        self._tell("running", 0.0)
        self.kernels.register_engine()
        execute_notebook(  # type: ignore[no-untyped-call]
            _literal_path(self.notebook.path),
            _literal_path(self.path),
            parameters=self.parameters,
            engine_name=self.kernels.engine_name,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            cell_timeout_s=self.cell_timeout_s,
            iopub_timeout=30,
            kernels=self.kernels,
            on_cell_executed=self._cell_executed,
        )

    def _cell_executed(self, cell: Any, cell_index: int, execute_reply: Any) -> None:
        self.done += 1
        self._tell("running", time.monotonic() - self.started)

    def _tell(self, state: Any, elapsed_s: float, note: str = "") -> None:
        done = self.cells if state == "ok" else min(self.done, self.cells)
        self.listener(Progress(self.notebook.name, done, self.cells, state, elapsed_s, note))


def _literal_path(path: Path) -> str:
    """*path* as papermill wants it: braces in a path are its place holders."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _forget_folders(path: Path) -> None:
    """Take out what papermill noted of the folders; the one that it wrote to is a passing one."""
    if path.is_file():
        document = json.loads(path.read_bytes())
        noted = document["metadata"].get("papermill", {})
        for name in ("input_path", "output_path"):
            noted[name] = Path(noted[name]).name if noted.get(name) else None
        path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _code_cells(document: Any) -> int:
    return sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in document.cells)


def failure(exc: BaseException) -> str:
    """*exc* in one line: the cell, its source line, the reason."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    if isinstance(exc, PapermillExecutionError):
        return _one_line(f"{_place(exc)}: {exc.ename}: {exc.evalue}")
    if isinstance(exc, DeadKernelError):
        return "its kernel died: out of memory, or killed from outside"
    if isinstance(exc, CellTimeoutError):
        return _one_line(f"a cell took longer than allowed: {str(exc).splitlines()[0]}")
    if isinstance(exc, OSError) and exc.strerror:
        return _one_line(f"{exc.filename or 'its output'}: {exc.strerror}")
    return _one_line(f"{type(exc).__name__}: {exc}")


def _place(error: Any) -> str:
    """``cell 4, line 2, `assert after < before` ``."""
    trace = _ANSI.sub("", "\n".join(error.traceback))
    lines = error.source.splitlines()
    found = _CELL_LINE.findall(trace)
    number = int(found[0]) if found else 0
    if not 1 <= number <= len(lines):
        number = next((n for n, line in enumerate(lines, 1) if line.strip()), 0)
    code = lines[number - 1].strip() if number else ""
    return f"cell {error.exec_count}, line {number}, `{code[:120]}`"


def _one_line(text: str) -> str:
    words = " ".join(_ANSI.sub("", text).split())
    return words if len(words) <= _LONGEST_REASON else words[: _LONGEST_REASON - 1] + "…"


_quiet_lock = threading.Lock()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without papermill's log and the warnings of its libraries, which say nothing to an architect."""
    loggers = [logging.getLogger(name) for name in ("papermill", "traitlets", "nbclient", "asyncio")]
    with _quiet_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
