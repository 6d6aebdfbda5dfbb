"""How much of tables and indexes their rows would not need: counted by pgstattuple, else estimated.

Waste is what a rewrite at the same fill factor would give back, so that a fresh table has none, whatever
its rows' length, its fill factor or the space that no row fits into at a page's end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg2
import psycopg2.errors
from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.optimization.structure.index_size import leaf_bytes
from workbench.areas.optimization.structure.model import (
    PAGE_HEADER_BYTES,
    Bloat,
    IndexFacts,
    Structure,
    TableFacts,
)
from workbench.areas.optimization.structure.reading import FOLDER
from workbench.areas.optimization.structure.rows import row_bytes, rows_fitting, rows_per_page, varies
from workbench.engines.postgres import Connection
from workbench.proof.plans import rolled_back

Row = dict[str, Any]
_BATCH_BYTES = 2_000_000_000
_BATCH_RELATIONS = 1_000
_CHANGED_SHARE = 0.1
_CHUNK_BYTES = 2036  # of a TOAST value, its line pointer with it

# By how large a share of the relation an estimate errs, against VACUUM FULL, for 19 tables or indexes in 20.
# Measured by bench/_structure_bloat.py on 200 tables of random types, nulls, deletes and updates: heaps 0.035
# at the 95th percentile and 0.069 at most, indexes 0.047 and 0.092. A test fails where its tables are worse.
HEAP_ERROR_SHARE = 0.05
INDEX_ERROR_SHARE = 0.10


def table_bloat(
    conn: Connection, structure: Structure, *, limit_s: float, extension: str | None
) -> dict[int, Bloat]:
    """The bloat of every heap and TOAST table by oid.

    *extension* is the schema of a pgstattuple that this role may use. Reading by it stops after
    *limit_s*; what it did not reach is estimated.
    """
    page = structure.server.page_bytes
    heaps = {table.oid: table for table in structure.tables}
    toasts = {
        table.toast_oid: table for table in structure.tables if table.toast_oid and table.toast_bytes > page
    }
    found = {oid: estimated_table(table, structure) for oid, table in heaps.items()}
    found |= {
        oid: Bloat(oid, table.toast_bytes, "not known", because="TOAST is counted by pgstattuple alone")
        for oid, table in toasts.items()
    }
    sizes = {oid: table.heap_bytes for oid, table in heaps.items()}
    sizes |= {oid: table.toast_bytes for oid, table in toasts.items()}
    for row in _counted(conn, "heap_exact.sql", sizes, limit_s, extension):
        oid = row["oid"]
        found[oid] = _exact_heap(row, heaps[oid], structure) if oid in heaps else _exact_toast(row, page)
    return found


def index_bloat(
    conn: Connection, structure: Structure, *, limit_s: float, extension: str | None
) -> dict[int, Bloat]:
    """The bloat of every index by oid; only that of B-trees can be known."""
    indexes = {each.oid: (table, each) for table in structure.tables for each in table.indexes}
    found = {oid: estimated_index(table, each, structure) for oid, (table, each) in indexes.items()}
    sizes = {
        oid: each.size_bytes for oid, (_, each) in indexes.items() if each.method == "btree" and each.is_valid
    }
    for row in _counted(conn, "index_exact.sql", sizes, limit_s, extension):
        found[row["oid"]] = _exact_index(row, indexes[row["oid"]][1], structure.server.page_bytes)
    return found


def usable_extension(conn: Connection) -> tuple[str | None, str]:
    """The schema of pgstattuple, or None and what to do about it; it is never created here."""
    rows = sql.fetch(conn, f"{FOLDER}/pgstattuple.sql")
    if not rows:
        return None, "pgstattuple is not installed in the database (create extension pgstattuple)"
    if not rows[0]["usable"]:
        return None, "this role may not use pgstattuple (grant pg_stat_scan_tables to it)"
    return rows[0]["schema"], ""


# Counted


def _counted(
    conn: Connection, file: str, sizes: Mapping[int, int], limit_s: float, extension: str | None
) -> Iterator[Row]:
    """What *file* counts in the relations, the largest first, until *limit_s* is over."""
    if extension is None:
        return
    deadline = time.monotonic() + limit_s
    question = sql.read(f"{FOLDER}/{file}")
    for batch in _batches(sizes):
        left_ms = int((deadline - time.monotonic()) * 1000)
        if left_ms <= 0:
            return
        try:
            with rolled_back(conn, {"statement_timeout": f"{left_ms}ms"}):
                found = _readable(conn, question, extension, batch)
        except psycopg2.errors.QueryCanceled:
            return
        yield from found


def _batches(sizes: Mapping[int, int]) -> Iterator[list[int]]:
    batch: list[int] = []
    total = 0
    for oid in sorted(sizes, key=lambda oid: (-sizes[oid], oid)):
        if batch and (total + sizes[oid] > _BATCH_BYTES or len(batch) == _BATCH_RELATIONS):
            yield batch
            batch, total = [], 0
        batch.append(oid)
        total += sizes[oid]
    if batch:
        yield batch


def _readable(conn: Connection, question: str, extension: str, oids: Sequence[int]) -> list[Row]:
    """The rows of *oids*; those that fail (locked, gone, of another access method) are left out."""
    statement = composed.SQL(question).format(
        schema=composed.Identifier(extension), relations=composed.Literal(list(oids))
    )
    try:
        with rolled_back(conn):
            cur = conn.execute(statement)
    except psycopg2.errors.QueryCanceled:
        raise
    except psycopg2.Error:
        if conn.closed:
            raise
        if len(oids) == 1:
            return []
        middle = len(oids) // 2
        return [
            row
            for half in (oids[:middle], oids[middle:])
            for row in _readable(conn, question, extension, half)
        ]
    names = [column.name for column in cur.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cur.fetchall()]


def _exact_heap(row: Row, table: TableFacts, structure: Structure) -> Bloat:
    page = structure.server.page_bytes
    size, rows = int(row["size_bytes"]), float(row["rows"])
    used = size - int(row["free_bytes"]) - int(row["dead_bytes"]) - size // page * PAGE_HEADER_BYTES
    mean = max(used / rows - 4, 24.0) if rows else 24.0  # 4: the line pointer
    if not varies(table.columns):
        mean = row_bytes(table.columns)
    needed = _pages(rows, mean, table, page)
    return Bloat(
        table.oid,
        size,
        "pgstattuple",
        wasted_bytes=max(0, size - needed * page),
        dead_bytes=int(row["dead_bytes"]),
        free_bytes=int(row["free_bytes"]),
    )


def _exact_toast(row: Row, page: int) -> Bloat:
    """What is free is waste only beyond what no chunk fits into: less than one chunk a page."""
    size, free, dead = int(row["size_bytes"]), int(row["free_bytes"]), int(row["dead_bytes"])
    spare = size // page * _CHUNK_BYTES
    return Bloat(
        row["oid"], size, "pgstattuple", max(0, free + dead - spare), dead_bytes=dead, free_bytes=free
    )


def _exact_index(row: Row, index: IndexFacts, page: int) -> Bloat:
    leaves, density = int(row["leaf_pages"]), row["density_percent"]
    needed = math.ceil(leaves * float(density or 0) / index.fill_percent)
    spare = max(0, leaves - max(needed, 1)) + int(row["empty_pages"]) + int(row["deleted_pages"])
    return Bloat(index.oid, int(row["size_bytes"]), "pgstattuple", wasted_bytes=spare * page)


# Estimated


def estimated_table(table: TableFacts, structure: Structure) -> Bloat:
    """The waste of a heap from the planner's statistics, or why there is no estimate."""
    page = structure.server.page_bytes
    if because := _no_estimate(table, structure):
        return Bloat(table.oid, table.heap_bytes, "not known", because=because)
    bytes_a_row = row_bytes(table.columns)
    needed = _pages(table.rows or 0, bytes_a_row, table, page)
    fitting = rows_fitting(bytes_a_row, page_bytes=page, fill_percent=table.fill_percent)
    return Bloat(
        table.oid,
        table.heap_bytes,
        "estimate",
        wasted_bytes=max(0, table.heap_bytes - needed * page),
        # of long rows half a row a page, more or less, is not known
        error_share=max(HEAP_ERROR_SHARE, min(0.5, 0.5 / fitting)),
    )


