"""What is tried beside the tables of the intent: partitions, views, sequences, the design's own tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql as composed

from workbench.areas.security.attacks.actors import Actor
from workbench.areas.security.attacks.cases import Case, statement
from workbench.areas.security.attacks.rows import TableRows
from workbench.areas.security.intent.model import TableName
from workbench.catalog.model import Column, Sequence, Table, qualified
from workbench.engines.postgres import Connection

Events = Mapping[TableName, Collection[str]]  # what each view takes


@dataclass(frozen=True)
class Writing:
    """Writes cases of *actor*; *conn* says how literals are quoted.

    *unwritable* are the names of columns that some table does not let be written: a view may show them.
    """

    conn: Connection
    actor: Actor
    unwritable: frozenset[str] = frozenset()

    def case(self, name: TableName, operation: str, declared: Any, text: str, **more: Any) -> Case:
        who = self.actor.role + (f"@{self.actor.identity}" if self.actor.identity else "")
        part = more.pop("part", "any row")
        key = f"{who}/{qualified(*name)}/{operation}/any/{part}"
        return Case(
            key, f"{operation} {part}", self.actor.role, self.actor.identity, operation, text, declared,
            name, "any", **more,
        )  # fmt: skip

    def say(self, name: str, relation: TableName, **values: Any) -> str:
        return statement(self.conn, name, table=composed.Identifier(*relation), **values)

    def first_writable(self, table: Table) -> str | None:
        """A column that can be written."""
        doubtful = self.unwritable if table.kind == "view" else frozenset()
        return next(
            (each.name for each in table.columns if writable(each) and each.name not in doubtful), None
        )

    def update(self, table: Table, column: str) -> str:
        """Its own default is the one value that every column takes, also through a view."""
        values = composed.SQL("{} = default").format(composed.Identifier(column))
        return self.say("update count", (table.schema, table.name), assignments=values)


def writable(column: Column) -> bool:
    """Whether a client can write it at all."""
    return not column.generated and column.identity != "always"


def closed_cases(writing: Writing, table: Table, events: Events, *, readable: bool = False) -> Iterator[Case]:
    """A relation that no rule opens; one that is *readable* all the same is tried by writes alone."""
    name = (table.schema, table.name)
    takes = events.get(name, ()) if table.kind == "view" else ("insert", "update", "delete")
    if not readable:
        yield writing.case(
            name, "select", "refused", writing.say("select count", name),
            how="count", by_privilege=True, part="all rows",
        )  # fmt: skip
    if table.kind == "materialized view":
        return
    column = writing.first_writable(table)
    if "insert" in takes:
        yield writing.case(
            name,
            "insert",
            "refused",
            writing.say("insert defaults", name),
            by_privilege=True,
            part="any column",
        )
    if "update" in takes and column is not None:
        yield writing.case(
            name, "update", "refused", writing.update(table, column),
            how="counter", by_privilege=True, part="all rows",
        )  # fmt: skip
    if "delete" in takes:
        yield writing.case(
            name, "delete", "refused", writing.say("delete count", name),
            how="counter", by_privilege=True, part="all rows",
        )  # fmt: skip
    if table.kind in ("table", "partitioned table"):
        yield writing.case(name, "truncate", "refused", writing.say("truncate", name), by_privilege=True)


def owner_cases(writing: Writing, table: Table) -> Iterator[Case]:
    """The owner of a table whose rows belong to somebody: forced row security hides them from it, too.

    TRUNCATE knows no row security and an owner's right to it can be taken back by the owner alone.
    """
    name = (table.schema, table.name)
    column = writing.first_writable(table)
    yield writing.case(
        name, "select", "refused", writing.say("select count", name), how="count", part="all rows"
    )
    if column is not None:
        yield writing.case(
            name, "update", "refused", writing.update(table, column), how="counter", part="all rows"
        )
    yield writing.case(
        name, "delete", "refused", writing.say("delete count", name), how="counter", part="all rows"
    )
    yield writing.case(name, "truncate", "residual", writing.say("truncate", name))


def superuser_cases(writing: Writing, rows: TableRows) -> Iterator[Case]:
    """What no design can keep from a superuser: the reference that the statements reach what is there."""
    table = rows.table
    name = (table.schema, table.name)
    total = sum(each.count for each in rows.samples)
    column = writing.first_writable(table)
    statements = {"select": writing.say("select count", name)}
    if table.kind != "foreign table":  # what it takes is for its wrapper to say
        statements["delete"] = writing.say("delete count", name)
    if column is not None and table.kind != "foreign table":
        statements["update"] = writing.update(table, column)
    for operation, text in statements.items():
        yield writing.case(
            name, operation, "allowed", text, how="count" if operation == "select" else "counter",
            declared_rows=total, part="all rows",
        )  # fmt: skip


def sequence_cases(writing: Writing, sequence: Sequence, *, needed: bool) -> Iterator[Case]:
    """A sequence: its next value is for who inserts rows that take it (*needed*), the rest for nobody."""
    name = (sequence.schema, sequence.name)
    literal = composed.Literal(composed.Identifier(*name).as_string(writing.conn))
    yield writing.case(
        name, "select", "refused", writing.say("last value", name), by_privilege=True, part="last value"
    )
    yield writing.case(
        name, "usage", "allowed" if needed else "refused", writing.say("nextval", name, sequence=literal),
        by_privilege=not needed, part="next value",
    )  # fmt: skip
    yield writing.case(
        name,
        "update",
        "refused",
        writing.say("setval", name, sequence=literal),
        by_privilege=True,
        part="reset",
    )
