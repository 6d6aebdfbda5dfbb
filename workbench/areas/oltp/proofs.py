"""What a check claims beyond "the fix closes it", and how that is proved around the fix's run.

A proof looks before the fix and after it, in one transaction of the scratch copy that is rolled back.
Evidence whose facts say ``holds`` false speaks against the finding.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg2
import psycopg2.errors
from psycopg2.sql import SQL, Composable, Identifier, Literal

from workbench.engines.postgres import Connection
from workbench.proof.findings import Evidence

Row: TypeAlias = dict[str, Any]
_RUNS = 5
_INDEX_SCANS = frozenset({"Index Scan", "Index Only Scan", "Bitmap Index Scan"})
_NO_INDEXES = {"enable_indexscan": "off", "enable_indexonlyscan": "off", "enable_bitmapscan": "off"}


def _nothing(conn: Connection, row: Row) -> None:
    """Nothing has to be seen before the fix."""


def _no_more(conn: Connection, row: Row, state: Any, engine: str) -> Sequence[Evidence]:
    return ()


def _as_it_is(conn: Connection, fix: str, row: Row) -> str:
    return fix


@dataclass(frozen=True)
class Proof:
    """*fix* may put a better fix in the place of the check's, *before* looks, *after* gives the evidence."""

    before: Callable[[Connection, Row], Any] = _nothing
    after: Callable[[Connection, Row, Any, str], Sequence[Evidence]] = _no_more
    fix: Callable[[Connection, str, Row], str] = _as_it_is


@dataclass(frozen=True)
class _Plan:
    """The nodes and indexes that answer a query, those of its scalar subqueries left out."""

    nodes: tuple[str, ...]
    indexes: tuple[str, ...]
    total_cost: float
    execution_ms: float | None = None

    @property
    def by_index(self) -> bool:
        return bool(self.indexes) and "Seq Scan" not in self.nodes


@contextmanager
def _planner(conn: Connection, settings: dict[str, str]) -> Iterator[None]:
    """The planner's *settings* for the block, within the open transaction."""
    before = {
        name: _scalar(conn, SQL("select pg_catalog.current_setting({})").format(Literal(name)))
        for name in settings
    }
    _configure(conn, settings)
    yield
    _configure(conn, before)


