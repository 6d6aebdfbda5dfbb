"""Findings about statements that return long values stored out of line, with what fetching them costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg2
from psycopg2 import sql as composed

from workbench.areas.optimization.structure.model import AREA, Limits, Structure
from workbench.areas.optimization.structure.toast import long_columns
from workbench.areas.optimization.structure.wording import in_bytes, percent
from workbench.engines.postgres import Connection
from workbench.proof.findings import Evidence, Finding
from workbench.proof.plans import read_plan, rolled_back, set_local
from workbench.proof.workload.model import Statement, Workload
from workbench.proof.workload.syntax import runnable

LONG_READS = "long_values_read"
_SERIALIZE_FROM = 170_000
_WORTH = 0.3


@dataclass(frozen=True)
class LongRead:
    """A statement that returns *columns* (qualified) of the long ones of *table*."""

    statement: Statement
    table: str
    columns: tuple[str, ...]


def long_reads(conn: Connection, structure: Structure, workload: Workload, limits: Limits) -> list[LongRead]:
    """The statements whose plans give out long columns as they are; nothing is run."""
    by_relation: dict[tuple[str, str], tuple[str, Sequence[str]]] = {}
    for title, tables in structure.by_root().items():
        if sum(table.toast_bytes for table in tables) >= limits.toast_bytes:
            names = [column.title for column in long_columns(tables)]
            for table in tables:
                by_relation[table.schema, table.name] = title, names
    if not by_relation:
        return []
    return [
        LongRead(statement, title, columns)
        for statement in workload.statements
        if statement.reads_only and statement.values is not None
        for title, columns in _returned(conn, statement, by_relation).items()
    ]


def _returned(
    conn: Connection, statement: Statement, by_relation: Mapping[tuple[str, str], tuple[str, Sequence[str]]]
) -> dict[str, tuple[str, ...]]:
    """The long columns among the output of the plan's root, by table."""
    try:
        with rolled_back(conn):
            _find_names(conn, statement)
            plan = read_plan(conn, "verbose, format json", runnable(statement))
    except psycopg2.Error:
        if conn.closed:
            raise
        return {}
    output = set(plan.root.get("Output", ()))
    found: dict[str, dict[str, None]] = {}
    for node in plan.nodes():
        known = by_relation.get((node.get("Schema", ""), node.get("Relation Name", "")))
        if known is None:
            continue
        title, names = known
        alias = node["Alias"]
        for name in names:
            # a query of one table has its columns without the alias
            if not output.isdisjoint((name, f"{alias}.{name}", f'"{alias}".{name}')):
                found.setdefault(title, {})[name] = None
    return {title: tuple(names) for title, names in found.items()}


def _find_names(conn: Connection, statement: Statement) -> None:
    if statement.search_path:
        path = composed.SQL(", ").join([composed.Identifier(each) for each in statement.search_path])
        set_local(conn, {"search_path": path.as_string(conn)})


def long_read_findings(
    reads: Sequence[LongRead], workload: Workload
) -> Iterator[tuple[Finding, list[LongRead]]]:
    """A finding a table, with the statements that it rests on; not yet proved."""
    total = sum(statement.weight for statement in workload.statements)
    by_table: dict[str, list[LongRead]] = {}
    for read in reads:
        by_table.setdefault(read.table, []).append(read)
    for title, of_table in by_table.items():
        share = sum(read.statement.weight for read in of_table) / total if total else 0.0
        columns = ", ".join(dict.fromkeys(name for read in of_table for name in read.columns))
        names = ", ".join(read.statement.name for read in of_table[:5])
        yield (
            Finding(
                AREA,
                LONG_READS,
                "info",
                title,
                f"{title}: {len(of_table)} statements ({percent(share)} of the workload) return {columns}, "
                "stored out of line",
                "Each long value is a search in the TOAST table, its chunks read and decompressed, and "
                "all of it sent. A statement that names the columns it needs spares that. Source: "
                "PostgreSQL manual, 66.2 TOAST.",
                f"-- which of them need {columns}? {names}"
                + (f" and {len(of_table) - 5} more" if len(of_table) > 5 else ""),
                unverified_because="statements are not run on a named database",
            ),
            of_table,
        )


def prove_long_reads(
    conn: Connection, finding: Finding, reads: Sequence[LongRead], engine: str
) -> Finding | None:
    """*finding* with what fetching the values costs in a copy; None where they hardly lie out of line."""
    if conn.server_version < _SERIALIZE_FROM:
        return replace(finding, unverified_because="EXPLAIN (SERIALIZE) needs PostgreSQL 17")
    try:
        measured = [_serialized(conn, read.statement) for read in reads]
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        reason = (exc.diag.message_primary or str(exc)).strip().splitlines()[0]
        return replace(finding, unverified_because=f"a statement fails in the copy: {reason}")
    fetched = sum(each["fetched_pages"] for each in measured)
    pages = sum(each["pages"] for each in measured)
    if fetched < _WORTH * max(pages, 1):
        return None
    sent = sum(each["sent_bytes"] for each in measured)
    summary = (
        f"Run in a copy: {pages} pages to find the rows, {fetched} more to fetch what they return, "
        f"{in_bytes(sent)} of it."
    )
    facts = {
        "pages": pages,
        "fetched_pages": fetched,
        "sent_bytes": sent,
        "statements": [
            {"name": read.statement.name, "columns": list(read.columns), **each}
            for read, each in zip(reads, measured, strict=True)
        ],
    }
    evidence = Evidence("serialized", summary, engine, facts)
    return replace(finding, verified=True, unverified_because="", evidence=(evidence,))


def _serialized(conn: Connection, statement: Statement) -> dict[str, Any]:
    """The pages that finding the rows touched, and those that giving them out did."""
    with rolled_back(conn, {"statement_timeout": "60s"}):
        _find_names(conn, statement)
        row = conn.execute(
            composed.SQL("explain (analyze, buffers, timing off, serialize text, format json) ")
            + runnable(statement)
        ).fetchone()
    explained = row[0][0] if row else {}
    serialization = explained.get("Serialization", {})
    return {
        "pages": _pages(explained.get("Plan", {})),
        "fetched_pages": _pages(serialization),
        "sent_bytes": int(serialization.get("Output Volume", 0)) * 1024,
    }


def _pages(node: Mapping[str, Any]) -> int:
    return int(node.get("Shared Hit Blocks", 0)) + int(node.get("Shared Read Blocks", 0))
