"""The rights in a database, read in a dozen queries however large it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from workbench import sql
from workbench.areas.security.access.model import (
    AccessFacts,
    DefaultPrivilege,
    LargeObjects,
    Membership,
    PolicyFact,
    PrivilegeFact,
    RelationFact,
    RoleFact,
    RoutineFact,
    SchemaFact,
    TypeFact,
)
from workbench.engines.postgres import Connection
from workbench.proof.plans import rolled_back

Fact = TypeVar("Fact")
_FOLDER = "security/access"
_PG16 = 160_000


def access_facts(conn: Connection) -> AccessFacts:
    """Who has which rights in the database behind *conn*: needs no right but to connect, and only reads.

    Expressions of policies are printed under an empty search path, each name with its schema.
    """
    with rolled_back(conn, {"search_path": ""}):
        session = sql.fetch(conn, f"{_FOLDER}/session.sql")[0]
        memberships = "memberships" if session["server_version"] >= _PG16 else "memberships_before_16"
        return AccessFacts(
            **session,
            roles=_facts(conn, "roles", RoleFact),
            memberships=_facts(conn, memberships, Membership),
            schemas=_facts(conn, "schemas", SchemaFact),
            relations=_facts(conn, "relations", RelationFact),
            policies=_facts(conn, "policies", PolicyFact),
            routines=_facts(conn, "routines", RoutineFact),
            types=_facts(conn, "types", TypeFact),
            privileges=_facts(conn, "privileges", PrivilegeFact),
            default_privileges=_facts(conn, "default_privileges", DefaultPrivilege),
            large_objects=_facts(conn, "large_objects", LargeObjects),
        )


def _facts(conn: Connection, name: str, make: Callable[..., Fact]) -> tuple[Fact, ...]:
    return tuple(make(**_frozen(row)) for row in sql.fetch(conn, f"{_FOLDER}/{name}.sql"))


def _frozen(row: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
