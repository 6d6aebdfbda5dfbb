"""Who has which rights in a database, as plain facts.

Names are as the server stores them; PUBLIC is the role ``public``, a name that no role can have. What
belongs to the system or to an extension is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

PUBLIC = "public"
ObjectKind = Literal[
    "database", "schema", "table", "column", "sequence", "routine", "type", "language", "foreign server"
]
RelationKind = Literal["table", "partitioned table", "view", "materialized view", "foreign table", "sequence"]


@dataclass(frozen=True)
class RoleFact:
    """A role's attributes; *connection_limit* -1 is none; *settings* are ``name=value``."""

    name: str
    superuser: bool
    create_role: bool
    create_database: bool
    login: bool
    inherit: bool
    bypass_row_security: bool
    replication: bool
    connection_limit: int
    valid_until: str | None
    settings: tuple[str, ...]
    comment: str

    @property
    def predefined(self) -> bool:
        """Whether PostgreSQL brings it (``pg_read_all_data`` and its like)."""
        return self.name.startswith("pg_")


@dataclass(frozen=True)
class Membership:
    """*member* was granted *role* by *grantor*.

    Before PostgreSQL 16, *inherits* is the member's own attribute and *can_set* always true.
    """

    role: str
    member: str
    grantor: str
    admin: bool
    inherits: bool
    can_set: bool


@dataclass(frozen=True)
class SchemaFact:
    name: str
    owner: str


@dataclass(frozen=True)
class RelationFact:
    """A table, view or sequence; the two view options are false for everything else."""

    schema: str
    name: str
    kind: RelationKind
    owner: str
    partition: bool
    row_security: bool
    forced: bool
    security_invoker: bool
    security_barrier: bool


@dataclass(frozen=True)
class PolicyFact:
    """A row security policy of a table; *command* is select, insert, update, delete or all."""

    schema: str
    table_name: str
    name: str
    command: str
    permissive: bool
    roles: tuple[str, ...]
    using: str | None
    check: str | None


@dataclass(frozen=True)
class RoutineFact:
    """A routine; *arguments* tell it from others of its name; *settings* are ``name=value``."""

    schema: str
    name: str
    arguments: str
    kind: str
    owner: str
    language: str
    security_definer: bool
    leakproof: bool
    settings: tuple[str, ...]


@dataclass(frozen=True)
class TypeFact:
    schema: str
    name: str
    owner: str


@dataclass(frozen=True)
class PrivilegeFact:
    """One privilege that *grantee* holds on one object, the owner's own included.

    *part* is a column's name or a routine's arguments. *implicit* says that the object has no ACL, and
    this is what PostgreSQL gives by itself.
    """

    kind: ObjectKind
    schema: str
    name: str
    part: str
    owner: str
    grantee: str
    grantor: str
    privilege: str
    grantable: bool
    implicit: bool


@dataclass(frozen=True)
class DefaultPrivilege:
    """What new *objects* (tables, sequences, …) of *creator* give, in one schema or (None) in all.

    An entry that takes everything away has no *grantee* and no *privilege*.
    """

    creator: str
    schema: str | None
    objects: str
    grantee: str | None
    privilege: str | None
    grantable: bool


@dataclass(frozen=True)
class LargeObjects:
    """How many large objects of *owner* give *grantee* the *privilege*."""

    owner: str
    grantee: str
    privilege: str
    grantable: bool
    objects: int


@dataclass(frozen=True)
class AccessFacts:
    """All rights in one database and the roles of its cluster, as *reader* sees them."""

    database: str
    database_owner: str
    reader: str
    superuser: bool
    create_role: bool
    server_version: int
    roles: tuple[RoleFact, ...]
    memberships: tuple[Membership, ...]
    schemas: tuple[SchemaFact, ...]
    relations: tuple[RelationFact, ...]
    policies: tuple[PolicyFact, ...]
    routines: tuple[RoutineFact, ...]
    types: tuple[TypeFact, ...]
    privileges: tuple[PrivilegeFact, ...]
    default_privileges: tuple[DefaultPrivilege, ...]
    large_objects: tuple[LargeObjects, ...]

    @cached_property
    def roles_by_name(self) -> Mapping[str, RoleFact]:
        return {each.name: each for each in self.roles}

    @cached_property
    def relations_by_name(self) -> Mapping[tuple[str, str], RelationFact]:
        return {(each.schema, each.name): each for each in self.relations}

    @property
    def granted(self) -> tuple[PrivilegeFact, ...]:
        """The privileges that somebody gave to another than the owner, without PostgreSQL's own defaults."""
        return tuple(each for each in self.privileges if not each.implicit and each.grantee != each.owner)
