"""A table partitioned in a scratch copy, and the workload planned and run on both, in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import psycopg2
from pglast import ast, parse_sql
from pglast.stream import RawStream
from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.optimization.structure.model import TableFacts
from workbench.areas.optimization.structure.partitioning import (
    Candidate,
    PartitionTrial,
    StatementTrial,
    refused,
)
from workbench.areas.optimization.structure.reading import FOLDER
from workbench.engines.postgres import Connection
from workbench.proof.plans import Plan, read_plan, rolled_back, set_local
from workbench.proof.workload.model import Statement
from workbench.proof.workload.syntax import runnable

_SCHEMA = "workbench_partitioned"
_ASIDE = "workbench_whole"
_HASH_PARTITIONS = 16
_UNITS = (
    ("year", "1 year"),
    ("quarter", "3 months"),
    ("month", "1 month"),
    ("week", "1 week"),
    ("day", "1 day"),
)
_FEWEST, _MOST = 12, 64
_RUNS = 3
_OPTIONS = "verbose, format json, summary"


def try_partitioning(
    conn: Connection,
    candidate: Candidate,
    statements: Sequence[Statement],
    span: tuple[str, str] | None,
    *,
    limit_s: float = 60.0,
) -> PartitionTrial:
    """*candidate* built in the scratch copy behind *conn*, and each of *statements* on both tables.

    *span* is the least and the greatest moment where the copy has no rows. Each statement sees the
    partitioned table under the table's own name, in a transaction that is rolled back; what goes through a
    view still reads the whole table, and counts as not pruned. The heaviest statements come first; those that
    *limit_s* leaves no time for are listed as not tried.
    """
    _limit_statements(conn, limit_s)
    try:
        trial = _built(conn, candidate, span)
        if trial.refused:
            return trial
        _limit_statements(conn, limit_s / 10)
        outcomes = list(_outcomes(conn, trial, statements, limit_s))
        tried = [each for each in outcomes if isinstance(each, StatementTrial)]
        untried = [each for each in outcomes if isinstance(each, str)]
        if not tried:
            return replace(trial, refused=untried[0] if untried else "no statement of the workload reads it")
        trial = replace(trial, statements=tried, untried=untried)
        _limit_statements(conn, limit_s)
        return _retention(conn, trial) if trial.rows and candidate.way == "range" else trial
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return refused(candidate, exc)
    finally:
        if not conn.closed:
            conn.execute(
                composed.SQL("drop schema if exists {} cascade").format(composed.Identifier(_SCHEMA))
            )


def _limit_statements(conn: Connection, limit_s: float) -> None:
    conn.execute(
        "select pg_catalog.set_config('statement_timeout', %s, false)", [f"{max(1, int(limit_s * 1000))}ms"]
    )


def _outcomes(
    conn: Connection, trial: PartitionTrial, statements: Sequence[Statement], limit_s: float
) -> Iterator[StatementTrial | str]:
    deadline = time.monotonic() + limit_s
    by_weight = sorted(statements, key=lambda each: -each.weight)
    for number, statement in enumerate(by_weight):
        if time.monotonic() > deadline:
            yield f"{len(by_weight) - number} statements: no time was left"
            return
        if outcome := _tried(conn, trial, statement):
            yield outcome


# Built


def _built(conn: Connection, candidate: Candidate, span: tuple[str, str] | None) -> PartitionTrial:
    table = candidate.table
    whole, twin = composed.Identifier(table.schema, table.name), composed.Identifier(_SCHEMA, table.name)
    column = composed.Identifier(candidate.column)
    conn.execute(composed.SQL("create schema {}").format(composed.Identifier(_SCHEMA)))
    conn.execute(
        composed.SQL(
            "create table {} (like {} including defaults including generated including storage) partition "
            "by {} ({})"
        ).format(twin, whole, composed.SQL(candidate.way), column)
    )
    if candidate.way == "hash":
        bounds: list[str] = [str(number) for number in range(_HASH_PARTITIONS)]
        count = _HASH_PARTITIONS
    else:
        bounds = _bounds(conn, candidate, span)
        count = len(bounds) - 1
        if count < 2:
            return PartitionTrial(candidate, refused="its moments are too few to part them")
    _make_partitions(conn, candidate, bounds)
    written = [each for each in table.stored if not each.generated]
    names = composed.SQL(", ").join(composed.Identifier(each.name or "") for each in written)
    copied = conn.execute(
        composed.SQL("insert into {} ({}) overriding system value select {} from {}").format(
            twin, names, names, whole
        )
    ).rowcount
    _make_indexes(conn, table, candidate.column)
    conn.execute(composed.SQL("vacuum (analyze) {}").format(twin))
    conn.execute(composed.SQL("vacuum (analyze) {}").format(whole))
    oid = conn.execute(
        "select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = %s and c.relname = %s",
        [table.schema, table.name],
    ).fetchone()
    lost = sql.fetch(
        conn, f"{FOLDER}/keys_lost.sql", {"table": oid[0] if oid else 0, "column": candidate.column}
    )
    return PartitionTrial(candidate, count, copied, keys_lost=[row["name"] for row in lost], bounds=bounds)


def _bounds(conn: Connection, candidate: Candidate, span: tuple[str, str] | None) -> list[str]:
    """The bounds of the largest parts of time of which there are twelve, else of the smallest."""
    if span is None:
        row = conn.execute(
            composed.SQL(
                "select pg_catalog.min({c})::timestamp::text, pg_catalog.max({c})::timestamp::text from {t}"
            ).format(
                c=composed.Identifier(candidate.column),
                t=composed.Identifier(candidate.table.schema, candidate.table.name),
            )
        ).fetchone()
        if row is None or row[0] is None:
            return []
        span = (row[0], row[1])
    found: list[str] = []
    for unit, step in _UNITS:
        parameters = {"least": span[0], "greatest": span[1], "unit": unit, "step": step}
        bounds = [row["bound"] for row in sql.fetch(conn, f"{FOLDER}/partition_bounds.sql", parameters)]
        if len(bounds) - 1 > _MOST:
            return found or bounds[:: -(-len(bounds) // _MOST)]
        found = bounds
        if len(found) > _FEWEST:
            break
    return found


def _make_partitions(conn: Connection, candidate: Candidate, bounds: Sequence[str]) -> None:
    table = composed.Identifier(_SCHEMA, candidate.table.name)
    part = composed.SQL("create table {} partition of {} for values with (modulus {}, remainder {})")
    if candidate.way == "hash":
        for number in range(len(bounds)):
            conn.execute(
                part.format(
                    _partition(number), table, composed.Literal(len(bounds)), composed.Literal(number)
                )
            )
        return
    part = composed.SQL("create table {} partition of {} for values from ({}) to ({})")
    for number, (low, high) in enumerate(pairwise(bounds)):
        conn.execute(part.format(_partition(number), table, composed.Literal(low), composed.Literal(high)))
    rest = composed.SQL("create table {} partition of {} default")
    conn.execute(rest.format(composed.Identifier(_SCHEMA, "workbench_part_rest"), table))


def _partition(number: int) -> composed.Identifier:
    return composed.Identifier(_SCHEMA, f"workbench_part_{number}")


def _make_indexes(conn: Connection, table: TableFacts, column: str) -> None:
    """The table's indexes on the twin; a unique one gets the partition key where it lacks it."""
    for number, index in enumerate(table.indexes):
        if not index.is_valid:
            continue
        tree: Any = parse_sql(index.definition)[0].stmt
        tree.relation = ast.RangeVar(schemaname=_SCHEMA, relname=table.name, inh=True, relpersistence="p")
        tree.idxname = f"workbench_index_{number}"  # its own would be taken where both are in one schema
        names = [element.name for element in tree.indexParams]
        if tree.unique and column not in names:
            tree.indexParams = (*tree.indexParams, _key(column))
        conn.execute(RawStream()(tree))


