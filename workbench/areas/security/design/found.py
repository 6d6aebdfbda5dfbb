"""What a database says of its owners, privileges and routines before a design is made for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from workbench import sql
from workbench.areas.security.access.model import PUBLIC, AccessFacts
from workbench.areas.security.access.reading import access_facts
from workbench.areas.security.intent.model import TableName
from workbench.engines.postgres import Connection
from workbench.proof.plans import rolled_back

Fact = TypeVar("Fact")
_FOLDER = "security/design/found"


@dataclass(frozen=True)
class FoundSchema:
    """A schema; *extensions* says that an extension keeps its objects there."""

    name: str
    owner: str
    extensions: bool


@dataclass(frozen=True)
class FoundRelation:
    """A table, view or sequence; *kind* is pg_class.relkind, *owned_by_column* a sequence's."""

    schema: str
    name: str
    kind: str
    owner: str
    row_security: bool
    forced: bool
    options: list[str]
    owned_by_column: bool


@dataclass(frozen=True)
class FoundRoutine:
    """A routine with its text; *arguments* tell it from others of its name."""

    schema: str
    name: str
    arguments: str
    owner: str
    security_definer: bool
    alterable: bool
    trigger: bool
    search_path: str | None
    source: str


@dataclass(frozen=True)
class FoundType:
    schema: str
    name: str
    owner: str


@dataclass(frozen=True)
class FoundPrivilege:
    """One privilege that *grantee* (PUBLIC: "") holds; *part* is a column's name or a routine's arguments."""

    kind: str
    schema: str
    name: str
    part: str
    grantee: str
    grantor: str
    privilege: str
    grantable: bool


@dataclass(frozen=True)
class FoundDefault:
    """A default privilege of *creator*; *grantee* None where the entry gives nothing to others."""

    creator: str
    schema: str
    objects: str
    grantee: str | None
    privilege: str | None
    grantable: bool | None


@dataclass(frozen=True)
class FoundMembership:
    role: str
    member: str


@dataclass(frozen=True)
class UsedRoutine:
    """A routine that whoever writes (of a view: reads) the relation must be able to execute."""

    schema: str
    name: str
    routine_schema: str
    routine_name: str
    arguments: str


@dataclass(frozen=True)
class NeededSequence:
    schema: str
    name: str
    column_name: str
    sequence_schema: str
    sequence_name: str


@dataclass(frozen=True)
class Found:
    """One database and its cluster's roles, as *deployer* sees them."""

    database: str
    deployer: str
    superuser: bool
    create_role: bool
    database_owner: str
    server_version: int
    large_objects_open: bool
    roles: dict[str, str]  # name → comment
    memberships: tuple[FoundMembership, ...]
    schemas: tuple[FoundSchema, ...]
    relations: tuple[FoundRelation, ...]
    routines: tuple[FoundRoutine, ...]
    types: tuple[FoundType, ...]
    privileges: tuple[FoundPrivilege, ...]
    default_privileges: tuple[FoundDefault, ...]
    view_bases: dict[TableName, dict[TableName, frozenset[str]]]  # view → relation → columns read
    used_routines: tuple[UsedRoutine, ...]
    needed_sequences: tuple[NeededSequence, ...]

    @cached_property
    def relations_by_name(self) -> dict[TableName, FoundRelation]:
        return {(each.schema, each.name): each for each in self.relations}


def read_found(conn: Connection) -> Found:
    """What the database behind *conn* says, in two dozen queries however large it is."""
    access = access_facts(conn)
    with rolled_back(conn, {"search_path": ""}):
        return Found(
            database=access.database,
            deployer=access.reader,
            superuser=access.superuser,
            create_role=access.create_role,
            database_owner=access.database_owner,
            server_version=access.server_version,
            large_objects_open=bool(sql.fetch(conn, f"{_FOLDER}/large_objects.sql")[0]["is_open"]),
            roles={each.name: each.comment for each in access.roles},
            memberships=tuple(
                dict.fromkeys(FoundMembership(each.role, each.member) for each in access.memberships)
            ),
            schemas=_facts(conn, "schemas", FoundSchema),
            relations=_facts(conn, "relations", FoundRelation),
            routines=_facts(conn, "routines", FoundRoutine),
            types=tuple(FoundType(each.schema, each.name, each.owner) for each in access.types),
            privileges=_privileges(access),
            default_privileges=_default_privileges(access),
            view_bases=_view_bases(conn),
            used_routines=_facts(conn, "used_routines", UsedRoutine),
            needed_sequences=_facts(conn, "needed_sequences", NeededSequence),
        )


def _privileges(access: AccessFacts) -> tuple[FoundPrivilege, ...]:
    """Those of others than the owner; that an ACL is not written down yet makes no difference."""
    return tuple(
        FoundPrivilege(
            each.kind,
            each.schema,
            each.name,
            each.part,
            _grantee(each.grantee),
            each.grantor,
            each.privilege,
            each.grantable,
        )
        for each in access.privileges
        if each.grantee != each.owner
    )


def _default_privileges(access: AccessFacts) -> tuple[FoundDefault, ...]:
    """What goes to others than the creator; an entry that gives nothing to others stays as one."""
    found: dict[tuple[str, str, str], list[FoundDefault]] = {}
    for each in access.default_privileges:
        place = (each.creator, each.schema or "", each.objects)
        given = found.setdefault(place, [])
        if each.grantee is not None and each.grantee != each.creator:
            given.append(FoundDefault(*place, _grantee(each.grantee), each.privilege, each.grantable))
    return tuple(
        default
        for place, given in sorted(found.items())
        for default in given or [FoundDefault(*place, None, None, None)]
    )


def _grantee(name: str) -> str:
    return "" if name == PUBLIC else name


def _view_bases(conn: Connection) -> dict[TableName, dict[TableName, frozenset[str]]]:
    bases: dict[TableName, dict[TableName, frozenset[str]]] = {}
    for row in sql.fetch(conn, f"{_FOLDER}/view_bases.sql"):
        read = bases.setdefault((row["view_schema"], row["view_name"]), {})
        base = (row["schema"], row["name"])
        read[base] = read.get(base, frozenset()) | ({row["column_name"]} - {""})
    return bases


def _facts(conn: Connection, name: str, fact: Callable[..., Fact]) -> tuple[Fact, ...]:
    rows: list[dict[str, Any]] = sql.fetch(conn, f"{_FOLDER}/{name}.sql")
    return tuple(fact(**row) for row in rows)
