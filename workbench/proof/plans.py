"""Plans and times: what the planner chose, and how long contenders take side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from psycopg2 import sql as composed
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from workbench import sql
from workbench.catalog.model import qualified
from workbench.engines.postgres import Connection

Query = str | composed.Composable
Node = Mapping[str, Any]
_INDEX_SCANS = frozenset(("Index Scan", "Index Only Scan", "Bitmap Index Scan"))


@dataclass(frozen=True)
class Plan:
    """A plan as EXPLAIN gives it in JSON; costs in the planner's units, times in ms where it was run.

    Nodes come from the root down. Indexes and tables go by their qualified names: an index is in its
    table's schema.
    """

    root: Node = field(repr=False)
    planning_ms: float | None = None
    execution_ms: float | None = None

    def nodes(self) -> Iterator[Node]:
        return _beneath(self.root)

    @property
    def node_types(self) -> tuple[str, ...]:
        return tuple(str(node["Node Type"]) for node in self.nodes())

    @property
    def total_cost(self) -> float:
        return float(self.root["Total Cost"])

    @property
    def estimated_rows(self) -> float:
        return float(self.root["Plan Rows"])

    @property
    def actual_rows(self) -> float | None:
        """The rows that came out; None where the query was not run."""
        rows = self.root.get("Actual Rows")
        return None if rows is None else float(rows)

    @property
    def buffers(self) -> int | None:
        """The shared pages touched, in memory or not; None where the query was not run."""
        if "Shared Hit Blocks" not in self.root:
            return None
        return int(self.root["Shared Hit Blocks"]) + int(self.root["Shared Read Blocks"])

    def indexes_used(self) -> tuple[str, ...]:
        """The indexes scanned, each once, in the order of the plan."""
        return tuple(dict.fromkeys(name for name, _ in self.index_scans()))

    def index_scans(self) -> Iterator[tuple[str, Node]]:
        """The scans of indexes with the index's qualified name."""
        return _index_scans(self.root, "")

    def uses_index(self, name: str) -> bool:
        """Whether the index is scanned; *name* with its schema, or without where any schema will do."""
        return any(name in (used, str(node["Index Name"])) for used, node in self.index_scans())

    def scanned_sequentially(self) -> tuple[str, ...]:
        """The tables that are read from end to end."""
        found = (
            qualified(node.get("Schema", ""), node["Relation Name"])
            for node in self.nodes()
            if node["Node Type"] == "Seq Scan"
        )
        return tuple(dict.fromkeys(found))

    def scans_sequentially(self, table: str) -> bool:
        """Whether *table*, a qualified name, is read from end to end."""
        return table in self.scanned_sequentially()


def _beneath(node: Node) -> Iterator[Node]:
    yield node
    for child in node.get("Plans", ()):
        yield from _beneath(child)


def _index_scans(node: Node, schema: str) -> Iterator[tuple[str, Node]]:
    """A bitmap's index scan names no table: its schema is that of the heap scan above it."""
    schema = node.get("Schema", schema)
    if node["Node Type"] in _INDEX_SCANS:
        yield qualified(schema, node["Index Name"]), node
    for child in node.get("Plans", ()):
        yield from _index_scans(child, schema)


@contextmanager
def rolled_back(conn: Connection, settings: Mapping[str, str] | None = None) -> Iterator[None]:
    """A transaction, or a savepoint in the caller's, with *settings*; it is rolled back after the block."""
    idle = conn.info.transaction_status == TRANSACTION_STATUS_IDLE
    conn.execute("begin" if idle and conn.autocommit else "savepoint workbench_plan")
    try:
        set_local(conn, settings or {})
        yield
    finally:
        if not conn.closed:
            conn.execute(
                "rollback"
                if idle and conn.autocommit
                else "rollback to savepoint workbench_plan; release savepoint workbench_plan"
            )


def set_local(conn: Connection, settings: Mapping[str, str]) -> None:
    """Settings until the transaction ends."""
    if settings:
        names = {"names": list(settings), "settings": list(settings.values())}
        sql.fetch(conn, "proof/transaction/set_local.sql", names)


