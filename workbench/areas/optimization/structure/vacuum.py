"""Findings about vacuum: what it is behind with, what holds it back, what it was told not to do.

Thresholds are those of the table itself: its own storage parameters, else the server's settings.
Source: PostgreSQL manual, 25.1.6 The Autovacuum Daemon, 25.1.5 Preventing Transaction ID Wraparound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.areas.optimization.structure.model import AREA, Limits, ServerFacts, Structure, TableFacts
from workbench.areas.optimization.structure.wording import of_table
from workbench.engines.postgres import Connection
from workbench.proof.findings import Evidence, Finding, Severity

BEHIND = "vacuum_behind"
STALE = "statistics_stale"
SWITCHED_OFF = "autovacuum_off"
LATE = "autovacuum_late"
WRAPAROUND = "wraparound_age"
HELD = "vacuum_held_back"
_DAEMON = "Source: PostgreSQL manual, 25.1.6 The Autovacuum Daemon."
_STOP_AT = 2**31 - 3_000_000
_HELD_TRANSACTIONS = 1_000_000
_FAILSAFE = 1_600_000_000
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Thresholds:
    """From how many rows on autovacuum visits a table; *inserted* is None where it does not for inserts."""

    dead: float
    inserted: float | None
    changed: float
    freeze_age: int
    multixact_freeze_age: int
    enabled: bool


def thresholds(table: TableFacts, server: ServerFacts) -> Thresholds:
    """The thresholds in force for *table*."""
    rows = table.rows or 0.0
    inserts = _number(table, server, "autovacuum_vacuum_insert_threshold")
    most = _number(table, server, "autovacuum_vacuum_max_threshold", -1)  # from PostgreSQL 18
    dead = (
        _number(table, server, "autovacuum_vacuum_threshold")
        + _number(table, server, "autovacuum_vacuum_scale_factor") * rows
    )
    return Thresholds(
        dead=min(dead, most) if most >= 0 else dead,
        inserted=None
        if inserts < 0
        else inserts + _number(table, server, "autovacuum_vacuum_insert_scale_factor") * rows,
        changed=_number(table, server, "autovacuum_analyze_threshold")
        + _number(table, server, "autovacuum_analyze_scale_factor") * rows,
        freeze_age=int(_lower(table, server, "autovacuum_freeze_max_age")),
        multixact_freeze_age=int(_lower(table, server, "autovacuum_multixact_freeze_max_age")),
        enabled=table.options.get("autovacuum_enabled", "true").lower() in ("true", "on", "yes", "1", "t"),
    )


def _number(table: TableFacts, server: ServerFacts, name: str, default: float = 0) -> float:
    return float(table.options.get(name, server.settings.get(name, default)))


def _lower(table: TableFacts, server: ServerFacts, name: str) -> float:
    """A table may only lower the age at which it is frozen."""
    whole = float(server.settings[name])
    return min(whole, float(table.options.get(name, whole)))


def settings_findings(conn: Connection, structure: Structure, source: str) -> Iterator[Finding]:
    """Autovacuum switched off: of one table, and of a live server."""
    settings = structure.server.settings
    if structure.is_live and "off" in (settings["autovacuum"], settings["track_counts"]):
        name = "autovacuum" if settings["autovacuum"] == "off" else "track_counts"
        yield Finding(
            AREA,
            SWITCHED_OFF,
            "error",
            name,
            f"{name} is off: no table of the server is vacuumed or analysed by itself",
            "Dead rows stay, statistics grow old, and only the vacuum that prevents wraparound still runs. "
            + _DAEMON,
            f"alter system set {name} = on;\nselect pg_catalog.pg_reload_conf();",
            **_counters(source, f"The server shows {name} = off.", {name: "off"}),
        )
    for table in structure.tables:
        if thresholds(table, structure.server).enabled:
            continue
        yield Finding(
            AREA,
            SWITCHED_OFF,
            "warn",
            table.title,
            f"autovacuum is switched off for {table.title}",
            "Nobody removes its dead rows or renews its statistics but who does it by hand; right for a "
            f"table that is loaded and emptied by a job that vacuums. {_DAEMON}",
            of_table(conn, "alter table {} reset (autovacuum_enabled);", table.schema, table.name),
            **_counters(source, "Its storage parameters say so.", {"options": dict(table.options)}),
        )


def activity_findings(
    conn: Connection, structure: Structure, blockers: Sequence[Row], limits: Limits, source: str
) -> Iterator[Finding]:
    """What autovacuum is behind with, by the counters of a live server."""
    for table in structure.tables:
        limit = thresholds(table, structure.server)
        yield from _behind(conn, structure, table, limit, blockers, limits, source)
        yield from _stale(conn, structure, table, limit, limits, source)
        yield from _late(conn, structure, table, limit, limits, source)


def _behind(
    conn: Connection,
    structure: Structure,
    table: TableFacts,
    limit: Thresholds,
    blockers: Sequence[Row],
    limits: Limits,
    source: str,
) -> Iterator[Finding]:
    dead = table.dead >= max(limits.lag * limit.dead, limits.lag_rows)
    inserted = limit.inserted is not None and table.inserted_since_vacuum >= max(
        limits.lag * limit.inserted, limits.lag_rows
    )
    if not (dead or inserted):
        return
    when = _when(structure, table.vacuumed_at, "vacuumed")
    what = (
        f"{table.dead} dead rows, and autovacuum comes at {limit.dead:.0f}"
        if dead
        else f"{table.inserted_since_vacuum} rows were inserted since the last VACUUM, and autovacuum comes "
        f"at {limit.inserted:.0f}"
    )
    held = [each for each in blockers if _holds_back(each, limits)]
    why_late = (
        f" {held[0]['kind']} {held[0]['name']} holds the horizon {held[0]['xid_age']} transactions back."
        if held and dead
        else ""
    )
    yield Finding(
        AREA,
        BEHIND,
        "warn" if dead else "info",
        table.title,
        f"{table.title}: {what}; {when}",
        (
            "The table and its indexes grow with every update meanwhile."
            if dead
            else "Pages that are not marked all visible make index-only scans look into the table, and must "
            "be frozen later all at once."
        )
        + f"{why_late} {_DAEMON}",
        of_table(conn, "vacuum (analyze, verbose) {};", table.schema, table.name),
        **_counters(
            source,
            f"The server's counters: {what}; {when}.",
            {
                "dead_rows": table.dead,
                "threshold_rows": limit.dead,
                "inserted_since_vacuum": table.inserted_since_vacuum,
                "insert_threshold_rows": limit.inserted,
                "live_rows": table.live,
                "counted_days": round(structure.server.counted_days, 2),
            },
        ),
    )


def _stale(
    conn: Connection,
    structure: Structure,
    table: TableFacts,
    limit: Thresholds,
    limits: Limits,
    source: str,
) -> Iterator[Finding]:
    if table.is_view or table.changed_since_analyze < max(limits.lag * limit.changed, limits.lag_rows):
        return
    when = _when(structure, table.analyzed_at, "analysed")
    yield Finding(
        AREA,
        STALE,
        "warn",
        table.title,
        f"{table.title}: {table.changed_since_analyze} rows changed since the last ANALYZE, and autovacuum "
        f"comes at {limit.changed:.0f}; {when}",
        f"The planner chooses by statistics that no longer hold. {_DAEMON}",
        of_table(conn, "analyze {};", table.schema, table.name),
        **_counters(
            source,
            f"The server's counters: {table.changed_since_analyze} changed rows; {when}.",
            {"changed_rows": table.changed_since_analyze, "threshold_rows": limit.changed},
        ),
    )


def _late(
    conn: Connection,
    structure: Structure,
    table: TableFacts,
    limit: Thresholds,
    limits: Limits,
    source: str,
) -> Iterator[Finding]:
    """A big table that is updated and waits for a fifth of its rows to die."""
    rows = table.rows or 0.0
    if (
        rows < limits.big_table_rows
        or not limit.enabled
        or limit.dead < 0.1 * rows
        or table.updated + table.deleted < limits.updates
    ):
        return
    changed = table.updated + table.deleted
    yield Finding(
        AREA,
        LATE,
        "info",
        table.title,
        f"{table.title} has {rows:.0f} rows, and autovacuum waits until {limit.dead:.0f} are dead",
        "The default threshold is a fifth of the table: vacuum comes seldom, and has much to do when it "
        f"comes. {_DAEMON}",
        of_table(
            conn,
            "alter table {} set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = "
            "0.01);",
            table.schema,
            table.name,
        ),
        **_counters(
            source,
            f"{changed} rows were updated or deleted in {structure.server.counted}.",
            {"rows": rows, "threshold_rows": limit.dead, "changed_rows": changed},
        ),
    )


def age_findings(
    conn: Connection, structure: Structure, databases: Sequence[Row], source: str
) -> Iterator[Finding]:
    """Tables and databases whose oldest row is older than autovacuum lets it become."""
    for table in structure.tables:
        limit = thresholds(table, structure.server)
        xid_age = max(table.xid_age, table.toast_xid_age or 0)
        yield from _aged(
            table.title,
            {"transactions": (xid_age, limit.freeze_age),
             "multixacts": (table.multixact_age, limit.multixact_freeze_age)},
            of_table(conn, "vacuum (freeze, verbose) {};", table.schema, table.name),
            source,
        )  # fmt: skip
    whole = {
        "transactions": int(structure.server.settings["autovacuum_freeze_max_age"]),
        "multixacts": int(structure.server.settings["autovacuum_multixact_freeze_max_age"]),
    }
    for row in databases:
        if not row["is_current"]:
            yield from _aged(
                f"database {row['name']}",
                {"transactions": (row["xid_age"], whole["transactions"]),
                 "multixacts": (row["multixact_age"], whole["multixacts"])},
                "vacuum (freeze);  -- in that database",
                source,
            )  # fmt: skip


def _aged(title: str, ages: Mapping[str, tuple[int, int]], fix: str, source: str) -> Iterator[Finding]:
    late = {unit: (age, limit) for unit, (age, limit) in ages.items() if age > 1.1 * limit}
    if not late:
        return
    unit, (age, limit) = max(late.items(), key=lambda each: each[1][0])
    severity: Severity = "error" if age >= _FAILSAFE else "warn"
    yield Finding(
        AREA,
        WRAPAROUND,
        severity,
        title,
        f"{title}: its oldest row is {age} {unit} old, and autovacuum should have frozen it at {limit}",
        f"At {_STOP_AT} the server takes no more writes. A table past its limit is one that vacuum cannot "
        "finish or that something holds back. Source: PostgreSQL manual, 25.1.5 Preventing Transaction ID "
        "Wraparound Failures.",
        fix,
        **_counters(
            source,
            f"The catalog: {age} {unit}, limit {limit}.",
            {name: {"age": each[0], "limit": each[1]} for name, each in ages.items()},
        ),
    )


def blocker_findings(
    blockers: Sequence[Row], database: str, limits: Limits, source: str
) -> Iterator[Finding]:
    """Sessions, slots and prepared transactions that keep vacuum from removing dead rows."""
    for each in blockers:
        if not _holds_back(each, limits):
            continue
        held_s, age = each["held_s"], each["xid_age"] or 0
        how_long = f"for {held_s / 3600:.1f} hours" if held_s is not None else f"by {age} transactions"
        yield Finding(
            AREA,
            HELD,
            "warn",
            f"{database}: {each['kind']} {each['name']}",
            f"the {each['kind']} {each['name']} holds back vacuum {how_long}",
            "No dead row that it might still see can be removed, in any table of the database. Source: "
            "PostgreSQL manual, 25.1.5, and pg_stat_activity.backend_xmin.",
            _release(each),
            **_counters(
                source, f"Its horizon is {age} transactions old.", {"xid_age": age, "held_s": held_s}
            ),
        )


def _holds_back(blocker: Row, limits: Limits) -> bool:
    """Whether it has lasted; of a slot and a replica the age in transactions alone is known."""
    if blocker["held_s"] is None:
        return (blocker["xid_age"] or 0) >= _HELD_TRANSACTIONS
    return bool(blocker["held_s"] >= limits.held_s)


def _release(blocker: Row) -> str:
    """How to end it, for whoever knows that nobody needs it: a comment."""
    ask = "-- ask its owner first; then:\n-- "
    name = blocker["name"].replace("'", "''")
    match blocker["kind"]:
        case "session":
            return f"{ask}select pg_catalog.pg_terminate_backend({blocker['pid']});"
        case "replication slot":
            return f"{ask}select pg_catalog.pg_drop_replication_slot('{name}');"
        case "prepared transaction":
            return f"{ask}rollback prepared '{name}';"
        case _:
            return "-- a long query on the replica: end it there, or switch hot_standby_feedback off"


def _when(structure: Structure, moment: Any, done: str) -> str:
    if moment is None:
        return f"not {done} in {structure.server.counted}"
    hours = (structure.server.asked_at - moment).total_seconds() / 3600
    if hours >= 24:
        return f"last {done} {hours / 24:.1f} days ago"
    return f"last {done} {hours:.1f} hours ago" if hours >= 1 else f"last {done} less than an hour ago"


def _counters(source: str, summary: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """A claim that is the server's own count."""
    return {"verified": True, "evidence": (Evidence("counters", summary, source, facts),)}
