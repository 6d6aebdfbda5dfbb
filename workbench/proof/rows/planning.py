"""How many rows each table is to have: by the source's statistics, or by its place among the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from workbench import sql
from workbench.catalog.model import Catalog, Constraint, Table
from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.proof.rows.model import (
    MAXIMUM_ROWS,
    ColumnStatistics,
    RowPlan,
    Statistics,
    TableName,
    TableStatistics,
)

_SMALLER = 2  # a referenced table has so many times fewer rows than what refers to it
_FEWEST = 20


def read_statistics(conn: Connection) -> Statistics:
    """The planner's statistics of all tables of the database, read and nothing else.

    A role that may not read a table's columns gets its row count alone; what was never analysed is left
    out. A partitioned table has the statistics of all its partitions.
    """
    columns: dict[TableName, dict[str, ColumnStatistics]] = {}
    for row in sql.fetch(conn, "proof/rows/column_statistics.sql"):
        columns.setdefault((row["schema"], row["name"]), {})[row["column"]] = ColumnStatistics(
            null_fraction=row["null_fraction"],
            distinct=row["distinct"],
            width_bytes=row["width_bytes"],
            common_values=tuple(row["common_values"] or ()),
            common_fractions=tuple(row["common_fractions"] or ()),
            bounds=tuple(row["bounds"] or ()),
            correlation=row["correlation"],
        )
    return {
        (row["schema"], row["name"]): TableStatistics(
            row["rows"], columns.get((row["schema"], row["name"]), {})
        )
        for row in sql.fetch(conn, "proof/rows/table_statistics.sql")
    }


def plan_rows(
    catalog: Catalog,
    *,
    statistics: Statistics | None = None,
    scale: float = 1.0,
    rows: int = 10_000,
    most_rows: int = 1_000_000,
    seed: int = 1,
) -> RowPlan:
    """The rows that each base table of *catalog* is to have, at most *most_rows*.

    Where *statistics* know a table it gets as many rows times *scale*. Otherwise *rows* go to a table that
    nothing refers to, and half of that to what it refers to, and so on up. Raises BadInput for counts
    and a scale that cannot be.
    """
    if not (0 < rows <= MAXIMUM_ROWS and 0 < most_rows <= MAXIMUM_ROWS):
        raise BadInput(f"a table can be given 1 to {MAXIMUM_ROWS:,} rows")
    if not (math.isfinite(scale) and scale > 0):
        raise BadInput(f"a scale of {scale!r} cannot be: give more than 0")
    known = statistics or {}
    heights = _heights(catalog.base_tables)
    wanted = {}
    for table in catalog.base_tables:
        name = (table.schema, table.name)
        found = known.get(name)
        count = (
            math.ceil(found.rows * scale)
            if found and found.rows >= 0
            else max(min(rows, _FEWEST), rows // _SMALLER ** heights[name])
        )
        wanted[name] = min(count, most_rows)
    return RowPlan(wanted, known, seed)


def _heights(tables: Sequence[Table]) -> dict[TableName, int]:
    """How many tables stand in the longest chain that refers to each table, cycles counted once.

    A child that has one row a parent at most is as large as its parent.
    """
    by_name = {(table.schema, table.name): table for table in tables}
    order = dependency_order(tables)
    places = {name: place for place, name in enumerate(order)}
    heights = dict.fromkeys(by_name, 0)
    for name in reversed(order):
        table = by_name[name]
        for key in table.foreign_keys:
            parent = key.references
            if parent in heights and places[parent] < places[name]:
                step = 0 if _one_to_one(table, key) else 1
                heights[parent] = max(heights[parent], heights[name] + step)
    return heights


def _one_to_one(table: Table, key: Constraint) -> bool:
    return any(
        index.unique and not index.predicate and set(index.columns) <= set(key.columns)
        for index in table.indexes
    )


def dependency_order(tables: Sequence[Table]) -> list[TableName]:
    """The tables, each after those that it refers to; within a cycle, what must refer comes last."""
    waiting = {(table.schema, table.name): table for table in tables}
    found: list[TableName] = []
    while waiting:
        ready = [name for name, table in waiting.items() if not _missing(table, waiting)]
        if not ready:  # of a cycle first what can be without its parents, then what is referred to most
            ready = [min(waiting, key=lambda name: (*_burden(waiting[name], waiting), name))]
        for name in sorted(ready):
            del waiting[name]
            found.append(name)
    return found


def _missing(table: Table, waiting: Mapping[TableName, Table]) -> list[Constraint]:
    """The foreign keys of *table* to other tables that wait."""
    own = (table.schema, table.name)
    return [key for key in table.foreign_keys if key.references in waiting and key.references != own]


def _burden(table: Table, waiting: Mapping[TableName, Table]) -> tuple[int, int]:
    missing = _missing(table, waiting)
    forced = [key for key in missing if not optional(table, key)]
    return len(forced), len(missing)


def optional(table: Table, key: Constraint) -> bool:
    """Whether a row may go without the parent that the foreign key *key* names."""
    return any(table.column(name).nullable for name in key.columns)
