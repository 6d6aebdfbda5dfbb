"""What an audit trail costs: server CPU a row, beside no audit and the row trigger that everybody writes.

One table of 16 columns in four copies; a bulk update of two columns, and updates by key, one a statement, in
turns, so that a slow moment of the machine meets all. CPU is the server process's own (the kernel's
/proc/<pid>/schedstat), less what the same work takes without audit; the medians of the rounds count.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg2 import sql as composing

from workbench import sql
from workbench.areas.security.audit import audit_parts, seal, verify
from workbench.areas.security.intent.model import AuditIntent, Intent, RoleIntent
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection, Server
from workbench.engines.server import scratch_name
from workbench.errors import FeatureUnavailable

Row = dict[str, Any]
ROWS, ONE_BY_ONE, ROUNDS = 50_000, 1_000, 3
PEER = "naive row trigger"
_TABLES = {
    "no audit": "unaudited",
    PEER: "by_naive",
    "statement trigger": "by_statement",
    "row trigger": "by_row",
}
_MOST_OF_NAIVE = 0.5  # a bulk update with our statement trigger, of the naive trigger's cost
_MOST_ONE_BY_ONE = 1.0  # our row trigger, of our statement trigger's cost, one row a statement


@dataclass(frozen=True)
class Cost:
    """Of one way to audit and one kind of write: server CPU a row in µs, and rows a second."""

    cpu_us: float
    rows_per_s: float


def rows(
    server: Server, *, count: int = ROWS, one_by_one: int = ONE_BY_ONE, rounds: int = ROUNDS
) -> list[Row]:
    """The benchmark's rows. Raises FeatureUnavailable where the server's processes cannot be seen."""
    with (
        _audit_owner(server) as owner,
        server.scratch_database(label="bench") as name,
        server.session(name) as conn,
    ):
        _prepare(conn, owner, count)
        bulk = _measured(conn, rounds, lambda table: _bulk(conn, table), count)
        single = _measured(conn, rounds, lambda table: _one_by_one(conn, table, one_by_one), one_by_one)
        others = [*_truncation(conn, count), *_evidence(conn)]
    return [*_bulk_rows(bulk), *_single_rows(single), *others]


@contextlib.contextmanager
def _audit_owner(server: Server) -> Iterator[str]:
    """A role for the time of the run; roles are the whole cluster's, so its name is new."""
    name = scratch_name("audit")
    role = composing.Identifier(name)
    with server.session() as conn:
        conn.execute(composing.SQL("create role {}").format(role))
        try:
            yield name
        finally:
            conn.execute(composing.SQL("drop role {}").format(role))


def _prepare(conn: Connection, owner: str, count: int) -> None:
    conn.execute(sql.read("security/audit/bench_tables.sql"), {"rows": count})
    tables = (("public", "by_statement"), ("public", "by_row"))
    audit = AuditIntent(tables, by_row=tables[1:])
    intent = Intent("bench", (RoleIntent(owner, "audit owner"),), (), audit=audit)
    for part in audit_parts(intent, reflect(conn)):
        conn.execute(part.apply)
    conn.execute("vacuum analyze")


def _truncation(conn: Connection, count: int) -> list[Row]:
    """What a TRUNCATE costs whose rows are logged, beside one that leaves an entry and a DELETE."""
    table = composing.Identifier("by_statement")
    cost = {}
    for truncation in ("logged", "rows"):
        conn.execute("call audit.watch('by_statement', false, '{}', '{}', %s)", [truncation])
        cost[truncation] = _rolled_back(conn, composing.SQL("truncate {}").format(table)) / count
    deleted = _rolled_back(conn, composing.SQL("delete from {}").format(table)) / count
    return [
        _row("audit: TRUNCATE with its rows logged", cost["rows"], deleted, None, peer="DELETE, audited"),
        _row("audit: TRUNCATE with an entry", cost["logged"], deleted, None, peer="DELETE, audited"),
    ]


def _rolled_back(conn: Connection, statement: composing.Composable) -> float:
    """The CPU in µs of *statement*, whose work is undone."""
    conn.execute("begin")
    before = _cpu_ns(conn)
    conn.execute(statement)
    used = _cpu_ns(conn) - before
    conn.execute("rollback")
    return used / 1e3


