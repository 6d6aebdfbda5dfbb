"""What the probes are aimed at: who attacks, and which tables, rows and keys of a target they choose."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from psycopg2 import sql

from workbench.areas.security.attacks.probes.running import Session, statement
from workbench.areas.security.attacks.probes.valid_writes import ValidWrites, valid_writes
from workbench.areas.security.intent.model import Intent, Operation, RoleIntent, Rule, TableName
from workbench.areas.security.trial.model import Target
from workbench.catalog.model import Catalog, Column, Constraint, Table
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection

MOST_KEYS = 200


def name_of(table: TableName) -> sql.Identifier:
    """A table's name for a statement."""
    return sql.Identifier(*table)


def names(columns: Iterable[str], alias: str | None = None) -> sql.Composed:
    """Column names for a statement, comma-separated."""
    if alias is None:
        return sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL(", ").join(sql.Identifier(alias, each) for each in columns)


def roles_held(intent: Intent, role: str) -> tuple[str, ...]:
    """*role* and the roles that it inherits, near ones first."""
    by_name = {each.name: each for each in intent.roles}
    waiting, held = [role], []
    while waiting:
        each = waiting.pop()
        if each not in held:
            held.append(each)
            waiting += by_name[each].inherits if each in by_name else ()
    return tuple(held)


def rules_of(intent: Intent, role: str) -> tuple[Rule, ...]:
    """The rules of *role* with those that it inherits."""
    held = roles_held(intent, role)
    return tuple(rule for rule in intent.rules if rule.role in held)


@dataclass(frozen=True)
class Owned:
    """A table whose rows have owners, and some rows of each identity by the text of their primary key."""

    table: Table
    keys: tuple[str, ...]
    a: tuple[str, ...]
    b: tuple[str, ...]

    @property
    def name(self) -> TableName:
        return self.table.schema, self.table.name

    @property
    def identifier(self) -> sql.Identifier:
        return name_of(self.name)

    @property
    def key(self) -> sql.Composed:
        """The row's primary key as one text, to be compared with *a* or *b*."""
        return sql.SQL("row({})::text").format(names(self.keys, "t"))