def _key(column: str) -> Any:
    return ast.IndexElem(name=column, ordering=0, nulls_ordering=0)


# Tried


@contextmanager
def _swapped(conn: Connection, table: TableFacts) -> Iterator[None]:
    """The partitioned table under the name of the whole one, until the end of the block."""
    with rolled_back(conn):
        conn.execute(
            composed.SQL("alter table {} rename to {}").format(
                composed.Identifier(table.schema, table.name), composed.Identifier(_ASIDE)
            )
        )
        conn.execute(
            composed.SQL("alter table {} set schema {}").format(
                composed.Identifier(_SCHEMA, table.name), composed.Identifier(table.schema)
            )
        )
        yield


def _tried(conn: Connection, trial: PartitionTrial, statement: Statement) -> StatementTrial | str | None:
    """*statement* on both tables, in turns; None where it does not touch the table, else why it failed."""
    if statement.values is None or statement.kind not in ("select", "update", "delete"):
        return None
    table = trial.candidate.table
    runs = statement.reads_only and trial.rows > 0
    try:
        first = _plan(conn, statement, runs=False)
        if not _reads(first, table.schema, {table.name}):
            return None
        before: list[Plan] = []
        after: list[Plan] = []
        for number in range(_RUNS + 1):
            with rolled_back(conn):
                one = _plan(conn, statement, runs=runs)
            with _swapped(conn, table):
                _plan(conn, statement, runs=False)  # so that the catalog's caches are warm
                other = _plan(conn, statement, runs=runs)
            if number:
                before.append(one)
                after.append(other)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return f"{statement.name}: {(exc.diag.message_primary or str(exc)).strip().splitlines()[0]}"
    return StatementTrial(
        statement.name,
        statement.weight,
        scanned=_scanned(after[-1], trial.partitions),
        partitions=trial.partitions,
        planning_before_ms=_median(before, "planning_ms") or 0.0,
        planning_after_ms=_median(after, "planning_ms") or 0.0,
        execution_before_ms=_median(before, "execution_ms") if runs else None,
        execution_after_ms=_median(after, "execution_ms") if runs else None,
    )