def estimated_index(table: TableFacts, index: IndexFacts, structure: Structure) -> Bloat:
    """The waste of a B-tree on plain columns from the planner's statistics, or why there is no estimate."""
    page = structure.server.page_bytes
    because = ""
    if index.method != "btree":
        because = f"how full a {index.method} index is cannot be told from statistics"
    elif index.has_expressions or index.is_partial:
        because = "of an expression or a partial index the columns' statistics do not tell"
    elif not index.is_valid:
        because = "the index is not valid"
    else:
        because = _no_estimate(table, structure)
    if because:
        return Bloat(index.oid, index.size_bytes, "not known", because=because)
    usable = (page - PAGE_HEADER_BYTES - 16) * index.fill_percent / 100  # 16: what a B-tree's page ends with
    leaves = math.ceil(leaf_bytes(table, index) / usable)
    needed = leaves + math.ceil(leaves / 200) + 1
    return Bloat(
        index.oid,
        index.size_bytes,
        "estimate",
        wasted_bytes=max(0, index.size_bytes - needed * page),
        error_share=INDEX_ERROR_SHARE,
    )


def _no_estimate(table: TableFacts, structure: Structure) -> str:
    """Why the statistics cannot tell how large the table should be; empty where they can."""
    if table.rows is None:
        return "the table was never analysed"
    if table.rows and any(
        not column.has_statistics and column.is_stored and column.length < 0 for column in table.columns
    ):
        unreadable = any(not column.readable for column in table.stored)
        return (
            "this role may not read the statistics of its columns (grant select, or pg_read_all_data)"
            if unreadable
            else "there are no statistics of its columns (analyze it)"
        )
    grown = abs(table.heap_bytes / structure.server.page_bytes - table.pages)
    changed = table.changed_since_analyze if structure.is_live else 0
    if grown > _CHANGED_SHARE * table.pages + 10 or changed > _CHANGED_SHARE * table.rows + 1000:
        return "the table has changed too much since it was analysed (analyze it)"
    return ""