def explain(
    conn: Connection,
    query: Query,
    params: Any = None,
    *,
    analyze: bool = False,
    settings: Mapping[str, str] | None = None,
) -> Plan:
    """The plan of *query*; with *analyze* it is run, and whatever it does is rolled back."""
    options = "verbose, format json, analyze, buffers" if analyze else "verbose, format json"
    with rolled_back(conn, settings):
        return read_plan(conn, options, as_composable(query), params)


def read_plan(conn: Connection, options: str, statement: composed.Composable, params: Any = None) -> Plan:
    """The plan of one statement, read without a transaction of its own."""
    explained = composed.SQL("explain ({}) ").format(composed.SQL(options)) + statement
    row = conn.execute(explained, params).fetchone()
    if row is None:
        raise ValueError("EXPLAIN gave no plan: the statement was rewritten to nothing")
    found = row[0][0]
    return Plan(found["Plan"], found.get("Planning Time"), found.get("Execution Time"))


def generic_plan(
    conn: Connection,
    query: composed.Composable,
    parameters: int,
    *,
    settings: Mapping[str, str] | None = None,
) -> Plan:
    """The plan of *query* for any values of its *parameters* ``$1`` …, as a prepared statement has it."""
    nothing = composed.SQL(", ").join([composed.SQL("null")] * parameters)
    execute = composed.SQL("execute workbench_plan({})" if parameters else "execute workbench_plan").format(
        nothing
    )
    prepared = False
    try:
        with rolled_back(conn, {"plan_cache_mode": "force_generic_plan", **(settings or {})}):
            conn.execute(composed.SQL("prepare workbench_plan as ") + query)
            prepared = True
            return read_plan(conn, "verbose, format json", execute)
    finally:
        if prepared and not conn.closed:  # a prepared statement outlives the transaction
            conn.execute("deallocate workbench_plan")


def as_composable(query: Query) -> composed.Composable:
    return query if isinstance(query, composed.Composable) else composed.SQL(query)


@dataclass(frozen=True)
class Contender:
    """What is timed, and what is done before each time without being timed."""

    run: Callable[[Connection], object]
    before: Callable[[Connection], object] | None = None


@dataclass(frozen=True)
class Measurement:
    """The times of one contender in ms, in the order they were taken."""

    name: str
    times_ms: tuple[float, ...]

    @property
    def runs(self) -> int:
        return len(self.times_ms)

    @property
    def median_ms(self) -> float:
        return statistics.median(self.times_ms)

    @property
    def min_ms(self) -> float:
        return min(self.times_ms)

    @property
    def max_ms(self) -> float:
        return max(self.times_ms)


def interleaved(
    conn: Connection,
    contenders: Mapping[str, Contender | Callable[[Connection], object] | Query],
    runs: int = 5,
) -> dict[str, Measurement]:
    """Time *contenders* in turn, *runs* rounds after one that does not count, so that drift hits all alike.

    A contender is a query, a function of the connection, or a `Contender` with something to do before.
    Each round begins with another one.
    """
    if runs < 1 or not contenders:
        raise ValueError("timing needs at least one contender and one run")
    prepared = {name: _contender(given) for name, given in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in prepared}
    for number in range(runs + 1):
        for name in _rotated(list(prepared), number):
            elapsed = _timed(conn, prepared[name])
            if number:
                times[name].append(elapsed)
    return {name: Measurement(name, tuple(found)) for name, found in times.items()}


def _contender(given: Contender | Callable[[Connection], object] | Query) -> Contender:
    if isinstance(given, Contender):
        return given
    if isinstance(given, str | composed.Composable):
        query = given
        return Contender(lambda conn: conn.execute(query))
    return Contender(given)


def _rotated(names: Sequence[str], by: int) -> list[str]:
    start = by % len(names)
    return [*names[start:], *names[:start]]


def _timed(conn: Connection, contender: Contender) -> float:
    """The time of one run in ms."""
    if contender.before:
        contender.before(conn)
    started = time.perf_counter()
    contender.run(conn)
    return (time.perf_counter() - started) * 1000
