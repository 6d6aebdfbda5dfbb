"""Which indexes a source should have for a workload, and the proof on a copy with rows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import psycopg2

from workbench import sql
from workbench.areas.optimization.advisor.advice import Advice, Objective
from workbench.areas.optimization.advisor.advise import advise
from workbench.areas.optimization.advisor.search import Stage
from workbench.areas.optimization.sizes import bytes_of
from workbench.errors import BadInput
from workbench.proof.trials import (
    Change,
    NamedIndex,
    RowsFrom,
    TakeHome,
    Trial,
    creation,
    named,
    names_taken,
    trial_database,
    try_change,
)
from workbench.proof.whatif import StatisticsClone, statistics_clone
from workbench.proof.workload import Workload
from workbench.source import OpenSource

Shape = tuple[tuple[str, str], ...]

SAMPLE_ROWS = 15_000
GROWN = (10.0, 100.0)


@dataclass(frozen=True)
class Advised:
    """The advice for a workload, its indexes with names and statements, and what it was asked under.

    *tables_bytes* are the main forks of the source's tables. *settings* and *volume* are those of the
    question, where they are not the source's own.
    """

    advice: Advice
    workload: Workload
    indexes: tuple[NamedIndex, ...]
    take_home: tuple[TakeHome, ...]
    planned_on: str
    looked_at_on: str
    tables_bytes: int
    settings: Mapping[str, str]
    volume: float = 1.0

    @property
    def change(self) -> Change:
        """What is tried: the indexes, and without those that others make superfluous."""
        gone = [each.index.qualified for each in self.advice.droppable if each.redundant_with]
        return Change(self.indexes, tuple(gone))


@dataclass(frozen=True)
class Grown:
    """The same set at *volume* times the rows: its cost over that without it, and the bytes it then takes.

    *changed_plans* are the statements that are then planned otherwise than at today's volume.
    """

    volume: float
    relative_cost: float
    size_bytes: int
    changed_plans: tuple[str, ...]


def advise_indexes(
    opened: OpenSource,
    workload: Workload,
    *,
    budget: str = "25%",
    objective: Objective = "total",
    deadline_s: float = 60.0,
    gap: float = 0.02,
    sample_rows: int = SAMPLE_ROWS,
    volume: float = 1.0,
    settings: Mapping[str, str] | None = None,
    progress: Callable[[Stage], None] = lambda stage: None,
) -> Advised:
    """The indexes for *workload* of at most *budget*: ``500MB``, or a part of the tables' size as ``25%``.

    Asked of a clone that has the source's statistics and no rows; the source is only read. About
    *sample_rows* rows of a table are read where sizes of indexes are predicted, none with 0. *settings* are
    what the planner is told in place of the source's own. Raises BadInput, SourceError.
    """
    _require_statements(workload)
    bytes_of(budget, whole=0)
    if not deadline_s > 0:
        raise BadInput(f"a deadline of {deadline_s:g} s cannot be: give more than 0")
    with _clone(opened, sample_rows, volume) as clone, _settings(clone, settings or {}):
        tables_bytes = _tables_bytes(clone)
        advice = advise(
            clone,
            workload,
            budget_bytes=bytes_of(budget, whole=tables_bytes),
            objective=objective,
            deadline_s=deadline_s,
            gap=gap,
            progress=progress,
        )
        definitions = [each.index.definition for each in advice.recommended]
        taken = names_taken(clone.connection, {each.schema for each in definitions})
        indexes = named(definitions, taken)
        return Advised(
            advice,
            workload,
            indexes,
            tuple(creation(clone.connection, each) for each in indexes),
            clone.server.description,
            opened.looked_at_on,
            tables_bytes,
            dict(settings or {}),
            volume,
        )


def _require_statements(workload: Workload) -> None:
    """Raise BadInput where there is no statement: with the reasons where none could be read."""
    if workload.statements:
        return
    why = [f"{each.where}: {each.reason}" for each in workload.unread]
    if why:
        more = f", and {len(why) - 3} more" if len(why) > 3 else ""
        raise BadInput(f"no statement of {workload.origin} can be read: {'; '.join(why[:3])}{more}")
    raise BadInput(
        f"the workload ({workload.origin}) has no statement to advise on: name one with --workload, "
        "for tables that have rows or keys"
    )


@contextlib.contextmanager
def _clone(opened: OpenSource, sample_rows: int, volume: float) -> Iterator[StatisticsClone]:
    if sample_rows < 0:
        raise BadInput(f"a sample of {sample_rows} rows cannot be: give 0 for none, or more")
    if not 0 < volume <= 1e6:
        raise BadInput(f"a volume of {volume} times the rows cannot be: give more than 0 and at most 1000000")
    with statistics_clone(
        opened.connection,
        opened.server,
        sample=opened.connection if sample_rows else None,
        sample_rows=sample_rows or SAMPLE_ROWS,
        volume=volume,
        timeout_s=opened.options.timeout_s,
    ) as clone:
        yield clone


@contextlib.contextmanager
def _settings(clone: StatisticsClone, settings: Mapping[str, str]) -> Iterator[None]:
    try:
        with clone.having(settings=settings):
            yield
    except (
        psycopg2.errors.InvalidParameterValue,
        psycopg2.errors.UndefinedObject,
        psycopg2.errors.CantChangeRuntimeParam,
    ) as exc:
        said = str(exc).splitlines()[0]
        raise BadInput(f"the planner's settings: {said}: give such as work_mem=64MB") from exc


def at_volumes(
    opened: OpenSource,
    advised: Advised,
    *,
    volumes: Sequence[float] = GROWN,
    sample_rows: int = SAMPLE_ROWS,
) -> list[Grown]:
    """What the advised set does where every table has *volumes* times its rows: planned, not run."""
    shapes: dict[float, Mapping[str, Shape]] = {}
    grown = []
    for volume in (1.0, *volumes):
        with (
            _clone(opened, sample_rows, advised.volume * volume) as clone,
            _settings(clone, advised.settings),
        ):
            added = clone.add([each.definition for each in advised.indexes]).indexes
            before = _costs(clone, advised.workload)
            with clone.having([each.oid for each in added]):
                after = _costs(clone, advised.workload)
                shapes[volume] = _shapes(clone, advised.workload)
        whole = sum(cost for _, cost in before)
        grown.append(
            Grown(
                volume,
                sum(cost for _, cost in after) / whole if whole else 1.0,
                sum(each.size_bytes for each in added),
                tuple(name for name, shape in shapes[volume].items() if shape != shapes[1.0].get(name)),
            )
        )
    return grown


def _costs(clone: StatisticsClone, workload: Workload) -> list[tuple[str, float]]:
    """The weighted cost of each statement that can be planned."""
    found = []
    for each in workload.statements:
        with contextlib.suppress(psycopg2.Error, BadInput):
            cost = clone.cost(each.sql, each.values, search_path=each.search_path).total_cost
            found.append((each.name, each.weight * cost))
    return found


def _shapes(clone: StatisticsClone, workload: Workload) -> dict[str, Shape]:
    found = {}
    for each in workload.statements:
        with contextlib.suppress(psycopg2.Error, BadInput):
            plan = clone.explain(each.sql, each.values, search_path=each.search_path)
            found[each.name] = tuple(
                (str(node["Node Type"]), str(node.get("Index Name", ""))) for node in plan.nodes()
            )
    return found


def _tables_bytes(clone: StatisticsClone) -> int:
    (row,) = sql.fetch(clone.connection, "optimization/advisor/tables_bytes.sql")
    return int(row["tables_bytes"])


def default_rows(opened: OpenSource) -> RowsFrom | None:
    """Whose rows the proof takes where nobody says: the source's own; of a named database none."""
    return None if opened.read_only else "own"


