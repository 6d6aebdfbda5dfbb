"""A change of one row of a table that its own rules allow, found by trying."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from psycopg2 import sql

from workbench.areas.security.attacks.probes.running import Sent, Session, statement
from workbench.areas.security.attacks.probes.scene import name_of, names
from workbench.catalog.model import Column, Table

_NUMBERS = frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"})
_TEXTS = frozenset({"text", "character varying"})
_TIMES = frozenset({"timestamp with time zone", "timestamp without time zone", "date"})


@dataclass(frozen=True)
class Change:
    """The change of *column* of the row *key* to *expression*, which the table's own rules allow."""

    table: Table
    key: str
    column: str
    expression: sql.Composable

    @property
    def row_key(self) -> sql.Composed:
        assert self.table.primary_key is not None
        return sql.SQL("row({})::text").format(names(self.table.primary_key.columns, "t"))

    def send(self, session: Session) -> Sent:
        """What the server said to it."""
        return session.run(
            "trail.change_anywhere",
            {"key": self.key},
            table=name_of((self.table.schema, self.table.name)),
            column=sql.Identifier(self.column),
            expression=self.expression,
            key=self.row_key,
        )


def find_change(session: Session, table: Table, *, of_key: bool = False) -> Change | None:
    """A change that a superuser can make in *table*, of a column outside of the key or in it; undone again.

    Columns that the trail leaves out are not changed, for that is to leave no entry. None where there is no
    row, no primary key, or no change that its constraints and triggers allow.
    """
    if table.primary_key is None:
        return None
    name = name_of((table.schema, table.name))
    keys = table.primary_key.columns
    key = session.send(statement("trail.first_key", key=names(keys, "t"), table=name)).value
    if key is None:
        return None
    for column in _candidates(table, keys, _omitted(session, table), of_key=of_key):
        for expression in _expressions(column):
            change = Change(table, key, column.name, expression)
            sent = change.send(session)
            if sent.accepted:
                session.conn.execute("rollback to savepoint before_attempt")
                if sent.rowcount == 1:
                    return change
    return None


def _omitted(session: Session, table: Table) -> set[str]:
    """The columns of *table*, or of the table that it is a partition of, that no trail is to speak of."""
    while table.partition_of is not None:
        table = session.target.place.catalog.table(*table.partition_of)
    return {
        column
        for label in session.target.intent.labels
        if label.audited == "omitted"
        for schema, name, column in label.columns
        if (schema, name) == (table.schema, table.name)
    }


def _candidates(
    table: Table, keys: tuple[str, ...], omitted: Collection[str], *, of_key: bool
) -> list[Column]:
    foreign = {name for key in table.foreign_keys for name in key.columns}
    found = [
        column
        for column in table.columns
        if (column.name in keys) == of_key
        and column.name not in omitted
        and not column.generated
        and column.identity != "always"
    ]
    order = {"boolean": 0, **dict.fromkeys(_TEXTS, 1), **dict.fromkeys(_NUMBERS, 2)}
    return sorted(
        found,
        key=lambda each: (each.name in foreign, "updated" in each.name, order.get(each.base_type, 3)),
    )


def _expressions(column: Column) -> Iterator[sql.Composable]:
    """Values that differ from what is there, likely ones first."""
    name, kind = sql.Identifier("t", column.name), column.base_type.partition("(")[0]
    if kind == "boolean":
        yield sql.SQL("not {}").format(name)
    elif kind in _TEXTS:
        yield sql.SQL("{} || 'x'").format(name)
        yield sql.SQL("pg_catalog.upper(pg_catalog.left(pg_catalog.md5({}), 3))").format(name)
    elif kind in _NUMBERS:
        yield sql.SQL("{} + 1").format(name)
        yield sql.SQL("{} + 100000").format(name)
    elif kind in _TIMES:
        yield sql.SQL("{} + interval '1 day'").format(name)
    elif kind == "uuid":
        yield sql.SQL("pg_catalog.gen_random_uuid()")
    if column.nullable:
        yield sql.SQL("null")
    if column.enum_labels:
        for label in column.enum_labels[:2]:
            yield sql.Literal(label)
