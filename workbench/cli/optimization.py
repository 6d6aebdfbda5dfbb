"""The commands of the optimization area."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psycopg2
import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from workbench.cli.common import F, as_plain, json_option, opened_source, print_json, source_options
from workbench.cli.optimization_tables import print_advice, print_operations, print_slow, print_structure
from workbench.errors import BadInput, SourceTimeout

if TYPE_CHECKING:
    from workbench.areas.optimization.advisor.search import Stage
    from workbench.proof.trials import RowsFrom
    from workbench.source import OpenSource


_LONGEST_RUN_S = 30.0  # of one run of a statement, where --timeout does not say less


@click.group()
def optimization() -> None:
    """Optimization: indexes, slow statements, table structure, operations on collections."""


def workload_option(command: F) -> F:
    return click.option(
        "--workload",
        default="",
        metavar="WORKLOAD",
        help="A .sql file or a folder of them, a log of the server (.csv, .json, .log), "
        "statistics for pg_stat_statements, or assumed for look-ups by the keys. By default the example's "
        "own, a database's statistics where it has them, else what the keys suggest.",
    )(command)


def rows_option(command: F) -> F:
    return click.option(
        "--rows",
        type=click.Choice(["own", "generated", "copied", "none"]),
        default=None,
        help="Whose rows the proof runs on: the source's own (the default of an example or a file), made "
        "ones, copied ones of a named database, which this option allows, or none.",
    )(command)


@optimization.command("indexes")
@source_options
@workload_option
@click.option(
    "--budget",
    default="25%",
    show_default=True,
    metavar="SIZE",
    help="Most that the new indexes may take: 500MB (of 10^6 bytes), 2GiB, or a part of the tables' size.",
)
@click.option(
    "--objective",
    type=click.Choice(["total", "ratio"]),
    default="total",
    show_default=True,
    help="What becomes small: the weighted sum of the planner's costs, or their geometric mean, to which "
    "a cheap statement counts as much as a dear one.",
)
@click.option(
    "--deadline",
    "deadline_s",
    type=float,
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="When the search ends with the best set so far.",
)
@click.option(
    "--volume",
    type=float,
    default=1.0,
    show_default=True,
    metavar="TIMES",
    help="Plan for so many times the rows.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the planner in place of the source's own, such as work_mem=64MB.",
)
@click.option(
    "--sample-rows",
    type=click.IntRange(min=0),
    default=15_000,
    show_default=True,
    metavar="N",
    help="Rows of a table to read for the sizes of indexes; with 0 the statistics must do.",
)
@rows_option
@click.option(
    "--prove-limit",
    "limit_s",
    type=float,
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="Limit of all that is measured on the copy.",
)
@json_option
def optimization_indexes(
    workload: str,
    budget: str,
    objective: Literal["total", "ratio"],
    deadline_s: float,
    volume: float,
    settings: tuple[str, ...],
    sample_rows: int,
    rows: str | None,
    limit_s: float,
    as_json: bool,
    **source: Any,
) -> None:
    """Which indexes a workload should have within a budget, how far that is from the best, and the proof."""
    from workbench.areas.optimization import (
        advise_indexes,
        indexes_as_dict,
        prove_indexes,
        require_rows,
        why_untried,
        workload_of,
    )

    _require_time(limit_s, "--prove-limit")
    with _tables_of(source) as opened, _progress("the statistics are read") as progress:
        require_rows(opened, rows)
        advised = advise_indexes(
            opened,
            workload_of(opened, workload),
            budget=budget,
            objective=objective,
            deadline_s=deadline_s,
            sample_rows=sample_rows,
            volume=volume,
            settings=_settings(settings),
            progress=progress.search,
        )
        untried = why_untried(opened, advised)
        trial = (
            None
            if rows == "none"
            else prove_indexes(
                opened,
                advised,
                rows=_rows(rows),
                timeout_s=min(_LONGEST_RUN_S, opened.options.timeout_s),
                limit_s=limit_s,
                progress=progress.trial,
            )
        )
    if as_json:
        print_json(indexes_as_dict(advised, trial))
        return
    print_advice(advised, trial, why_untried="not proved: --rows none" if rows == "none" else untried)


@contextlib.contextmanager
def _tables_of(source: dict[str, Any]) -> Iterator[OpenSource]:
    """The source with its tables; of collections, which command looks at them."""
    from workbench.source import resolve

    named = resolve(source["source"])
    if named.kind in ("collections", "dump"):
        raise BadInput(
            f"{named.spec} holds collections: "
            f"run workbench optimization operations --source {shlex.quote(named.spec)}"
        )
    with opened_source(source) as opened:
        try:
            yield opened
        except psycopg2.errors.LockNotAvailable as exc:
            raise SourceTimeout(
                f"{named.spec}: waited {opened.options.lock_timeout_s:g} s for {_locked(opened)}: "
                "run the command again when it is free"
            ) from exc


def _locked(opened: OpenSource) -> str:
    """What somebody holds a lock on, as far as it can be told."""
    from workbench import sql
    from workbench.catalog.model import qualified

    with contextlib.suppress(psycopg2.Error):
        rows = sql.fetch(opened.connection, "optimization/locked_tables.sql")
        if rows:
            held = [
                f"{qualified(row['schema_name'], row['table_name'])} (process {row['pid']})" for row in rows
            ]
            return f"a lock that another session holds: {', '.join(held[:3])}"
    return "a lock that another session holds"


def _require_time(limit_s: float, option: str) -> None:
    if not limit_s > 0:
        raise BadInput(f"{option} {limit_s:g}: give more than 0 seconds")


def _rows(rows: str | None) -> RowsFrom | None:
    return None if rows is None else rows  # type: ignore[return-value]


def _settings(given: tuple[str, ...]) -> dict[str, str]:
    settings = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise BadInput(f"--set {each}: write --set work_mem=64MB")
        settings[name] = value
    return settings


class _Telling:
    """What the search and the trial say of how far they are."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def search(self, stage: Stage) -> None:
        said = f"{stage.objective:.1f} % of the cost, no set below {stage.bound:.1f} %; {stage.calls:,} plans"
        self._bar.update(self._task, description=said)

    def trial(self, done: int, of: int, what: str) -> None:
        self._bar.update(self._task, description=as_plain(what), completed=done, total=of)