@dataclass
class Scene:
    """A target, looked at as a superuser so that every probe knows what is there to be reached."""

    target: Target
    conn: Connection  # a superuser's
    left_out: list[str] = field(default_factory=list)
    changes: list[Any] | None = None  # what `trail` found that may be changed
    known_writes: ValidWrites | None = None  # found on the whole design, where this one is broken
    only_role: str | None = None  # of the attempts on what others own those as it alone
    only_table: TableName | None = None  # of the valid writes those to it alone

    @property
    def intent(self) -> Intent:
        return self.target.intent

    @contextlib.contextmanager
    def copy(self, label: str) -> Iterator[str]:
        """The name of a copy of the target's database; nobody else may be connected to that."""
        server = self.target.place.server
        self.conn.close()
        try:
            with server.scratch_database(template=self.target.database, label=label) as name:
                self.conn = server.connect(self.target.database)
                yield name
        finally:
            if self.conn.closed:
                self.conn = server.connect(self.target.database)

    @cached_property
    def valid_writes(self) -> ValidWrites:
        """The writes that the intent allows and the tables accept."""
        return self.known_writes or valid_writes(self.target)

    def concerns(self, table: TableName) -> bool:
        return self.only_table in (None, table)

    @cached_property
    def catalog(self) -> Catalog:
        return reflect(self.conn)

    @cached_property
    def roles_found(self) -> frozenset[str]:
        return frozenset(name for (name,) in self.conn.execute(statement("common.roles")).fetchall())

    @cached_property
    def logins(self) -> tuple[RoleIntent, ...]:
        """The login roles of the intent that are there."""
        return tuple(
            each for each in self.intent.roles if each.kind == "login" and each.name in self.roles_found
        )

    @cached_property
    def no_temporary_objects(self) -> bool:
        """Whether no login may make temporary objects."""
        roles = [each.name for each in self.logins]
        found = self.conn.execute(statement("common.may_make_temporary"), {"roles": roles}).fetchone()
        return not (found and found[0])

    @cached_property
    def app(self) -> RoleIntent | None:
        """The login that acts for one identity at a time; the first of them."""
        return next((each for each in self.logins if "A" in self.target.acts_for(each)), None)

    @cached_property
    def reader_logins(self) -> tuple[RoleIntent, ...]:
        return tuple(each for each in self.logins if each.identified == "none")

    def may(self, role: str, table: TableName, operation: Operation) -> tuple[Rule, ...]:
        """The rules by which *role* may do *operation* on *table*, to whatever rows."""
        return tuple(
            rule
            for rule in rules_of(self.intent, role)
            if table in rule.tables and operation in rule.operations
        )

    @cached_property
    def owned(self) -> tuple[Owned, ...]:
        """The tables with rows of both identities that the identified login may read its own rows of.

        Those that it may also change come first. Tables without a primary key are left out.
        """
        if self.app is None:
            return ()
        found = [
            owned
            for table in self.intent.owners
            if any(rule.rows == "own" for rule in self.may(self.app.name, table, "select"))
            and (owned := self._owned(table)) is not None
        ]
        rights: tuple[Operation, ...] = ("delete", "update", "insert")

        def order(each: Owned) -> tuple[int, str]:
            assert self.app is not None
            return -sum(bool(self.may(self.app.name, each.name, right)) for right in rights), str(each.name)

        return tuple(sorted(found, key=order))

    def _owned(self, name: TableName) -> Owned | None:
        try:
            table = self.catalog.table(*name)
        except KeyError:
            return None
        if table.primary_key is None:
            return None
        keys = table.primary_key.columns
        a, b = (
            tuple(
                key
                for (key,) in self.conn.execute(
                    statement(
                        "common.keys",
                        key=names(keys, "t"),
                        same_key=names(keys, "s"),
                        table=name_of(name),
                        owned=self.owned_by(name, "t"),
                    ),
                    {"identity": identity, "limit": MOST_KEYS},
                ).fetchall()
            )
            for identity in (self.target.identities.a, self.target.identities.b)
        )
        return Owned(table, keys, a, b) if a and b else None

    def owned_by(self, table: TableName, alias: str) -> sql.Composable:
        """The condition that a row of *table* belongs to %(identity)s; for a superuser."""
        owner = self.intent.owners[table]
        if owner.parent is None:
            return statement("common.owned_by_column", column=sql.Identifier(alias, owner.column or ""))
        inner = alias + "_"
        return statement(
            "common.owned_by_parent",
            parent=name_of(owner.parent),
            alias=sql.Identifier(inner),
            parent_columns=names(owner.parent_columns, inner),
            columns=names(owner.columns, alias),
            owned=self.owned_by(owner.parent, inner),
        )

    @cached_property
    def subject(self) -> Owned | None:
        """The owned table that most other tables belong through, with row security if any has it."""
        parents = [owner.parent for owner in self.intent.owners.values()]
        direct = [each for each in self.owned if self.intent.owners[each.name].column]
        secured = [each for each in direct if each.table.row_security]
        found = secured or direct or self.owned
        return max(found, key=lambda each: parents.count(each.name), default=None)

    def owner_column(self, table: TableName) -> str | None:
        return self.intent.owners[table].column if table in self.intent.owners else None

    def writable_column(self, role: str, owned: Owned) -> str:
        """A column outside of the key that *role* may update where any rule says so, else any other."""
        named = [
            column
            for rule in self.may(role, owned.name, "update")
            for column in rule.columns or ()
            if column not in owned.keys
        ]
        return (
            named[0]
            if named
            else next(
                (
                    each.name
                    for each in owned.table.columns
                    if each.name not in owned.keys
                    and not each.generated
                    and each.name != self.owner_column(owned.name)
                ),
                owned.keys[0],
            )
        )

    def needed_columns(self, owned: Owned) -> tuple[Column, ...]:
        """The columns that an insert must name: not null, without a default, the owner's.

        And those that a check compares with one of these, for a default would fit the copied value badly.
        """
        owner = self.intent.owners[owned.name]
        kept = {owner.column, *owner.columns}
        stored = [each for each in owned.table.columns if not each.generated and not each.identity]
        needed = {each.name for each in stored if not each.nullable and each.default is None} | kept
        if self.app is not None and any(
            rule.columns is None for rule in self.may(self.app.name, owned.name, "insert")
        ):
            for check in owned.table.constraints:
                if check.kind == "check" and needed & set(check.columns):
                    kept |= set(check.columns)
        return tuple(
            column
            for column in owned.table.columns
            if not column.generated
            and not column.identity
            and (column.name in kept or (not column.nullable and column.default is None))
        )

    def row_values(self, owned: Owned, key: str, columns: Iterable[str]) -> tuple[str | None, ...]:
        """The values, as text, of the row of *key*."""
        fields = sql.SQL(", ").join(
            sql.SQL("{}::text").format(sql.Identifier("t", column)) for column in columns
        )
        row = self.conn.execute(
            statement("common.row_values", fields=fields, table=owned.identifier, key=owned.key),
            {"key": key},
        ).fetchone()
        assert row is not None
        return tuple(row)

    def unique_keys(self, owned: Owned) -> tuple[tuple[str, ...], ...]:
        """The unique keys of plain columns that do not hold the owner's column, the primary key last."""
        owner = self.intent.owners[owned.name]
        tenant = {owner.column, *owner.columns} - {None}
        found = [
            tuple(column for column in index.columns if column is not None)
            for index in sorted(owned.table.indexes, key=lambda each: (each.primary, each.name))
            if index.unique and index.predicate is None and None not in index.columns
        ]
        return tuple(each for each in found if not tenant & set(each))

    def actual_owner(self, table: TableName) -> str:
        """The role that owns *table* in the target."""
        return self.catalog.table(*table).owner

    @cached_property
    def tables_owner(self) -> str:
        """The role that owns the subject, else the first table, else the database."""
        if self.subject is not None:
            return self.actual_owner(self.subject.name)
        tables = self.target.place.catalog.base_tables
        return self.actual_owner((tables[0].schema, tables[0].name)) if tables else self.target.place.deployer

    def foreign_keys_to_owned(self) -> tuple[tuple[Table, Constraint], ...]:
        """Foreign keys whose target has owners by row."""
        return tuple(
            (table, key)
            for table in self.catalog.base_tables
            for key in table.foreign_keys
            if key.references in self.intent.owners
        )


def count_reached(session: Session, owned: Owned, keys: tuple[str, ...], name: str = "rows.count") -> int:
    """How many of the rows *keys* the session sees; 0 where it may not look."""
    sent = session.run(name, {"keys": list(keys)}, table=owned.identifier, key=owned.key)
    return int(sent.value or 0)
