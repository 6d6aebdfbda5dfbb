"""Bytes lost to alignment between columns, against an order that loses none; proved on real rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.optimization.structure.model import AREA, ColumnFacts, Limits, Structure, TableFacts
from workbench.areas.optimization.structure.reading import FOLDER
from workbench.areas.optimization.structure.rows import best_order, row_bytes, rows_per_page, varies
from workbench.areas.optimization.structure.wording import in_bytes, percent
from workbench.engines.postgres import Connection
from workbench.proof.findings import Evidence, Finding
from workbench.proof.plans import rolled_back

PADDING = "column_order"
_SAMPLED_ROWS = 10_000
_SAMPLE_TIMEOUT = "30s"
_MOST_COLUMNS = 800  # of a row expression, twice in one query


@dataclass(frozen=True)
class Padding:
    """What a table's column order costs: bytes a row now and in *order*, and over all rows in whole pages."""

    table: TableFacts
    order: tuple[ColumnFacts, ...]
    now_bytes: float
    best_bytes: float
    rows: float
    heap_bytes: int
    saved_bytes: int

    @property
    def saved_share(self) -> float:
        return self.saved_bytes / self.heap_bytes if self.heap_bytes else 0.0


def padding(table: TableFacts, page_bytes: int, volume: float = 1.0) -> Padding | None:
    """What the best order would save at *volume* times the rows; None where no statistics tell."""
    if table.rows is None or table.is_view or not table.stored:
        return None
    if table.rows and any(not column.has_statistics for column in table.stored if column.length < 0):
        return None
    order = best_order(table.columns)
    now, best = row_bytes(table.columns), row_bytes(order)
    rows = table.rows * volume
    pages = [
        math.ceil(rows / rows_per_page(
            each, page_bytes=page_bytes, fill_percent=table.fill_percent, varies=varies(table.columns)
        ))
        for each in (now, best)
    ]  # fmt: skip
    return Padding(
        table, tuple(order), now, best, rows, pages[0] * page_bytes, (pages[0] - pages[1]) * page_bytes
    )


def padding_findings(structure: Structure, limits: Limits, volume: float = 1.0) -> list[Finding]:
    """Tables whose order costs more than *limits* allow, partitions summed up; not yet proved."""
    found = []
    for title, tables in structure.by_root().items():
        known = [each for table in tables if (each := padding(table, structure.server.page_bytes, volume))]
        saved = sum(each.saved_bytes for each in known)
        heap = sum(each.heap_bytes for each in known)
        if saved >= limits.padding_bytes and saved >= limits.padding_share * heap:
            found.append(_finding(title, max(known, key=lambda each: each.rows), saved, heap, volume))
    return found


def _finding(title: str, widest: Padding, saved: int, heap: int, volume: float) -> Finding:
    at = f" at {volume:g} times the rows" if volume != 1 else ""
    columns = ", ".join(column.title for column in widest.order)
    return Finding(
        AREA,
        PADDING,
        "info",
        title,
        f"{title}: the order of its columns costs {in_bytes(saved)} of {in_bytes(heap)} "
        f"({percent(saved / heap)}){at}",
        f"A row takes {widest.now_bytes:.1f} bytes and would take {widest.best_bytes:.1f}: before a value "
        "of 8 bytes, up to 7 are left empty. Worth it where the table is made anew anyway, seldom a "
        "migration of its own. Source: PostgreSQL manual, 66.6 Database Page Layout; pg_type.typalign.",
        f"-- when {title} is next made anew, its columns in this order:\n-- {columns}",
        unverified_because="its rows were not measured in both orders",
    )


def prove_padding(
    conn: Connection, finding: Finding, tables: Sequence[TableFacts], *, is_copy: bool, engine: str
) -> Finding:
    """*finding* with what its rows take in both orders: all of them, copied, or where they may only be read,
    a sample as row values, which PostgreSQL lays out by the same rules."""
    try:
        facts = _copied(conn, tables) if is_copy else _sampled(conn, tables)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        reason = (exc.diag.message_primary or str(exc)).strip().splitlines()[0]
        return replace(finding, unverified_because=f"its rows could not be measured: {reason}")
    if not facts["rows"]:
        return replace(finding, unverified_because="there are no rows to measure it on")
    saved = 1 - facts["best_bytes"] / facts["now_bytes"]
    unit = "the table" if is_copy else "a row"
    summary = (
        f"{facts['rows']} rows {'copied' if is_copy else 'sampled and laid out'} in both orders: {unit} "
        f"takes {facts['now_bytes']:.0f} bytes as it is, {facts['best_bytes']:.0f} in the order proposed "
        f"({percent(saved)} less)."
    )
    evidence = Evidence("both-orders", summary, engine, {**facts, "saved_share": saved})
    if saved <= 0:
        return replace(finding, unverified_because=summary, evidence=(evidence,))
    return replace(finding, verified=True, unverified_because="", evidence=(evidence,))


def _names(columns: Sequence[ColumnFacts]) -> list[str]:
    return [column.name for column in columns if column.name is not None and column.is_stored]


def _largest(tables: Sequence[TableFacts]) -> TableFacts:
    return max(tables, key=lambda table: (table.rows or 0, table.title))


def _copied(conn: Connection, tables: Sequence[TableFacts]) -> dict[str, Any]:
    """The sizes of the largest of *tables* copied in both orders, in a transaction that is rolled back."""
    table = _largest(tables)
    source = composed.Identifier(table.schema, table.name)
    sizes = []
    with rolled_back(conn):
        for columns in (table.columns, best_order(table.columns)):
            conn.execute(
                composed.SQL(
                    "create temporary table workbench_order with (fillfactor = {}) as select {} from {}"
                ).format(
                    composed.Literal(table.fill_percent),
                    composed.SQL(", ").join(map(composed.Identifier, _names(columns))),
                    source,
                )
            )
            (size,) = sql.fetch(conn, f"{FOLDER}/copied_size.sql")
            sizes.append(size)
            conn.execute("drop table pg_temp.workbench_order")
    return {
        "rows": sizes[0]["rows"],
        "now_bytes": sizes[0]["size_bytes"],
        "best_bytes": sizes[1]["size_bytes"],
        "table": table.title,
    }


def _sampled(conn: Connection, tables: Sequence[TableFacts]) -> dict[str, Any]:
    table = _largest(tables)
    now, best = _names(table.columns), _names(best_order(table.columns))
    if len(now) > _MOST_COLUMNS:
        return {"rows": 0, "now_bytes": 0, "best_bytes": 0}
    share = min(100.0, 100.0 * 2 * _SAMPLED_ROWS / max(table.rows or 1.0, 1.0))
    statement = composed.SQL(sql.read(f"{FOLDER}/sampled_widths.sql")).format(
        now=_of_t(now),
        best=_of_t(best),
        table=composed.Identifier(table.schema, table.name),
        share=composed.Literal(share),
        rows=composed.Literal(_SAMPLED_ROWS),
    )
    with rolled_back(conn, {"statement_timeout": _SAMPLE_TIMEOUT}):
        row = conn.execute(statement).fetchone()
    rows, now_bytes, best_bytes = row or (0, 0.0, 0.0)
    return {"rows": rows, "now_bytes": now_bytes, "best_bytes": best_bytes, "table": table.title}


def _of_t(names: Sequence[str]) -> composed.Composable:
    return composed.SQL(", ").join(composed.Identifier("t", name) for name in names)