def why_untried(opened: OpenSource, advised: Advised) -> str:
    """Why there is no trial of the advice where nobody forbade it, and what would allow one."""
    if not (advised.change.create or advised.change.drop):
        return "nothing is advised that could be tried"
    return (
        f"not proved: {opened.source.spec} is a named database, which is only read, and nobody allowed "
        "a copy of its rows: --rows copied takes one, --rows generated makes rows from the statistics"
    )


def require_rows(opened: OpenSource, rows: str | None) -> None:
    """Raise BadInput where the proof cannot have these *rows*, before anything is done."""
    if rows == "own" and opened.read_only:
        raise BadInput(
            f"--rows own: {opened.source.spec} is a named database, which is only read: --rows copied reads "
            "its rows into a copy, --rows generated makes some from its statistics"
        )
    if rows == "copied" and not opened.read_only:
        raise BadInput(f"--rows copied: a copy of {opened.source.spec} has its rows already: --rows own")


def prove_indexes(
    opened: OpenSource,
    advised: Advised,
    *,
    rows: RowsFrom | None = None,
    runs: int = 5,
    timeout_s: float = 60.0,
    limit_s: float = 300.0,
    limit_rows: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Trial | None:
    """The advice tried on a copy with *rows*; None where there is nothing to try, or no rows may be had.

    Raises BadInput, SourceError.
    """
    chosen = rows or default_rows(opened)
    if chosen is None or not (advised.change.create or advised.change.drop):
        return None
    with trial_database(opened, chosen, settings=advised.settings, limit_rows=limit_rows) as db:
        return try_change(
            db,
            advised.workload,
            advised.change,
            runs=runs,
            timeout_s=timeout_s,
            limit_s=limit_s,
            progress=progress,
        )