@contextlib.contextmanager
def _progress(begins: str) -> Iterator[_Telling]:
    """A bar on stderr where that is a terminal, and else nothing."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield _Telling(bar, bar.add_task(begins, total=None))


@optimization.command("slow")
@source_options
@workload_option
@click.option(
    "--most", type=click.IntRange(min=1), default=10, show_default=True, help="Statements to look into."
)
@click.option(
    "--execute/--no-execute",
    default=None,
    help="Run the reading statements of a named database, too; by default only an example or a file is run.",
)
@rows_option
@json_option
def optimization_slow(
    workload: str, most: int, execute: bool | None, rows: str | None, as_json: bool, **source: Any
) -> None:
    """The statements that take most time, why, and rewrites proved to be equal and faster."""
    from workbench.areas.optimization import require_rows, slow_as_dict, slow_queries, workload_of

    with _tables_of(source) as opened, _progress("the statements are looked into"):
        require_rows(opened, rows)
        asked = workload_of(opened, workload)
        found = slow_queries(
            opened,
            asked,
            most=most,
            execute=execute,
            timeout_s=min(_LONGEST_RUN_S, opened.options.timeout_s),
            rows=None if rows == "none" else _rows(rows),
        )
    if as_json:
        print_json(slow_as_dict(asked, found))
        return
    print_slow(asked, found)


@optimization.command("structure")
@source_options
@workload_option
@click.option(
    "--volume",
    type=float,
    default=1.0,
    show_default=True,
    metavar="TIMES",
    help="Judge the layout at so many times the rows.",
)
@json_option
def optimization_structure(workload: str, volume: float, as_json: bool, **source: Any) -> None:
    """Bloat, vacuum, padding, TOAST, empty columns, partitioning: how the tables lie on disk."""
    from workbench.areas.optimization import review_structure, structure_as_dict, workload_of

    with _tables_of(source) as opened, _progress("the tables are looked at"):
        review = review_structure(opened, workload=workload_of(opened, workload), volume=volume)
    if as_json:
        print_json(structure_as_dict(review))
        return
    print_structure(review)


@optimization.command("operations")
@source_options
@click.option(
    "--operations",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="Operations and their frequencies as JSON, in place of the profiler's.",
)
@click.option(
    "--log", type=click.Path(path_type=Path), default=None, metavar="FILE", help="A log of mongod to read."
)
@click.option(
    "--most-documents",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="Documents of a collection at most that indexes are tried on.",
)
@json_option
def optimization_operations(
    operations: Path | None, log: Path | None, most_documents: int | None, as_json: bool, **source: Any
) -> None:
    """Slow operations on collections, why, and indexes tried before and after on a copy."""
    from workbench.areas.optimization.collections import (
        open_model,
        require_recorded,
        review_as_dict,
        review_operations,
    )
    from workbench.source import Options, resolve

    spec = source.pop("source")
    if (named := resolve(spec)).kind not in ("example", "collections", "dump"):
        raise BadInput(
            f"{named.spec} holds tables: "
            f"run workbench optimization indexes --source {shlex.quote(named.spec)}, or slow, or structure"
        )
    with open_model(spec, Options(**source)) as opened, _progress("the operations are looked into"):
        review = review_operations(opened, operations=operations, log=log, most_documents=most_documents)
    require_recorded(review)
    if as_json:
        print_json(review_as_dict(review))
        return
    print_operations(review)
