"""The roles of the example's applications: each may do what it must and no more.

Roles and users are kept by the server apart from the database that they are for: dropping it leaves them.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pymongo.database import Database

from workbench import sql
from workbench.documents.example.designs import extended_json

ROLES = "nosql/roles"


@dataclass(frozen=True)
class Role:
    """A role as it is designed; *privileges* are actions by collection."""

    name: str
    says: str
    privileges: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Login:
    """A user with one of the roles; it logs in to *database*."""

    user: str
    database: str
    password: str = field(repr=False)


@cache
def roles() -> tuple[Role, ...]:
    """The roles of the example."""
    return tuple(
        Role(
            found["role"],
            found["says"],
            {each["collection"]: tuple(each["actions"]) for each in found["privileges"]},
        )
        for found in map(extended_json, sorted(sql.path(ROLES).glob("*.json")))
    )


def apply_roles(database: Database[Any]) -> list[str]:
    """Create the roles in *database*, or bring those that are there to the design; those changed now."""
    there = {
        found["role"]: _privileges(found["privileges"])
        for found in database.command("rolesInfo", 1, showPrivileges=True)["roles"]
    }
    changed = []
    for role in roles():
        if there.get(role.name) == {name: frozenset(actions) for name, actions in role.privileges.items()}:
            continue
        privileges = [
            {"resource": {"db": database.name, "collection": name}, "actions": list(actions)}
            for name, actions in role.privileges.items()
        ]
        command = "updateRole" if role.name in there else "createRole"
        database.command(command, role.name, privileges=privileges, roles=[])
        changed.append(role.name)
    return changed


@contextlib.contextmanager
def logins(database: Database[Any]) -> Iterator[Mapping[str, Login]]:
    """A user for each role, by the role's name, with a random password; users and roles are gone after it."""
    apply_roles(database)
    made = {
        role.name: Login(f"{role.name}_proof", database.name, secrets.token_urlsafe(24)) for role in roles()
    }
    try:
        for name, login in made.items():
            database.command(
                "createUser",
                login.user,
                pwd=login.password,
                roles=[{"role": name, "db": database.name}],
                mechanisms=["SCRAM-SHA-256"],
            )
        yield made
    finally:
        drop_roles(database)


def drop_roles(database: Database[Any]) -> None:
    """Drop every user and role that belongs to *database*."""
    database.command("dropAllUsersFromDatabase")
    database.command("dropAllRolesFromDatabase")


def _privileges(found: list[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    return {each["resource"]["collection"]: frozenset(each["actions"]) for each in found}