def _pages(rows: float, bytes_a_row: float, table: TableFacts, page: int) -> int:
    fitting = rows_per_page(
        bytes_a_row, page_bytes=page, fill_percent=table.fill_percent, varies=varies(table.columns)
    )
    return math.ceil(rows / fitting)


def estimate_errors(
    structure: Structure, counted: Mapping[int, Bloat], rewritten: Mapping[int, int]
) -> list[Row]:
    """By how much what is said of each relation differs from what its rewrite gave back.

    *counted* is what `table_bloat` and `index_bloat` say where pgstattuple may be used, *rewritten* the
    bytes after VACUUM FULL, both by oid. A row a relation: ``object``, ``kind``, ``size_bytes``,
    ``true_share``, and ``counted_error`` and ``estimated_error`` as shares of its size, above 0 where too
    much is said. What is smaller than 20 pages is left out: there a page more or less is all.
    """
    page = structure.server.page_bytes
    relations = [
        (kind, name, oid, estimate)
        for table in structure.tables
        for kind, name, oid, estimate in (
            ("table", table.title, table.oid, estimated_table(table, structure)),
            *(
                ("index", each.title, each.oid, estimated_index(table, each, structure))
                for each in table.indexes
            ),
        )
    ]
    return [
        _error(kind, name, counted[oid], estimate, rewritten[oid])
        for kind, name, oid, estimate in relations
        if oid in rewritten and oid in counted and counted[oid].size_bytes >= 20 * page
    ]


def _error(kind: str, name: str, counted: Bloat, estimate: Bloat, rewritten_bytes: int) -> Row:
    true = (counted.size_bytes - rewritten_bytes) / counted.size_bytes
    return {
        "object": name,
        "kind": kind,
        "size_bytes": counted.size_bytes,
        "true_share": true,
        "counted_error": None
        if counted.how != "pgstattuple" or counted.share is None
        else counted.share - true,
        "estimated_error": None if estimate.share is None else estimate.share - true,
    }
