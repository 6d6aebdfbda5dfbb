"""Notebooks and what became of them when they were run, as plain facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Parameter:
    """A notebook's parameter: *type* is the name of its default's type, *help* the comment beside it."""

    name: str
    default: Any
    type: str
    help: str = ""
    optional: bool = False  # may be None


SQL_SOURCES = ("example", "file", "database")


@dataclass(frozen=True)
class Notebook:
    """A notebook of an area, with the question that it answers."""

    name: str
    area: str
    title: str
    question: str
    path: Path
    parameters: tuple[Parameter, ...] = ()
    sources: tuple[str, ...] = SQL_SOURCES  # the kinds of source that it can look at

    @property
    def parameter_names(self) -> frozenset[str]:
        return frozenset(parameter.name for parameter in self.parameters)


@dataclass(frozen=True)
class NotebookRun:
    """What became of one notebook. *path* is the executed one, partial where *outcome* is not ``ok``.

    *error* is one line: the cell, its source line and the reason; empty where the run succeeded.
    """

    notebook: Notebook
    outcome: Literal["ok", "failed", "interrupted"]
    elapsed_s: float
    path: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def name(self) -> str:
        return self.notebook.name

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"


@dataclass(frozen=True)
class Progress:
    """How far a notebook is: *done* of *cells* code cells."""

    notebook: str
    done: int
    cells: int
    state: Literal["running", "ok", "failed", "interrupted"]
    elapsed_s: float = 0.0
    note: str = ""


ProgressListener = Callable[[Progress], None]
