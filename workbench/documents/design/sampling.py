"""Keys to try a pattern with, taken from the rows, and how many rows a key finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.catalog.model import Column, Table
from workbench.catalog.reflect import one_snapshot
from workbench.documents.design.build import text_settings
from workbench.documents.design.patterns import AccessPattern, Condition, PatternError
from workbench.documents.design.rows import RowQueries
from workbench.documents.design.statistics import Statistics
from workbench.documents.design.values import Composable, value_type
from workbench.engines.postgres import Connection

KEYS = 12
_QUANTILES = {">": 0.45, ">=": 0.45, "<": 0.55, "<=": 0.55}


@dataclass(frozen=True)
class Sample:
    """What *pattern* is tried with: *keys* (a value a column; of writes the whole row, as texts too).

    *matched* is the mean number of rows of the root that a key finds, *keys_of* how many keys there are.
    """

    pattern: AccessPattern
    matched: float
    keys_of: int
    keys: tuple[Mapping[str, Any], ...]
    rows: tuple[Sequence[str | None], ...] = ()


def samples_of(
    conn: Connection, queries: RowQueries, statistics: Statistics, patterns: Sequence[AccessPattern]
) -> list[Sample]:
    """A sample for each pattern; of a pattern whose table is empty one without keys. One query a pattern."""
    with one_snapshot(conn), text_settings(conn):
        return [_sample(conn, queries, statistics, each) for each in patterns]


def _sample(conn: Connection, queries: RowQueries, statistics: Statistics, pattern: AccessPattern) -> Sample:
    table = queries.table(pattern.root)
    if not statistics.table(pattern.root).rows:
        return Sample(pattern, 0.0, 0, ())
    pattern = replace(pattern, where=tuple(_resolved(conn, queries, table, each) for each in pattern.where))
    if pattern.writes:
        return _of_rows(conn, queries, statistics, pattern, table)
    matched, keys_of, keys = _keys(conn, queries, pattern, table)
    return Sample(pattern, matched, keys_of, tuple(keys))


def _of_rows(
    conn: Connection, queries: RowQueries, statistics: Statistics, pattern: AccessPattern, table: Table
) -> Sample:
    """Rows from all over the table."""
    rows = list(statistics.samples.get(pattern.root, ()))
    if pattern.by:
        names = [column.name for column in table.columns]
        needed = [names.index(name) for name in pattern.by]
        rows = [row for row in rows if all(row[index] is not None for index in needed)]
    step = max(1, len(rows) // KEYS)
    rows = rows[::step][:KEYS]
    keys = tuple(
        {
            column.name: value_type(column).value(text)
            for column, text in zip(table.columns, row, strict=True)
            if text is not None
        }
        for row in rows
    )
    primary = set(table.primary_key.columns) if table.primary_key else set()
    if not pattern.by or (primary and primary <= set(pattern.by)):
        return Sample(pattern, 1.0, statistics.table(pattern.root).rows, keys, tuple(rows))
    matched, keys_of, _ = _keys(conn, queries, pattern, table)
    return Sample(pattern, matched, keys_of, keys, tuple(rows))


def _keys(
    conn: Connection, queries: RowQueries, pattern: AccessPattern, table: Table
) -> tuple[float, int, list[Mapping[str, Any]]]:
    columns = [table.column(name) for name in pattern.by]
    texts = [value_type(each).selected(composed.Identifier("g", each.name)) for each in columns]
    names = [composed.Identifier("t", each.name) for each in columns]
    conditions: list[Composable] = [composed.SQL("{} is not null").format(each) for each in names]
    conditions += [condition_sql(each, "t") for each in pattern.where]
    query = composed.SQL(sql.read("nosql/design/keys.sql")).format(
        texts=composed.SQL("").join(composed.SQL(", {}").format(each) for each in texts),
        columns=composed.SQL("").join(composed.SQL(", {}").format(each) for each in names),
        grouped=composed.SQL(", ").join(names) if names else composed.SQL("()"),
        source=queries.source(pattern.root),
        conditions=composed.SQL(" and ").join([composed.SQL("true"), *conditions]),
        keys=composed.Literal(KEYS),
    )
    with conn.cursor() as cur:
        cur.execute(query)
        found = cur.fetchall()
    keys: list[Mapping[str, Any]] = [
        {each.name: value_type(each).value(text) for each, text in zip(columns, row[2:], strict=True)}
        for row in found
    ]
    if not found:
        return 0.0, 0, []
    return float(found[0][0]), int(found[0][1]), keys


def condition_sql(condition: Condition, alias: str) -> Composable:
    """*condition* with its value in SQL; the value is a text of the column's type, or several."""
    column = composed.Identifier(alias, condition.column)
    operator = {"!=": "<>"}.get(condition.operator, condition.operator)
    if condition.operator == "in":
        values = composed.SQL(", ").join(composed.Literal(_literal(each)) for each in condition.value)
        return composed.SQL("{} in ({})").format(column, values)
    return composed.SQL("{} {} {}").format(
        column, composed.SQL(operator), composed.Literal(_literal(condition.value))
    )


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _resolved(conn: Connection, queries: RowQueries, table: Table, condition: Condition) -> Condition:
    """*condition* with its values as the server writes them; without one, with a quantile of the rows."""
    column = table.column(condition.column)
    if condition.value is None:
        return replace(condition, value=_quantile(conn, queries, table, column, condition))
    values = condition.value if condition.operator == "in" else (condition.value,)
    texts = tuple(_canonical(conn, queries, table, column, _literal(each)) for each in values)
    return replace(condition, value=texts if condition.operator == "in" else texts[0])


def _canonical(conn: Connection, queries: RowQueries, table: Table, column: Column, text: str) -> str:
    query = composed.SQL(sql.read("nosql/design/canonical.sql")).format(
        column=composed.Identifier("t", column.name),
        source=queries.source((table.schema, table.name)),
        value=composed.Literal(text),
        text=value_type(column).selected(composed.Identifier("v", "value")),
    )
    try:
        with conn.cursor() as cur:
            cur.execute(query)
            (found,) = cur.fetchone() or (text,)
            return str(found)
    except psycopg2.DataError as exc:
        raise PatternError(
            f"the value {text!r} of {table.qualified}.{column.name} is no {column.type}: give one that is"
        ) from exc


def _quantile(
    conn: Connection, queries: RowQueries, table: Table, column: Column, condition: Condition
) -> str:
    query = composed.SQL(sql.read("nosql/design/quantile.sql")).format(
        share=composed.Literal(_QUANTILES.get(condition.operator, 0.5)),
        column=composed.Identifier("t", column.name),
        source=queries.source((table.schema, table.name)),
        text=value_type(column).selected(composed.Identifier("v", "value")),
    )
    with conn.cursor() as cur:
        cur.execute(query)
        (found,) = cur.fetchone() or (None,)
    if found is None:
        raise PatternError(
            f"{table.qualified}.{column.name} holds no value to compare with: give the condition a value"
        )
    return str(found)