def _configure(conn: Connection, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        conn.execute("select pg_catalog.set_config(%s, %s, true)", (name, value))


def _scalar(conn: Connection, query: Composable) -> Any:
    found = conn.execute(query).fetchone()
    return found[0] if found else None


def _plan(conn: Connection, query: Composable, *, run: bool = False) -> _Plan:
    options = "(format json, analyze, timing off)" if run else "(format json)"
    explained = _scalar(conn, SQL("explain " + options + " {}").format(query))[0]
    nodes = list(_nodes(explained["Plan"]))
    return _Plan(
        tuple(node["Node Type"] for node in nodes),
        tuple(node["Index Name"] for node in nodes if node["Node Type"] in _INDEX_SCANS),
        explained["Plan"]["Total Cost"],
        explained.get("Execution Time"),
    )


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        if child.get("Parent Relationship") not in ("InitPlan", "SubPlan"):
            yield from _nodes(child)


def _forced(conn: Connection, query: Composable) -> _Plan:
    """The plan when the planner avoids reading the table from end to end wherever it can."""
    with _planner(conn, {"enable_seqscan": "off"}):
        return _plan(conn, query)


def _refusal(conn: Connection, *queries: Composable) -> psycopg2.Error | None:
    """The error with which one of *queries* fails, all of them undone; None where they run."""
    conn.execute("savepoint workbench_refusal")
    try:
        for query in queries:
            conn.execute(query)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return exc
    finally:
        if not conn.closed:
            conn.execute("rollback to savepoint workbench_refusal")
    return None


def _table(row: Row) -> Composable:
    return Identifier(row["details"]["schema"], row["details"]["table"])


def _and(conditions: Sequence[Composable]) -> Composable:
    return SQL(" and ").join(conditions)


# A table without a primary key


def _linking_key(conn: Connection, fix: str, row: Row) -> str:
    """The columns that link two tables as the primary key, where the rows there are allow it."""
    columns = row["details"].get("linking_columns")
    if not columns:
        return fix
    names = SQL(", ").join(map(Identifier, columns))
    rows, distinct = conn.execute(
        SQL("select count(*), count(distinct ({names})) filter (where {complete}) from {table}").format(
            names=SQL("{}, true").format(names),
            table=_table(row),
            complete=_and([SQL("{} is not null").format(Identifier(name)) for name in columns]),
        )
    ).fetchone() or (0, 0)
    if not rows or rows != distinct:
        return fix
    row["details"]["columns"] = columns
    return SQL("alter table {} add primary key ({});").format(_table(row), names).as_string(conn)


def _rows_are_distinct(conn: Connection, row: Row, state: Any, engine: str) -> Sequence[Evidence]:
    rows = _scalar(conn, SQL("select pg_catalog.count(*) from {}").format(_table(row)))
    columns = ", ".join(row["details"]["columns"])
    return (
        Evidence(
            "key-holds",
            f"All {rows} rows of the scratch copy differ in the new primary key, which begins with {columns}."
            if rows
            else "The scratch copy has no rows that could speak against the key.",
            engine,
            {"rows": rows},
        ),
    )


# A foreign key without an index


@dataclass(frozen=True)
class _Lookup:
    """The search for the rows that reference one key; the plans are from before the index."""

    query: Composable
    rows: int
    plan: _Plan
    forced: _Plan


def _lookup(conn: Connection, row: Row) -> _Lookup:
    """The referential lookup before the index is there, with a key value of the data's where there is one."""
    details = row["details"]
    table, columns, types = SQL(details["searched"]), details["columns"], details["referenced_types"]
    values = conn.execute(
        SQL("select {} from {} where {} order by {} limit 1").format(
            SQL(", ").join(SQL("{}::text").format(Identifier(name)) for name in columns),
            table,
            _and([SQL("{} is not null").format(Identifier(name)) for name in columns]),
            SQL(", ").join(map(Identifier, columns)),
        )
    ).fetchone()
    pattern = "{}::{}" if values else "(select {}::{} offset 0)"
    key = [
        SQL(pattern).format(Literal(value), SQL(kind))
        for value, kind in zip(values or [None] * len(types), types, strict=False)
    ]
    query = SQL("select 1 from {} as referencing where {}").format(
        table,
        _and(
            [
                SQL("referencing.{} = {}").format(Identifier(name), value)
                for name, value in zip(columns, key, strict=False)
            ]
        ),
    )
    rows = _scalar(conn, SQL("select pg_catalog.count(*) from {}").format(table))
    return _Lookup(query, rows, _plan(conn, query), _forced(conn, query))


def _lookup_gains(conn: Connection, row: Row, before: _Lookup, engine: str) -> Sequence[Evidence]:
    """The same lookup with the index; measured, with and without in turns, where there are rows."""
    after, forced = _plan(conn, before.query), _forced(conn, before.query)
    facts = {
        "rows": before.rows,
        "index_path_before": before.forced.by_index,
        "index_path_after": forced.by_index,
        "plan_before": list(before.plan.nodes),
        "plan_after": list(after.nodes),
        "cost_before": before.plan.total_cost,
        "cost_after": after.total_cost,
        "holds": forced.by_index,
    }
    if not forced.by_index:
        summary = "With the index the planner still finds no way to the rows but to read the whole table."
    elif not before.rows:
        way = (
            f"goes by {before.forced.indexes[0]}, which begins otherwise"
            if before.forced.by_index
            else "reads it all"
        )
        summary = (
            f"The table is empty, so nothing was timed: the search for referencing rows {way}; "
            "after the fix it goes by the new index."
        )
    else:
        facts |= _in_turns(conn, before.query)
        facts["worth_it_now"] = after.total_cost < before.plan.total_cost / 2
        summary = (
            f"The search for rows that reference one key, among {before.rows}: planner's cost "
            f"{before.plan.total_cost:.1f} before, {after.total_cost:.1f} after; "
            f"{facts['elapsed_before_ms']:.3f} ms by reading the table, "
            f"{facts['elapsed_after_ms']:.3f} ms by the index (median of {_RUNS}, in turns)."
        )
        if not facts["worth_it_now"]:
            summary += " With the rows that are there now the index saves little."
    return (Evidence("plan", summary, engine, facts),)


def _in_turns(conn: Connection, query: Composable) -> dict[str, Any]:
    """Medians of *query* without any index and by an index, in turns, so that both meet the same caches."""
    without: list[float] = []
    by_index: list[float] = []
    for _ in range(_RUNS):
        with _planner(conn, _NO_INDEXES):
            without.append(_plan(conn, query, run=True).execution_ms or 0.0)
        with _planner(conn, {"enable_seqscan": "off"}):
            by_index.append(_plan(conn, query, run=True).execution_ms or 0.0)
    return {
        "elapsed_before_ms": statistics.median(without),
        "elapsed_after_ms": statistics.median(by_index),
        "runs": _RUNS,
    }


# A redundant index


def _search(row: Row) -> Composable | None:
    """A search on the keys of the redundant index; None where its method answers no equality."""
    details = row["details"]
    if details["method"] not in ("btree", "hash"):
        return None
    keys: list[Composable] = [SQL(key) for key in details["keys"]]
    conditions: list[Composable] = [
        SQL("({key}) = (select ({key}) from {table} limit 1)").format(key=key, table=_table(row))
        for key in keys
    ]
    if details["predicate"]:
        conditions.append(SQL(details["predicate"]))
    return SQL("select 1 from {} where {}").format(_table(row), _and(conditions))


def _search_plan(conn: Connection, row: Row) -> _Plan | None:
    query = _search(row)
    return _forced(conn, query) if query else None


def _search_is_served(conn: Connection, row: Row, before: _Plan | None, engine: str) -> Sequence[Evidence]:
    """The search that used the index, once the index is gone."""
    after = _search_plan(conn, row)
    if before is None or after is None:
        return ()
    return (
        Evidence(
            "plan",
            f"A search on its keys used {', '.join(before.indexes) or 'no index'} before, "
            f"{', '.join(after.indexes) or 'no index'} once it was dropped.",
            engine,
            {
                "indexes_before": list(before.indexes),
                "indexes_after": list(after.indexes),
                "holds": after.by_index,
                "size_bytes": int(row["details"]["size_bytes"] or 0),
            },
        ),
    )


# Types


def _types_differ(conn: Connection, row: Row) -> Evidence | None:
    """A key that the narrower column refuses, or how a join along the key is planned with two types."""
    details = row["details"]
    if details["maximum"] is not None:
        value = details["maximum"] + 1
        refusal = _refusal(conn, SQL("select {}::{}").format(Literal(value), SQL(details["type"])))
        return Evidence(
            "refused-value",
            f"The key {value} fits the type of the key, {details['referenced_type']}; the column refuses it: "
            f"{refusal.diag.message_primary if refusal else 'not at all'}.",
            "",
            {"value": value, "sqlstate": refusal.pgcode if refusal else None, "holds": refusal is not None},
        )
    query = SQL("select 1 from {} as k where k.{} = (select null::{} offset 0)").format(
        Identifier(details["referenced_schema"], details["referenced_table"]),
        Identifier(details["referenced_column"]),
        SQL(details["type"]),
    )
    plan = _forced(conn, query)
    way = "by an index" if plan.by_index else "by reading the whole table"
    return Evidence(
        "plan",
        f"The key is searched {way} where the value has the column's type.",
        "",
        {"index_path": plan.by_index, "plan": list(plan.nodes)},
    )


def _as_seen(conn: Connection, row: Row, seen: Evidence | None, engine: str) -> Sequence[Evidence]:
    """What was seen before the fix."""
    return (Evidence(seen.kind, seen.summary, engine, seen.facts),) if seen else ()


def _numbers_end(conn: Connection, row: Row) -> Evidence | None:
    """What happens at the last number of the column's type or of its sequence."""
    details = row["details"]
    capacity = int(details["capacity"])
    limits = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}
    if limits.get(details.get("type", "")) == capacity:
        value = capacity + 1
        refusal = _refusal(conn, SQL("select {}::numeric::{}").format(Literal(value), SQL(details["type"])))
    else:
        value = capacity
        sequence = Identifier(details["sequence_schema"], details["sequence"])
        advance = SQL("select pg_catalog.nextval({}::pg_catalog.regclass)").format(
            Literal(sequence.as_string(conn))
        )
        refusal = _refusal(
            conn,
            SQL("alter sequence {} restart with {}").format(sequence, Literal(capacity)),
            advance,
            advance,
        )
    return Evidence(
        "refused-value",
        f"{details['used']} of {capacity} are used; what comes after the last is refused: "
        f"{refusal.diag.message_primary if refusal else 'not at all'}.",
        "",
        {
            "used": int(details["used"]),
            "capacity": capacity,
            "sqlstate": refusal.pgcode if refusal else None,
            "holds": refusal is not None,
        },
    )


