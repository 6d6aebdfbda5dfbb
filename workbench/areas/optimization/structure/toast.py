"""Findings about long values that are stored out of line: how they are compressed, proved by storing them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.optimization.structure.model import AREA, ColumnFacts, Limits, Structure, TableFacts
from workbench.areas.optimization.structure.reading import FOLDER
from workbench.areas.optimization.structure.wording import in_bytes, percent
from workbench.engines.postgres import Connection
from workbench.proof.findings import Evidence, Finding
from workbench.proof.plans import interleaved, rolled_back

COMPRESSION = "toast_compression"
UNCOMPRESSED = "toast_uncompressed"
_SAMPLED_ROWS = 2_000
_LONG = 18  # what a pointer to a value out of line takes
_SAMPLE_TIMEOUT = "30s"
_RUNS = 5
_SIDES = ("workbench_before", "workbench_after")
_AFTER = _SIDES[1]
_STORAGE = {"x": "extended", "e": "external", "m": "main", "p": "plain"}


def toast_findings(structure: Structure, limits: Limits) -> Iterator[Finding]:
    """Large TOAST tables whose columns are compressed the old way or not at all; not yet proved."""
    for title, tables in structure.by_root().items():
        size_bytes = sum(table.toast_bytes for table in tables)
        if size_bytes < limits.toast_bytes:
            continue
        columns = long_columns(tables)
        external = [column for column in columns if column.storage == "e"]
        if external:
            yield _finding(
                UNCOMPRESSED,
                title,
                size_bytes,
                external,
                "is stored uncompressed (STORAGE EXTERNAL)",
                "set storage extended",
            )
        pglz = [
            column
            for column in columns
            if column.storage in ("x", "m")
            and (column.compression or structure.server.settings.get("default_toast_compression", "pglz")[0])
            != "l"
        ]
        if pglz and structure.server.has_lz4:
            yield _finding(
                COMPRESSION,
                title,
                size_bytes,
                pglz,
                "is compressed by pglz, and the server has lz4",
                "set compression lz4",
            )


def long_columns(tables: Sequence[TableFacts]) -> list[ColumnFacts]:
    """The columns whose values may lie out of line, as far as the statistics tell."""
    largest = max(tables, key=lambda table: (table.toast_bytes, table.title))
    return [
        column
        for column in largest.stored
        if column.length == -1
        and column.storage in ("x", "e", "m")
        and (column.average_bytes is None or column.average_bytes >= _LONG)
        and column.category not in ("N", "D", "B", "E", "I")
    ]


def _finding(
    check: str, title: str, size_bytes: int, columns: Sequence[ColumnFacts], what: str, change: str
) -> Finding:
    names = ", ".join(column.title for column in columns)
    clauses = ", ".join(f"alter column {column.title} {change}" for column in columns)
    return Finding(
        AREA,
        check,
        "info",
        title,
        f"{title} has {in_bytes(size_bytes)} of long values; {names} {what}",
        "The setting holds for values written from now on; those there stay as they are until they are "
        "written again. Source: PostgreSQL manual, 66.2 TOAST; ALTER TABLE, SET COMPRESSION.",
        f"alter table {title} {clauses};",
        unverified_because="its values were not stored both ways",
    )


def prove_toast(
    conn: Connection, finding: Finding, tables: Sequence[TableFacts], engine: str
) -> Finding | None:
    """*finding* with its values stored as they are and as proposed, in a transaction that is rolled back.

    None where it gains nothing: less than a tenth of the bytes, and with lz4 reads no faster.
    """
    method = "lz4" if finding.check == COMPRESSION else "default"
    try:
        with rolled_back(conn):
            facts = _stored_both_ways(conn, tables, method)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        reason = (exc.diag.message_primary or str(exc)).strip().splitlines()[0]
        return replace(finding, unverified_because=f"its values could not be stored both ways: {reason}")
    if not facts["rows"]:
        return replace(finding, unverified_because="there are no rows to store both ways")
    saved = 1 - facts["after_bytes"] / facts["before_bytes"]
    faster = 1 - facts["read_after_ms"] / facts["read_before_ms"]
    writes = facts["write_after_ms"] / facts["write_before_ms"]
    summary = (
        f"{facts['rows']} rows stored both ways: {in_bytes(facts['before_bytes'])} before, "
        f"{in_bytes(facts['after_bytes'])} after ({percent(saved)} less); reading all of them "
        f"{facts['read_before_ms']:.1f} ms before, {facts['read_after_ms']:.1f} after (median of {_RUNS}, in "
        f"turns); writing takes {writes:.2f} times as long."
    )
    holds = saved > 0.1 or (finding.check == COMPRESSION and faster > 0.2 and saved > -0.1)
    evidence = (Evidence("both-ways", summary, engine, facts),)
    if not holds:
        return None
    return replace(finding, verified=True, unverified_because="", evidence=evidence)


def look_at_values(
    conn: Connection, finding: Finding, tables: Sequence[TableFacts], engine: str
) -> Finding | None:
    """*finding* about a named database, with what sampled values show; read-only.

    None where the values that it says are compressed are not: another method would not shrink them either.
    """
    unproved = replace(finding, unverified_because="a copy of a named database has no rows to try it on")
    if finding.check != COMPRESSION:
        return unproved
    table = max(tables, key=lambda table: (table.toast_bytes, table.title))
    question = composed.SQL(sql.read(f"{FOLDER}/sampled_compression.sql"))
    share = min(100.0, 100.0 * 2 * _SAMPLED_ROWS / max(table.rows or 1.0, 1.0))
    values = compressed = 0
    try:
        for column in long_columns(tables):
            statement = question.format(
                column=composed.Identifier(column.name or ""),
                table=composed.Identifier(table.schema, table.name),
                share=composed.Literal(share),
                rows=composed.Literal(_SAMPLED_ROWS),
            )
            with rolled_back(conn, {"statement_timeout": _SAMPLE_TIMEOUT}):
                row = conn.execute(statement).fetchone()
            values += row[0] if row else 0
            compressed += row[1] if row else 0
    except psycopg2.Error:
        if conn.closed:
            raise
        return unproved
    if values and compressed < 0.1 * values:
        return None
    summary = f"Of {values} sampled values of more than 2,000 bytes {compressed} are compressed."
    facts = {"values": values, "compressed": compressed, "table": table.title}
    return replace(unproved, evidence=(Evidence("sampled", summary, engine, facts),))


def _stored_both_ways(conn: Connection, tables: Sequence[TableFacts], method: str) -> dict[str, Any]:
    """Sizes and times of the same values, as the table stores them and as proposed."""
    table = max(tables, key=lambda table: (table.toast_bytes, table.title))
    columns = long_columns(tables)
    names = [composed.Identifier(column.name or "") for column in columns]
    conn.execute(
        composed.SQL("create temporary table workbench_values as select {} from {} limit {}").format(
            composed.SQL(", ").join(names),
            composed.Identifier(table.schema, table.name),
            composed.Literal(_SAMPLED_ROWS),
        )
    )
    for side in _SIDES:
        conn.execute(
            composed.SQL("create temporary table {} (like workbench_values)").format(
                composed.Identifier(side)
            )
        )
        for column in columns:
            conn.execute(_storing(side, column, method if side == _AFTER else None))
    read = composed.SQL(", ").join(
        composed.SQL("pg_catalog.sum(pg_catalog.length(v.{}::text))").format(name) for name in names
    )
    writes = interleaved(conn, {side: _writing(side, columns) for side in _SIDES}, runs=1)
    reads = interleaved(
        conn,
        {
            side: composed.SQL("select {} from {} as v").format(read, composed.Identifier(side))
            for side in _SIDES
        },
        runs=_RUNS,
    )
    facts: dict[str, Any] = {"table": table.title}
    counted = conn.execute("select pg_catalog.count(*) from workbench_values").fetchone()
    facts["rows"] = counted[0] if counted else 0
    for side, when in zip(_SIDES, ("before", "after"), strict=True):
        (size,) = sql.fetch(conn, f"{FOLDER}/stored_size.sql", {"name": side})
        facts |= {
            f"{when}_bytes": size["size_bytes"],
            f"write_{when}_ms": writes[side].median_ms,
            f"read_{when}_ms": reads[side].median_ms,
        }
    return facts


def _writing(side: str, columns: Sequence[ColumnFacts]) -> composed.Composable:
    """An insert of values made anew, for one that is copied stays compressed as it was."""
    anew = [
        composed.SQL("({}::text || '')::{}").format(
            composed.Identifier(column.name or ""), composed.SQL(column.type or "text")
        )
        for column in columns
    ]
    return composed.SQL("insert into {} select {} from workbench_values").format(
        composed.Identifier(side), composed.SQL(", ").join(anew)
    )


def _storing(side: str, column: ColumnFacts, method: str | None) -> composed.Composable:
    """How *side* stores the column: as its table does, or with *method*."""
    name = composed.Identifier(column.name or "")
    if method is None:
        storage = _STORAGE[column.storage]
        method = {"l": "lz4", "p": "pglz"}.get(column.compression, "default")
    else:
        storage = "extended"
    return composed.SQL(
        "alter table {side} alter {name} set storage {storage}, alter {name} set compression {m}"
    ).format(side=composed.Identifier(side), name=name, storage=composed.SQL(storage), m=composed.SQL(method))
