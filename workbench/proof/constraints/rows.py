"""A row to start from: one that the table has, or one that is made to satisfy its constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import psycopg2
from psycopg2 import sql

from workbench.catalog.model import Table
from workbench.engines.postgres import Connection
from workbench.proof.constraints.search import RowSearch, Values
from workbench.proof.constraints.targets import Setting

_TABLES_AT_ONCE = 50
_LOOKED_AT = 1000


@dataclass(frozen=True)
class BaseRow:
    """A row that is in the table now: where it lies, and its values as the server prints them."""

    origin: Literal["existing", "generated"]
    relation: int
    place: str  # its ctid
    values: Values


def table_name(table: Table) -> sql.Identifier:
    return sql.Identifier(table.schema, table.name)


def only(table: Table) -> sql.Composable:
    """The table without those that inherit from it; a partitioned one has its rows nowhere else."""
    return (
        table_name(table)
        if table.kind == "partitioned table"
        else sql.SQL("only {}").format(table_name(table))
    )


def stored(table: Table) -> list[str]:
    """The columns that a statement may give values for."""
    return [column.name for column in table.columns if not column.generated]


def _described(table: Table) -> sql.Composable:
    """What is read of a row: its relation, its place, and the text of every column."""
    columns = [sql.SQL("{}::text").format(sql.Identifier(table.name, c.name)) for c in table.columns]
    return sql.SQL("{table}.tableoid::bigint, {table}.ctid::text, array[{columns}]::text[]").format(
        table=sql.Identifier(table.name), columns=sql.SQL(", ").join(columns)
    )


def _base_row(
    table: Table, row: tuple[int, str, list[str | None]], origin: Literal["existing", "generated"]
) -> BaseRow:
    names = [column.name for column in table.columns]
    return BaseRow(origin, row[0], row[1], dict(zip(names, row[2], strict=True)))


def existing_rows(conn: Connection, tables: Sequence[Table]) -> dict[tuple[str, str], BaseRow]:
    """One row of each of *tables* that has any, some tables a query."""
    found: dict[tuple[str, str], BaseRow] = {}
    writable = [table for table in tables if table.kind in ("table", "partitioned table") and table.columns]
    for start in range(0, len(writable), _TABLES_AT_ONCE):
        part = writable[start : start + _TABLES_AT_ONCE]
        query = sql.SQL(" union all ").join(
            sql.SQL("(select {}, {} from {} limit 1)").format(sql.Literal(n), _described(table), only(table))
            for n, table in enumerate(part)
        )
        for n, *row in conn.execute(query):
            table = part[n]
            found[table.schema, table.name] = _base_row(table, (row[0], row[1], row[2]), "existing")
    return found


def row_where(conn: Connection, table: Table, condition: sql.Composable) -> BaseRow | None:
    """A row with *condition* among the first thousand of *table*, None where none of them has it."""
    query = sql.SQL(
        "select {} from (select tableoid, ctid, * from {} limit {}) as {} where {} limit 1"
    ).format(_described(table), only(table), sql.Literal(_LOOKED_AT), sql.Identifier(table.name), condition)
    row = conn.execute(query).fetchone()
    return _base_row(table, row, "existing") if row else None


def put_to_sleep(conn: Connection, setting: Setting, table: Table) -> None:
    """Disable the triggers and rules of *table* and its partitions that a replica would still obey."""
    for one in (table, *setting.partitions(table)):
        for kind, name in setting.always_firing.get((one.schema, one.name), ()):
            conn.execute(
                sql.SQL("alter table {} disable {} {}").format(
                    table_name(one), sql.SQL(kind), sql.Identifier(name)
                )
            )


def generated_row(search: RowSearch) -> tuple[BaseRow | None, str]:
    """A new row of the searched table and "", or None and why there is none. The row is in the table then."""
    table = search.table
    if not table.columns:
        return None, "the table has no columns"
    if table.kind == "partitioned table" and not any(search.setting.partitions(table)):
        return None, "the table has no partition that would take a row"
    values, reason = search.row()
    if values is None:
        return None, f"the table is empty, and {reason}"
    statement = (
        sql.SQL("insert into {}{} overriding system value values ({}) returning {}").format(
            table_name(table),
            sql.SQL(" ({})").format(sql.SQL(", ").join(map(sql.Identifier, values))),
            sql.SQL(", ").join(map(sql.Literal, values.values())),
            _described(table),
        )
        if values
        else sql.SQL("insert into {} default values returning {}").format(
            table_name(table), _described(table)
        )
    )
    search.conn.execute("savepoint workbench_row")
    try:
        row = search.conn.execute(statement).fetchone()
    except psycopg2.Error as exc:
        if isinstance(exc, psycopg2.errors.QueryCanceled):
            raise
        search.conn.execute("rollback to savepoint workbench_row; release savepoint workbench_row")
        return None, f"the table is empty, and a row made for it was refused: {exc.diag.message_primary}"
    if row is None:
        return None, "the table is empty, and a row made for it did not get in"
    return _base_row(table, row, "generated"), ""
