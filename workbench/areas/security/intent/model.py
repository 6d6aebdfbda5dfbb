"""The vocabulary of an intent. What no rule allows is refused.

An intent says nothing of policies or grants: it is what those are tested against, so it must not be
read off them. Names are as the server stores them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

TableName: TypeAlias = tuple[str, str]  # schema, name
Operation = Literal["select", "insert", "update", "delete"]
OPERATIONS: tuple[Operation, ...] = ("select", "insert", "update", "delete")
Rows = Literal["all", "own"]
Identification = Literal["none", "token"]
RoleKind = Literal["group", "login", "owner", "audit owner"]
AuditStyle = Literal["statement", "row"]
Truncation = Literal["logged", "rows", "refused"]


@dataclass(frozen=True)
class RoleIntent:
    """A role of the design.

    A *group* is granted to others and nobody logs in as it; a *login* is what a program or a person
    connects as. The *owner* owns the tables and the *audit owner* the trail: nobody logs in as either.
    Of *identified* ``token`` the role acts for one identity at a time, proved by a signed token; it may
    hold rules about own rows. *inherits* are the roles whose rules it has as well. *existing* says that
    the role is in the cluster already and is to be used, not made.
    """

    name: str
    kind: RoleKind
    description: str = ""
    inherits: tuple[str, ...] = ()
    identified: Identification = "none"
    existing: bool = False
    connection_limit: int | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class RowOwner:
    """To whom a row of *table* belongs: to the identity in *column*, or to whom the row of *parent* belongs.

    With a parent, *columns* of the table pair with *parent_columns* (a key of the parent).
    """

    table: TableName
    column: str | None = None
    parent: TableName | None = None
    columns: tuple[str, ...] = ()
    parent_columns: tuple[str, ...] = ()
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Rule:
    """*role* may do *operations* to *rows* of *tables*: to all, or to those of its own identity.

    *where* is an SQL condition on the table's columns that the row must meet as well (for insert and
    update: the new row, too). Of *columns* None, the operation reaches every column but those whose
    label the role does not see; a tuple names the ones it reaches.
    """

    role: str
    tables: tuple[TableName, ...]
    operations: tuple[Operation, ...]
    rows: Rows = "all"
    where: str | None = None
    columns: tuple[str, ...] | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Label:
    """How sensitive *columns* (schema, table, column) are, and which roles may read them.

    Of *audited* ``redacted`` the trail keeps that a value changed, of ``omitted`` not even that, of
    ``kept`` the value. *encrypted* says that the application encrypts the value before it is sent.
    """

    name: str
    columns: tuple[tuple[str, str, str], ...]
    seen_by: tuple[str, ...] = ()
    audited: Literal["kept", "redacted", "omitted"] = "redacted"
    encrypted: bool = False
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class AuditIntent:
    """Which tables are audited and how: statement-level triggers, or the lean row trigger for *by_row*.

    Of *truncate* ``logged`` a TRUNCATE leaves one entry, of ``rows`` each of its rows as well (which costs
    what a DELETE does, and lets the audit owner read the tables), of ``refused`` there is none.
    """

    tables: tuple[TableName, ...] = ()
    by_row: tuple[TableName, ...] = ()
    readers: tuple[str, ...] = ()
    retention_months: int = 24
    schema: str = "audit"
    truncate: Truncation = "logged"
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Identity:
    """What an identity is: the key of a row of *table*, of SQL type *type* (such as ``uuid``)."""

    table: TableName
    column: str
    type: str
    token_lifetime_s: int = 900
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Intent:
    """Who may do what. *name* marks the roles and objects of the design; *path* is for messages.

    *schema* is where the design's own functions live. *never* are prohibitions: a rule that allows what
    one of them forbids is a contradiction, and so is an inheritance that would. *notes* say of a derived
    intent what was guessed and from what, by a key: () for the whole, ("role", name), ("rule", number from
    0), ("owner", schema, table), ("label", name), ("identity",), ("audit",).
    """

    name: str
    roles: tuple[RoleIntent, ...]
    rules: tuple[Rule, ...]
    never: tuple[Rule, ...] = ()
    owners: Mapping[TableName, RowOwner] = field(default_factory=dict)
    labels: tuple[Label, ...] = ()
    audit: AuditIntent | None = None
    identity: Identity | None = None
    schema: str = "access"
    path: str = field(default="", compare=False)
    notes: Mapping[tuple[str, ...], str] = field(default_factory=dict, compare=False)

    def role(self, name: str) -> RoleIntent:
        """The role *name*; KeyError where there is none."""
        return {each.name: each for each in self.roles}[name]

    @cached_property
    def rules_by_use(self) -> Mapping[tuple[str, TableName, Operation], tuple[Rule, ...]]:
        """The rules of each role itself, by role, table and operation."""
        found: dict[tuple[str, TableName, Operation], list[Rule]] = {}
        for rule in self.rules:
            for table in dict.fromkeys(rule.tables):
                for operation in rule.operations:
                    found.setdefault((rule.role, table, operation), []).append(rule)
        return {key: tuple(rules) for key, rules in found.items()}

    @cached_property
    def labels_by_table(self) -> Mapping[TableName, tuple[tuple[str, Label], ...]]:
        """The labelled columns of each table, each with its label."""
        found: dict[TableName, list[tuple[str, Label]]] = {}
        for label in self.labels:
            for schema, table, column in label.columns:
                found.setdefault((schema, table), []).append((column, label))
        return {table: tuple(pairs) for table, pairs in found.items()}

    @cached_property
    def lineages(self) -> Mapping[str, tuple[str, ...]]:
        """Each role and those that it inherits, near and far, each once; a circle ends where it began."""
        inherits = {each.name: each.inherits for each in self.roles}
        found: dict[str, tuple[str, ...]] = {}
        for name in inherits:
            line = [name]
            for each in line:  # grows while it is read
                line.extend(above for above in dict.fromkeys(inherits.get(each, ())) if above not in line)
            found[name] = tuple(line)
        return found

    @property
    def owner(self) -> RoleIntent:
        """The role that owns the tables; KeyError where none is declared."""
        return {each.kind: each for each in self.roles}["owner"]


@dataclass(frozen=True)
class Permission:
    """What one role may do with one operation on one table, its inherited rules included.

    The row must meet one of *grants*; each is (rows, where, columns), columns as in SQL order. None where
    the role may not at all.
    """

    role: str
    table: TableName
    operation: Operation
    grants: tuple[tuple[Rows, str | None, tuple[str, ...]], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that one of the grants reaches, in the order of the first grant that has it."""
        return tuple(dict.fromkeys(name for _, _, columns in self.grants for name in columns))
