"""Findings about what nobody reads, by the counters of a live server: questions, with what they rest on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pglast import parse_sql
from pglast.stream import RawStream

from workbench.areas.optimization.structure.model import (
    AREA,
    IndexFacts,
    Limits,
    Structure,
    TableFacts,
)
from workbench.areas.optimization.structure.wording import in_bytes, of_table
from workbench.engines.postgres import Connection
from workbench.proof.findings import Evidence, Finding

UNUSED_INDEX = "unused_index"
UNREAD_TABLE = "unread_table"


def use_findings(conn: Connection, structure: Structure, limits: Limits, source: str) -> Iterator[Finding]:
    """Indexes and tables without a scan.

    Nothing where the counters are younger than *limits* ask, or where no table was read at all: that is a
    copy or a standby that nobody uses, and tells of no table.
    """
    if structure.server.counted_days < limits.age_days or not was_read(structure):
        return
    for title, tables in structure.by_root().items():
        if all(table.table_scans + table.index_scans == 0 for table in tables):
            yield from _unread(title, tables, structure, limits, source)
        else:
            yield from _unused(conn, tables, structure, limits, source)


def was_read(structure: Structure) -> bool:
    """Whether any table was read since the counters began."""
    return any(table.table_scans + table.index_scans for table in structure.tables)


def _unused(
    conn: Connection, tables: list[TableFacts], structure: Structure, limits: Limits, source: str
) -> Iterator[Finding]:
    by_root: dict[str, list[IndexFacts]] = {}
    for table in tables:
        for index in table.indexes:
            by_root.setdefault(index.root_title, []).append(index)
    for title, indexes in by_root.items():
        size_bytes = sum(index.size_bytes for index in indexes)
        if (
            any(index.scans or index.is_needed or index.supports_key for index in indexes)
            or size_bytes < limits.index_bytes
        ):
            continue
        yield _unused_index(conn, title, indexes, size_bytes, structure, source)


def _unused_index(
    conn: Connection,
    title: str,
    indexes: list[IndexFacts],
    size_bytes: int,
    structure: Structure,
    source: str,
) -> Finding:
    first = indexes[0]
    is_partitioned = first.root != first.oid
    drop = "drop index {};" if is_partitioned else "drop index concurrently {};"
    return Finding(
        AREA,
        UNUSED_INDEX,
        "info",
        title,
        f"{title} ({in_bytes(size_bytes)}): no scan in {structure.server.counted}",
        f"Every write keeps it up. {_elsewhere(structure)} What runs once a quarter may need it: ask "
        "first, and keep its definition. Source: PostgreSQL manual, 27.2 pg_stat_all_indexes.",
        of_table(conn, drop, first.root_schema, first.root_name) + f"\n-- undo: {_whole(first.definition)};",
        unverified_because="that nobody will need it cannot be told from counters",
        evidence=(
            Evidence(
                "counters",
                f"idx_scan is 0 in {structure.server.counted}, while its table was read; it enforces "
                "nothing, and no foreign key's columns come first in it.",
                source,
                {
                    "size_bytes": size_bytes,
                    "scans": 0,
                    "counted_days": round(structure.server.counted_days, 2),
                    "replicas": structure.server.replicas,
                    "partitions": len(indexes) if is_partitioned else 0,
                },
            ),
        ),
    )


def _unread(
    title: str, tables: list[TableFacts], structure: Structure, limits: Limits, source: str
) -> Iterator[Finding]:
    size_bytes = sum(table.total_bytes for table in tables)
    written = sum(table.inserted + table.updated + table.deleted for table in tables)
    if size_bytes < limits.index_bytes:
        return
    yield Finding(
        AREA,
        UNREAD_TABLE,
        "info",
        title,
        f"{title} ({in_bytes(size_bytes)}) was not read in {structure.server.counted}, "
        + (f"and {written} rows were written" if written else "nor written"),
        "A question, not a verdict: an archive or an audit log is read when it is needed. "
        f"{_elsewhere(structure)} Could it lie in a cheaper place, or be written to a file?",
        f"-- ask who owns the rows of {title} and how long they must be kept",
        unverified_because="that nobody will need it cannot be told from counters",
        evidence=(
            Evidence(
                "counters",
                f"seq_scan and idx_scan are 0 in {structure.server.counted}.",
                source,
                {
                    "size_bytes": size_bytes,
                    "written_rows": written,
                    "counted_days": round(structure.server.counted_days, 2),
                },
            ),
        ),
    )


def _elsewhere(structure: Structure) -> str:
    server = structure.server
    if server.is_replica:
        return "This server is a replica: the primary counts for itself."
    if server.replicas:
        return f"{server.replicas} replicas count for themselves: look at pg_stat_user_indexes there too."
    return "A replica, where there is one, counts for itself."


def _whole(definition: str) -> str:
    """A partitioned index's definition, which the server prints with ONLY, for all its partitions."""
    statement: Any = parse_sql(definition)[0].stmt
    if statement.relation.inh:
        return definition
    statement.relation.inh = True
    return str(RawStream()(statement))