def _sums_differ(conn: Connection, row: Row) -> Evidence | None:
    """0.1 added up ten times in the column's type, and the rows whose value has more than four decimals."""
    kind = SQL(row["details"]["type"])
    total, is_one = conn.execute(
        SQL("select sum(0.1::{})::text, sum(0.1::{}) = 1 from pg_catalog.generate_series(1, 10)").format(
            kind, kind
        )
    ).fetchone() or ("", None)
    rounded = _scalar(conn, SQL(row["details"]["rounded"]))
    return Evidence(
        "inexact-sum",
        f"0.1 added up ten times as {row['details']['type']} is {total}, not 1; "
        f"{rounded} values of the scratch copy have more than four decimals and are rounded by the fix.",
        "",
        {"sum_of_ten_times_0.1": total, "rows_rounded": rounded, "holds": is_one is False},
    )


def _moments_differ(conn: Connection, row: Row) -> Evidence | None:
    """One moment as two sessions in two zones store it."""
    stored = []
    for zone in ("UTC", "America/New_York"):
        with _planner(conn, {"timezone": zone}):
            stored.append(_scalar(conn, SQL("select '2024-03-10 06:30+00'::timestamptz::timestamp::text")))
    return Evidence(
        "ambiguous-moment",
        f"One moment is stored as {stored[0]} by a session in UTC, as {stored[1]} by one in New York.",
        "",
        {"stored": stored, "holds": stored[0] != stored[1]},
    )