def _evidence(conn: Connection) -> list[Row]:
    """What it takes to seal all the entries of the run, and to compute the seals again."""
    began = time.monotonic()
    anchor = seal(conn)
    sealed_s = time.monotonic() - began
    began = time.monotonic()
    tampering = verify(conn, [anchor])
    verified_s = time.monotonic() - began
    return [
        _plain(f"audit: {anchor.entries:,} entries sealed", anchor.entries / sealed_s, "entries/s"),
        _plain("audit: and verified", anchor.entries / verified_s, "entries/s", ok=not tampering),
    ]


def _bulk(conn: Connection, table: composing.Identifier) -> None:
    conn.execute(
        composing.SQL("update {} set status = status || 'x', updated_at = clock_timestamp()").format(table)
    )


def _one_by_one(conn: Connection, table: composing.Identifier, count: int) -> None:
    statement = (
        composing.SQL(
            "update {} set status = status || 'y', updated_at = clock_timestamp() "
            "where order_id = pg_catalog.md5(%s)::uuid"
        )
        .format(table)
        .as_string(conn)
    )
    with conn.cursor() as cur:
        for number in range(1, count + 1):
            cur.execute(statement, [str(number)])


def _measured(
    conn: Connection, rounds: int, work: Callable[[composing.Identifier], None], count: int
) -> dict[str, Cost]:
    cpu, elapsed = defaultdict(list), defaultdict(list)
    for turn in range(rounds + 1):
        for kind, table in _in_turn(turn):
            before, began = _cpu_ns(conn), time.monotonic()
            work(composing.Identifier(table))
            took, used = time.monotonic() - began, _cpu_ns(conn) - before
            conn.execute(composing.SQL("vacuum {}").format(composing.Identifier(table)))
            if turn:  # the first round warms the caches
                cpu[kind].append(used / 1e3 / count)
                elapsed[kind].append(count / took)
    return {kind: Cost(statistics.median(cpu[kind]), statistics.median(elapsed[kind])) for kind in _TABLES}


def _in_turn(turn: int) -> Iterator[tuple[str, str]]:
    order = list(_TABLES.items())
    yield from order[turn % len(order) :] + order[: turn % len(order)]


def _cpu_ns(conn: Connection) -> int:
    path = Path(f"/proc/{conn.info.backend_pid}/schedstat")
    if (conn.info.host and not conn.info.host.startswith("/")) or not path.exists():
        raise FeatureUnavailable(
            "the CPU time of a server process",
            "this server",
            hint="run the benchmark on Linux with the embedded engine",
        )
    return int(path.read_text().split()[0])


def _bulk_rows(bulk: dict[str, Cost]) -> list[Row]:
    what = "bulk update"
    own = {kind: cost.cpu_us - bulk["no audit"].cpu_us for kind, cost in bulk.items()}
    naive = own[PEER]
    found = [_speed(what, kind, cost) for kind, cost in bulk.items()]
    found.append(
        _row(f"audit, {what}: statement trigger's CPU", own["statement trigger"], naive, _MOST_OF_NAIVE)
    )
    found.append(_row(f"audit, {what}: row trigger's CPU", own["row trigger"], naive, None))
    return found


def _single_rows(single: dict[str, Cost]) -> list[Row]:
    what = "one row a statement"
    own = {kind: cost.cpu_us - single["no audit"].cpu_us for kind, cost in single.items()}
    found = [_speed(what, kind, cost) for kind, cost in single.items()]
    found.append(_row(f"audit, {what}: statement trigger's CPU", own["statement trigger"], own[PEER], None))
    found.append(
        _row(
            f"audit, {what}: row trigger's CPU",
            own["row trigger"],
            own["statement trigger"],
            _MOST_ONE_BY_ONE,
            peer="statement trigger",
        )
    )
    return found


def _speed(what: str, kind: str, cost: Cost) -> Row:
    return _plain(f"audit, {what}: {kind}, {cost.cpu_us:.1f} µs of CPU a row", cost.rows_per_s, "rows/s")


def _plain(benchmark: str, value: float, unit: str, *, ok: bool = True) -> Row:
    """A figure without a peer."""
    return {
        "benchmark": benchmark,
        "value": round(value),
        "unit": unit,
        "peer": "",
        "peer_value": None,
        "ratio": None,
        "limit": None,
        "ok": ok,
    }


def _row(benchmark: str, value: float, peer_value: float, limit: float | None, *, peer: str = PEER) -> Row:
    ratio = value / peer_value
    return {
        "benchmark": benchmark,
        "value": round(value, 1),
        "unit": "µs/row",
        "peer": peer,
        "peer_value": round(peer_value, 1),
        "ratio": round(ratio, 2),
        "limit": limit,
        "ok": limit is None or ratio <= limit,
    }
