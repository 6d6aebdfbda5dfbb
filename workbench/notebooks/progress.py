"""Progress for people: a bar a notebook in a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from workbench.proof.runs import Progress, ProgressListener

_MARKS = {"ok": "[green]✓[/]", "failed": "[red]✗[/]", "interrupted": "[yellow]■[/]", "running": " "}
_WORDS = {"ok": "done", "failed": "failed", "interrupted": "interrupted"}


@contextlib.contextmanager
def progress_display(console: Console) -> Iterator[ProgressListener]:
    """A listener that shows on *console* what the runner tells it; safe to call from several threads."""
    if console.is_terminal and not console.is_dumb_terminal:
        with _bars(console) as bars:
            yield _BarListener(bars)
    else:
        yield _LineListener(console)


def _bars(console: Console) -> Bars:
    return Bars(
        TextColumn("{task.fields[mark]}"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("cells"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
        console=console,
    )


class _BarListener:
    """One bar a notebook, by its cells."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __call__(self, progress: Progress) -> None:
        with self._lock:
            if progress.notebook not in self._tasks:
                self._tasks[progress.notebook] = self._bars.add_task(
                    escape(progress.notebook), total=progress.cells, mark=" ", note=""
                )
            task = self._tasks[progress.notebook]
            self._bars.update(
                task, completed=progress.done, mark=_MARKS[progress.state], note=escape(progress.note)
            )
            if progress.state != "running":
                self._bars.stop_task(task)


class _LineListener:
    """One line when a notebook starts and one when it ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, progress: Progress) -> None:
        with self._lock:
            if progress.state != "running":
                self._say(
                    f"{progress.notebook}: {_WORDS[progress.state]} in {progress.elapsed_s:.1f} s", progress
                )
            elif progress.notebook not in self._started:
                self._started.add(progress.notebook)
                self._say(f"{progress.notebook}: running {progress.cells} cells", progress)

    def _say(self, line: str, progress: Progress) -> None:
        note = f": {progress.note}" if progress.note else ""
        self._console.print(line + note, markup=False, highlight=False, soft_wrap=True)