# Constraints, triggers, sequences


def _violations(conn: Connection, row: Row) -> int | None:
    query = row["details"].get("violations")
    return (
        _scalar(conn, SQL("select pg_catalog.count(*) from ({}) as violation").format(SQL(query)))
        if query
        else None
    )


def _rows_counted(conn: Connection, row: Row, rows: int | None, engine: str) -> Sequence[Evidence]:
    if rows is None:
        return ()
    return (
        Evidence(
            "violating-rows", f"{rows} rows of the scratch copy break the constraint.", engine, {"rows": rows}
        ),
    )


def _left_after_drop(conn: Connection, row: Row) -> int:
    """1 where the sequence is still there after the table was dropped, else 0; the drop is undone."""
    details = row["details"]
    conn.execute("savepoint workbench_drop")
    try:
        conn.execute(SQL("drop table {} cascade").format(_table(row)))
        left = _scalar(
            conn,
            SQL(
                "select count(*) from pg_catalog.pg_sequences where schemaname = {} and sequencename = {}"
            ).format(Literal(details["sequence_schema"]), Literal(details["sequence"])),
        )
    finally:
        if not conn.closed:
            conn.execute("rollback to savepoint workbench_drop")
    return int(left)


def _goes_along(conn: Connection, row: Row, before: int, engine: str) -> Sequence[Evidence]:
    after = _left_after_drop(conn, row)
    return (
        Evidence(
            "dropped-table",
            f"Dropping the table {'leaves the sequence behind' if before else 'drops the sequence'}; "
            f"once owned, it {'stays behind' if after else 'goes along'}.",
            engine,
            {"left_before": before, "left_after": after, "holds": before == 1 and after == 0},
        ),
    )


PROOFS: dict[str, Proof] = {
    "missing_primary_key": Proof(fix=_linking_key, after=_rows_are_distinct),
    "unindexed_foreign_key": Proof(before=_lookup, after=_lookup_gains),
    "duplicate_index": Proof(before=_search_plan, after=_search_is_served),
    "prefix_redundant_index": Proof(before=_search_plan, after=_search_is_served),
    "foreign_key_type_mismatch": Proof(before=_types_differ, after=_as_seen),
    "integer_key_near_overflow": Proof(before=_numbers_end, after=_as_seen),
    "money_as_floating_point": Proof(before=_sums_differ, after=_as_seen),
    "timestamp_without_time_zone": Proof(before=_moments_differ, after=_as_seen),
    "constraint_not_valid": Proof(before=_violations, after=_rows_counted),
    "disabled_trigger": Proof(before=_violations, after=_rows_counted),
    "unowned_sequence": Proof(before=_left_after_drop, after=_goes_along),
}
