"""What the rows say of a design: how many children a parent has, how large rows are, how fast they come.

Measured in two statements whatever the number of tables: one part a foreign key, one part a table.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import bson
from psycopg2 import sql as composed

from workbench import sql
from workbench.catalog.model import Catalog, Column, Table
from workbench.catalog.reflect import one_snapshot
from workbench.documents.design.build import text_settings
from workbench.documents.design.model import Relationship, TableKey, field_name
from workbench.documents.design.rows import RowQueries, Scope, joined
from workbench.documents.design.values import Composable, value_type
from workbench.engines.postgres import Connection

SAMPLED_ROWS = 200
_TIME_TYPES = ("timestamp with time zone", "timestamp without time zone", "date")
_NO_EVENT = re.compile(
    r"updat|modif|chang.*_by|expir|birth|delet|valid|until|due|sync|required", re.IGNORECASE
)
GROWING_SHARE = 0.1  # of the table's time, that the children of one parent are spread over


@dataclass(frozen=True)
class TableStatistics:
    """*rows* in scope; *row_bytes* a row in BSON with its field names, from a sample of *sampled* rows.

    *column_bytes* are the same by column. *rows_per_hour* from the times in *time_column*, None without one.
    """

    table: TableKey
    rows: int
    row_bytes: float
    column_bytes: Mapping[str, float]
    sampled: int
    time_column: str = ""
    rows_per_hour: float | None = None
    limited_to: int | None = None  # where only part of the table is taken, how many rows it has


@dataclass(frozen=True)
class FanOut:
    """The children of a parent along *relationship*: a distribution over the parents that have any.

    *childless* is the share of parents without, *orphans* count children that refer to no row. *growing*
    says that children come for as long as the parent is there (the median spread of their times is more than
    a tenth of the table's), None where no time is known; *per_day* is then their mean rate a parent.
    """

    relationship: Relationship
    parents: int
    children: int
    orphans: int
    childless: float
    mean: float
    median: float
    p99: float
    maximum: int
    growing: bool | None = None
    per_day: float | None = None
    time_column: str = ""

    @property
    def mean_of_all(self) -> float:
        """Children a parent, those without among them."""
        return self.children / self.parents if self.parents else 0.0

    def share_beyond(self, bound: int) -> float:
        """About which share of the parents has more than *bound* children, from the quantiles."""
        if self.maximum <= bound:
            return 0.0
        points = [(0.5, self.median), (0.99, self.p99), (1.0, float(self.maximum))]
        for (low_share, low), (high_share, high) in itertools.pairwise(points):
            if low <= bound < high:
                within = low_share + (high_share - low_share) * (bound - low) / (high - low)
                return (1 - within) * (1 - self.childless)
        return 0.75 * (1 - self.childless)

    def mean_up_to(self, bound: int) -> float:
        """About the mean of a parent's children, no more than *bound* of each counted."""
        return min(self.mean_of_all, self.mean_of_all * 0.5 + bound * 0.5, float(bound))


@dataclass(frozen=True)
class Statistics:
    tables: Mapping[TableKey, TableStatistics]
    fan_outs: Mapping[Relationship, FanOut]
    notes: tuple[str, ...] = ()
    scope: Scope = field(default_factory=Scope)
    samples: Mapping[TableKey, Sequence[Sequence[str | None]]] = field(default_factory=dict, repr=False)

    def table(self, key: TableKey) -> TableStatistics:
        return self.tables[key]

    def fan_out(self, relationship: Relationship) -> FanOut:
        return self.fan_outs[relationship]


def time_column(table: Table) -> str:
    """The column that says when a row came: the first of a time that is not about a later change."""
    found = [
        column
        for column in table.columns
        if column.base_type in _TIME_TYPES and not _NO_EVENT.search(column.name)
    ]
    if not found:
        return ""
    return sorted(found, key=lambda each: (each.nullable, not _created(each), each.position))[0].name


def _created(column: Column) -> bool:
    return bool(re.search(r"creat|insert|_at\Z|date\Z|time\Z", column.name, re.IGNORECASE))


def scope_of(counts: Mapping[TableKey, int], found: Iterable[Relationship], rows: int) -> Scope:
    """The whole tables, or the same share of each where the largest has more than *rows*.

    Tables that refer to no other are cut by their key; others follow the parents that were kept.
    """
    largest = max(counts.values(), default=0)
    if largest <= rows:
        return Scope()
    share = rows / largest
    limits: dict[TableKey, int] = {}
    following: dict[TableKey, tuple[Relationship, ...]] = {}
    for table in _parents_first(counts, found):
        above = tuple(
            each
            for each in found
            if each.child == table
            and each.parent != table
            and (each.parent in limits or each.parent in following)
        )
        if above:
            following[table] = above
        elif counts[table] > rows * share and counts[table] > 1000:
            limits[table] = max(1000, round(counts[table] * share))
    return Scope(limits, following)


def _parents_first(tables: Iterable[TableKey], found: Iterable[Relationship]) -> list[TableKey]:
    """*tables* so that what is referred to comes first; a circle is cut at the table that comes first."""
    above: dict[TableKey, list[TableKey]] = {}
    known = sorted(tables)
    for each in found:
        above.setdefault(each.child, []).append(each.parent)
    order: dict[TableKey, None] = {}
    open_: set[TableKey] = set()

    def visit(table: TableKey) -> None:
        if table in order or table in open_:
            return
        open_.add(table)
        for parent in sorted(above.get(table, ())):
            if parent in known:
                visit(parent)
        order[table] = None

    for table in known:
        visit(table)
    return list(order)


def measure(
    conn: Connection,
    catalog: Catalog,
    tables: Sequence[TableKey],
    found: Sequence[Relationship],
    *,
    rows: int,
) -> Statistics:
    """Statistics of *tables* and the relationships *found* between them, at most *rows* of the largest."""
    with one_snapshot(conn), text_settings(conn):
        whole = RowQueries(catalog)
        counts = _counts(conn, whole, tables)
        scope = scope_of(counts, found, rows)
        queries = RowQueries(catalog, scope)
        taken = _counts(conn, queries, tables) if scope.limited else counts
        samples = _samples(conn, queries, tables)
        times = {key: time_column(catalog.table(*key)) for key in tables}
        measured = {
            key: _table_statistics(
                catalog.table(*key), taken[key], counts[key], samples.get(key, []), times[key]
            )
            for key in tables
        }
        rates = _rates(conn, queries, [key for key in tables if times[key]], times)
        fan_outs = _fan_outs(conn, queries, found, times)
    with_rates = {
        key: TableStatistics(**{**vars(each), "rows_per_hour": rates.get(key)})
        for key, each in measured.items()
    }
    notes = tuple(
        f"{'.'.join(key)}: {taken[key]:,} of {counts[key]:,} rows are taken"
        for key in tables
        if taken[key] < counts[key]
    )
    return Statistics(with_rates, fan_outs, notes, scope, samples)


def _union(parts: Sequence[Composable]) -> Composable:
    return composed.SQL(" union all ").join(parts)


def _rows_of(conn: Connection, query: Composable) -> list[tuple[Any, ...]]:
    with conn.cursor() as cur:
        cur.execute(query)
        return cur.fetchall()


def _counts(conn: Connection, queries: RowQueries, tables: Sequence[TableKey]) -> dict[TableKey, int]:
    if not tables:
        return {}
    parts = [
        composed.SQL("select {}, pg_catalog.count(*) from {} as t").format(
            composed.Literal(n), queries.source(key)
        )
        for n, key in enumerate(tables)
    ]
    return {tables[n]: count for n, count in _rows_of(conn, _union(parts))}


def _samples(
    conn: Connection, queries: RowQueries, tables: Sequence[TableKey]
) -> dict[TableKey, list[list[str | None]]]:
    """Rows from all over each table, as texts in the order of its columns."""
    parts = []
    for n, key in enumerate(tables):
        texts = [
            value_type(column).selected(composed.Identifier("t", column.name))
            for column in queries.table(key).columns
        ]
        if texts:
            parts.append(
                composed.SQL(sql.read("nosql/design/sample.sql")).format(
                    number=composed.Literal(n),
                    texts=composed.SQL(", ").join(texts),
                    source=queries.source(key),
                    rows=composed.Literal(SAMPLED_ROWS),
                )
            )
    found: dict[TableKey, list[list[str | None]]] = {}
    for n, texts in _rows_of(conn, _union(parts)) if parts else []:
        found.setdefault(tables[n], []).append(texts)
    return found


def _table_statistics(
    table: Table, rows: int, of: int, sample: Sequence[Sequence[str | None]], time: str
) -> TableStatistics:
    columns = {}
    for index, column in enumerate(table.columns):
        kind = value_type(column)
        values = [kind.value(text) for row in sample if (text := row[index]) is not None]
        size = sum(len(bson.encode({field_name(column.name): value})) - 5 for value in values)
        assumed = len(column.name) + 2 + (column.average_width_bytes or 12)
        columns[column.name] = size / len(sample) if sample else float(assumed)
    return TableStatistics(
        table=(table.schema, table.name),
        rows=rows,
        row_bytes=5 + sum(columns.values()),
        column_bytes=columns,
        sampled=len(sample),
        time_column=time,
        limited_to=of if rows < of else None,
    )


def _rates(
    conn: Connection, queries: RowQueries, tables: Sequence[TableKey], times: Mapping[TableKey, str]
) -> dict[TableKey, float | None]:
    """Rows an hour over the time between the first and the last."""
    if not tables:
        return {}
    parts = [
        composed.SQL(sql.read("nosql/design/rate.sql")).format(
            number=composed.Literal(n), time=composed.Identifier("t", times[key]), source=queries.source(key)
        )
        for n, key in enumerate(tables)
    ]
    return {
        tables[n]: float(count) / (float(span) / 3600) if span and count > 1 else None
        for n, count, span in _rows_of(conn, _union(parts))
    }


def _fan_outs(
    conn: Connection, queries: RowQueries, found: Sequence[Relationship], times: Mapping[TableKey, str]
) -> dict[Relationship, FanOut]:
    if not found:
        return {}
    parts = [_fan_out_query(n, queries, each, times) for n, each in enumerate(found)]
    made = {}
    for row in _rows_of(conn, _union(parts)):
        n, parents, children, orphans, with_children, mean, median, p99, maximum, spread, span, rate = row
        relationship = found[n]
        known = bool(times.get(relationship.child)) and span is not None and float(span) > 0
        growing = float(spread or 0) > GROWING_SHARE * float(span) if known and spread is not None else None
        made[relationship] = FanOut(
            relationship,
            parents=parents,
            children=children,
            orphans=orphans,
            childless=1 - with_children / parents if parents else 0.0,
            mean=float(mean or 0),
            median=float(median or 0),
            p99=float(p99 or 0),
            maximum=int(maximum or 0),
            growing=growing,
            per_day=float(rate) if growing and rate is not None else None,
            time_column=times.get(relationship.child, ""),
        )
    return made


def _fan_out_query(
    n: int, queries: RowQueries, relationship: Relationship, times: Mapping[TableKey, str]
) -> Composable:
    names = [composed.Identifier("c", name) for name in relationship.columns]
    time = times.get(relationship.child, "")
    seconds = (
        composed.SQL("case when pg_catalog.isfinite({0}) then extract(epoch from {0}) end").format(
            composed.Identifier("c", time)
        )
        if time
        else composed.SQL("null::numeric")
    )
    return composed.SQL(sql.read("nosql/design/fan_out.sql")).format(
        number=composed.Literal(n),
        parent=queries.source(relationship.parent),
        child=queries.source(relationship.child),
        columns=composed.SQL(", ").join(names),
        joined=joined(relationship, "c", "p"),
        seconds=seconds,
    )