def _plan(conn: Connection, statement: Statement, *, runs: bool) -> Plan:
    if statement.search_path:
        path = composed.SQL(", ").join([composed.Identifier(each) for each in statement.search_path])
        set_local(conn, {"search_path": path.as_string(conn)})
    return read_plan(conn, f"analyze, {_OPTIONS}" if runs else _OPTIONS, runnable(statement))


def _median(plans: Sequence[Plan], part: str) -> float | None:
    values = [value for plan in plans if (value := getattr(plan, part)) is not None]
    return statistics.median(values) if values else None


def _reads(plan: Plan, schema: str, names: set[str]) -> bool:
    return any(node.get("Schema") == schema and node.get("Relation Name") in names for node in plan.nodes())


def _scanned(plan: Plan, partitions: int) -> int:
    """How many partitions the plan reads; all of them where it reads the whole table by another name."""
    names = {
        node["Relation Name"]
        for node in plan.nodes()
        if node.get("Schema") == _SCHEMA and node.get("Actual Loops", 1) > 0 and "Relation Name" in node
    }
    if any(node.get("Relation Name") == _ASIDE for node in plan.nodes()):
        return partitions
    return len(names)


def _retention(conn: Connection, trial: PartitionTrial) -> PartitionTrial:
    """The oldest part removed by DELETE from the whole table and by DROP, each rolled back."""
    candidate = trial.candidate
    table = composed.Identifier(candidate.table.schema, candidate.table.name)
    try:
        with rolled_back(conn):
            row = conn.execute(
                composed.SQL("explain (analyze, wal, format json) delete from {} where {} < {}").format(
                    table, composed.Identifier(candidate.column), composed.Literal(trial.bounds[1])
                )
            ).fetchone()
        explained = row[0][0] if row else {}
        dropped = [_dropped(conn) for _ in range(_RUNS)]
    except psycopg2.Error:  # rows that reference it, or a trigger that forbids it
        if conn.closed:
            raise
        return trial
    return replace(
        trial,
        delete_ms=float(explained["Execution Time"]),
        delete_wal_bytes=int(explained["Plan"].get("WAL Bytes", 0)),
        drop_ms=statistics.median(ms for ms, _ in dropped),
        drop_wal_bytes=min(wal for _, wal in dropped),
    )


def _dropped(conn: Connection) -> tuple[float, int]:
    """The time of dropping the oldest partition, and the WAL that the server wrote meanwhile."""
    with rolled_back(conn):
        begin = _wal_position(conn)
        started = time.perf_counter()
        conn.execute(composed.SQL("drop table {}").format(_partition(0)))
        elapsed_ms = (time.perf_counter() - started) * 1000
        return elapsed_ms, _wal_position(conn) - begin


def _wal_position(conn: Connection) -> int:
    row = conn.execute(
        "select pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::bigint"
    ).fetchone()
    return int(row[0]) if row else 0
