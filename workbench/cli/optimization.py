"""The commands of the optimization area."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from workbench.cli.common import (
    F,
    as_plain,
    json_option,
    opened_source,
    print_findings,
    print_json,
    print_table,
    source_options,
)
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.areas.optimization.advisor.search import Stage
    from workbench.areas.optimization.indexes import Advised
    from workbench.proof.trials import RowsFrom, Trial


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
    from workbench.areas.optimization import advise_indexes, indexes_as_dict, prove_indexes, workload_of

    with opened_source(source) as opened, _search_progress() as progress:
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
        trial = (
            None
            if rows == "none"
            else prove_indexes(opened, advised, rows=_rows(rows), limit_s=limit_s, progress=progress.trial)
        )
    if as_json:
        print_json(indexes_as_dict(advised, trial))
        return
    _print_advice(advised, trial)


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

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("the statistics are read", total=None)

    def search(self, stage: Stage) -> None:
        said = f"{stage.objective:.1f} % of the cost, no set below {stage.bound:.1f} %; {stage.calls:,} plans"
        self._bar.update(self._task, description=said)

    def trial(self, done: int, of: int, what: str) -> None:
        self._bar.update(self._task, description=as_plain(what), completed=done, total=of)


@contextlib.contextmanager
def _search_progress() -> Iterator[_Telling]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Telling(bar)


def _print_advice(advised: Advised, trial: Trial | None) -> None:
    from workbench.areas.optimization import (
        advice_in_words,
        drop_rows,
        index_rows,
        rejected_rows,
        trial_in_words,
        trial_rows,
        write_rows,
    )

    _print_rows("Indexes to create", index_rows(advised, trial))
    for line in advice_in_words(advised):
        click.echo(as_plain(line))
    _print_rows("Considered and left", rejected_rows(advised))
    _print_rows("Existing indexes that the workload does without", drop_rows(advised, trial))
    if trial is None:
        click.echo("not proved: no rows to run on: see --rows")
    else:
        measured = "statement outcome without_ms with_ms ratio results"
        _print_rows(f"With and without the indexes, on {trial.engine}", trial_rows(trial), measured)
        _print_rows(
            "What a written row costs",
            write_rows(trial.writes),
            "table write without_us with_us wal_without wal_with",
        )
        for line in trial_in_words(trial):
            click.echo(as_plain(line))
    for number, each in enumerate(advised.take_home):
        if number == 0:
            click.echo("\nTo create them, and to take them back:")
        for statement in each.do:
            click.echo(as_plain(f"{statement};"))
        for statement in each.undo:
            click.echo(as_plain(f"-- {statement};"))


def _print_rows(title: str, rows: Sequence[Mapping[str, Any]], columns: str = "") -> None:
    """The *columns* of *rows*, all where none are named: a terminal is narrow, JSON has the rest."""
    if rows:
        shown = columns.split() or list(rows[0])
        print_table(
            f"{title}: {len(rows)}",
            [dict(row) for row in rows],
            {name: name.replace("_", " ") for name in shown},
        )


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
    from workbench.areas.optimization import (
        reason_table,
        rewrite_table,
        slow_as_dict,
        slow_queries,
        slow_table,
        workload_of,
    )

    with opened_source(source) as opened:
        asked = workload_of(opened, workload)
        found = slow_queries(
            opened, asked, most=most, execute=execute, rows=None if rows == "none" else _rows(rows)
        )
    if as_json:
        print_json(slow_as_dict(asked, found))
        return
    _print_rows("Slow statements", slow_table(found), "statement share mean_ms outcome costly_node reasons")
    _print_rows("Why", reason_table(found), "statement reason says fix tried")
    _print_rows("Rewrites", rewrite_table(found), "statement rewrite verdict before_ms after_ms why")
    for each in asked.unread:
        click.echo(as_plain(f"not read: {each.where} {each.name}: {each.reason}"))


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
    from workbench.areas.optimization import review_structure, structure_as_dict, structure_rows, workload_of

    with opened_source(source) as opened:
        review = review_structure(opened, workload=workload_of(opened, workload), volume=volume)
    if as_json:
        print_json(structure_as_dict(review))
        return
    _print_rows("Tables", structure_rows(review))
    _print_rows("Partitioning, tried", review.partitioning)
    print_findings([finding.as_dict() for finding in review.findings])
    for line in review.not_judged:
        click.echo(f"not judged: {as_plain(line)}")


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
        accepted_rows,
        drop_rows,
        open_model,
        operation_rows,
        rejected_rows,
        require_recorded,
        review_as_dict,
        review_operations,
        script,
    )
    from workbench.source import Options

    spec = source.pop("source")
    with open_model(spec, Options(**source)) as opened:
        review = review_operations(opened, operations=operations, log=log, most_documents=most_documents)
    require_recorded(review)
    if as_json:
        print_json(review_as_dict(review))
        return
    _print_rows("Operations", operation_rows(review))
    _print_rows("Indexes to create", accepted_rows(review))
    _print_rows("Tried and left", rejected_rows(review))
    _print_rows("Indexes that could go", drop_rows(review))
    for line in review.notes:
        click.echo(as_plain(line))
    click.echo(script(review))
