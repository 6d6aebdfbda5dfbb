"""What is seen to after tables were filled: foreign keys, sequences, materialized views."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import psycopg2
from psycopg2 import sql as composed

from workbench.catalog.model import Catalog, Constraint, Table, quoted
from workbench.engines.postgres import Connection
from workbench.proof.rows.model import TableName

_AT_ONCE = 50
_NUMBERS = ("smallint", "integer", "bigint", "numeric")
_ROUNDS = 20


def row_counts(conn: Connection, tables: Sequence[Table]) -> dict[TableName, int]:
    """The exact rows of each table, a partitioned one's with its partitions; some tables a query."""
    found: dict[TableName, int] = {}
    for start in range(0, len(tables), _AT_ONCE):
        part = tables[start : start + _AT_ONCE]
        query = composed.SQL(" union all ").join(
            composed.SQL("select {}, pg_catalog.count(*) from {}{}").format(
                composed.Literal(n),
                composed.SQL("" if table.kind == "partitioned table" else "only "),
                composed.Identifier(table.schema, table.name),
            )
            for n, table in enumerate(part)
        )
        for n, count in conn.execute(query):
            found[part[n].schema, part[n].name] = count
    return found


def orphans_removed(
    conn: Connection, catalog: Catalog, *, left: Collection[TableName] = ()
) -> dict[TableName, str]:
    """Remove rows that name a parent that is not there, until there are none; by table, what was removed.

    The tables *left* keep their rows.
    """
    removed: dict[TableName, dict[str, int]] = {}
    open_keys = [
        (table, key)
        for table in catalog.base_tables
        if (table.schema, table.name) not in left
        for key in table.foreign_keys
        if key.references is not None and key.enforced
    ]
    for _ in range(_ROUNDS):
        orphaned = _orphaned(conn, open_keys)
        if not orphaned:
            break
        for table, key in orphaned:
            statement = composed.SQL("delete from {} as child where {}").format(
                composed.Identifier(table.schema, table.name), _orphan(key)
            )
            count = conn.execute(statement).rowcount
            of_table = removed.setdefault((table.schema, table.name), {})
            of_table[key.name] = of_table.get(key.name, 0) + count
    return {
        name: "; ".join(
            f"{count:,} rows without their parent by {quoted(key)} were removed"
            for key, count in keys.items()
        )
        for name, keys in removed.items()
    }


def _orphaned(conn: Connection, keys: Sequence[tuple[Table, Constraint]]) -> list[tuple[Table, Constraint]]:
    """The foreign keys that some row violates, some a query."""
    found: list[tuple[Table, Constraint]] = []
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        query = composed.SQL(" union all ").join(
            composed.SQL("select {} where exists (select from {} as child where {})").format(
                composed.Literal(n), composed.Identifier(table.schema, table.name), _orphan(key)
            )
            for n, (table, key) in enumerate(part)
        )
        found += [part[n] for (n,) in conn.execute(query)]
    return found


def _orphan(key: Constraint) -> composed.Composable:
    """What is true of a row of the table *child* whose complete key is no parent's."""
    pairs = list(zip(key.columns, key.referenced_columns, strict=True))
    return composed.SQL("{} and not exists (select from {} as parent where {})").format(
        composed.SQL(" and ").join(
            composed.SQL("child.{} is not null").format(composed.Identifier(here)) for here, _ in pairs
        ),
        composed.Identifier(*(key.references or ())),
        composed.SQL(" and ").join(
            composed.SQL("parent.{} = child.{}").format(composed.Identifier(there), composed.Identifier(here))
            for here, there in pairs
        ),
    )


def sequences_set(conn: Connection, catalog: Catalog) -> None:
    """Let each sequence that feeds a column go on after the column's greatest value."""
    owned = [each for each in catalog.sequences if each.owned_by and _counts(catalog, each.owned_by)]
    for start in range(0, len(owned), _AT_ONCE):
        parts = []
        for sequence in owned[start : start + _AT_ONCE]:
            schema, table, column = sequence.owned_by or ("", "", "")
            parts.append(
                composed.SQL(
                    "select pg_catalog.setval({name}, least({most}, greatest({least}, m)))"
                    " from (select pg_catalog.max({column})::bigint as m from {table}) as s"
                    " where m is not null"
                ).format(
                    name=composed.Literal(
                        composed.Identifier(sequence.schema, sequence.name).as_string(conn)
                    ),
                    most=composed.Literal(sequence.maximum),
                    least=composed.Literal(sequence.minimum),
                    column=composed.Identifier(column),
                    table=composed.Identifier(schema, table),
                )
            )
        conn.execute(composed.SQL(" union all ").join(parts))


def _counts(catalog: Catalog, owner: tuple[str, str, str]) -> bool:
    """Whether the column that a sequence belongs to holds numbers; a text may hold more than its number."""
    table = catalog._tables_by_name.get(owner[:2])
    return table is not None and table.column(owner[2]).base_type in _NUMBERS


def refreshed_views(conn: Connection, catalog: Catalog) -> list[str]:
    """Refresh the materialized views, those that need another one in a later round; what failed, in words."""
    waiting = [table for table in catalog.tables if table.kind == "materialized view"]
    failures: dict[TableName, str] = {}
    while waiting:
        failures = {}
        for view in waiting:
            try:
                conn.execute(
                    composed.SQL("refresh materialized view {}").format(
                        composed.Identifier(view.schema, view.name)
                    )
                )
            except psycopg2.Error as exc:
                if conn.closed:
                    raise
                said = " ".join((exc.diag.message_primary or str(exc)).split())
                failures[view.schema, view.name] = f"{view.qualified} was not refreshed: {said}"
        if len(failures) == len(waiting):
            break
        waiting = [view for view in waiting if (view.schema, view.name) in failures]
    return list(failures.values())
