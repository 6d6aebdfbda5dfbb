"""The vocabulary of structure and statistics: plain, frozen facts about one database.

Names are as the server stores them (never quoted); `qualified` quotes them for SQL. Types, expressions
and definitions are as the server prints them under an empty search path: what is not the system's own
bears its schema, so that a definition means the same in every session. Sizes are in bytes, counts in
rows; a row count is the planner's estimate (``reltuples``) unless its name says exact, and None where
nothing was ever analysed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")
ConstraintKind = Literal["primary key", "unique", "foreign key", "check", "exclusion", "not null"]
TableKind = Literal["table", "partitioned table", "view", "materialized view", "foreign table"]


def quoted(name: str) -> str:
    """*name* for people: as it is where it is a plain identifier, else in double quotes."""
    return name if _PLAIN.match(name) else '"' + name.replace('"', '""') + '"'


def qualified(*names: str) -> str:
    """Names joined by dots, each quoted where SQL would need it; for display, not for building SQL."""
    return ".".join(quoted(name) for name in names)


@dataclass(frozen=True)
class Column:
    """A column; *null_fraction*, *distinct* and *average_width_bytes* come from pg_stats where analysed.

    *distinct* is as pg_stats gives it: above 0 a count, below 0 minus the ratio to the rows. *default* is
    the expression of a generated column, too; *nullable* is false as well where the domain forbids null;
    *domain* is a key of `Catalog.domains`.
    """

    name: str
    position: int
    type: str
    base_type: str  # the type beneath domains, without modifiers
    nullable: bool
    default: str | None = None
    identity: Literal["", "always", "by default"] = ""
    generated: Literal["", "stored", "virtual"] = ""
    collation: str | None = None
    comment: str | None = None
    domain: str | None = None
    enum_labels: tuple[str, ...] = ()
    null_fraction: float | None = None
    distinct: float | None = None
    average_width_bytes: int | None = None


@dataclass(frozen=True)
class Constraint:
    """A constraint of a table; *columns* in key order, empty for a check on no column.

    For a foreign key, *references* is (schema, table) and *referenced_columns* pair with *columns*.
    """

    name: str
    kind: ConstraintKind
    columns: tuple[str, ...]
    definition: str
    validated: bool = True
    enforced: bool = True
    deferrable: bool = False
    initially_deferred: bool = False
    inherited: bool = False  # the copy that a partition has of its parent's constraint
    references: tuple[str, str] | None = None
    referenced_columns: tuple[str, ...] = ()
    on_delete: str = ""
    on_update: str = ""
    comment: str | None = None


@dataclass(frozen=True)
class Index:
    """An index; *keys* are the key expressions in order, *columns* the key's column names.

    A column is None where the key is an expression; the predicate is a partial index's.
    """

    name: str
    method: str
    keys: tuple[str, ...]
    columns: tuple[str | None, ...]
    included: tuple[str, ...]
    unique: bool
    primary: bool
    valid: bool
    predicate: str | None
    definition: str
    constraint: str | None = None
    size_bytes: int = 0
    scans: int | None = None
    nulls_not_distinct: bool = False
    inherited: bool = False  # the part that a partition has of its parent's index
    comment: str | None = None


@dataclass(frozen=True)
class Trigger:
    """A trigger that someone declared; *function* is its qualified name."""

    name: str
    function: str
    definition: str
    enabled: Literal["origin", "disabled", "replica", "always"]
    inherited: bool = False  # the copy that a partition has of its parent's trigger


@dataclass(frozen=True)
class Policy:
    """A row security policy; *command* is select, insert, update, delete or all, *roles* may hold public."""

    name: str
    command: str
    permissive: bool
    roles: tuple[str, ...]
    using: str | None
    check: str | None


@dataclass(frozen=True)
class Table:
    """A relation that holds or shows rows; `columns` in their order.

    *total_size_bytes* has the indexes and the out-of-line values, *size_bytes* only the latter; those and the
    rows of a partitioned table are the sums over its partitions. *inherits* are the parents of a table
    that inherits without being a partition.
    """

    schema: str
    name: str
    kind: TableKind
    owner: str
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    policies: tuple[Policy, ...] = ()
    comment: str | None = None
    partition_of: tuple[str, str] | None = None
    partition_key: str | None = None
    partition_bound: str | None = None
    inherits: tuple[tuple[str, str], ...] = ()
    row_security: bool = False
    row_security_forced: bool = False
    persistence: Literal["permanent", "unlogged", "temporary"] = "permanent"
    rows_estimated: float | None = None
    size_bytes: int = 0
    total_size_bytes: int = 0

    @property
    def qualified(self) -> str:
        return qualified(self.schema, self.name)

    @property
    def primary_key(self) -> Constraint | None:
        return next((found for found in self.constraints if found.kind == "primary key"), None)

    @property
    def foreign_keys(self) -> tuple[Constraint, ...]:
        return tuple(found for found in self.constraints if found.kind == "foreign key")

    def column(self, name: str) -> Column:
        """The column *name*; KeyError where there is none."""
        return self._columns_by_name[name]

    @cached_property
    def _columns_by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}


@dataclass(frozen=True)
class Sequence:
    """A sequence; *last_value* is None before its first use, and where it may not be read."""

    schema: str
    name: str
    type: str
    last_value: int | None
    maximum: int
    increment: int
    owned_by: tuple[str, str, str] | None = None  # schema, table, column
    identity: bool = False  # it feeds an identity column
    minimum: int = 1
    cycles: bool = False


@dataclass(frozen=True)
class Routine:
    """A routine; *arguments* tell it from others of its name, *search_path* is the one it sets for itself."""

    schema: str
    name: str
    kind: Literal["function", "procedure", "aggregate", "window"]
    arguments: str
    language: str
    security_definer: bool
    search_path: str | None
    owner: str = ""


@dataclass(frozen=True)
class Role:
    name: str
    superuser: bool
    login: bool
    bypass_row_security: bool
    member_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalog:
    """One database's structure and statistics, without what belongs to the system or to an extension."""

    database: str
    server: str  # "PostgreSQL 18.6"
    server_version: int  # 180006
    tables: tuple[Table, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    routines: tuple[Routine, ...] = ()
    extensions: dict[str, str] = field(default_factory=dict)  # name → version
    enums: dict[str, tuple[str, ...]] = field(default_factory=dict)  # qualified name → labels
    domains: dict[str, str] = field(default_factory=dict)  # qualified name → definition
    roles: tuple[Role, ...] = ()

    @cached_property
    def _tables_by_name(self) -> dict[tuple[str, str], Table]:
        return {(table.schema, table.name): table for table in self.tables}

    def table(self, schema: str, name: str) -> Table:
        """The table of that schema and name; KeyError where there is none."""
        return self._tables_by_name[schema, name]

    @property
    def schemas(self) -> tuple[str, ...]:
        return tuple(sorted({table.schema for table in self.tables}))

    @property
    def base_tables(self) -> tuple[Table, ...]:
        """Tables that hold rows, partitioned parents among them, the partitions themselves left out."""
        return tuple(
            table
            for table in self.tables
            if table.kind in ("table", "partitioned table") and table.partition_of is None
        )
